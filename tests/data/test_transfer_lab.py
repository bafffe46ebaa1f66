"""The transfer lab: its shipped table, its card, and the whole path on made-up text."""

import csv
import importlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import fmean

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "data" / "transfer_lab"
RUNS = ROOT / "tests" / "fixtures" / "hf_trainer"
KEY = ("task", "finetune_tokens", "corpus", "pretrain_tokens", "pretrain_seed", "finetune_seed")
ALIGNED = ("fr+en", "fr")


@pytest.fixture
def lab(monkeypatch):
    """Import a module of the lab by its name; forget it afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(LAB))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(LAB) in sys.modules[name].__file__:
            del sys.modules[name]


@pytest.fixture(scope="module")
def rows():
    with (LAB / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def central(rows, metric, corpus):
    """Mean in-domain value by pretraining size in the central cell."""
    found = defaultdict(list)
    for row in rows:
        cell = (row["task"], row["finetune_tokens"], row["domain"], row["metric"], row["corpus"])
        if cell == ("en-fr", "128000", "in", metric, corpus):
            found[int(row["pretrain_tokens"])].append(float(row["value"]))
    return {size: fmean(values) for size, values in sorted(found.items())}


def test_every_run_has_every_metric_once(rows):
    counts = Counter((*(r[k] for k in KEY), r["domain"], r["metric"]) for r in rows)
    assert set(counts.values()) == {1}
    per_run = Counter(tuple(r[k] for k in KEY) for r in rows)
    assert set(per_run.values()) == {11}


def test_at_least_two_hundred_runs_and_a_full_factorial_in_the_central_cell(rows):
    runs = {tuple(r[k] for k in KEY) for r in rows}
    assert len(runs) >= 200
    cells = Counter(run[2:4] for run in runs if run[:2] == ("en-fr", "128000"))
    assert len(cells) == 6 * 6 + 1
    assert set(cells.values()) == {6}


def test_values_are_in_their_ranges(rows):
    for row in rows:
        value = float(row["value"])
        top = {"bleu": 100, "chrf": 100, "bleu_shuffled": 100, "brevity_penalty": 1}
        assert 0 <= value <= top.get(row["metric"], 20)
        assert row["stderr"] == "" or float(row["stderr"]) > 0


def test_scores_carry_a_sacrebleu_signature(rows):
    signed = [r for r in rows if r["metric"] in ("bleu", "chrf")]
    assert all("version:" in r["signature"] and "nrefs:1" in r["signature"] for r in signed)


def test_no_comet_number_without_a_checkpoint(rows):
    assert not [r for r in rows if r["metric"] == "comet"]


def test_no_data_were_repeated(rows):
    assert all(r["unique_tokens"] == r["pretrain_tokens"] for r in rows)


@pytest.mark.parametrize("corpus", ALIGNED)
def test_cross_entropy_falls_with_pretraining_on_aligned_corpora(rows, corpus):
    values = list(central(rows, "cross_entropy", corpus).values())
    assert values == sorted(values, reverse=True)


def test_best_aligned_cell_beats_no_pretraining_by_three_seed_sds(rows, lab):
    summary = lab("summary")
    wanted = {"task": "en-fr", "finetune_tokens": "128000", "domain": "in", "metric": "bleu"}
    found = summary.cells(rows, **wanted)
    best = max(summary.mean(cell) for (corpus, _), cell in found.items() if corpus in ALIGNED)
    deviation = summary.pooled_sd(found)
    assert deviation is not None
    assert best - summary.mean(found["none", 0]) > 3 * deviation


def test_unpaired_text_improves_cross_entropy_and_spoils_translations(rows):
    loss, bleu = (list(central(rows, m, "unpaired").values()) for m in ("cross_entropy", "bleu"))
    assert loss == sorted(loss, reverse=True)
    assert loss[-1] < central(rows, "cross_entropy", "none")[0]
    assert bleu[1:] == sorted(bleu[1:], reverse=True)
    assert bleu[-1] < bleu[0] - 2


def test_only_unpaired_text_leaves_runs_that_do_not_read_their_source(rows):
    blind = {r["corpus"] for r in rows if r["source_blind"] == "True"}
    assert blind == {"unpaired"}
    small = [r for r in rows if r["corpus"] == "unpaired" and int(r["pretrain_tokens"]) < 401_408]
    assert not [r for r in small if r["source_blind"] == "True"]


def test_card_shows_no_number_that_the_summary_does_not_print():
    printed = subprocess.run(
        [sys.executable, LAB / "summary.py"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    card = (LAB / "README.md").read_text(encoding="utf-8").splitlines()
    tables = [line for line in card if line.startswith("| ") and "±" in line]
    assert len(tables) >= 15
    assert not [line for line in tables if line not in printed]


@pytest.mark.parametrize("folder", sorted(RUNS.glob("*/*")), ids=lambda p: p.parent.name)
def test_trainer_folders_agree_with_the_table(rows, folder):
    corpus, tokens, pretrain_seed = folder.parent.name.rsplit("-", 2)
    _, task, finetune_tokens, seed = folder.name.replace("en-fr", "en_fr").split("-")
    key = (task.replace("_", "-"), finetune_tokens, corpus, tokens, pretrain_seed[1:], seed[1:])
    shipped = {(r["domain"], r["metric"]): r for r in rows if tuple(r[k] for k in KEY) == key}
    logged = json.loads((folder / "all_results.json").read_text())
    names = {"cross_entropy": "loss", "bleu": "bleu", "chrf": "chrf"}
    for metric, name in names.items():
        for domain, prefix in (("in", "eval"), ("out", "eval_ood")):
            expected = float(shipped[domain, metric]["value"])
            assert logged[f"{prefix}_{name}"] == pytest.approx(expected, rel=1e-5)


def test_splits_share_no_source_package(lab):
    text = lab("text")
    names = [f"package{i}" for i in range(2000)]
    shares = Counter(text.split_of(name) for name in names)
    assert shares["train"] > 1700
    assert 40 < shares["test"] < 130
    assert text.split_of("gcc-12") == text.split_of("gcc-12")


def test_held_out_text_is_never_seen_in_training(lab):
    text, debian = lab("text"), lab("debian")
    groups = {f"p{i}": f"s{i % 50}" for i in range(200)}
    bodies = ("A longer description of it.",)
    english = {
        f"p{i}": debian.Description(f"p{i}", f"a tool number {i % 90}", bodies) for i in range(200)
    }
    other = {
        f"p{i}": debian.Description(f"p{i}", f"un outil numéro {i % 90}", bodies)
        for i in range(200)
    }
    found = text.parallel(english, other, groups)
    sources = [pair.source for split in found.values() for pair in split]
    assert len(sources) == len(set(sources))


def test_roff_becomes_plain_text(lab):
    page = ".TH LS 1\n.SH NAME\nls \\- list \\fIdirectory\\fP contents\nfor you\n.PP\nMore\\&."
    assert lab("debian").roff_paragraphs(page) == ["ls - list directory contents for you", "More."]


def test_description_bodies_split_at_lone_dots(lab):
    body = "First line\nsecond line.\n.\nNext paragraph\n * a list item\n.\n"
    assert lab("debian").paragraphs(body) == ("First line second line.", "Next paragraph")


def test_unique_tokens_of_a_mixture_stop_at_each_part(lab):
    unique_tokens = lab("table").unique_tokens
    sizes = {"fr": 100, "en": 1000}
    assert unique_tokens("fr+en", 150, sizes) == 150
    assert unique_tokens("fr+en", 400, sizes) == 300
    assert unique_tokens("none", 0, sizes) == 0


def test_masked_segments_keep_their_end_and_get_shorter(lab):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    pytest.importorskip("sentencepiece")
    import numpy as np

    pretrain = lab("pretrain")
    rows = np.full((8, pretrain.SEGMENT), 7)
    rows[:, -1] = pretrain.EOS
    masked = pretrain.corrupt(rows, np.random.default_rng(0))
    assert (masked == pretrain.MASK).any()
    assert ((masked == pretrain.EOS).sum(axis=1) == 1).all()
    kept = (masked == 7).sum() / (rows == 7).sum()
    assert 0.5 < kept < 0.9


def test_a_cut_off_line_is_a_run_to_be_made_again(lab, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    pytest.importorskip("sentencepiece")
    records, plan = lab("records"), lab("plan")
    jobs = plan.plan(plan.Grid())[:2]
    path = tmp_path / "runs.jsonl"
    for job in jobs:
        records.append(path, job, {"scores": {}})
    path.write_text(path.read_text()[:-20])
    assert [r["run"] for r in records.read(path)] == [str(jobs[0].folder)]


def test_the_plan_is_a_full_factorial_in_the_central_cells(lab):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    pytest.importorskip("sentencepiece")
    plan = lab("plan")
    jobs = plan.plan(plan.Grid())
    cells = Counter(
        (j.corpus, j.pretrain_tokens)
        for j in jobs
        if (j.task, j.finetune_tokens) == ("en-fr", 128_000)
    )
    assert set(cells.values()) == {6}
    assert len(cells) == 6 * 6 + 1
    assert len({j.folder for j in jobs}) == len(jobs) >= 200


@pytest.mark.lab
@pytest.mark.slow
def test_tiny_lab_runs_the_whole_path_and_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    pytest.importorskip("sentencepiece")
    command = [sys.executable, LAB / "lab.py", "--tiny", "--workers", "1", "--work"]
    command.append(tmp_path / "work")
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    table = tmp_path / "work" / "results.csv"
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert {r["metric"] for r in found} >= {"cross_entropy", "bleu", "chrf", "bleu_shuffled"}
    assert {r["domain"] for r in found} == {"in", "out"}
    lines = (tmp_path / "work" / "runs.jsonl").read_text().splitlines()
    (tmp_path / "work" / "runs.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    before = table.read_text()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert len((tmp_path / "work" / "runs.jsonl").read_text().splitlines()) == len(lines)
    assert table.read_text() == before, "a run made again gives the same numbers"


@pytest.mark.comet
@pytest.mark.lab
@pytest.mark.slow
def test_comet_scores_the_kept_hypotheses_when_a_checkpoint_is_given(tmp_path, tiny_hub):
    pytest.importorskip("accelerate")
    command = [sys.executable, LAB / "lab.py", "--tiny", "--workers", "1", "--work", tmp_path]
    command += ["--comet-model", tiny_hub.checkpoint / "checkpoints" / "model.ckpt"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=tiny_hub.environment
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "results.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    runs = {tuple(row[k] for k in KEY) for row in found}
    scored = [row for row in found if row["metric"] == "comet"]
    assert len(scored) == 2 * len(runs)
    assert {row["signature"] for row in scored} == {"model:model.ckpt|precision:32"}
    assert len({row["value"] for row in scored}) > 1


def test_the_lab_goes_on_from_its_committed_table(lab, tmp_path, rows):
    adopt, records, table = lab("adopt"), lab("records"), lab("table")
    known = json.loads((LAB / "facts.json").read_text())
    now = {name: known[name] for name in ("pairs_found_and_used", "corpus_pieces")}
    record = tmp_path / "runs.jsonl"
    count = adopt.adopt(LAB / "results.csv", LAB / "facts.json", now, record)
    assert count == known["runs"] == len({tuple(r[k] for k in KEY) for r in rows})
    found = records.read(record)
    assert set(found[0]) >= {"train_segments", "train_tokens", "learning_rate", "source_blind"}
    again = tmp_path / "again.csv"
    table.write_table(found, again, rows[0]["model"], known["corpus_pieces"])
    assert again.read_text() == (LAB / "results.csv").read_text()
    assert adopt.adopt(LAB / "results.csv", LAB / "facts.json", now, record) == 0, "only once"


def test_runs_on_other_text_do_not_join_the_table(lab, tmp_path):
    known = json.loads((LAB / "facts.json").read_text())
    now = {"corpus_pieces": {**known["corpus_pieces"], "fr": 1}}
    with pytest.raises(SystemExit, match="corpus_pieces of the text fetched here differ"):
        lab("adopt").adopt(LAB / "results.csv", LAB / "facts.json", now, tmp_path / "runs.jsonl")
