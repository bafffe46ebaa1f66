"""The real COMET, on tiny genuine checkpoints that COMET's own trainer made."""

import json
import logging
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scalefit.cli import main
from scalefit.errors import ScoringError
from scalefit.scoring.cache import Cache
from scalefit.scoring.checkpoint import Comet, locate
from scalefit.scoring.comet import CometScorer, Remote
from scalefit.scoring.score import score, score_systems

pytestmark = pytest.mark.comet

MODEL = "scalefit-test/tiny-comet"
WITHOUT = "scalefit-test/tiny-comet-qe"
REFERENCES = [
    f"{who} {does} {what}."
    for who in ("the cat", "the dog", "a child")
    for does in ("sees", "eats", "likes")
    for what in ("the apple", "a book", "the house")
]
SOURCES = [
    f"{who} {does} {what}."
    for who in ("die Katze", "der Hund", "ein Kind")
    for does in ("sieht", "isst", "mag")
    for what in ("den Apfel", "ein Buch", "das Haus")
]
SYSTEMS = {"right": REFERENCES, "shifted": REFERENCES[1:] + REFERENCES[:1]}


class Bar:
    """Counts what a progress bar would show."""

    def __init__(self):
        self.done = 0

    def update(self, count):
        self.done += count


@pytest.fixture
def predicted(hub):
    """Return what COMET's own ``predict`` says, loaded as its README does."""

    def predict(name, lines, references=REFERENCES, half=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from comet import download_model, load_from_checkpoint

            path = download_model(name, local_files_only=True)
            model = load_from_checkpoint(path, local_files_only=True)
            model = model.half() if half else model
            data = [
                {"src": src, "mt": mt, "ref": ref}
                for src, mt, ref in zip(SOURCES, lines, references, strict=True)
            ]
            return model.predict(data, gpus=0, progress_bar=False)

    return predict


def test_the_tiny_models_have_learned_something(tiny_hub):
    assert tiny_hub.taus[MODEL] > 0.6
    assert tiny_hub.taus[WITHOUT] > 0.3


def test_scores_are_comets_own(predicted):
    found = score_systems(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=MODEL, cache=False)
    segments = found.statistics["comet"].segment_scores
    for place, lines in enumerate(SYSTEMS.values()):
        theirs = predicted(MODEL, lines)
        assert segments[place] == pytest.approx(theirs.scores, abs=1e-6)
        assert found.table.column("value")[place] == pytest.approx(theirs.system_score, abs=1e-6)
    assert found.table.column("value")[0] > found.table.column("value")[1]
    assert found.table.column("stderr")[1] > 0
    assert found.table.unique("metric") == ["comet"]


def test_segments_scored_by_workers_are_the_same_and_come_into_the_cache(
    hub, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_HUB_CACHE", str(hub.path))  # processes of their own read it at import
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys.modules["scalefit.scoring.comet"], "_TOGETHER", 1)
    given = (SYSTEMS, REFERENCES, SOURCES, ["comet"])
    model = Comet(MODEL, batch_size=4, gpus=0)
    here = score_systems(*given, comet=model, cache=False).statistics["comet"].values
    cache = tmp_path / "scores"
    far = score_systems(*given, comet=model, cache=cache, executor=2).statistics["comet"].values
    with ThreadPoolExecutor(1) as one:
        alone = score_systems(*given, comet=model, cache=False, executor=one)
    np.testing.assert_array_equal(far, alone.statistics["comet"].values)
    np.testing.assert_allclose(far, here, rtol=0, atol=1e-6)  # batches may be others here

    def none(*_):
        raise AssertionError("scored again")

    monkeypatch.setattr(CometScorer, "predict", none)
    kept = score_systems(*given, comet=model, cache=cache).statistics["comet"].values
    np.testing.assert_array_equal(kept, far)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_scores_what_this_process_scores(hub, monkeypatch, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    for name, lines in {"hyp": SYSTEMS["shifted"], "ref": REFERENCES, "src": SOURCES}.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    files = [f"--{name}={tmp_path / name}" for name in ("hyp", "ref", "src")]
    asked = ["--metric=comet", f"--comet-model={MODEL}", "--gpus=0", "--no-cache", "--json", "-q"]

    def shell(*more):
        with pytest.raises(SystemExit) as end:
            main(["score", *files, *asked, *more])
        assert end.value.code in (0, None)
        return json.loads(capsys.readouterr().out)["scores"][0]

    here = shell("--workers=1")
    monkeypatch.setenv("HF_HUB_CACHE", str(hub.path))  # processes of their own read it at import
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        there = shell("--scheduler", cluster.scheduler_address)
    assert there.pop("value") == pytest.approx(here.pop("value"), abs=1e-6)
    assert there.pop("stderr") == pytest.approx(here.pop("stderr"), abs=1e-6)
    assert there == here


def test_a_worker_with_another_model_is_refused(hub):
    asked = Remote(Comet(MODEL), True, ("another", "model"))
    with pytest.raises(
        ScoringError, match=r"a worker has another COMET model.*needed another model"
    ):
        asked([{"src": SOURCES[0], "mt": REFERENCES[0], "ref": REFERENCES[0]}])


def test_a_reference_free_model_is_another_metric(predicted):
    table = score(SYSTEMS, None, SOURCES, ["comet"], comet=WITHOUT, cache=False)
    assert table.unique("metric") == ["comet_qe"]
    assert table.column("value")[0] == pytest.approx(
        predicted(WITHOUT, REFERENCES).system_score, abs=1e-6
    )
    assert "nrefs:0" in table.column("signature")[0]
    with_references = score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=WITHOUT, cache=False)
    assert with_references.unique("metric") == ["comet_qe"]


def test_the_signature_says_model_revision_version_and_precision(hub):
    from importlib.metadata import version

    table = score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=MODEL, cache=False)
    assert table.unique("signature") == [
        f"nrefs:1|model:{MODEL}|revision:{'0' * 12}|precision:fp32|comet:{version('unbabel-comet')}"
    ]


def test_half_precision_is_comet_scores_and_another_signature(hub, predicted, tmp_path):
    given = (SYSTEMS, REFERENCES, SOURCES, ["comet"])
    cache = tmp_path / "c"
    full = score(*given, comet=MODEL, cache=cache)
    half = score(*given, comet=Comet(MODEL, precision="fp16"), cache=cache)
    theirs = predicted(MODEL, SYSTEMS["right"], half=True).system_score
    assert half.column("value")[0] == pytest.approx(theirs, abs=1e-3)
    assert half.column("value")[0] != full.column("value")[0]
    assert "precision:fp16" in half.column("signature")[0]


def test_a_checkpoint_by_path_scores_the_same_and_is_known_by_content(hub, tmp_path):
    by_name = score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=MODEL, cache=False)
    weights = hub.checkpoint / "checkpoints" / "model.ckpt"
    for path in (hub.checkpoint, str(weights)):
        by_path = score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=path, cache=False)
        assert list(by_path.column("value")) == list(by_name.column("value"))
        assert f"model:{MODEL}|revision:sha256:" in by_path.column("signature")[0]
    assert locate(Comet(weights)).revision == locate(Comet(hub.checkpoint)).revision


def test_logging_is_left_as_it_was(hub):
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=MODEL, cache=False)
    assert (root.level, root.handlers) == before


@pytest.fixture
def calls(monkeypatch):
    """Count the segments that the model really scores."""
    counted = []
    real = CometScorer.predict

    def counting(self, samples):
        counted.extend(samples)
        return real(self, samples)

    monkeypatch.setattr(CometScorer, "predict", counting)
    return counted


def test_a_rerun_scores_only_what_is_new(hub, tmp_path, calls):
    given = {"comet": MODEL, "cache": tmp_path / "c"}
    first = score({"a": REFERENCES}, REFERENCES, SOURCES, ["comet"], **given)
    assert len(calls) == 27
    again = score({"b": REFERENCES}, REFERENCES, SOURCES, ["comet"], **given)
    assert len(calls) == 27
    assert again.column("value")[0] == first.column("value")[0]
    changed = ["a dog eats the house.", *REFERENCES[1:]]
    score({"c": changed}, REFERENCES, SOURCES, ["comet"], **given)
    assert len(calls) == 28
    score({"d": changed}, None, SOURCES, ["comet"], **{**given, "comet": WITHOUT})
    assert len(calls) == 55


def test_a_full_rerun_does_not_even_load_the_model(hub, tmp_path, monkeypatch):
    given = (SYSTEMS, REFERENCES, SOURCES, ["comet"])
    score(*given, comet=MODEL, cache=tmp_path / "c")
    monkeypatch.setattr("scalefit.scoring.comet._load", None)
    assert len(score(*given, comet=MODEL, cache=tmp_path / "c")) == 2


def test_segments_that_occur_twice_are_scored_once(hub, calls):
    bar = Bar()
    with Cache(False) as cache:
        scorer = CometScorer(Comet(MODEL), cache, references=True)
        samples = scorer.samples(SOURCES[:2] * 3, REFERENCES[:2] * 3, REFERENCES[:2] * 3)
        found = scorer.scores(samples, bar)
    assert (len(calls), bar.done) == (2, 6)
    assert found[:2] == found[2:4] == found[4:]


def test_portions_are_stored_as_they_come(hub, tmp_path, monkeypatch):
    """A failure half-way keeps what was scored before it."""
    real, seen = CometScorer.predict, []

    def failing(self, samples):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(samples))
        return real(self, samples)

    monkeypatch.setattr(CometScorer, "predict", failing)
    given = {"comet": Comet(MODEL, batch_size=2), "cache": tmp_path / "c"}
    with pytest.raises(KeyboardInterrupt):
        score({"a": REFERENCES}, REFERENCES, SOURCES, ["comet"], **given)
    monkeypatch.setattr(CometScorer, "predict", real)
    counted = []
    monkeypatch.setattr(
        CometScorer, "predict", lambda s, some: counted.extend(some) or real(s, some)
    )
    score({"a": REFERENCES}, REFERENCES, SOURCES, ["comet"], **given)
    assert len(counted) == 27 - sum(seen)
    assert len(seen) == 2


def test_a_missing_model_offline_is_explained_at_once(hub):
    with pytest.raises(ScoringError, match=r"'no/such' is not in .*HF_HUB_OFFLINE.*fetch it once"):
        score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet="no/such", cache=False)


def test_a_hub_that_does_not_answer_is_not_asked_for_a_minute(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ScoringError, match=r"http://127.0.0.1:9 does not answer"):
        locate(Comet("no/such"))
    assert locate(Comet(MODEL)).revision == "0" * 40


def test_comets_key_error_is_explained(hub, monkeypatch):
    import comet

    def refused(name):
        raise KeyError(f"Model '{name}' not supported by COMET.")

    monkeypatch.setattr("scalefit.scoring.checkpoint.refuse_offline", lambda *_: None)
    monkeypatch.setattr(comet, "download_model", refused)
    with pytest.raises(ScoringError, match=r"not supported.*misspelt name, no network, a licence"):
        locate(Comet("no/such"))


def test_a_missing_encoder_is_named(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ScoringError, match="'scalefit-test/tiny-xlmr', the encoder of this COMET"):
        score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=hub.checkpoint, cache=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone/model.ckpt", None, "no such COMET checkpoint"),
        ("empty", "", r"no checkpoints/\*.ckpt in it"),
        ("flat/model.ckpt", "x", "needed FOLDER/checkpoints/model.ckpt with FOLDER/hparams.yaml"),
    ],
)
def test_paths_that_hold_no_checkpoint(hub, tmp_path, name, content, message):
    path = tmp_path / name
    if content == "":
        path.mkdir()
    elif content:
        path.parent.mkdir()
        path.write_text(content)
    with pytest.raises(ScoringError, match=message):
        locate(Comet(path))


def test_hyperparameters_of_something_else_are_refused(hub, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.ckpt").write_text("x")
    (tmp_path / "hparams.yaml").write_text("learning_rate: 1")
    with pytest.raises(ScoringError, match=r"hparams.yaml: not the hyperparameters of a COMET"):
        locate(Comet(tmp_path))


def test_a_model_that_needs_references_says_so(hub):
    with pytest.raises(ScoringError, match="needs references, and there are none"):
        score(SYSTEMS, None, SOURCES, ["comet"], comet=MODEL, cache=False)


def test_an_encoder_in_a_folder_that_has_moved_is_named(hub, tmp_path):
    import yaml

    folder = tmp_path / "moved"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "model.ckpt").write_bytes(b"x")
    hparams = yaml.safe_load((hub.checkpoint / "hparams.yaml").read_text())
    hparams["pretrained_model"] = "/home/else/xlmr"
    (folder / "hparams.yaml").write_text(yaml.safe_dump(hparams))
    with pytest.raises(ScoringError, match=r"/home/else/xlmr, the encoder .*is not there"):
        score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=folder, cache=False)


def test_a_damaged_checkpoint_is_named(hub, tmp_path):
    folder = tmp_path / "damaged"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "model.ckpt").write_bytes(b"half a file")
    (folder / "hparams.yaml").write_text((hub.checkpoint / "hparams.yaml").read_text())
    with pytest.raises(ScoringError, match=r"damaged/checkpoints/model.ckpt: COMET cannot load"):
        score(SYSTEMS, REFERENCES, SOURCES, ["comet"], comet=folder, cache=False)


SCORE = """
import sys
from scalefit.scoring.comet import CometScorer, Remote
from scalefit.scoring.checkpoint import Comet
from scalefit.scoring.score import score

real = CometScorer.predict
def telling(self, samples):
    print(len(samples), flush=True)
    return real(self, samples)
CometScorer.predict = telling
lines = open(sys.argv[2]).read().splitlines()
table = score({"a": lines}, lines, lines, ["comet"], comet=Comet(sys.argv[3], batch_size=8),
              cache=sys.argv[1], progress=False)
print("value", repr(float(table.column("value")[0])), flush=True)
"""


def process(hub, folder, *, count=400):
    texts = folder / "texts"
    if not texts.exists():
        texts.write_text("".join(f"the cat sees the apple {i}.\n" for i in range(count)))
    command = [sys.executable, "-W", "ignore", "-c", SCORE, str(folder / "c"), str(texts), MODEL]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=hub.environment)


def test_two_processes_at_once_and_a_kill_lose_nothing(hub, tmp_path):
    first, second = process(hub, tmp_path), process(hub, tmp_path)
    scored = int(first.stdout.readline())
    second.stdout.readline()
    first.kill()
    first.communicate()
    rest = second.communicate()[0].split()
    assert second.returncode == 0
    third = process(hub, tmp_path).communicate()[0].split()
    assert third == rest[-2:]  # the same value, and nothing scored again
    assert scored == 16
