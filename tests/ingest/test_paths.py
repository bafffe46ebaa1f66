"""Manifests and path patterns: what no log knows, and what is refused."""

import pytest

from scalefit import read
from scalefit.errors import FormatError, MissingColumnError, TableError
from scalefit.ingest.complete import match

LOG = "Steps: 1000\tLoss: 4.1\tPPL: 45.02\tbleu: 8.71\tLR: 0.0003\n"


@pytest.fixture
def runs(tmp_path):
    for corpus, tokens, seed in (("fr+en", "1.5M", 1), ("fr+en", "1.5M", 2), ("none", "0", 1)):
        folder = tmp_path / "runs" / f"{corpus}-{tokens}" / f"ft-en-fr-32k-s{seed}"
        folder.mkdir(parents=True)
        (folder / "validations.txt").write_text(LOG)
    return tmp_path / "runs"


def test_the_pattern_of_the_readme(runs):
    table = read(
        runs, pattern="runs/{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}"
    )
    assert table.unique("corpus") == ["fr+en", "none"]
    assert table.unique("pretrain_tokens") == [0, 1_500_000]
    assert table.unique("task") == ["en-fr"]
    assert table.unique("finetune_tokens") == [32_000]
    assert len(table) == 6


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        (
            "{corpus}-{pretrain_tokens}",
            "a/en-de-1e9/x",
            {"corpus": "en-de", "pretrain_tokens": "1e9"},
        ),
        ("*/s{finetune_seed}", "a/b/s3", {"finetune_seed": "3"}),
        ("{corpus}/s{finetune_seed}", "a/b/s3/log.txt", {"corpus": "b", "finetune_seed": "3"}),
        ("s{finetune_seed}", "sx/s12", {"finetune_seed": "12"}),
        ("s{finetune_seed}", "seed", None),
        ("{corpus}-{pretrain_tokens}", "fr-lots", None),
    ],
)
def test_matching(pattern, path, found):
    assert match(pattern, path) == found


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("../{corpus}", "climbs out"),
        ("runs/x", "has no field"),
        ("{corpus}{task}", "two fields touch"),
        ("{corpus}/{corpus}", "names a field twice"),
        ("{a b}", "is no column name"),
        ("{}", "is no column name"),
        ("{corpus}-{task}-{model}-{eval_set}", "more than 3 text fields"),
    ],
)
def test_patterns_that_are_refused(runs, pattern, words):
    with pytest.raises(FormatError, match=words):
        read(runs, pattern=pattern)


def test_a_path_that_does_not_fit_is_asked_about(runs):
    with pytest.raises(MissingColumnError, match=r"does not fit the pattern '\{corpus\}-x"):
        read(runs, pattern="{corpus}-x{pretrain_tokens}")


def test_a_hostile_name_is_matched_in_bounded_time():
    assert match("{corpus}-{task}-{model}x", "-" * 250) is None


def manifest(folder, text):
    (folder / "runs.csv").write_text(text)
    return folder / "runs.csv"


def test_a_manifest_beside_the_runs_is_used_with_globs_and_references(runs):
    manifest(
        runs,
        "path,log_eval_set,corpus,pretrain_tokens,task,eval_set,finetune_seed\n"
        "fr+en-1.5M/**,,fr+en,1.5M,en-fr,,\n"
        "none-0,,none,0,en-fr,,\n"
        "**,dev,,,,{task}/newstest,\n"
        "*/*-s1,,,,,,1\n"
        "*/*-s2,,,,,,2\n",
    )
    table = read(runs)
    assert table.unique("eval_set") == ["en-fr/newstest"]
    assert [
        k["pretrain_tokens"] for k, _ in table.groups(["pretrain_tokens", "finetune_seed"])
    ] == [0, 1.5e6, 1.5e6]


def test_pattern_and_manifest_complete_each_other(runs):
    path = manifest(runs, "path,model\n**,t5\n")
    table = read(
        runs,
        manifest=path,
        pattern="{corpus}-{pretrain_tokens}/ft-{task}-{finetune_tokens}-s{finetune_seed}",
    )
    assert table.unique("model") == ["t5"]
    assert table.unique("finetune_seed") == [1, 2]


def test_runs_inside_one_file_are_told_by_their_names(fixtures, tmp_path):
    path = manifest(
        tmp_path, "run,pretrain_tokens,corpus\nfr+en-1.5M-s3,1.5M,fr+en\ncode-1.5M-s3,1.5M,code\n"
    )
    table = read(fixtures / "wandb/panel.csv", manifest=path)
    assert table.unique("corpus") == ["code", "fr+en"]
    again = read(
        fixtures / "wandb/panel.csv", pattern="{corpus}-{pretrain_tokens}-s{finetune_seed}"
    )
    assert again.unique("corpus") == ["code", "fr+en"]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("path,corpus\n../x,fr\n", FormatError, r"runs\.csv:2: path '\.\./x' climbs out"),
        ("path,corpus\n/etc,fr\n", FormatError, "climbs out"),
        ("name,corpus\nx,fr\n", MissingColumnError, "has no column 'path' or 'run'"),
        ("path,corpus\nnothing,fr\n", MissingColumnError, "no line of the manifest fits it"),
        (
            "path,corpus\n**,fr\n*,de\n",
            TableError,
            r"runs\.csv:3, column 'corpus': found 'de', but",
        ),
        (
            "path,corpus\n**,{task}\n",
            MissingColumnError,
            "refers to column 'task', which nothing tells",
        ),
    ],
)
def test_manifests_that_are_refused(runs, text, error, words):
    with pytest.raises(error, match=words):
        read(runs, manifest=manifest(runs, text))


def test_manifest_and_file_must_agree(fixtures, tmp_path):
    path = manifest(tmp_path, "run,pretrain_tokens\nfr+en-1.5M-s3,2M\ncode-1.5M-s4,1.5M\n")
    with pytest.raises(TableError, match="the file says '1500000', the manifest or pattern '2M'"):
        read(fixtures / "wandb/runs.csv", manifest=path)
