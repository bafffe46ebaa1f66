"""Judge forecasts of quality on public families, each group left out of all learning.

Run: SCALEFIT_SHARED=FOLDER OMP_NUM_THREADS=1 python benchmarks/forecasts_quality.py --write
What it prints takes the place of its section of docs/forecasts.md; the other sections stay.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from forecasts import put
from learn_priors import FOUR, HALF, NEAR, STRIDES, Held, Table, band, prior_of, tables, targets
from numpy.typing import NDArray
from scipy.special import stdtrit

import scalefit as sf
from scalefit.errors import ScalefitError
from scalefit.forecasting.backtest import interval_score
from scalefit.forecasting.engines import Rate, Rates, RatesLearned
from scalefit.forecasting.predictive import HORIZONS
from scalefit.forecasting.quality import Learned, reach_quality
from scalefit.forecasting.quality.learn import Prior, SplitT, learned_from
from scalefit.forecasting.quality.members import NAMES, TOP, percent_of
from scalefit.forecasting.quality.origins import Rows
from scalefit.forecasting.series import Series

Floats = NDArray[np.float64]
BASELINES = ("last value", "line", "random walk")
AFTERWARDS = {
    "best member of each table": ["family", "split"],
    "of each cut": ["family", "split", "curve"],
}
FAR = {"≤ 2 ×": 2.001, "2–10 ×": 10.001, "> 10 ×": np.inf}
REACHED = {"≤ 2 ×": 2.0, "2–4 ×": 4.0, "4–10 ×": 10.0, "> 10 ×": np.inf}
LEVELS = (0.5, 0.8, 0.95)
MANY = "gadre"  # group whose curves would outvote the rest
LN = np.log(HORIZONS)
SECTION = "## Quality: BLEU, chrF, accuracy"
HEAD = (
    SECTION
    + """

`python benchmarks/forecasts_quality.py`. Weights, widths and the chance of reaching a target are learned from each
table's own backtests and shrunk to constants that ship (`benchmarks/learn_priors.py`); here the constants come from
the other groups of families alone. Accuracies (Gadre, images, Pythia) are forecast as accuracies and as errors, and
quantiles averaged, as the product does. Where it falls short: a take-off or a plateau that has not begun is not in
the data (first sizes of finetuning curves, curves of three sizes that speed up); such curves get a wide band, and not
always wide enough. A curve that rose for many e-folds of size is pulled to its last value: public curves of bounded
metrics flatten (how far was chosen with these families in sight), unless five sizes or more make sure that it is
straight, and less so below a fifth of the range: there curves of BLEU, these and others that are not here, keep their
slope or gain, and one that was seen over few e-folds goes on as it went: better after four sizes of translation from
scratch, worse in the lab. One that is nearly straight for decades is forecast too low, within its band up to about a
tenfold; so are the four smallest sizes of translation from scratch, which stand at 5 to 10 BLEU and gather speed. How
fast bands grow far out, and how thin their tails are there, was chosen with these families in sight, too. The lowest
family is nine curves of three sizes, one point each, some of which take off (six within 2 ×, three beyond). The
families, and where each is published: `benchmarks/forecast_data.py`."""
)


class LeftOut:
    """Priors learned without a group, each once."""

    def __init__(self, every: Sequence[Table]) -> None:
        self.every = every

    @cache  # noqa: B019  (lives as long as the script)
    def without(self, group: str) -> Prior:
        """Return the prior of all other groups."""
        return prior_of([t for t in self.every if t.group != group])

    def learned(self, t: Table, cut: Held) -> Learned:
        """Return what a table's fitted sizes teach, shrunk to the prior of other groups."""
        return learned_from(cut.tested, self.without(t.group))


def baselines(short: Sequence[Series], h: Floats) -> Floats:
    """Return last value, line through the last half, random walk with drift: (3, C, Q), per cent."""
    rows = []
    for c, ahead in zip(short, h, strict=True):
        y, u = percent_of(c).to(c.y), np.log(c.x / c.x[-1])
        half = max(3, (len(c) + 1) // 2)
        line = np.polyval(np.polyfit(u[-half:], y[-half:], 1), ahead)
        rows.append([0 * ahead + y[-1], line, y[-1] + (y[-1] - y[0]) / (u[-1] - u[0]) * ahead])
    return np.array(rows).transpose(1, 0, 2)


def interval(b: SplitT, level: float) -> tuple[Floats, Floats]:
    """Return the ends of the central interval, within the range."""
    below, above = stdtrit(b.freedom, 0.5 + level / 2) * b.scale
    return np.clip(b.centre - below, 0, TOP), np.clip(b.centre + above, 0, TOP)


def binned(times: Any, ends: dict[str, float]) -> Any:
    """Return which named distance each multiple falls into."""
    return pd.cut(times, [0.0, *ends.values()], labels=list(ends))


RATES = Rates(rises=True)


def as_rates(cut: Held, learned: Learned) -> list[Rate]:
    """Settle accuracies as the product does: as accuracies and as errors."""
    shares = RATES.losses.learn([c.missing for c in cut.short])
    return RATES.settle(cut.short, RatesLearned(learned, shares))


def told(t: Table, cut: Held, learned: Learned) -> tuple[Rows, Floats, dict[float, Any]]:
    """Return the members' rows, the forecast's middle and its intervals by level, in per cent of the range."""
    rows, b = band(cut.short, cut.h, learned)
    if not t.rate:
        return rows, b.centre, {level: interval(b, level) for level in (0.95, 0.8)}
    at = [c.x[-1] * np.exp(h) for c, h in zip(cut.short, cut.h, strict=True)]
    said = RATES.forecast(as_rates(cut, learned), at, "run")
    quantile = lambda p: 100.0 * np.concatenate([one.quantile(p) for one in said])  # noqa: E731
    ends = {v: (quantile(0.5 - v / 2), quantile(0.5 + v / 2)) for v in (0.95, 0.8)}
    return rows, quantile(0.5), ends


def points(t: Table, name: str, cut: Held, learned: Learned) -> pd.DataFrame:
    """One row a held-out point: errors of the forecast and the baselines, intervals and scores."""
    rows, centre, ends = told(t, cut, learned)
    y = cut.actual.ravel()
    frame = {"h": cut.h.ravel(), "curve": np.repeat(np.arange(len(cut.short)), cut.h.shape[1])}
    frame["error"] = centre - y
    for base, at in zip(BASELINES, baselines(cut.short, cut.h), strict=True):
        frame[base] = at.ravel() - y
    for member, at in zip(NAMES, rows.forecasts.T, strict=False):
        frame[member] = at - y
    for level, (low, high) in ends.items():
        frame[f"in {level}"] = (low - 1e-9 <= y) & (y <= high + 1e-9)
        frame[f"score {level}"] = interval_score(y, low, high, level)
        frame[f"width {level}"] = high - low
    kept = pd.DataFrame(frame)[cut.held.ravel()]
    distance = binned(np.exp(kept.h), FAR)
    return kept.assign(family=t.name, group=t.group, split=name, distance=distance)


def afterwards(frame: pd.DataFrame, by: list[str]) -> Floats:
    """Return errors of the member that turned out best in each ``by``: as near as anybody gets who picks one."""
    errors = frame[list(NAMES)]
    mean = (errors**2).groupby([frame[key] for key in by]).transform("mean")
    return errors.to_numpy()[np.arange(len(frame)), mean.to_numpy().argmin(axis=1)]


def root_mean_square(frame: pd.DataFrame, of: Sequence[str]) -> pd.DataFrame:
    """Return, a family, the mean over splits and curves of the root mean square error."""
    each = [frame[key] for key in ("family", "split", "curve")]
    of_curve = np.sqrt((frame[list(of)] ** 2).groupby(each).mean())
    return of_curve.groupby(["family", "split"]).mean().groupby("family").mean()


def log_law(cut: Held, most: int) -> pd.DataFrame:
    """Return errors and scores of the log-law's band of a new run on the first ``most`` curves."""
    rows = []
    for i, c in enumerate(cut.short[:most]):
        h, actual = cut.h[i][cut.held[i]], cut.actual[i][cut.held[i]]
        data = {"pretrain_tokens": c.x, "bleu": percent_of(c).to(c.y)}
        try:
            fit = sf.fit(data, metric="bleu", law="log")
            given = sf.predict(fit, c.x[-1] * np.exp(h), kind="run", given="law")
        except ScalefitError:
            continue
        low, high = (np.clip(np.nan_to_num(v), 0, TOP) for v in (given.low, given.high))
        score = interval_score(actual, low, high, 0.95)
        error = given.estimate - actual
        rows.append(pd.DataFrame({"curve": i, "h": h, "log-law": error, "its score": score}))
    return pd.concat(rows) if rows else pd.DataFrame()


def table_of(frame: pd.DataFrame, digits: int = 2) -> str:
    """Return a frame as a table in Markdown."""
    flat = frame.reset_index()
    head = "| " + " | ".join(map(str, flat.columns)) + " |"
    rows = ["| " + " | ".join(_cell(v, digits) for v in row) + " |" for row in flat.to_numpy()]
    return "\n".join([head, "|" + "---|" * flat.shape[1], *rows])


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}" if np.isfinite(value) else "–"
    return str(value)


def judge_values(every: Sequence[Table], left_out: LeftOut, most: int) -> list[str]:
    """Return the sections on values."""
    cuts = [(t, name, cut) for t in every for name, cut in t.splits.items()]
    frame = pd.concat(
        (points(t, name, cut, left_out.learned(t, cut)) for t, name, cut in cuts), ignore_index=True
    )
    frame = frame.assign(**{name: afterwards(frame, by) for name, by in AFTERWARDS.items()})
    out = [
        "### Errors and intervals",
        f"{sum(len(t.curves) for t in every)} curves; held out 1, 2, 3 and the largest fifth of the "
        "sizes. Errors are root mean squares in per cent of the range, mean over curves; the best "
        "baseline is the best of the three in the family, chosen afterwards, and so are the best members: "
        "as near as anybody gets who picks one.",
        *_errors(frame),
        "### Coverage by distance",
        "The larger half of the sizes held out, too. Share of held-out points within the band of a "
        "new run, mean over families (lowest family).",
        _by_distance(frame[~frame.split.isin(list(FOUR))]),
    ]
    if most:
        laws = pd.concat(
            log_law(cut, most).assign(family=t.name, split=name)
            for t, name, cut in cuts
            if name in NEAR | HALF
        )
        both = laws.merge(frame, on=["family", "split", "curve", "h"])
        out += ["### Against the log-law", _against(both)]
    return out + _lab(every, left_out)


def _errors(frame: pd.DataFrame) -> list[str]:
    near = frame[frame.split.isin(list(NEAR))]
    error = root_mean_square(near, ["error", *BASELINES, *AFTERWARDS])
    best = error[list(BASELINES)].min(axis=1)
    ratio = (error.error / best).rename("error / best baseline")
    picked = ", ".join(f"{name} {geometric(error[name] / best):.3f}" for name in AFTERWARDS)
    families = near.groupby("family")
    held = families[["in 0.95", "in 0.8"]].mean().join(families["width 0.95"].median())
    four = frame[frame.split.isin(list(FOUR))].groupby("family")[["in 0.95", "in 0.8"]].mean()
    held = held.join(four.add_suffix(", fit on the 4 smallest"))
    return [
        table_of(error.join(ratio).join(held)),
        f"Geometric mean of error / best baseline over families: {geometric(ratio):.3f}, worst "
        f"{ratio.max():.2f}; chosen afterwards: {picked}.",
    ]


def geometric(ratio: pd.Series[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.log(ratio).mean()))


def _by_distance(frame: pd.DataFrame) -> str:
    by = frame.groupby(["family", "distance"], observed=True)[["in 0.95", "in 0.8"]].mean()
    by = by.groupby("distance", observed=True).agg(["mean", "min"])
    shown = pd.DataFrame(index=by.index)
    for level in (0.95, 0.8):
        each = zip(by[f"in {level}", "mean"], by[f"in {level}", "min"], strict=True)
        shown[f"{level:.0%} holds"] = [f"{mean:.3f} ({least:.2f})" for mean, least in each]
    return table_of(shown)


def _against(both: pd.DataFrame) -> str:
    rows = {}
    ends = both[both.split.isin(list(NEAR))]
    by_distance = both.groupby("distance", observed=True)
    for name, part in [("all", both), ("all, without the half", ends), *by_distance]:
        error = root_mean_square(part, ["error", *AFTERWARDS, "log-law"])
        score = part.groupby("family")[["score 0.95", "its score"]].mean()
        ratio = error.div(error["log-law"], axis=0).drop(columns="log-law")
        ratio["Winkler 95 %"] = score["score 0.95"] / score["its score"]
        total = error.mean() / error["log-law"].mean()
        rows[name] = {f"{what} / log-law": geometric(of) for what, of in ratio.items()} | {
            "of mean errors": total.error,
            "best member of each cut, of mean errors": total["of each cut"],
            "of mean Winkler scores": score["score 0.95"].mean() / score["its score"].mean(),
        }
    return (
        'Band of a new run by `sf.fit(…, law="log")`, on the first curves of each family; geometric mean over '
        "families of the ratio in each, and, in the last three columns, ratio of the means over families: there "
        "a family counts by the size of its errors.\n\n"
        + table_of(pd.DataFrame(rows).T.rename_axis("distance"))
    )


def _lab(every: Sequence[Table], left_out: LeftOut) -> list[str]:
    """Judge the repository's own table: its largest size held out; tokens for 10 % more."""
    t = next(t for t in every if t.name == "the lab, BLEU in")
    cut = t.splits["all but 1"]
    frame = points(t, "all but 1", cut, left_out.learned(t, cut))
    rising = frame.curve.isin([i for i, c in enumerate(cut.full) if c.y[-1] > c.y[0]])
    error = frame[["error", *BASELINES]].abs()
    cells = {
        f"all {len(frame)}": error.mean(),
        f"the {rising.sum()} that rise": error[rising].mean(),
    }
    holds, width = frame["in 0.95"].mean(), frame["width 0.95"].median()
    return [
        "### The lab: its largest size held out, BLEU within the domain",
        table_of(pd.DataFrame(cells).T.rename_axis("cells")),
        f"95 % holds {holds:.2f} at a median width of {width:.1f} BLEU.",
        _lab_tokens(t, learned_from(t.tested, left_out.without("lab"))),
    ]


def _lab_tokens(t: Table, learned: Learned) -> str:
    said = reach_quality(t.curves, np.array([1.1 * c.y.max() for c in t.curves]), learned)
    median, end = (np.mean([np.isfinite(r.quantile(p)) for r in said]) for p in (0.5, 0.9))
    return (
        f"Tokens for 10 % above the best measured value: the median is finite in {median:.0%} of the "
        f"cells, the 80 % interval in {end:.0%}."
    )


def judge_tokens(every: Sequence[Table], left_out: LeftOut) -> list[str]:
    """Return the sections on tokens."""
    cuts = [(t, cut) for t in every for cut in t.token_splits.values()]
    said = pd.concat([reaches(t, cut, left_out.learned(t, cut)) for t, cut in cuts])
    said = said.reset_index(drop=True)
    scored = said.join(pd.DataFrame([score(r) for r in said.itertuples()]))
    return _fixed(scored[~scored.known]) + _known(scored[scored.known])


def reaches(t: Table, cut: Held, learned: Learned) -> pd.DataFrame:
    """One row a target: when it was reached, and what was said."""
    rows, _ = band(cut.short, cut.h, learned)
    settled = as_rates(cut, learned) if t.rate else []
    aim = targets(cut, rows.stride.reshape(cut.h.shape)[:, 0])
    frames = []
    for j in range(aim.value.shape[1]):
        use = np.isfinite(aim.value[:, j]) & (~aim.known[:, j] | aim.seen[:, j])
        value = np.where(use, aim.value[:, j], TOP)
        units = np.array([percent_of(c).back(v) for c, v in zip(cut.short, value, strict=True)])
        said = RATES.reach(settled, units) if t.rate else reach_quality(cut.short, units, learned)
        chance = [r.probability for r in said]
        columns = {"h": aim.h[:, j], "seen": aim.seen[:, j], "known": aim.known[:, j]}
        frames.append(pd.DataFrame({**columns, "end": aim.end, "chance": chance})[use])
    return pd.concat(frames).assign(family=t.name, group=t.group)


def score(r: Any) -> dict[str, float]:
    """Score one target; a censored one gives each interval the chance that it still holds."""

    def at(h: float) -> float:
        return float(np.interp(h, LN, r.chance))

    def quantile(p: float) -> float:
        return float(np.interp(p, r.chance, LN)) if r.chance[-1] >= p else np.inf

    until = at(r.h if r.seen else r.end)
    out = {}
    for level in LEVELS:
        low, high = 0.5 - level / 2, 0.5 + level / 2
        inside = quantile(low) <= r.h + 1e-9 and r.h <= quantile(high) + 1e-9
        later = np.clip((high - max(until, low)) / max(1 - until, 1e-9), 0, 1)
        out[f"in {level}"] = float(inside) if r.seen else float(later)
    out["80 % finite"] = float(np.isfinite(quantile(0.9)))
    out["median"] = min(quantile(0.5), LN[-1])
    grid = np.linspace(0, r.end, 40)
    out["crps"] = float(np.mean((np.interp(grid, LN, r.chance) - ((r.h <= grid) & r.seen)) ** 2))
    for times in (2, 10, 100):
        if r.end >= np.log(times) - 1e-9:
            happened = float(r.seen and r.h <= np.log(times))
            out[f"within {times}"] = happened
            out[f"said {times}"] = at(np.log(times))
            out[f"Brier {times}"] = (at(np.log(times)) - happened) ** 2
    return out


def _fixed(fixed: pd.DataFrame) -> list[str]:
    by_group = fixed.groupby("group")[[*(f"in {level}" for level in LEVELS), "crps"]].mean()
    brier = {}
    for times in (2, 10, 100):
        columns = [f"{what} {times}" for what in ("said", "within", "Brier")]
        said, came, score = fixed.groupby("group")[columns].mean().dropna().mean()
        brier[f"{times} ×"] = {
            "said": said, "came": came, "Brier": score, "of the base rate": came * (1 - came)
        }  # fmt: skip
    return [
        "### Tokens: fixed targets, reached or not",
        f"Targets are the last fitted value + {', '.join(map(str, STRIDES))} × the usual rise an "
        "e-fold; the smallest 80, 60 and 40 % of the sizes are fitted. What was not reached in the "
        "data is censored.",
        table_of(pd.concat([by_group, by_group.mean().to_frame("mean").T]).rename_axis("group"), 3),
        table_of(pd.DataFrame(brier).T.rename_axis("reached within"), 3),
    ]


def _known(known: pd.DataFrame) -> list[str]:
    held = [*(f"in {level}" for level in LEVELS), "80 % finite"]
    distance = binned(np.exp(known.h), REACHED)
    late = (known["median"] - known.h) / np.log(10)
    # Each table's medians on one scale: what anybody could reach who knew afterwards how late they come.
    stretch = (known["median"] / known.h).groupby(known.family).transform("median")
    mended = (known["median"] / stretch - known.h).abs() / np.log(10)
    shown = {"late by": late, "error": late.abs(), "error, lateness of each table known": mended}
    each = known.assign(distance=distance, **shown).groupby(["group", "distance"], observed=True)
    by = (
        each[held].mean().join(each[list(shown)].median()).groupby("distance", observed=True).mean()
    )
    alike = known.assign(distance=distance, **shown)[known.group != MANY]
    medians = alike.groupby("distance", observed=True).error.median()
    return [
        "### Tokens: targets whose answer is known",
        "Kept because they were reached, hence a biased judge: chances that come true (said and came, above) "
        "come late on them. Mean over groups, medians in log10; in the last column the median over all targets "
        f"alike, without {MANY}'s many curves.",
        table_of(by.join(medians.rename("error, targets alike"))),
    ]


def main() -> None:
    """Judge, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/forecasts.md")
    parser.add_argument("--log-law", type=int, default=6, help="curves a family; 0 leaves it out")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    every = tables()
    left_out = LeftOut(every)
    values = judge_values(every, left_out, asked.log_law)
    text = "\n\n".join([HEAD, *values, *judge_tokens(every, left_out)])
    print(text)
    if asked.write:
        put(SECTION, text)


if __name__ == "__main__":
    main()
