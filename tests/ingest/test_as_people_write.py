"""One table written in the ways people and papers write it is one table."""

import io
import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalefit as sf
from scalefit.errors import FormatError, MissingColumnError, TableError

SCORES = st.lists(st.integers(1001, 9999).filter(lambda n: n % 10), min_size=2, max_size=5)
HEADS = ["BLEU", "BLEU ↑", "bleu (↑)", "**BLEU**", "BLEU (%)", r"BLEU $\uparrow$", "`bleu`"]
CELLS = [
    "{}",
    "{} ± 0.4",
    "{}±0.4",
    "{} (0.4)",
    r"\textbf{{{}}}",
    r"{}$_{{\pm 0.4}}$",
    "{}%",
    "**{}**",
    "{}*",
    "{}†",
    r"$\mathbf{{{}}}$",
    r"{} \pm 0.4",
    "{}_{{0.4}}",
]
GONE = ["", "NaN", "nan", "None", "#N/A", "—", "–", "--", "n/a", "NA", "<NA>", "?"]


def text(scores, head="bleu", cell="{}", mark=",", point="."):
    rows = [["corpus", "tokens", head]]
    for i, score in enumerate(scores):
        rows.append(["fr", f"{10**i}M", cell.format(f"{score / 100:.2f}").replace(".", point)])
    return "\n".join(map(mark.join, rows))


@settings(deadline=None)
@given(
    SCORES,
    st.sampled_from(HEADS),
    st.sampled_from(CELLS),
    st.sampled_from([",.", ";.", ";,", "\t,", "|."]),
)
def test_marks_units_and_commas_move_no_value(tmp_path_factory, scores, head, cell, signs):
    path = tmp_path_factory.mktemp("written") / "a.csv"
    path.write_text(text(scores, head, cell, *signs) + "\n", "utf-8-sig")
    table = sf.read(path)
    assert table.metrics == ("bleu",)
    assert table.column("value").tolist() == [n / 100 for n in scores]
    assert table.column("pretrain_tokens").tolist() == [1e6 * 10**i for i in range(len(scores))]


@settings(deadline=None)
@given(SCORES, st.sampled_from(GONE))
def test_a_cell_without_a_number_is_missing_in_files_as_in_frames(tmp_path_factory, scores, gone):
    path = tmp_path_factory.mktemp("gone") / "a.csv"
    path.write_text(f"{text(scores)}\nfr,999B,{gone}\n")
    frame = pd.DataFrame(
        {
            "corpus": "fr",
            "tokens": [*(f"{10**i}M" for i in range(len(scores))), "999B"],
            "bleu": [*(n / 100 for n in scores), np.nan],
        }
    )
    written, held = sf.read(path), sf.as_table(frame)
    assert written.column("value").tolist() == held.column("value").tolist()
    for table in (written, held):
        assert any("nothing was measured at the largest size (fr 999B)" in n for n in table.notes)


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_a_run_that_diverged_at_the_largest_size_is_told_and_others_are_not(shape):
    rows = [(c, d, b) for c in ("fr", "en") for d, b in ((1e9, 20.12), (4e9, 22.34), (16e9, 23.45))]
    frame = pd.DataFrame(rows, columns=["corpus", "pretrain_tokens", "bleu"])
    frame.loc[[1, 5], "bleu"] = np.nan
    frame = (
        frame if shape == "wide" else frame.melt(["corpus", "pretrain_tokens"], var_name="metric")
    )
    (note,) = [n for n in sf.as_table(frame).notes if "did it diverge" in n]
    assert "(en" in note
    assert "16B)" in note
    assert "fr" not in note


@settings(max_examples=30)
@given(st.sampled_from(["accuracy", "acc", "f1", "valid accuracy"]), st.integers(201, 999))
def test_percent_stays_percent_and_less_than_one_becomes_a_fraction(name, tenths):
    data = {"pretrain_tokens": ["1M", "4M"]}
    for large, factor in ((tenths / 10, 1.0), (tenths / 1000, 0.01)):
        small = large / 2
        for column in ({name: [f"{small}%", f"{large} %"]}, {f"{name} (%)": [small, large]}):
            table = sf.as_table(data | column)
            assert table.metrics == sf.as_table(data | {name: [0.1, 0.2]}).metrics
            assert table.column("value") == pytest.approx([factor * small, factor * large])
            again = sf.as_table(table.frame).column("value")
            assert again.tolist() == table.column("value").tolist()


@pytest.mark.parametrize(
    ("head", "factor"),
    [("val loss (nats)", 1), ("Loss [bits/token] ↓", np.log(2)), ("CE (nats per token)", 1)],
)
def test_a_loss_whose_unit_stands_in_its_name_is_a_cross_entropy(head, factor):
    table = sf.as_table({"pretrain_tokens": ["1M", "4M"], head: [4.25, 3.75]})
    assert table.metrics == ("cross_entropy",)
    assert table.column("value") == pytest.approx([4.25 * factor, 3.75 * factor])


def test_points_are_those_of_thousands_where_commas_are_decimal_and_only_there(tmp_path):
    (tmp_path / "a.csv").write_text(
        "tokens;bleu;val loss (nats)\n1.500.000;21,3;3,215\n6.000.000;24,75;3,104\n"
    )
    table = sf.read(tmp_path / "a.csv")
    assert table.unique("pretrain_tokens") == [1_500_000, 6_000_000]
    assert table.where(metric="cross_entropy").column("value").tolist() == [3.215, 3.104]
    (tmp_path / "d.csv").write_text("tokens;bleu;val loss\n1M;21,3;3.215\n4M;24,75;3.104\n")
    with pytest.raises(sf.ScalefitError, match=r"column 'val loss' has .* beside decimal commas"):
        sf.read(tmp_path / "d.csv")
    (tmp_path / "b.csv").write_text("tokens;bleu\n1M;1.500\n4M;2.500\n")
    assert sf.read(tmp_path / "b.csv").column("value").tolist() == [1.5, 2.5]
    (tmp_path / "c.csv").write_text("tokens;bleu\n1M;1,500\n4M;2,500\n")
    with pytest.raises(TableError, match="a decimal point"):
        sf.read(tmp_path / "c.csv")


def test_headers_that_come_again_are_no_rows(tmp_path):
    (tmp_path / "a.csv").write_text(
        f"{text([2012, 2134])}\n{text([1912, 2034]).replace('fr', 'en')}\n"
    )
    assert len(sf.read(tmp_path / "a.csv")) == 4


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["mmlu", "hellaswag", "ARC_c", "piqa", "GSM8K"]),
        min_size=1,
        max_size=3,
        unique=True,
    )
)
def test_benchmarks_are_metrics_by_their_own_names_at_every_door(tasks):
    sizes = np.array([1e8, 4e8, 1.6e9, 6.4e9, 2.56e10])
    data = {"corpus": ["fr"] * 5, "pretrain_tokens": sizes}
    data |= {t: 20 + i + 4 * np.log10(sizes / 1e8) for i, t in enumerate(tasks)}
    assert set(sf.as_table(data).metrics) == {t.lower() for t in tasks}
    assert sf.fit(data, tasks[0], "log").metric == tasks[0].lower()


def test_a_task_in_a_metrics_name_is_its_set_and_one_beside_a_column_of_sets_is_refused():
    data = {
        "pretrain_tokens": ["1M", "4M"],
        "bleu_en_de": [20.12, 21.34],
        "wmt14_bleu": [22.12, 23.34],
    }
    assert sf.as_table(data).unique("eval_set") == ["en_de", "wmt14"]
    with pytest.raises(TableError, match="are all read as 'bleu'"):
        sf.as_table(data | {"eval_set": ["a", "a"]})


@pytest.mark.parametrize(
    ("column", "cure"),
    [("bleu_mean", r"mapping=\{'bleu_mean': 'bleu'\}"), ("zeal", r"metrics=\['zeal'\]")],
)
def test_a_table_without_a_metric_is_refused_with_its_own_columns_name(column, cure):
    data = {"pretrain_tokens": ["1M", "4M"], column: [20.12, 21.34]}
    with pytest.raises(MissingColumnError, match=cure):
        sf.as_table(data)
    assert (
        len(
            sf.as_table(
                data, metrics=["zeal"], mapping={"bleu_mean": "bleu"} if column != "zeal" else {}
            )
        )
        == 2
    )


@pytest.mark.parametrize("value", ["score", "result", "metric_value"])
def test_a_score_beside_a_metric_is_its_value(value):
    table = sf.as_table({"tokens": ["1M", "4M"], "metric": ["BLEU"] * 2, value: [20.12, 21.34]})
    assert table.column("value").tolist() == [20.12, 21.34]


def test_a_flat_object_of_scores_is_an_evaluation(tmp_path):
    for size, bleu in (("1M", 20.12), ("4M", 21.34)):
        (tmp_path / f"fr-{size}").mkdir()
        (tmp_path / f"fr-{size}" / "scores.json").write_text(
            json.dumps({"eval_bleu": bleu, "eval_gen_len": 20.5, "seed": 3})
        )
    table = sf.read(tmp_path, pattern="{corpus}-{pretrain_tokens}/*.json")
    assert table.column("value").tolist() == [20.12, 21.34]
    assert table.unique("pretrain_seed") == [3]


def test_an_evaluation_of_a_log_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "eval_results.txt"
    path.write_text("eval_bleu = 12,5\neval_loss = 3.125\neval_chrf = 4O.1\n")
    table = sf.read(path)
    assert dict(zip(table.column("metric"), table.column("value"), strict=True)) == {
        "bleu": 12.5,
        "cross_entropy": 3.125,
    }
    assert any("its last chrf on eval is no number" in note for note in table.notes)


def test_what_a_law_is_of_is_no_surprise():
    flops = np.array([1e18, 4e18, 1.6e19, 6.4e19, 2.56e20])
    data = {"flops": flops, "loss": 2 + 40 * flops**-0.1}
    assert not any(
        "differ" in note for note in sf.fit(data, "loss", "power", inputs={"x": "flops"}).notes
    )


def test_a_law_of_parameters_reads_them_from_models_names_where_all_say_one():
    names = [
        "EleutherAI/pythia-70m",
        "pythia-160m-deduped",
        "Pythia-410M",
        "pythia-1b",
        "pythia-1.4b",
        "pythia_2.8B",
    ]
    data = {"model": names[:5], "piqa": [59.5, 62.25, 66.75, 70.5, 71.25]}
    seen = sf.observations(data, "piqa", {"D": "parameters"})
    assert seen.inputs["D"].tolist() == [7e7, 1.6e8, 4.1e8, 1e9, 1.4e9]
    fit = sf.fit(data, "piqa", "log", inputs={"D": "parameters"})
    assert any("the models' names" in note for note in fit.notes)
    with pytest.raises(sf.ScalefitError, match=r"parameters|model"):
        sf.fit(data | {"model": [*names[:4], "pythia"]}, "piqa", "log", inputs={"D": "parameters"})


@pytest.mark.parametrize(
    ("name", "known"),
    [("bleu_en_de", True), ("comet_wmt22", True), ("acc_mmlu", True), ("bleu_shuffled", False)],
)
def test_a_metric_asked_for_by_its_column_is_the_metric_on_a_set(name, known):
    assert (sf.metrics.metric(name).direction == "+") is known


def test_an_index_without_a_name_that_is_no_numbering_carries_data():
    frame = pd.DataFrame({"bleu": [20.12, 21.34, 22.56]}, index=[1e9, 4e9, 16e9])
    table = sf.as_table(frame, mapping={"index label": "pretrain_tokens"})
    assert table.unique("pretrain_tokens") == [10**9, 4 * 10**9, 16 * 10**9]
    sizes = {
        "pretrain_tokens": [1e9, 4e9, 16e9] * 2,
        "bleu": [20.12, 21.34, 22.56, 15.21, 16.43, 17.65],
    }
    fits = sf.fit_each(pd.DataFrame(sizes, index=["fr"] * 3 + ["en"] * 3), "bleu", "log")
    assert len(fits) == 2
    assert sf.as_table(pd.DataFrame(sizes)[lambda f: f["bleu"] > 16]).columns.named.keys() == {
        "pretrain_tokens", "metric", "value",
    }  # fmt: skip


def test_a_log_that_no_reader_knows_is_no_ragged_table(tmp_path):
    path = tmp_path / "train.log"
    path.write_text("2024-02-01 INFO, [step=1000/477000], x\n    train/CrossEntropyLoss=3.512\n")
    with pytest.raises(sf.ScalefitError, match="none of the known formats"):
        sf.read(path)


@given(SCORES, st.sampled_from(["params.{}", "config/{}", "summary.{}", "args.{}"]))
@settings(max_examples=20, deadline=None)
def test_a_tools_own_word_before_a_name_moves_no_value(scores, word):
    plain = pd.read_csv(io.StringIO(text(scores, head="eval_bleu")))
    other = plain.rename(columns={name: word.format(name) for name in plain})
    assert sf.as_table(other).frame.equals(sf.as_table(plain).frame)


def test_objects_in_objects_are_columns(tmp_path):
    rows = [
        {"config": {"corpus": "fr", "D_p": f"{10**i}M"}, "metrics": {"bleu": 20.25 + i}}
        for i in range(3)
    ]
    path, one = tmp_path / "runs.json", tmp_path / "one.json"
    path.write_text(json.dumps({"project": "x", "runs": rows}))
    one.write_text(json.dumps(rows[0]))
    table = sf.read(path)
    assert table.column("pretrain_tokens").tolist() == [1e6, 1e7, 1e8]
    assert table.unique("corpus") == ["fr"]
    assert sf.read(one).column("value").tolist() == [20.25]


@pytest.mark.parametrize("word", ["mean", "Average", "std.", "total", "max", "avg ± std"])
@pytest.mark.parametrize("name", ["pretrain_seed", "seed", "corpus", "run"])
def test_rows_that_sum_up_others_are_no_runs(word, name):
    own = {
        "corpus": ["fr"] * 4,
        "tokens": ["1M", "1M", "4M", "4M"],
        "bleu": [20.25, 21.25, 22.25, 23.25],
    }
    cells = {**own, name: ["a", "b", "a", "b"]}
    more = {**{c: [*v, v[-1]] for c, v in cells.items()}, name: [*cells[name], word]}
    table = sf.as_table(more)
    assert table.column("value").tolist() == own["bleu"]
    assert any(
        f"{'pretrain_seed' if name == 'seed' else name} is a summary" in n for n in table.notes
    )


@given(st.lists(st.integers(2, 4), min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_cells_below_a_merged_one_have_its_name(blocks):
    names = [f"c{i}" for i, n in enumerate(blocks) for _ in range(n)]
    sizes = [10.0**k for n in blocks for k in range(6, 6 + n)]
    whole = {
        "corpus": names,
        "pretrain_tokens": sizes,
        "bleu": [20.25 + i for i in range(len(names))],
    }
    merged = [n if n not in names[:i] else None for i, n in enumerate(names)]
    assert sf.as_table({**whole, "corpus": merged}).frame.equals(sf.as_table(whole).frame)
    base = {
        c: [*v, {"corpus": None, "pretrain_tokens": 0, "bleu": 9.25}[c]] for c, v in whole.items()
    }
    assert sf.as_table(base).column("corpus").tolist()[-1] is None


def test_a_name_that_is_missing_without_a_pattern_is_told_and_not_made_up():
    table = sf.as_table(
        {
            "corpus": ["fr", "en", None, "fr"],
            "pretrain_tokens": [1e6, 1e6, 4e6, 4e6],
            "bleu": [20.25] * 4,
        }
    )
    assert table.column("corpus").tolist() == ["fr", "en", None, "fr"]
    assert any("1 row without corpus" in note for note in table.notes)


@pytest.mark.parametrize("name", ["bleu_std", "std", "±", "bleu SD", "ci95", "BLEU_sem"])
def test_a_deviation_beside_the_values_is_told(name):
    table = sf.as_table({"tokens": ["1M", "4M"], "bleu": [20.25, 21.25], name: [0.2, 0.3]})
    assert any(note.startswith(f"{name} beside the values is not used") for note in table.notes)


def test_every_table_of_a_markdown_file_is_read_or_told(tmp_path):
    head = "| corpus | tokens | bleu |\n|---|---|---|\n"
    path = tmp_path / "README.md"
    path.write_text(
        f"{head}| fr | 1M | 20.25 |\n\nand\n\n{head}| en | 1M | 21.25 |\n\n| x | y |\n|---|---|\n| 1 | 2 |\n"
    )
    table = sf.read(path)
    assert table.unique("corpus") == ["en", "fr"]
    assert any("1 table with other columns than the first left out" in note for note in table.notes)


def test_a_latex_table_is_read_as_it_stands(fixtures):
    table = sf.read(fixtures / "tables" / "paper.tex")
    bleu = table.where(metric="bleu", eval_set="en_fr")
    assert bleu.column("value").tolist() == [12.31, 18.72, 11.05, 16.4]
    assert bleu.column("corpus").tolist() == ["fr", "fr", "web_fr", "web_fr"]
    assert bleu.column("pretrain_tokens").tolist() == [1e6, 4e6] * 2


@pytest.mark.parametrize(
    "begin", ["[rank0]: x", "[batch=1/2]:", "[2024-05-01 x]", "[titan] y", "[1/5] z"]
)
def test_a_bracket_alone_is_no_json(tmp_path, begin):
    path = tmp_path / "train.log"
    path.write_text(begin + "\n")
    with pytest.raises(FormatError, match=r"none of the known formats|without a validation"):
        sf.read(path)


def test_a_benchmark_at_most_1_beside_others_in_percent_is_told():
    cells = {"tokens": ["1M", "4M"], "mmlu": [25.25, 28.5], "gsm8k": [0.25, 0.75]}
    note = "gsm8k is at most 1 beside mmlu in percent"
    assert any(note in told for told in sf.as_table(cells).notes)
    cure = sf.as_table(cells, mapping={"gsm8k/100": "accuracy"})
    assert cure.where(metric="accuracy").column("value").tolist() == [0.0025, 0.0075]
    error = sf.as_table({"tokens": cells["tokens"], "mmlu": cells["mmlu"], "error": [0.25, 0.75]})
    assert any("'error/100': 'error'" in told for told in error.notes)
    fractions = {**cells, "mmlu": [0.25, 0.285]}
    assert not any("at most 1" in told for told in sf.as_table(fractions).notes)


def test_rows_of_runs_that_did_not_finish_are_left_out():
    cells = {
        "tokens": ["1M", "4M", "16M"],
        "bleu": [20.25, 1.5, 24.75],
        "Status": ["FINISHED", "Failed", "FINISHED"],
    }
    table = sf.as_table(cells)
    assert table.column("value").tolist() == [20.25, 24.75]
    assert any("1 row whose Status says unfinished left out" in note for note in table.notes)


@pytest.mark.parametrize(
    "names", [("fr", "en"), ("seed1", "seed2"), ("bleu_1", "bleu_2"), ("1M", "4M")]
)
def test_a_metric_spread_over_columns_is_refused_with_what_gathers_it(names):
    with pytest.raises(
        MissingColumnError, match=rf"where {names[0]}, {names[1]} are seeds, .*pandas\.melt"
    ):
        sf.as_table({"domain": ["a", "b"], **{name: [20.25, 21.25] for name in names}})


@pytest.mark.parametrize(
    "text",
    [
        "| corpus | tokens | bleu | bleu |\n|---|---|---|---|\n| fr | 1M | 20.25 | 21.25 |\n",
        r"\begin{tabular}{llll} corpus & tokens & bleu & bleu \\ fr & 1M & 20.25 & 21.25 \\ \end{tabular}",
        r"\begin{tabular}{l} \multicolumn{3}{c}{bleu} \\ a & a \\ 1 & 2 & 3 \\ \end{tabular}",
    ],
)
def test_a_head_that_says_a_name_twice_is_refused_in_every_notation(tmp_path, text):
    path = tmp_path / "paper.md"
    path.write_text(text)
    with pytest.raises(FormatError, match="column names stand twice"):
        sf.read(path)


TITLES = ["Results of June", '"BLEU, finetuned"{0}{0}', "{0}Results{0}"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("title", TITLES)
def test_a_title_above_the_head_is_none(tmp_path, title, mark):
    path = tmp_path / "sheet.csv"
    path.write_text(f"{title.format(mark)}\n\n{text([1001, 2002], mark=mark)}\n")
    assert list(sf.read(path).column("value")) == [10.01, 20.02]
    assert sf.read(path).column("source")[0].endswith(":4")


def test_a_title_above_an_excel_sheet_is_none(tmp_path):
    path = tmp_path / "sheet.xlsx"
    frame = pd.DataFrame({"corpus": ["fr", "fr"], "tokens": ["1M", "2M"], "bleu": [10.25, 20.25]})
    pytest.importorskip("openpyxl", exc_type=ImportError)
    with pd.ExcelWriter(path) as book:
        pd.DataFrame([["Results of June"]]).to_excel(book, index=False, header=False)
        frame.to_excel(book, index=False, startrow=2)
    assert list(sf.read(path).column("value")) == [10.25, 20.25]


def test_a_long_latex_table_takes_seconds_at_most(tmp_path):
    path = tmp_path / "long.tex"
    rows = "\n".join(f"fr & {i + 1} & {i % 50} \\\\" for i in range(20_000))
    path.write_text(
        "\\begin{tabular}{lll}\ncorpus & pretrain_tokens & bleu \\\\\n" + rows + "\\end{tabular}"
    )
    start = time.process_time()
    table = sf.read(path)
    assert len(table) == 20_000
    assert table.column("source")[0] == f"{path}:3"
    assert time.process_time() - start < 20


@pytest.mark.parametrize("names", [("en-fr", "en-de"), ("EN→FR", "EN→DE"), ("en_fr", "de_en")])
@pytest.mark.parametrize("metric", ["bleu", "comet"])
def test_a_column_each_language_pair_is_the_metric_that_was_named(names, metric):
    data = {"tokens": ["1M", "4M", "16M"], "corpus": ["web"] * 3}
    data |= {name: [k + 0.1, k + 0.2, k + 0.3] for k, name in enumerate(names)}
    told = sf.fit_each(data, metric, "log", allow=["fractions"])
    assert [fit.group["eval_set"] for fit in told] == sorted(names)
    with pytest.raises(MissingColumnError, match=r"pandas\.melt"):
        sf.forecast(data)
