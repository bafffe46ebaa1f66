"""What people see in a terminal: narrow tables, single laws, what is installed, and silence where it is asked for."""

import json

import pytest

from scalefit.cli import COMMANDS
from scalefit.views.tables import terminal_table

FOUR = "pretrain_tokens,corpus,bleu\n" + "".join(
    f"{size},{corpus},{bleu}\n"
    for corpus, more in (("fr", 0), ("en", -2))
    for size, bleu in ((1e6, 5 + more), (4e6, 9.1 + more), (16e6, 12.9 + more), (64e6, 17.0 + more))
)


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(FOUR, encoding="utf-8")
    return path


def test_at_80_columns_each_corpus_is_one_line_and_advice_stands_below(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    advice = "Go on; the law may be used for forecasts, and nothing here speaks against it."
    rows = [
        {"corpus": c, "verdict": "aligned", "fall": 0.1, "advice": advice} for c in ("fr", "en")
    ]
    terminal_table(rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line.split()[0] for line in lines[2:4]] == ["fr", "en"]
    assert lines[4:] == [f"fr, en: {advice}"]
    assert max(map(len, lines[:4])) <= 80


WIDE = [
    {"corpus": c, "kind": "all", "number_of_runs": 6, "error": 0.68 + i, "inside": 0.83 - i / 9,
     "score": 4.4 + i, "refused": i, "bleu": f"{5 + i} [4.1, 6.2]", "state": "unsure"}
    for i, c in enumerate(("log-log line", "random walk"))
]  # fmt: skip


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_no_word_is_broken_and_what_has_no_room_is_named(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    terminal_table(WIDE)
    out = capsys.readouterr().out
    table = [line for line in out.splitlines() if not line.startswith("too wide")]
    assert all(name in out for name in ("log-log line", "random walk"))
    assert max(map(len, map(str.rstrip, table[1:]))) <= width
    said = out.replace("_", " ").split()
    assert all(part in said or f"{part};" in said or f"{part}," in said
               for name in WIDE[0] for part in name.split("_"))  # fmt: skip
    lines = [line for line in table if line.startswith(("log-log", "random"))]
    assert len(lines) == 2


def test_heads_take_two_lines_at_most(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    name = "tokens for 20 (80%)"
    rows = [{"corpus": c, "finetune_tokens": t, "bleu": "2.65 → 6.452", "cross_entropy": "4.48 → 3.6",
             "within 10×": "< 1 %", name: "> 2.56B [1.567B, > 2.56B]"}
            for c, t in (("fr", 32e3), ("en", 128e3))]  # fmt: skip
    terminal_table(rows)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    rule = next(i for i, line in enumerate(lines) if set(line.strip()) == {"─"})
    assert rule <= 2
    assert "tokens for" in lines[0]
    assert "20 (80%)" in lines[1]


def test_rows_of_one_name_are_counted_before_what_they_say(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = [{"corpus": c, "size": i, "advice": "Go on; the law may be used."}
            for i, c in enumerate(("fr", "en", "fr"))]  # fmt: skip
    terminal_table(rows)
    assert capsys.readouterr().out.splitlines()[-1] == "fr ×2, en: Go on; the law may be used."


def test_a_wide_terminal_keeps_long_texts_in_the_table(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    terminal_table([{"corpus": "fr", "advice": "x" * 60}, {"corpus": "en", "advice": "y" * 60}])
    assert "fr: " not in capsys.readouterr().out


def test_one_law_is_told_whole(scalefit):
    told = scalefit("laws", "log").out
    assert "log: s·(ln(D/D0)" in told
    assert "2402.04177" in told
    assert "quality at D_ref" in told
    assert json.loads(scalefit("laws", "log", "--json").out)["parameters"] == "D0, s, beta"
    assert scalefit("laws", "lgo").code == 2


def test_doctor_says_what_is_here_and_how_to_get_the_rest(scalefit, monkeypatch):
    from scalefit.cli import about

    real = about._version
    monkeypatch.setattr(about, "_version", lambda n: None if n == "openpyxl" else real(n))
    ran = scalefit("doctor")
    assert ran.code == 0
    assert "numpy" in ran.out
    assert "not here: openpyxl (Excel tables). pip install 'transfer-scalefit[excel]'" in ran.out
    monkeypatch.setattr(about, "_version", lambda n: None if n == "numpy" else real(n))
    assert scalefit("doctor").code == 1
    parts = {
        row["part"]: row["version"] for row in json.loads(scalefit("doctor", "--json").out)["parts"]
    }
    assert parts["numpy"] is None


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_leaves_the_answer_alone(scalefit, results, tmp_path, flag):
    loud = scalefit("rank", results, "--at", "100M", "-o", tmp_path / "a.csv")
    still = scalefit("rank", results, "--at", "100M", "-o", tmp_path / "b.csv", flag)
    assert "note: " in loud.err
    assert "wrote " in loud.err
    assert still.err == ""
    assert still.out == loud.out
    assert (
        "note: " in scalefit("rank", results, "--at", "100M").err
    )  # the next command speaks again


def test_errors_are_not_silenced(scalefit):
    assert "nowhere.csv" in scalefit("value", "nowhere.csv", "-q").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rank nowhere.csv --at 1B -o a.doc", "its suffix must say"),
        ("report nowhere.csv -o a.png", "its suffix must say"),
        ("align nowhere.csv --plot a.csv", "its suffix must say"),
        ("ingest nowhere.csv -o a.doc", "its suffix must say"),
        ("score --hyp nowhere.de --ref nowhere.ref -o a.doc", "its suffix must say"),
        ("landscape nowhere.npz --plot a.csv", "its suffix must say"),
        ("plot nowhere.json -o a.csv", "its suffix must say"),
        ("value nowhere.csv -o nowhere/a.png", "there is no folder nowhere"),
        ("fit nowhere.csv --metric bleu --law lgo", "no law is called 'lgo'"),
        ("backtest nowhere.csv --laws lgo", "no law is called 'lgo'"),
        ("rank nowhere.csv", "say what they are ranked by"),
        ("rank nowhere.csv --at many", "--at: 'many' is no number"),
        ("rank nowhere.csv --at 1B --cost fr=dear", "--cost: 'dear' is no number"),
        ("forecast nowhere.csv --at many", "--at: 'many' is no number"),
        ("forecast nowhere.csv --target 1 --target-bleu 2", "give one target"),
        ("report nowhere.csv --at many -o a.html", "--at: 'many' is no number"),
        ("plan nowhere.csv --goal tokens", "--target 30"),
        ("align nowhere.csv --margin much", "margin is 'much'"),
        ("align nowhere.csv --adjust some", "needed one of holm"),
        ("compare nowhere.csv --metric bleu --a fr=,x --b en", "needed NAME=VALUE"),
        ("value nowhere.csv --map tokens", "--map tokens: needed NAME=VALUE"),
        ("value nowhere.csv --where task", "task"),
        ("fit nowhere.csv --metric bleu --jobs 2 --scheduler tcp://h:1", "give --jobs"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(scalefit, arguments, said):
    ran = scalefit(*arguments.split())
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "No such file" not in ran.err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_has_json_or_writes_a_file_alone(scalefit, name):
    told = scalefit(name, "--help").out
    assert "--json" in told or name == "report"
    assert "--quiet" in told


@pytest.mark.parametrize("kind", ["csv", "tex", "png", "json", "html"])
def test_answers_are_written_as_their_suffix_says(scalefit, results, tmp_path, kind):
    file = tmp_path / f"a.{kind}"
    ran = scalefit("fit", results, "--metric", "bleu", "--law", "log", "-o", file, "-q")
    assert ran.code == 0
    begin = {"csv": b"corpus", "tex": b"\\begin", "png": b"\x89PNG", "json": b"{", "html": b"<!"}
    assert file.read_bytes().startswith(begin[kind])
    if kind == "json":
        assert scalefit("predict", file, "--tokens", "1B").code == 0


def test_progress_is_silent_where_nobody_looks(capsys):
    from scalefit.cli._io import doing

    with doing("much work"):
        pass
    assert capsys.readouterr() == ("", "")


def test_completion_can_be_installed(scalefit):
    assert "--install-completion" in scalefit("--help").out


def test_a_page_of_an_answer_speaks_as_the_shell_and_suits_a_phone(scalefit, tmp_path):
    rows = FOUR.replace("pretrain_tokens", "tokens").replace(",bleu", ",bleu,task,seed", 1)
    head, *lines = rows.splitlines()
    (tmp_path / "r.csv").write_text(
        "\n".join([head, *(f"{line},qa,1" for line in lines)]), encoding="utf-8"
    )
    assert scalefit("rank", tmp_path / "r.csv", "--at", "1B", "-o", tmp_path / "r.html").code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "--map seed=pretrain_seed" in page
    assert "mapping=" not in page
    assert "width=device-width" in page
