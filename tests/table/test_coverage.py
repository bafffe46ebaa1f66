"""What a table covers: runs counted by group and size."""

import scalefit as sf
from scalefit.table.runs import MOST_ROWS, coverage


def made(**columns):
    return sf.as_table(columns)


def test_cells_count_pretraining_runs_times_finetunings():
    table = made(
        corpus=["fr"] * 5 + ["none"] * 2,
        pretrain_tokens=[1e6] * 4 + [4e6] + [0] * 2,
        pretrain_seed=[1, 1, 2, 2, 1, None, None],
        finetune_seed=[1, 2, 1, 2, 1, 1, 2],
        bleu=[20.0, 20.1, 20.4, 20.6, 23.0, 9.0, 9.2],
    )
    by = {row["corpus"]: row for row in coverage(table)}
    assert by["fr"] == {"corpus": "fr", "0": "–", "1M": "2 × 2", "4M": "1"}
    assert by["none"]["1M"] == "–"


def test_metrics_and_evaluation_sets_make_no_further_runs():
    table = made(
        pretrain_tokens=[1e6, 1e6, 4e6, 4e6],
        pretrain_seed=[1, 1, 1, 1],
        domain=["in", "out"] * 2,
        bleu=[20.0, 11.0, 23.0, 14.0],
        chrf=[40.0, 31.0, 43.0, 34.0],
    )
    assert coverage(table) == [{"1M": "1", "4M": "1"}]


def test_many_sizes_are_counted_and_many_groups_taken_together():
    sizes = [1e6 * i for i in range(1, 31)]
    (row,) = coverage(made(pretrain_tokens=sizes, bleu=[20.0] * 30))
    assert row == {"sizes": 30, "from": "1M", "to": "30M", "runs": "1"}
    tasks = [f"t{i}" for i in range(MOST_ROWS + 1)]
    many = made(
        corpus=["fr"] * len(tasks),
        task=tasks,
        pretrain_tokens=[1e6] * len(tasks),
        bleu=[20.0] * len(tasks),
    )
    assert len(coverage(many)) == 1


def test_the_lab_shows_its_grid_and_no_raw_rows():
    table = sf.datasets.transfer_lab().where(task="en-fr", finetune_tokens=128_000)
    text = repr(table)
    assert "unpaired  –      3 × 2" in text
    assert "pretrain_run" not in text
    assert ">runs (pretraining" in table._repr_html_()


def test_a_table_without_pretraining_sizes_shows_its_rows():
    table = sf.as_table({"x": [1.0, 2.0], "bleu": [3.0, 4.0]})
    assert coverage(table) == []
    assert "bleu" in repr(table)
