"""Each source format on its fixture: what it is taken for, which values come out, in which unit."""

import math

import pytest

from scalefit.ingest.registry import FORMATS, recognise
from scalefit.ingest.source import Source

LN2 = math.log(2)
TOKEN, BYTE = "nats/target token", "nats/byte"

# path, what it is taken for, and rows as (metric, value, eval_set, more columns)
CASES = [
    (
        "megatron/train.log",
        "a Megatron log",
        [
            ("cross_entropy", 3.012049, "valid", {"unit": TOKEN, "step": 3000}),
            ("cross_entropy", 3.052049, "test", {"unit": TOKEN, "step": 3000}),
        ],
    ),
    (
        "pretraining/composer.log",
        "a console of pretraining (Composer, torchtitan, OLMo, nanoGPT)",
        [
            ("cross_entropy", 7.6, "eval", {"step": 100, "pretrain_tokens": 209_715_200}),
            ("cross_entropy", 7.3, "eval", {"step": 200, "pretrain_tokens": 419_430_400}),
        ],
    ),
    (
        "pretraining/torchtitan.log",
        "a console of pretraining (Composer, torchtitan, OLMo, nanoGPT)",
        [("cross_entropy", 7.4, "valid", {"unit": TOKEN, "step": 20})],
    ),
    (
        "tensorboard/run-fr-1M-tag-eval_bleu.csv",
        "a TensorBoard download",
        [("bleu", 13.0, "eval", {"run": "fr-1M", "step": 300})],
    ),
    (
        "fairseq/pipes.log",
        "a fairseq training log",
        [
            ("cross_entropy", 2.404 * LN2, "valid", {"unit": TOKEN, "step": 40297}),
            ("bleu", 33.92, "valid", {"step": 40297}),
            ("cross_entropy", 3.204 * LN2, "valid1", {"unit": TOKEN}),
            ("bleu", 21.05, "valid1", {}),
        ],
    ),
    (
        "fairseq/bare.log",
        "a fairseq training log",
        [("cross_entropy", 10.301 * LN2, "valid", {"step": 566})],
    ),
    (
        "fairseq/json.log",
        "a fairseq training log",
        [("cross_entropy", 10.301 * LN2, "valid", {"step": 566})],
    ),
    (
        "fairseq/hydra.log",
        "a fairseq training log",
        [("cross_entropy", 8.012 * LN2, "valid", {"step": 283})],
    ),
    (
        "fairseq/generate-test.txt",
        "a fairseq generation",
        [
            ("bleu", 6.26, "test", {"signature": "fairseq:BLEU4|beam:5|tok:none"}),
            ("brevity_penalty", 0.812, "test", {}),
        ],
    ),
    (
        "fairseq/written_by_0.12.2.log",
        "a fairseq training log",
        [("cross_entropy", 2.897 * LN2, "valid", {"unit": TOKEN, "step": 12})],
    ),
    (
        "fairseq/written_by_0.12.2.json.log",
        "a fairseq training log",
        [("cross_entropy", 2.98 * LN2, "valid", {"unit": TOKEN, "step": 8})],
    ),
    (
        "fairseq/generate-written_by_0.12.2.txt",
        "a fairseq generation",
        [("bleu", 0.0, "test", {}), ("brevity_penalty", 0.809, "test", {})],
    ),
    (
        "marian/valid.log",
        "a Marian log",
        [
            ("cross_entropy", 1.62407, "valid", {"unit": TOKEN, "target_tokens_seen": 481203311}),
            ("bleu", 28.14, "valid", {"signature": "marian:bleu-detok", "step": 16000}),
            ("perplexity", 5.0737, "valid", {}),
        ],
    ),
    (
        "joeynmt/validations.txt",
        "a JoeyNMT validation log",
        [
            ("cross_entropy", math.log(45.02), "dev", {"unit": TOKEN, "step": 2000}),
            ("bleu", 8.71, "dev", {}),
        ],
    ),
    (
        "joeynmt/v2.txt",
        "a JoeyNMT validation log",
        [
            ("cross_entropy", math.log(20.49), "dev", {"unit": TOKEN}),
            ("bleu", 11.73, "dev", {}),
            ("token_accuracy", 0.44, "dev", {}),
        ],
    ),
    (
        "joeynmt/written_by_2.3.txt",
        "a JoeyNMT validation log",
        [
            ("cross_entropy", math.log(2.39899), "dev", {"unit": TOKEN, "step": 120}),
            ("bleu", 17.13346, "dev", {}),
            ("chrf", 56.037, "dev", {}),
            ("token_accuracy", 0.66957, "dev", {}),
        ],
    ),
    (
        "opennmt/train.log",
        "an OpenNMT-py log",
        [
            ("cross_entropy", math.log(56.168), "valid", {"unit": TOKEN, "step": 380000}),
            ("token_accuracy", 0.376, "valid", {}),
        ],
    ),
    (
        "opennmt/written_by_3.5.1.log.gz",
        "an OpenNMT-py log",
        [
            ("cross_entropy", math.log(9.19429), "valid", {"unit": TOKEN, "step": 60}),
            ("token_accuracy", 0.252174, "valid", {}),
        ],
    ),
    (
        "t5x/inference_eval/wmt_t2t_ende_v003-metrics.jsonl",
        "T5X metrics",
        [
            ("bleu", 24.303, "wmt_t2t_ende_v003", {}),
            ("cross_entropy", 1.711, "wmt_t2t_ende_v003", {"unit": TOKEN}),
        ],
    ),
    (
        "wandb/panel.csv",
        "a W&B panel export",
        [
            ("bleu", 22.217, "eval", {"run": "fr+en-1.5M-s3", "step": 200}),
            ("bleu", 11.314, "eval", {"run": "code-1.5M-s3", "step": 100}),
        ],
    ),
    (
        "wandb/runs.csv",
        "a W&B runs table",
        [
            (
                "bleu",
                22.217,
                "eval",
                {"corpus": "fr+en", "pretrain_tokens": 1.5e6, "finetune_seed": 3},
            ),
            ("loss", 1.91, "eval", {}),
            ("bleu", 11.514, "eval", {"run": "code-1.5M-s4"}),
            ("loss", 2.81, "eval", {}),
        ],
    ),
    (
        "wandb/run.wandb.gz",
        "a W&B offline run",
        [
            (
                "bleu",
                23.113,
                "eval",
                {"run": "fr+en-1.5M-s3", "step": 299, "pretrain_tokens": 1.5e6},
            ),
            ("loss", 1.701, "eval", {"corpus": "fr+en"}),
            ("chrf", 55.53, "eval", {}),
        ],
    ),
    (
        "lm_eval/results_2026-11-22T03-49-38.116693.json",
        "lm-evaluation-harness results",
        [
            (
                "bleu",
                0.0,
                "tiny_mt",
                {"stderr": 0.0, "signature": "lm-eval:0.4.13|task:tiny_mt:v1.0"},
            ),
            ("chrf", 16.50311934508217, "tiny_mt", {"stderr": 22.54785029093402}),
            ("exact_match", 1 / 3, "tiny_mt", {"stderr": 1 / 3}),
            ("word_perplexity", 1.1464711393731892, "tiny_ppl", {}),
            ("cross_entropy_per_byte", 0.04382223061628147 * LN2, "tiny_ppl", {"unit": BYTE}),
        ],
    ),
    (
        "lm_eval/results_old.json",
        "lm-evaluation-harness results",
        [
            ("bleu", 24.711, "wmt20-de-en", {"stderr": 0.412, "model": "org/model-125m"}),
            ("chrf", 52.13, "wmt20-de-en", {"stderr": 0.31}),
            ("cross_entropy_per_byte", 0.721 * LN2, "wikitext", {"unit": BYTE}),
            ("word_perplexity", 14.5, "wikitext", {}),
        ],
    ),
    (
        "lm_eval/samples_tiny_mt_2026-11-22T03-49-38.116693.jsonl",
        "lm-evaluation-harness samples",
        [("exact_match", 1 / 3, "tiny_mt", {"stderr": 1 / 3})],
    ),
    (
        "lighteval/results_2025-01-01T00-00-00.000000.json",
        "lighteval results",
        [
            (
                "bleu",
                23.114,
                "lighteval|wmt14:en-fr|0",
                {"stderr": 0.511, "model": "org/model-125m"},
            ),
            ("chrf", 50.21, "lighteval|wmt14:en-fr|0", {"stderr": 0.42}),
            ("accuracy", 0.4312, "leaderboard|hellaswag|10", {"stderr": 0.0051}),
        ],
    ),
    (
        "mt_metrics_eval/wmt22",
        "an mt-metrics-eval test set",
        [
            ("bleu", 33.114, "wmt22/en-de", {"system": "Online-A", "signature": "ref:refA"}),
            ("bleu", 31.207, "wmt22/en-de", {"system": "Online-B"}),
            ("comet", 0.8612, "wmt22/en-de", {"system": "Online-A"}),
            ("comet", 0.8411, "wmt22/en-de", {"system": "Online-B"}),
        ],
    ),
    (
        "comet/score.json",
        "COMET scores (JSON)",
        [
            ("comet", 0.91613769, None, {"system": "sysA.txt"}),
            ("comet", 0.88220215, None, {"system": "sysB.txt"}),
        ],
    ),
    (
        "comet/score.txt",
        "COMET scores (text)",
        [
            ("comet", 0.9161, None, {"system": "sysA.txt", "stderr": 0.118046}),
            ("comet", 0.8822, None, {"system": "sysB.txt", "stderr": 0.094550}),
        ],
    ),
    (
        "comet/compare.json",
        "COMET scores (JSON)",
        [
            ("comet", 0.91613769, None, {"system": "sysA.txt"}),
            ("comet", 0.88220215, None, {"system": "sysB.txt"}),
        ],
    ),
    (
        "sacrebleu/one.json",
        "sacreBLEU scores",
        [
            (
                "bleu",
                76.0406,
                None,
                {"signature": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"},
            ),
            ("brevity_penalty", 1.0, None, {}),
        ],
    ),
    (
        "sacrebleu/several_metrics.json",
        "sacreBLEU scores",
        [
            ("bleu", 76.0406, None, {}),
            ("brevity_penalty", 1, None, {}),
            ("chrf", 83.679, None, {}),
            ("ter", 12.2222, None, {}),
        ],
    ),
    ("sacrebleu/chrfpp.json", "sacreBLEU scores", [("chrf++", 83.6101, None, {})]),
    (
        "sacrebleu/several_systems.json",
        "sacreBLEU scores",
        [
            ("bleu", 76.0406, None, {"system": "sysA"}),
            ("chrf", 83.679, None, {}),
            ("bleu", 62.1059, None, {"system": "sysB"}),
            ("chrf", 77.0223, None, {}),
        ],
    ),
    (
        "sacrebleu/paired.json",
        "sacreBLEU scores",
        [
            ("bleu", 76.04064031434758, None, {"system": "sysA"}),
            ("bleu", 62.10590145009931, None, {"system": "sysB"}),
        ],
    ),
    (
        "sacrebleu/confidence.json",
        "sacreBLEU scores",
        [
            (
                "bleu",
                76.0406,
                None,
                {
                    "stderr": 8.0665 / 1.96,
                    "signature": "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
                },
            ),
            ("brevity_penalty", 1, None, {}),
        ],
    ),
    (
        "sacrebleu/lines.txt",
        "sacreBLEU scores",
        [
            ("bleu", 76.0406, None, {"stderr": 8.0666 / 1.96}),
            ("brevity_penalty", 1, None, {}),
            ("chrf", 83.679, None, {}),
        ],
    ),
]


@pytest.mark.parametrize(("path", "title", "rows"), CASES, ids=[case[0] for case in CASES])
def test_a_fixture_becomes_its_values(read_log, fixtures, path, title, rows):
    table = read_log(fixtures / path)
    named = title == f"a {path.rpartition('.')[2].upper()} table"  # then the name says it
    assert any(n.endswith(f"taken for {title}") for n in table.notes) != named
    found = table.frame.to_dict("records")
    assert [(r["metric"], r.get("eval_set")) for r in found] == [(m, s) for m, _, s, _ in rows]
    for row, (_, value, _, more) in zip(found, rows, strict=True):
        assert row["value"] == pytest.approx(value, rel=1e-6)
        for name, told in more.items():
            assert row[name] == (pytest.approx(told, rel=1e-4) if isinstance(told, float) else told)
        assert path.split("/")[0] in row["source"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("fairseq/pipes.log", "nll_loss is in bits per target token: times ln 2"),
        ("fairseq/hydra.log", "loss is the plain cross-entropy here (2^loss is ppl)"),
        (
            "fairseq/pipes.log",
            "2 evaluations before the last left out (checkpoints='all' keeps them)",
        ),
        ("fairseq/generate-test.txt", "does not compare with sacreBLEU's"),
        ("marian/valid.log", "Marian's cross-entropy is not per target token or unknown: left out"),
        ("t5x/inference_eval", "T5X's cross_ent_loss is not per target token: left out"),
        ("wandb/runs.csv", "runs that did not finish left out: code-1.5M-s3 (crashed)"),
        (
            "wandb/run.wandb.gz",
            "where it is nats per target token, mapping={'loss': 'cross_entropy'}",
        ),
        (
            "lm_eval/results_old.json",
            "bits_per_byte times ln 2 is cross_entropy_per_byte, not per token",
        ),
        ("lighteval", "average over all tasks left out"),
        ("mt_metrics_eval", "M2M100 has no score (None): left out"),
        ("comet/score.txt", "does not name its model"),
        ("sacrebleu/one_decimal.json", "low precision: 1 of 1 bleu values have one decimal"),
        ("sacrebleu/paired.json", "prints no signature with several systems"),
    ],
)
def test_what_was_done_is_in_the_notes(read_log, fixtures, path, words):
    assert any(words in note for note in read_log(fixtures / path).notes)


def test_all_checkpoints_can_be_kept(read_log, fixtures):
    table = read_log(fixtures / "fairseq/bare.log", checkpoints="all")
    assert list(table.column("step")) == [283, 566]
    assert [s.split("/")[-1] for s in table.column("source")] == ["bare.log:2", "bare.log:3"]


def test_fairseq_texts_come_in_the_order_of_the_test_set(fixtures):
    from scalefit.ingest.fairseq import outputs

    found = outputs(str(fixtures / "fairseq/generate-test.txt"))
    assert found.ids == (0, 1, 2)
    assert found.hypotheses == ("good day", "thank you", "good morning all and welcome")
    assert found.references == ("good day", "thanks", "good morning everyone and welcome")
    assert found.sources[1] == "danke"


def test_what_lighteval_itself_wrote(read_log, fixtures):
    table = read_log(fixtures / "lighteval_0.13", allow=("fractions",))
    assert table.metrics == ("bleu", "chrf", "ter")
    assert table.unique("eval_set") == ["toy|0"]
    assert table.where(metric="ter").column("value")[0] == pytest.approx(77.66990291262135)
    assert table.where(metric="chrf").column("stderr")[0] == pytest.approx(0.04466125264888285)


def test_the_texts_of_a_real_generation(fixtures):
    from scalefit.ingest.fairseq import outputs

    found = outputs(str(fixtures / "fairseq/generate-written_by_0.12.2.txt"))
    assert found.ids == tuple(range(20))
    assert (found.sources[3], found.references[3], found.hypotheses[3]) == (
        "eats cat eats sees green the",
        "isst Katze isst sieht gruen die",
        "die Haus die Haus",
    )


def test_a_log_that_begins_with_a_date_in_brackets_is_no_json(tmp_path):
    from scalefit.errors import FormatError
    from scalefit.ingest import read

    (tmp_path / "own.log").write_text("[2026-11-26 05:53:54 INFO] hello\n")
    with pytest.raises(FormatError, match="is none of the known formats"):
        read(tmp_path / "own.log")


def test_a_label_smoothed_loss_is_not_taken(read_log, tmp_path):
    from scalefit.errors import FormatError

    log = tmp_path / "train.log"
    log.write_text("| epoch 001 | valid on 'valid' subset | loss 9.5 | ppl 60.1 | num_updates 10\n")
    with pytest.raises(FormatError, match="without a validation line"):
        read_log(log)


def test_every_reader_is_documented_by_its_module():
    import importlib
    import pkgutil

    import scalefit.ingest as package

    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            assert importlib.import_module(f"scalefit.ingest.{module.name}").__doc__


MADE_BY_TESTS = {"parquet", "excel", "tsv", "json", "jsonl", "mlflow-sqlite", "tensorboard"}
"""Formats whose files the tests write by their own library."""


def test_every_format_has_a_fixture_that_is_taken_for_it(fixtures):
    every = (Source.of(path) for path in fixtures.rglob("*"))
    seen = {reader.name for source in every if (reader := recognise(source)) is not None}
    assert set(FORMATS) - seen == MADE_BY_TESTS
