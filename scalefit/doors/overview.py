"""The forecast, what to choose and whether each corpus helps: all from one pass over a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scalefit.alignment import AlignmentTable
from scalefit.corpora.ranking import Rankings
from scalefit.doors.curves import Inquiry, flags, inquire
from scalefit.doors.entrants import RankedBy
from scalefit.doors.forecast import forecast_of, sizes_of
from scalefit.doors.plan import Means, plan_for_choice
from scalefit.doors.rank import rank_of
from scalefit.errors import ExecutorError, ScalefitError
from scalefit.executors import Workers, working
from scalefit.forecasting.engines import AUTO, Pool
from scalefit.forecasting.forecast import Forecast, Question
from scalefit.planning.plan import Plan
from scalefit.table import Table


@dataclass(frozen=True, eq=False)
class Overview:
    """What was asked, its forecast, and the corpora ranked; no ranking where there is nothing to choose."""

    what: Inquiry
    forecast: Forecast
    ranking: Rankings | None

    @property
    def judged(self) -> AlignmentTable | None:
        """Whether each corpus helps; None where that cannot be told."""
        return self.what.judged

    def next_run(self) -> tuple[Mapping[str, Any], Plan] | None:
        """Return the setting whose choice is least sure, and what run tells most about it; None where none is."""
        if not self.ranking:
            return None
        doubtful = min(self.ranking, key=lambda r: max(s.p_best for s in r.standings))
        where = {name: value for name, value in doubtful.group.items() if value is not None}
        setting = replace(self.what, table=self.what.table.where(**where))
        size = next(iter(self.forecast.question.at), None)
        try:
            plan = plan_for_choice(setting, flags(self.what), size, Means())
        except ScalefitError:
            return None
        return doubtful.group, plan


def overview(
    table: Table,
    question: Question,
    *,
    by: Sequence[str] | None = None,
    pool: Pool = AUTO,
    executor: Workers = None,
) -> Overview:
    """Forecast every curve once, and rank them by the target, or else at the first size asked for."""
    question = replace(question, at=sizes_of(question.at))
    what = inquire(
        table, question.metric, where=None, by=by, mapping=None, allow=(), beside=question.through
    )
    with working(executor) as each:
        what = replace(what, each=each)
        forecast = forecast_of(what, question, pool)
        ranking = _ranking(what, forecast)
    return Overview(what, forecast, ranking)


def _ranking(what: Inquiry, forecast: Forecast) -> Rankings | None:
    question = forecast.question
    if question.target is None and not question.at:
        return None
    at = question.at[0] if question.target is None else None
    curves = [o.curves[what.metric] for o in forecast if what.metric in o.curves]
    try:
        return rank_of(what, curves, RankedBy(at, question.target, level=question.level))
    except ExecutorError:
        raise
    except ScalefitError:
        return None
