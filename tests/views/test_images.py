"""Pictures as they look, beside kept images; ``python -m tests.views.test_images`` draws those anew, for eyes."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.testing.compare import compare_images

import scalefit as sf
from scalefit.views import Panel, plot_curve, plot_many
from scalefit.views.curves import DrawnCurve, Goal, Ribbon

HERE = Path(__file__).parent / "baselines"
DRAWN_BY = "3.11"  # matplotlib moves text and ticks by pixels from one minor version to the next
DPI, FAR = (
    50,
    6.0,
)  # root mean square over 0 to 255: antialiasing differs by about 1, a missing band by 10
GRID = np.geomspace(1e5, 1e8, 31)
LINE = 10.0 + 3.0 * np.log10(GRID / 1e5)
TABLE = {
    "pretrain_tokens": [1e6, 4e6, 16e6, 64e6, 256e6, 1024e6] * 2,
    "corpus": ["fr"] * 6 + ["code"] * 6,
    "bleu": [5.0, 9.1, 12.9, 17.0, 21.1, 25.0, 4.0, 6.1, 8.0, 10.1, 12.0, 14.0],
    "cross_entropy": [4.05, 3.37, 2.93, 2.62, 2.43, 2.30, 4.2, 3.6, 3.2, 2.9, 2.7, 2.55],
}


def curve(label="fr", shift=0.0):
    line = LINE + shift
    return DrawnCurve(
        x=np.array([1e5, 1e5, 1e6, 1e6, 1e7]),
        y=np.array([10.0, 11.0, 12.5, 14.0, 16.0]) + shift,
        label=label,
        metric="bleu",
        law="log law",
        mean=Ribbon(GRID, line, line - 0.6, line + 0.6),
        run=Ribbon(GRID, line, line - 1.5, line + 1.5),
        baseline=8.5,
        goal=Goal(18.0, 4.6e7, 2e7, 9e7),
    )


def many():
    names = ("fr", "en", "de", "code", "ro", "unpaired")
    return plot_many(
        [Panel("en-fr", "BLEU", tuple(curve(n, -0.8 * i) for i, n in enumerate(names)))]
    )


def contour():
    fit = sf.fit(TABLE, "cross_entropy", "power", where={"corpus": "fr"})
    return fit.plot(kind="contour", parameters=("alpha", "E"))


PICTURES = {
    "curve": lambda: plot_curve(curve()),
    "curve-dark": lambda: plot_curve(curve(), theme="dark"),
    "six-corpora": many,
    "contour": contour,
    "forest": lambda: sf.fit_each(TABLE, "bleu", "log").plot(kind="forest", parameter="beta"),
    "ranking": lambda: sf.rank(TABLE, at="4B").plot(),
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_looks_as_it_did(name, tmp_path):
    if not matplotlib.__version__.startswith(f"{DRAWN_BY}."):
        pytest.skip(f"images are kept for matplotlib {DRAWN_BY}")
    file = tmp_path / f"{name}.png"
    PICTURES[name]().savefig(file, dpi=DPI)
    assert compare_images(str(HERE / file.name), str(file), FAR) is None


def test_a_picture_without_its_band_is_told_from_one_with_it(tmp_path):
    if not matplotlib.__version__.startswith(f"{DRAWN_BY}."):
        pytest.skip(f"images are kept for matplotlib {DRAWN_BY}")
    bare = DrawnCurve(**{**vars(curve()), "run": None, "mean": None})
    file = tmp_path / "curve.png"
    plot_curve(bare).savefig(file, dpi=DPI)
    assert "Error" in (compare_images(str(HERE / "curve.png"), str(file), FAR) or "")


if __name__ == "__main__":
    for name, draw in PICTURES.items():
        draw().savefig(HERE / f"{name}.png", dpi=DPI)
