"""The likelihood regions of separable laws, of many curves at once: one curve is a stack of one.

Given the shapes, the weighted sum of squares is a quadratic in the coefficients. So the set of all (shapes,
coefficients) with RSS ≤ RSS_min + t²·s² is a stack of ellipsoids over a grid of shapes, and the profile-likelihood
interval of a quantity is the union over the grid of what it does on each ellipsoid, taken on every face of the
coefficients' bounds.

Axes, from the last: cells of the grid (C), curves (B), ends that are searched (L), and before them whatever the
quantity has (k coefficients, m shapes, n points). Points come first, since numpy adds whole rows of cells several
times as fast as it adds eight neighbours; and every sum over points then goes in the same order however many curves
there are, so that a curve's numbers do not depend on those beside it.

Source: Bates and Watts 1988, Nonlinear Regression Analysis, section 6.1 (profile t).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from scalefit.fitting.grid import in_turn
from scalefit.fitting.intervals.face import RIDGE, SIDES, Edge, EndsAsked, Face, follow
from scalefit.fitting.intervals.optimum import Optimum
from scalefit.fitting.projection import held
from scalefit.laws.law import Law, combine, one_law
from scalefit.types import Floats, Ints, Mask

# Grid points an axis by the number of shapes: for bands, which take the grid as it is, and for the ends of parameters,
# which are followed along the region's edge from there. A law of more shapes has Wald's intervals.
POINTS = {0: 1, 1: 81, 2: 21, 3: 11}
POINTS_OF_ENDS = {**POINTS, 1: 241, 2: 13}


@dataclass(frozen=True, eq=False)
class Optima:
    """Optima of one law with equally many points, and how far the sum of squares of each may rise.

    Attributes
    ----------
    law : the law, its constants (B, 1).
    inputs, target, weights : (n, B, 1) each.
    theta, lower, upper : (p, B, 1) the optima and their bounds; the coefficients' bounds are the same for all.
    limit : (B, 1) largest sum of squares in the region.
    axes : (m, m, B, 1) half-axes of the region in the shapes, as far as the curve is a plane.
    """

    law: Law
    inputs: tuple[Floats, ...]
    target: Floats
    weights: Floats
    theta: Floats
    lower: Floats
    upper: Floats
    limit: Floats
    axes: Floats

    def only(self, rows: Ints) -> Optima:
        """Return some of the curves."""
        known = cast(Mapping[str, Any], self.law.constants)
        constants: dict[str, Any] = {
            k: v[rows] if isinstance(v, np.ndarray) else v for k, v in known.items()
        }
        return Optima(
            self.law.at(constants),
            tuple(x[:, rows] for x in self.inputs),
            self.target[:, rows],
            self.weights[:, rows],
            self.theta[:, rows],
            self.lower[:, rows],
            self.upper[:, rows],
            self.limit[rows],
            self.axes[:, :, rows],
        )

    @property
    def shapes(self) -> Floats:
        """The optima's shapes (m, B, 1)."""
        return self.theta[len(self.law.coefficients) :]

    @property
    def coefficients(self) -> list[tuple[float, float]]:
        """Bounds of the coefficients."""
        return [(c.lower, c.upper) for c in self.law.coefficients]

    @property
    def quoted_linearly(self) -> bool:
        """Whether what people quote is linear in the coefficients, each by itself and all together."""
        k, law = len(self.coefficients), self.only(np.array([0])).law
        at = np.append(1 + np.arange(k) / 3, self.shapes[:, 0, 0])
        moves = np.eye(k + 1, at.size, -1)
        moves[0, :k] = 1.0
        quoted = law.params(at + moves[:, None] * np.arange(3)[:, None]).values()
        # Differences of differences along each move, in a hundred-millionth of the values.
        return all((np.abs(np.diff(v, n=2)) <= 1e-8 * np.abs(v).max()).all() for v in quoted)

    def edge(self, rows: Ints) -> Edge:
        """Return the edges of some curves' regions."""
        some = self.only(rows)
        parts = (*some.inputs, some.target, some.weights, some.theta, some.lower, some.upper)
        *inputs, target, weights, best, low, high = (v[..., 0].T.copy() for v in parts)
        root = np.sqrt(weights)
        return Edge(some.law, (*inputs,), target, root, best, (low, high), some.limit[:, 0])

    def faces(self, shapes: Floats) -> list[Face]:
        """Every way to hold coefficients at finite bounds, at shapes (m, L, B, C).

        The free one is for all curves, the others for those of which an ellipsoid meets a bound: elsewhere every
        held face leaves more than the limit.
        """
        products = _Products.of(self, shapes)
        free, *others = held(*np.array(self.coefficients).reshape(-1, 2).T)
        out = [products.face(self, shapes, free, np.arange(self.limit.size))]
        rows = np.flatnonzero(out[0].meets_a_bound)
        if others and rows.size:
            some, there, products = self.only(rows), shapes[..., rows, :], products.only(rows)
            out += [products.face(some, there, fixed, rows) for fixed in others]
        return out

    def profile(self, shapes: Floats) -> Floats:
        """Best feasible sum of squares (B, C) at shapes (m, B, C)."""
        first, *others = self.faces(shapes[:, None])
        out = np.where(first.feasible, first.rss, np.inf)[0]
        for face in others:
            there = np.where(face.feasible, face.rss, np.inf)[0]
            out[face.rows] = np.minimum(out[face.rows], there)
        return np.asarray(out)


def stack_optima(optima: Sequence[Optimum], limits: Sequence[float]) -> Optima:
    """Lay optima of one law and length side by side."""
    law = one_law([o.problem.law for o in optima])
    k, m, count = len(law.coefficients), len(law.shapes), len(law.inputs)
    vectors = np.array([[*o.problem.inputs, o.problem.target, o.weights] for o in optima])
    theta, lower, upper = np.array([[o.theta, *o.problem.bounds] for o in optima]).transpose(
        1, 2, 0
    )
    points = np.ascontiguousarray(vectors.transpose(1, 2, 0))[..., None]
    limit = np.array(limits)
    value, slopes = law.jacobian(tuple(vectors[:, i] for i in range(count)), theta.T)
    slopes *= (np.sqrt(vectors[:, -1]) / (value if law.link == "log" else 1.0))[:, None]
    axes = _principal_axes(slopes, limit - [o.rss for o in optima], (upper - lower)[k:].T, m)
    out = Optima(
        law,
        tuple(points[:count]),
        points[-2],
        points[-1],
        theta[..., None],
        lower[..., None],
        upper[..., None],
        limit[:, None],
        axes,
    )
    # Rounding may put the optimum itself outside of a region of exact data.
    least = out.profile(out.shapes) * (1 + 1e-9)
    return Optima(**{**vars(out), "limit": np.maximum(out.limit, least)})


def _principal_axes(slopes: Floats, room: Floats, ranges: Floats, m: int) -> Floats:
    """Half-axes (m, m, B, 1) of the regions' linear approximations, none longer than the shapes' ranges (B, m)."""
    if m == 0:
        return np.zeros((0, 0, len(slopes), 1))
    # Coefficients are free at each shape: what they can take up of its slope is no knowledge of it. Left in, a shape
    # that trades places with one would get an axis far too short, and the grid would have to grow to the region.
    turned = slopes.transpose(0, 2, 1)
    inner, outer = turned[..., :-m], turned[..., -m:]
    if inner.shape[-1]:
        inner = inner / np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1e-300)
        left, values, _ = np.linalg.svd(inner, full_matrices=False)
        # Columns that repeat each other leave a direction of rounding, which would take a piece of the shapes with it.
        least = np.finfo(float).eps * max(inner.shape[1:]) * values[:, :1]
        left = left * (values > least)[:, None]
        outer = outer - left @ (left.transpose(0, 2, 1) @ outer)
    # Each shape in units of what it does to the curve: an exponent and a size in tokens differ by many powers of ten,
    # and the smaller curvature would be lost among the digits of the larger.
    size = np.maximum(np.linalg.norm(turned[..., -m:], axis=1), 1e-300)
    rest = outer / size[:, None]
    values, vectors = np.linalg.eigh(rest.transpose(0, 2, 1) @ rest)
    # A shape of no effect has no curvature; its axis is as long as its range.
    reach = np.sqrt(np.maximum(room, 1e-300)[:, None] / np.maximum(values, 1e-10))
    axes = vectors * reach[:, None] / size[..., None]
    widest = (np.abs(axes) / ranges[..., None]).max(axis=1, keepdims=True)
    return np.asarray((axes / np.maximum(widest, 1.0)).transpose(1, 2, 0)[..., None])


@dataclass(frozen=True, eq=False)
class _Products:
    """Columns (k; n, L, B, C) at some shapes, and their products summed over the points: (k, k; L, B, C) and (k; …)."""

    columns: list[Floats]
    gram: list[list[Floats]]
    moment: list[Floats]

    @staticmethod
    def of(optima: Optima, shapes: Floats) -> _Products:
        inputs = tuple(x[:, None] for x in optima.inputs)
        weights, target = optima.weights[:, None], optima.target[:, None]
        columns = [np.asarray(c) for c in optima.law.columns(inputs, tuple(shapes))]
        weighted = [c * weights for c in columns]
        k, stack = len(columns), shapes.shape[1:]
        gram = [[_summed(weighted[max(i, j)] * columns[min(i, j)], stack) if i <= j else None
                 for j in range(k)] for i in range(k)]  # fmt: skip
        whole = [[cast(Floats, gram[min(i, j)][max(i, j)]) for j in range(k)] for i in range(k)]
        return _Products(columns, whole, [_summed(w * target, stack) for w in weighted])

    def only(self, rows: Ints) -> _Products:
        """Return some of the curves."""

        def some(values: Floats) -> Floats:
            return values[..., rows, :] if values.ndim > 1 and values.shape[-2] > 1 else values

        gram = [[some(cell) for cell in row] for row in self.gram]
        return _Products([some(c) for c in self.columns], gram, [some(v) for v in self.moment])

    def face(self, optima: Optima, shapes: Floats, fixed: Floats, rows: Ints) -> Face:
        """Solve the coefficients with some held at ``fixed`` (k,); nan where one is free.

        Columns are brought to length 1 and a ridge of rounding's size added, so that collinear ones give a long
        ellipsoid instead of an error; a second step of the solution takes the ridge's bias out again.
        """
        free, gram = np.flatnonzero(np.isnan(fixed)).tolist(), self.gram
        stack = shapes.shape[1:]
        best, inverse = np.empty((fixed.size, *stack)), np.zeros((fixed.size, fixed.size, *stack))
        for j, at in enumerate(fixed):
            best[j] = at
        norm = {i: np.sqrt(gram[i][i]) for i in free}
        norm = {i: np.where(size > 0, size, 1.0) for i, size in norm.items()}
        block = [[gram[i][j] / (norm[i] * norm[j]) + RIDGE * (i == j) for j in free] for i in free]
        for row, i in zip(_inverted(block), free, strict=True):
            for cell, j in zip(row, free, strict=True):
                inverse[i, j] = cell / (norm[i] * norm[j])
        others = [j for j in range(fixed.size) if j not in free]
        rest = {i: self.moment[i] - sum(gram[i][j] * fixed[j] for j in others) for i in free}
        for i in free:
            best[i] = sum(inverse[i, j] * rest[j] for j in free)
        left = {i: rest[i] - sum(gram[i][j] * best[j] for j in free) for i in free}
        for i in free:
            best[i] += sum(inverse[i, j] * left[j] for j in free)
        misfit = optima.target[:, None] - combine(best, tuple(self.columns))
        rss = _summed(optima.weights[:, None] * misfit * misfit, stack)
        return Face(optima.law, rows, shapes, best, rss, inverse, optima.limit)


def _summed(values: Floats, stack: tuple[int, ...]) -> Floats:
    return np.broadcast_to(in_turn(values), stack)


def _inverted(block: list[list[Floats]]) -> list[list[Floats]]:
    """Invert a positive definite matrix (k × k), each operation on the whole stack: Gauss and Jordan's sweeps.

    Columns have length 1 and a ridge, so that no pivot need be looked for.
    """
    for p, pivot in enumerate(block):
        scale = 1 / pivot[p]
        for i, row in enumerate(block):
            if i != p:
                factor = row[p] * scale
                block[i] = [
                    -factor if j == p else cell - factor * pivot[j] for j, cell in enumerate(row)
                ]
        block[p] = [scale if j == p else cell * scale for j, cell in enumerate(pivot)]
    return block


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions of many curves, laid out: the faces over the grid of each."""

    optima: Optima
    faces: tuple[Face, ...]

    def of(self, row: int) -> tuple[Face, ...]:
        """Return one curve's faces, their cells inside of its region alone."""
        places = [(face, np.flatnonzero(face.rows == row)) for face in self.faces]
        return tuple(face.inside(int(at[0])) for face, at in places if at.size)

    def parameters(self) -> dict[str, Floats]:
        """Least and largest value (2, B) of every quoted parameter.

        A region that bends, like that of exponent and origin of the log-law, has its tips between the points: each
        extreme is followed along the edge from where the grid has it.
        """
        names = self.optima.law.parameters
        asked = EndsAsked(tuple(np.repeat(names, 2)), np.tile(SIDES, (len(names), 1, 1)))
        values, theta = _best([face.extremes(asked) for face in self.faces], self.faces)
        # A region of one shape is an interval: its ends are known, and so are those of what is linear at each shape.
        if len(self.optima.shapes) > 1 or not self.optima.quoted_linearly:
            with np.errstate(all="ignore"):
                values = follow(self.optima.edge, asked, values, np.moveaxis(theta, 0, -1).copy())
        ends = (values * asked.side[..., 0]).reshape(len(names), 2, -1)
        return dict(zip(names, ends, strict=True))

    def coordinates(self) -> Floats:
        """Least and largest value (p, 2, B) of the solver's coordinates, on the grid."""
        every = range(len(self.optima.theta))
        ends = [_best([face.coordinate(j) for face in self.faces], self.faces)[0] for j in every]
        return np.asarray(np.array(ends) * SIDES[..., 0])


def _best(ends: Sequence[tuple[Floats, Floats]], faces: Sequence[Face]) -> tuple[Floats, Floats]:
    """Largest (L, B) over the faces, of which the first is for all curves, and its theta (p, L, B)."""
    value, theta = ends[0]
    for (other, there), face in zip(ends[1:], faces[1:], strict=True):
        better = other > value[:, face.rows]
        value[:, face.rows] = np.where(better, other, value[:, face.rows])
        theta[:, :, face.rows] = np.where(better, there, theta[:, :, face.rows])
    return value, theta


def lay_regions(optima: Optima, points: int) -> Regions:
    """Lay a grid of so many points an axis over all shapes whose RSS can be under the limit, around each optimum.

    The grid follows the principal axes at the optimum: along the axes of the shapes themselves, two that trade
    places would leave all but a sliver of the grid outside. It grows until the region's edge or a bound is inside
    it, then shrinks to fit; a region that is much longer than its linear approximation is thus found whole.
    """
    with np.errstate(all="ignore"):
        m, curves = len(optima.law.shapes), optima.limit.size
        box = np.tile([-1.2, 1.2], (curves, m, 1))
        shapes, cost, cells = _lay(optima, box, points)
        for grow, times in ((True, 24), (False, 3)):
            going = np.arange(curves)
            for _ in range(times):
                other, changed = _fit_box(cells[going], box[going], grow=grow)
                going = going[changed]
                if not going.size:
                    break
                box[going] = other[changed]
                shapes[:, going], cost[going], cells[going] = _lay(
                    optima.only(going), box[going], points
                )
        return Regions(optima, tuple(optima.faces(_within(shapes, cost, optima, points)[:, None])))


def _lay(optima: Optima, box: Floats, points: int) -> tuple[Floats, Floats, Mask]:
    """Return the grids of these boxes (m, B, G), the profile of the RSS (B, G), and which cells (cubes) are inside."""
    curves, m = box.shape[:2]
    along = np.linspace(0, 1, points)
    ticks = box[..., :1] + (box[..., 1:] - box[..., :1]) * along
    place = np.indices([points] * m).reshape(m, points**m)
    raw = optima.shapes + sum(
        (optima.axes[:, j] * ticks[:, j, place[j]] for j in range(m)),
        np.zeros((m, curves, place.shape[1])),
    )
    lower, upper = (b[b.shape[0] - m :] for b in (optima.lower, optima.upper))
    shapes = np.clip(raw, lower, upper)
    cost = optima.profile(shapes)
    clipped = ((raw < lower) | (raw > upper)).any(0)
    # Clipped cells repeat the bound's own: counted as inside, they would make the box grow where nothing is.
    inside = (cost <= optima.limit) & ~clipped
    return shapes, cost, inside.reshape(curves, *[points] * m)


def _within(shapes: Floats, cost: Floats, optima: Optima, side: int) -> Floats:
    """Shapes (m, B, S) of the optima, of the grid's cells inside, and where the profile crosses the limit beside them.

    Without the crossings ends would fall a cell short. Of curves with fewer shapes than others the optimum fills the
    rest.
    """
    m, curves = shapes.shape[:2]
    sides = [side] * m
    cube, points = cost.reshape(curves, *sides), shapes.reshape(m, curves, *sides)
    limit = optima.limit.reshape(curves, *[1] * m)
    inside = cost <= optima.limit
    whose, where = [inside.nonzero()[0]], [shapes[:, inside]]
    for axis in range(m):
        line, place = np.moveaxis(cube, axis + 1, 1), np.moveaxis(points, axis + 2, 2)
        for inner, outer in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            near, far = line[:, inner], line[:, outer]
            crossed = (near <= limit) & (far > limit) & np.isfinite(far)
            a, b, owner = near[crossed], far[crossed], crossed.nonzero()[0]
            share = (optima.limit[owner, 0] - a) / (b - a)
            # The profile bends upwards, so the chord crosses the limit a little inside of the region.
            there = (
                place[:, :, inner][:, crossed] * (1 - share)
                + place[:, :, outer][:, crossed] * share
            )
            whose.append(owner)
            where.append(there)
    owner, places = np.concatenate(whose), np.concatenate(where, axis=1)
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=curves)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    out = np.repeat(optima.shapes, int(counts.max(initial=0)) + 1, axis=-1)
    out[:, owner[order], rank] = places[:, order]
    return out


def _fit_box(cells: Mask, box: Floats, *, grow: bool) -> tuple[Floats, Mask]:
    """Boxes (B, m, 2) that are larger where a region touches an edge, or tight around it; and which changed (B,)."""
    out, changed = box.copy(), np.zeros(len(box), dtype=bool)
    for axis in range(box.shape[1]):
        others = tuple(a + 1 for a in range(box.shape[1]) if a != axis)
        line: Mask = np.asarray(cells.any(axis=others))
        last = line.shape[1] - 1
        low, high = box[:, axis].T
        width = high - low
        if grow:
            for side in (0, 1):
                # A region that is open never comes to an end: beyond a million half-axes it is left to the bounds.
                touched = line[:, -side] & (np.abs(box[:, axis, side]) < 1e6)
                out[touched, axis, side] += (2 * side - 1) * width[touched] * 0.8
                changed |= touched
        else:
            some, step = line.any(1), width / last
            first = np.where(some, line.argmax(1), last // 2)
            end = np.where(some, last - line[:, ::-1].argmax(1), last // 2)
            loose = end - first < 0.6 * last
            tight = low + step * (first - 1.5), low + step * (end + 1.5)
            out[loose, axis] = np.stack(tight, axis=-1)[loose]
            changed |= loose
    return out, changed
