"""``scalefit fit`` and the commands that read its JSON, on real measured runs."""

import json
from pathlib import Path

import pytest

import scalefit as sf

RUNS = Path(__file__).with_name("first_part.csv")
BLEU = ("fit", RUNS, "--metric", "bleu", "--law", "log", "--where", "domain=in")
ONE = (*BLEU, "--where", "corpus=fr+en")


@pytest.fixture(scope="module")
def table():
    return sf.read(RUNS).where(domain="in")


@pytest.fixture(scope="module")
def fits(table):
    return sf.fit_each(table, "bleu", "log", by=["corpus", "task", "finetune_tokens"])


@pytest.fixture
def stored(scalefit):
    return scalefit(*BLEU, "--json").out


def test_groups_are_made_of_what_varies(scalefit):
    ran = scalefit(*BLEU)
    assert ran.code == 0
    title, head, _, *rows = [line.split() for line in ran.out.splitlines()]
    assert title[-5:] == ["en-fr", "·", "finetune", "tokens", "128k"]
    assert head[:4] == ["corpus", "D0", "s", "beta"]
    assert [row[0] for row in rows] == ["en", "fr+en"]
    assert "all points are checkpoints of one run" in ran.err


def test_law_cards_are_written_beside_the_fit(scalefit, tmp_path, fits):
    assert scalefit(*BLEU, "--card", tmp_path / "law.md").code == 0
    assert (tmp_path / "law.md").read_text(encoding="utf-8").count("- **law**: log") == len(fits)
    assert scalefit(*BLEU, "--card", tmp_path / "law.json").code == 0
    told = json.loads((tmp_path / "law.json").read_text(encoding="utf-8"))
    assert [card["data"] for card in told] == [fit.card().data for fit in fits]
    assert scalefit("fit", RUNS, "--metric", "bleu", "--card", tmp_path / "mix.md").code == 0
    mixed = (tmp_path / "mix.md").read_text(encoding="utf-8")
    assert mixed.count("- **law**: mixture: ") == len(fits)
    assert "| member | weight |" in mixed


def test_one_group_shows_its_whole_fit(scalefit):
    ran = scalefit(*ONE)
    assert ran.out.startswith("fr+en · en-fr · finetuned on 128k: bleu = log law")
    assert "law:log|residual:log|objective:squared" in ran.out


def test_json_holds_the_fits_that_python_gives(stored, fits):
    content = json.loads(stored)
    assert (content["scalefit"], content["format"]) == ("fits", 3)
    assert [one["group"]["corpus"] for one in content["fits"]] == ["en", "fr+en"]
    for one, fit in zip(content["fits"], fits, strict=True):
        assert one["params"] == pytest.approx(fit.params, rel=1e-9)


def test_python_loads_what_the_shell_wrote(stored, fits, tmp_path):
    path = tmp_path / "fits.json"
    path.write_text(stored, encoding="utf-8")
    again = sf.load(path)
    assert [fit.group for fit in again] == [fit.group for fit in fits]
    assert again.to_dict() == fits.to_dict()


def test_what_was_edited_on_its_way_is_refused(scalefit, stored):
    content = json.loads(stored)
    content["state"]["fits"][0]["solution"]["theta"][0] *= 2
    ran = scalefit("tokens", "-", "--target", "12", stdin=json.dumps(content))
    assert ran.code == 2
    assert ran.err.startswith(
        "scalefit: stdin: changed since it was written; what differs: state.fits."
    )


def test_predict_reads_what_fit_wrote(scalefit, stored, fits):
    ran = scalefit("predict", "-", "--tokens", "1e7,30M", "--json", stdin=stored)
    rows = json.loads(ran.out)
    assert [(r["corpus"], r["pretrain_tokens"]) for r in rows] == [
        ("en", 1e7),
        ("en", 3e7),
        ("fr+en", 1e7),
        ("fr+en", 3e7),
    ]
    band = sf.predict(fits["fr+en", "en-fr", 128000], pretrain_tokens=[1e7, 3e7])
    assert [r["estimate"] for r in rows[2:]] == pytest.approx(list(band.estimate), rel=1e-6)


def test_a_band_for_a_new_run_is_wider(scalefit, stored):
    wide, narrow = (
        json.loads(
            scalefit("predict", "-", "--tokens", "1e7", "--kind", kind, "--json", stdin=stored).out
        )[1]
        for kind in ("run", "mean")
    )
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_tokens_say_what_a_target_takes(scalefit, stored, fits):
    answer = sf.tokens_for(fits["fr+en", "en-fr", 128000], 12.0)
    ran = scalefit("tokens", "-", "--target", "12", stdin=stored)
    assert f"fr+en · en-fr · finetuned on 128k: {answer.verdict}" in ran.out.splitlines()
    rows = json.loads(scalefit("tokens", "-", "--target", "12", "--json", stdin=stored).out)
    assert rows[1]["estimate"] == pytest.approx(answer.estimate, rel=1e-6)
    assert rows[1]["group"] == {"corpus": "fr+en", "task": "en-fr", "finetune_tokens": 128000}


def test_a_fit_saved_in_python_is_read_too(scalefit, tmp_path, fits):
    path = tmp_path / "fit.json"
    sf.save(fits["en", "en-fr", 128000], path)
    ran = scalefit("tokens", path, "--target", "8")
    assert ran.code == 0
    assert ran.out.startswith("en · en-fr · finetuned on 128k: BLEU 8: ")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_saves_a_picture(scalefit, stored, tmp_path, suffix):
    path = tmp_path / f"curve.{suffix}"
    assert scalefit("plot", "-", "-o", path, "--target", "12", stdin=stored).code == 0
    assert path.stat().st_size > 5000


def test_plot_tells_the_numbers_it_draws(scalefit, stored, tmp_path):
    ran = scalefit("plot", "-", "--json", "--target", "12", stdin=stored)
    (panel,) = json.loads(ran.out)
    curve = panel["curves"][0]
    assert (ran.code, panel["label"], curve["goal"]["value"]) == (0, "BLEU", 12)
    assert len(curve["x"]) == len(curve["y"]) > 3
    mean, run = curve["mean"], curve["run"]
    assert all(b <= a for a, b in zip(mean["low"], run["low"], strict=True))
    assert mean["x"][-1] > 2.9 * max(curve["x"])
    both = scalefit("plot", "-", "--json", "-o", tmp_path / "curve.svg", stdin=stored)
    assert json.loads(both.out)[0]["curves"][0]["mean"] is not None
    assert (tmp_path / "curve.svg").exists()


def test_plot_needs_somewhere_to_draw(scalefit, stored):
    ran = scalefit("plot", "-", stdin=stored)
    assert ran.code == 2
    assert "needed -o PICTURE" in ran.err


def test_plot_knows_its_formats(scalefit, stored, tmp_path):
    ran = scalefit("plot", "-", "-o", tmp_path / "curve.doc", stdin=stored)
    assert ran.code == 2
    assert "curve.doc: its suffix must say what to write: .png, .svg" in ran.err


ERRORS = {
    "a metric that is not there": (
        ("fit", RUNS, "--metric", "blue"),
        "scalefit: no metric 'blue'; the table has bleu, cross_entropy. Did you mean 'bleu'?\n",
    ),
    "a law that is not there": (
        (*BLEU[:4], "--law", "lgo"),
        "scalefit: no law is called 'lgo'; there are bansal,",
    ),
    "a condition that is none": (
        (*BLEU, "--where", "task"),
        "scalefit: --where task: needed COLUMN=VALUE[,VALUE], COLUMN!=VALUE, COLUMN=LOW..HIGH",
    ),
    "a value that is not there": (
        (*BLEU[:4], "--where", "corpus=xx"),
        "scalefit: no row has corpus=['xx']: column 'corpus' holds en, fr+en, none\n",
    ),
    "a column that is not there": (
        (*BLEU[:4], "--by", "corpsu"),
        "scalefit: the table has no column 'corpsu' (columns: corpus, pretrain_tokens,",
    ),
    "a loss without its scale": (
        (*BLEU, "--objective", "huber"),
        "scalefit: --objective huber needs a positive --delta,",
    ),
    "a file that is not there": (
        ("tokens", "nofile.json", "--target", "3"),
        "scalefit: nofile.json: No such file or directory\n",
    ),
    "a table where fits were needed": (
        ("predict", RUNS, "--tokens", "1e9"),
        "first_part.csv, line 1: not JSON (Expecting value); needed the output of sf.save or of a scalefit",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_are_one_line_and_exit_code_2(scalefit, arguments, message):
    ran = scalefit(*arguments)
    shown = [line for line in ran.err.splitlines(keepends=True) if not line.startswith("note: ")]
    assert (ran.code, len(shown)) == (2, 1)
    assert shown[0].startswith("scalefit: ")
    assert message in shown[0]
    assert "Traceback" not in ran.err


def test_json_without_fits_says_so(scalefit):
    ran = scalefit("tokens", "-", "--target", "3", stdin='{"some": "thing"}')
    assert ran.err == (
        "scalefit: stdin: a JSON object is no answer stored by scalefit; make one with sf.save(...) or "
        "`scalefit fit --json`\n"
    )


def test_groups_without_a_fit_say_why_and_the_others_are_fitted(scalefit, tmp_path):
    lines = RUNS.read_text(encoding="utf-8").splitlines(keepends=True)
    few = [ln for ln in lines if not (ln.startswith("en,") and int(ln.split(",")[1]) > 64_000)]
    path = tmp_path / "few.csv"
    path.write_text("".join(few), encoding="utf-8")
    ran = scalefit("fit", path, *BLEU[2:])
    assert ran.code == 0
    assert "fr+en" in ran.out
    assert (
        "note: en · en-fr · finetuned on 128k: no fit: 2 points cannot fix the 3 parameters"
        in ran.err
    )
