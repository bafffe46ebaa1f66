"""What can be wrong with data, or with an answer: refused beforehand, or said afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from scalefit.distributions import f_tail, spearman
from scalefit.errors import FitError
from scalefit.fitting.intervals.uncertainty import Uncertainty
from scalefit.fitting.points import Points
from scalefit.fitting.solve import Draws, Solution, refit
from scalefit.laws.law import Law
from scalefit.table import metric as metric_of
from scalefit.types import Floats
from scalefit.units import counted, short

# Scatter, as a share of the value, bends curves of logarithms where it is alike at all sizes: by half its square, which
# counts beside a standard error that shrinks with the number of points.
LOUD, BENDS = 0.15, 0.08


def refuse(law: Law, points: Points) -> None:
    """Raise where no fit can mean anything.

    Raises FitError: fewer points than parameters, inputs that do not vary or not apart, constant values or such as
    have no square, inputs at or below 0.
    """
    n, p = points.y.size, len(law.parameters)
    if n < p:
        raise FitError(
            f"{counted(n, 'point')} cannot fix the {p} parameters of law {law.name!r} ({', '.join(law.parameters)}); "
            f"at least {p + 2} are needed for an interval: measure more sizes, or take a law with fewer parameters"
        )
    for name, x in zip(law.inputs, points.inputs, strict=True):
        outside = {"positive": x <= 0, "zero": x < 0, "any": x != x, "share": x < 0}[law.takes]
        if (law.anchor is not None or law.takes == "share") and outside.any():
            at = int(np.flatnonzero(outside)[0])
            raise FitError(
                f"input {name} is {x[at]:g} at point {at}, and law {law.name!r} has no value there; leave the point out"
            )
        if np.ptp(x) == 0:
            raise FitError(
                f"all points have {name} = {x[0]:g}; a curve over {name} needs several sizes"
            )
    sizes = int(points.groups.max()) + 1
    if sizes < p:
        raise FitError(
            f"{n} points lie at only {sizes} distinct sizes, too few for the {p} parameters of law "
            f"{law.name!r}; repeated runs measure noise, only further sizes measure the curve"
        )
    if law.takes == "share":
        law.check_shares(points.inputs)
    _refuse_proportional(law, points)
    largest = float(np.abs(points.y).max())
    if not 1e-100 < largest < 1e100:
        raise FitError(
            f"the values reach {largest:.3g}, whose square a computer's numbers do not hold; give them in another unit"
        )
    if np.ptp(points.y) <= 1e-12 * largest:
        raise FitError(
            f"all {n} values are {points.y[0]:g}: there is no trend for a law to describe"
        )


def refuse_direction(law: Law, metric: str, column: str) -> None:
    """Raise where the law can only move away from better values as its first input, a size, grows.

    Raises FitError: the law falls and more of the metric is better, or the reverse.
    """
    wanted = metric_of(metric).direction
    reads_sizes = law.takes in ("positive", "zero") and metric_of(column).direction is None
    if law.falls is None or wanted is None or not reads_sizes or law.falls == (wanted == "-"):
        return
    raise FitError(
        f"law {law.name!r} {'falls' if law.falls else 'rises'}, but more {metric} is "
        f"{'better' if wanted == '+' else 'worse'}: it cannot follow a curve that gets better. Try: a law that "
        f"{'rises (log, ceiling)' if wanted == '+' else 'falls (power)'}, or allow=['direction']"
    )


def sound(law: Law, many: Sequence[Points]) -> list[bool]:
    """Which of many curves :func:`refuse` lets pass for sure: its questions, asked of equally long ones at once."""
    out = [False] * len(many)
    if len(law.inputs) > 1 or law.takes == "share":
        return out
    alike: dict[int, list[int]] = {}
    for i, points in enumerate(many):
        if points.y.size:
            alike.setdefault(points.y.size, []).append(i)
    p = len(law.parameters)
    for n, members in alike.items():
        x = np.sort(np.stack([many[i].inputs[0] for i in members]), axis=1)
        y = np.stack([many[i].y for i in members])
        sizes = 1 + (np.diff(x, axis=1) > 0).sum(1)
        largest = np.abs(y).max(1)
        within = (largest > 1e-100) & (largest < 1e100) & (np.ptp(y, axis=1) > 1e-12 * largest)
        passed = (n >= p) & (sizes >= max(p, 2)) & (x[:, 0] > 0) & (x[:, -1] < np.inf) & within
        for i, good in zip(members, passed.tolist(), strict=True):
            out[i] = good
    return out


def _refuse_proportional(law: Law, points: Points) -> None:
    if law.takes != "share" and _together(points) > 1 - 1e-9:
        a, b = law.inputs
        raise FitError(
            f"{a} and {b} vary together (the logarithms are proportional), so their effects cannot be told "
            f"apart; vary {b} at fixed {a}, or fit a law of one input"
        )


def _together(points: Points) -> float:
    """Absolute correlation of two inputs' logarithms; 0 for one input, or where there are none."""
    if len(points.inputs) != 2 or not (np.array(points.inputs) > 0).all():
        return 0.0
    return abs(float(np.corrcoef(np.log(np.array(points.inputs)))[0, 1]))


def design_notes(law: Law, points: Points) -> list[str]:
    """Say what to know about the data before reading the answer."""
    notes = []
    n, p = points.y.size, len(law.parameters)
    if n == p:
        notes.append(
            f"{n} points for {p} parameters: the curve passes through them and no error can be estimated"
        )
    elif n < p + 2:
        notes.append(f"only {n} points for {p} parameters: at least {p + 2} are advised")
    if not law.separable:
        notes.append(
            f"{law.formula} is {law.source or 'not separable'}: its optimum is the best of those starts, not verified"
        )
    if law.takes != "share" and _together(points) > 0.99:
        names = " and ".join(law.inputs)
        notes.append(
            f"{names} almost vary together (correlation of logarithms {_together(points):.5f}): "
            "their parameters trade against each other"
        )
    below = int((points.y < 0).sum())
    if below and law.separable and all(c.lower >= 0 for c in law.coefficients):
        notes.append(f"{below} values below 0, where the law {law.name!r} cannot go")
    for name, x in zip(law.inputs, points.inputs, strict=True):
        sizes = law.takes in ("positive", "zero") and (x > 0).all()
        if sizes and np.log10(x.max() / x.min()) < 1:
            notes.append(
                f"{name} spans {x.max() / x.min():.3g}×: under one decade a floor and an exponent hardly differ"
            )
    return notes


def answer_notes(solution: Solution, points: Points) -> list[str]:
    """Say what to know about the answer."""
    notes = [*_bound_notes(solution), *_straight_line_notes(solution)]
    law = solution.problem.law
    if not solution.converged:
        notes.append(
            f"the gradient did not vanish (scaled {solution.gradient:.1e}): not a verified optimum"
        )
    if solution.gap < 0.01 and solution.rival is not None:
        other = {k: float(v) for k, v in law.params(solution.rival).items()}
        shown = ", ".join(f"{k} {v:.4g}" for k, v in other.items())
        notes.append(f"a second basin fits within {solution.gap:.1%} of the best: {shown}")
    if solution.condition > 1e4:
        notes.append(
            f"parameters trade against each other (condition {solution.condition:.1e}): read the curve, not them"
        )
    dof, off = points.y.size - len(law.parameters), solution.problem.residual(solution.fitted)
    logs = solution.problem.objective.residual == "log"
    if dof > 0 and logs and _noise_bends(off, points.y, float(off @ off) / dof):
        notes.append(
            f"points lie {np.sqrt(off @ off / dof):.0%} off the curve: where noise is alike at all sizes, logarithms "
            "bend it and intervals of exponents are too short. Try: residual='linear'"
        )
    if points.y.size > len(law.parameters) and solution.problem.met(solution.fitted):
        notes.append(
            "the points lie on the curve exactly: without scatter the intervals have no width"
        )
    return notes


def _noise_bends(off: Floats, y: Floats, square: float) -> bool:
    """Whether noise may bend a curve of logarithms, given what points are off it and their mean square."""
    of_values = np.log(np.mean((y * off) ** 2)) <= np.log(np.mean(off**2)) + 2 * np.log(y).mean()
    return bool(square > LOUD**2 or (of_values and square * y.size > BENDS))


def _straight_line_notes(solution: Solution) -> list[str]:
    """Say that a straight line in log x fits at least as well as a floor and an exponent do."""
    law, x, y = solution.problem.law, solution.problem.inputs[0], solution.problem.y
    n, p = y.size, len(law.parameters)
    squared = solution.problem.objective.function == "squared"
    floored = squared and law.falls and p > 2 and len(law.inputs) == 1 and law.named("floor")
    if not floored or n <= p or (x <= 0).any():
        return []
    t = np.log(x) - np.log(x).mean()
    line = y - y.mean() - t * (t @ y) / (t @ t)
    errors = [
        np.sqrt(float(np.sum(r**2)) / (n - k)) for r, k in ((line, 2), (y - solution.fitted, p))
    ]
    if errors[0] > errors[1] or t @ y > 0:
        return []
    return [
        f"a straight line in log {law.inputs[0]} fits as well (typical error {errors[0]:.3g} against {errors[1]:.3g}), "
        "as a power law does when its exponent goes to 0: floor and exponent are not told apart by these data"
    ]


def floor_notes(uncertainty: Uncertainty) -> list[str]:
    """Say that a floor above 0 is within its error of 0 (Wald, 95 %)."""
    best = uncertainty.best
    floor = best.problem.law.named("floor")
    if uncertainty.dof <= 0 or floor is None:
        return []
    j = best.problem.law.coordinates.index(floor)
    if 0 < best.theta[j] < best.t(0.95) * np.sqrt(best.variance(np.eye(best.theta.size)[j])):
        return [
            f"the floor {floor} cannot be told from 0: no irreducible part is seen in this range"
        ]
    return []


def _bound_notes(solution: Solution) -> list[str]:
    law, notes = solution.problem.law, []
    at = set(solution.at_bound)
    floor = law.named("floor")
    x, y = solution.problem.inputs[0], solution.problem.y
    flat = at & {law.named("scale"), law.named("exponent")}
    if flat and law.falls is not None and len(law.inputs) == 1:
        rho, p = spearman(x, y)
        if (rho > 0) == law.falls:
            moves, other = ("falls", "rise") if law.falls else ("rises", "fall")
            seen = f"the values {other}" if p < 0.05 else "the values show no trend"
            return [
                f"the law {law.name!r} only {moves} with {law.inputs[0]}, but {seen}: "
                "it does not describe them and its parameters are not identified"
            ]
    if floor in at:
        notes.append(
            f"the floor {floor} is at its bound 0: no irreducible part is seen in this range"
        )
    return notes + _end_notes(solution, at - {floor})


def _end_notes(solution: Solution, at: AbstractSet[str | None]) -> list[str]:
    """Say what the curve has become where coordinates lie at an end, in the law's words and by the names it quotes."""
    law, theta, notes, lost = solution.problem.law, solution.theta, [], set()
    ends = [("", "")] * len(law.coefficients) + [shape.at_ends for shape in law.shapes]
    for j, name in enumerate(law.coordinates):
        if name in at:
            low, high = solution.problem.limits[j]
            said = ends[j][1] if high - theta[j] < theta[j] - low else ends[j][0]
            notes += [said] if said else []
            moved = law.moved(theta, j, low, high)
            known = {name} & {*law.parameters} or {n for n, mask in moved.items() if mask}
            lost |= set() if said else known
    return notes + (
        [f"{', '.join(sorted(lost))} at a bound: not identified by these data"] if lost else []
    )


_FEW = 30  # points, of which each is left out in turn


def leaves_each_out(solution: Solution) -> bool:
    """Whether outliers are looked for by leaving out each point."""
    return solution.theta.size + 3 <= solution.problem.y.size <= _FEW


def outlier_notes(solution: Solution, points: Points, left_out: Callable[[], Draws]) -> list[str]:
    """Say which few points carry a parameter away; ``left_out`` gives the refits without each, asked of few points."""
    r = solution.problem.residual(solution.fitted)
    n, p = r.size, solution.theta.size
    if n < p + 3 or np.abs(r).max() <= 1e-12:
        return []
    suspects = _far_out(r) if n > _FEW else _leave_one_out(solution, r, left_out())
    if suspects.size == 0 or suspects.size > max(1, n // 10) or n - suspects.size < p:
        return []
    theta, suspects = _concentrate(solution, suspects)
    return [_shift_note(solution, theta, suspects, points)]


def _concentrate(solution: Solution, suspects: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Refit without the suspects, and take as many again as lie farthest from that curve.

    An outlier that pulls the curve makes good points look bad; seen from the curve without it,
    they are good again. Source: the C-step of Rousseeuw and Van Driessen 1999, Technometrics 41(3).
    """
    problem = solution.problem
    for _ in range(4):
        weights = np.ones((1, problem.y.size))
        weights[0, suspects] = 0
        theta = refit(solution, weights).theta[0]
        r = np.abs(problem.residual(problem.law.value(problem.inputs, theta)))
        worst = np.argsort(-r, kind="stable")[: suspects.size]
        if set(worst) == set(suspects):
            break
        suspects = worst
    return theta, suspects


def _far_out(r: Floats) -> NDArray[np.intp]:
    """Points more than 6 robust standard deviations out."""
    spread = 1.4826 * np.median(np.abs(r - np.median(r)))
    return np.flatnonzero(np.abs(r - np.median(r)) > 6 * spread)


def _leave_one_out(solution: Solution, r: Floats, refitted: Draws) -> NDArray[np.intp]:
    """Return the one point whose removal shrinks the squares more than chance does (Bonferroni, 1 %)."""
    n, p = r.size, solution.theta.size
    problem = solution.problem
    off = problem.residual(problem.law.value(problem.inputs, refitted.theta))
    rest = ((1 - np.eye(n)) * off**2).sum(-1)
    worst = int(np.argmin(rest))
    dof = n - 1 - p
    drop = float(np.sum(r**2) - rest[worst]) / max(rest[worst] / dof, 1e-300)
    return np.array([worst] if f_tail(drop, 1, dof) * n < 0.01 else [], dtype=np.intp)


def _relative(before: float, after: float) -> float:
    """Relative change; 0 where either is infinite, as D0 → 0 makes beta."""
    if not np.isfinite(before + after):
        return 0.0
    return abs(after - before) / max(abs(before), 1e-300)


def _shift_note(solution: Solution, theta: Floats, rows: NDArray[np.intp], points: Points) -> str:
    law = solution.problem.law
    before, after = law.params(solution.theta), law.params(theta)
    moved = {k: _relative(float(before[k]), float(after[k])) for k in after}
    shapes = [s.name for s in law.shapes if s.name in moved] or list(moved)
    name = max(shapes, key=lambda k: moved[k])
    which = ", ".join(f"{points.y[i]:.4g}" for i in rows[:6])
    many = f"{rows.size} points" if rows.size > 1 else "1 point"
    verb = "move" if rows.size > 1 else "moves"
    robust = solution.problem.objective.function != "squared"
    advice = "look at them" if robust else "look at them, or use objective='huber'"
    return (
        f"{many} far from the curve (values {which}) {verb} {name} from {short(float(after[name]))} to "
        f"{short(float(before[name]))}: {advice}"
    )
