"""Forecasts and outcomes summed up over equal steps of time, for charts.

A forecast counts where its outcome's candle closes. Steps are numbered from the epoch, so that a chart that
moves keeps its values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from store.rows import utc
from store.session import Session

_CLOSES = "epoch(target_at)::BIGINT + unit * 60"
_MIDDLE = f"(min({_CLOSES}) + max({_CLOSES})) / 2"
_IN_SPAN = f"""
project = $1 AND target_at >= $2::TIMESTAMPTZ - to_minutes(unit)
    AND target_at < $3::TIMESTAMPTZ
    AND {_CLOSES} BETWEEN epoch($2::TIMESTAMPTZ) AND epoch($3::TIMESTAMPTZ)
"""

_SPAN = """
SELECT min(target_at + to_minutes(unit)) AS first_at, max(target_at + to_minutes(unit)) AS last_at
FROM forecasts WHERE project = $1 AND is_production
"""

_LOSSES = f"""
SELECT {_MIDDLE} AS "at", model_version AS version, coalesce(is_production, FALSE) AS served,
    count(*) AS outcomes, count(*) FILTER (is_inside) AS inside,
    sum(pinball) AS loss, sum(pinball_static) AS static_loss, sum(pinball_ewma) AS ewma_loss
FROM forecasts JOIN outcomes ON forecast_id = id
WHERE {_IN_SPAN}
GROUP BY ({_CLOSES}) // $4, model_version, coalesce(is_production, FALSE) ORDER BY "at", version
"""  # noqa: S608 - built from constants

_INTERVALS = f"""
WITH known AS (
    SELECT unit, target_at, model_version, realised_return AS y, is_inside, base_price,
        lower, upper
    FROM forecasts LEFT JOIN outcomes ON forecast_id = id
    WHERE is_production AND {_IN_SPAN}
)
SELECT {_MIDDLE} AS "at", max(model_version) AS version, count(*) AS forecasts, count(y) AS outcomes,
    count(*) FILTER (is_inside) AS inside,
    avg(%(lower)s) AS lower, avg(%(upper)s) AS upper,
    avg(%(y)s) FILTER (is_inside) AS usual,
    max(%(y)s) FILTER (y > upper) AS above, min(%(y)s) FILTER (y < lower) AS below
FROM known GROUP BY ({_CLOSES}) // $4 ORDER BY "at"
"""  # noqa: S608 - built from constants


@dataclass(frozen=True, slots=True)
class LossStep:
    """Sums over the outcomes of one version in one step; `served` tells those made in production."""

    at: datetime
    version: int
    served: bool
    outcomes: int
    inside: int
    loss: float
    static_loss: float
    ewma_loss: float


@dataclass(frozen=True, slots=True)
class IntervalStep:
    """The forecasts of production in one step.

    `lower` and `upper` are means; `usual` is the mean outcome inside; `above` and `below` are the farthest
    ones outside. `outcomes` of the `forecasts` have matured, `inside` of them lie in their interval.
    """

    at: datetime
    version: int
    forecasts: int
    outcomes: int
    inside: int
    lower: float
    upper: float
    usual: float | None
    above: float | None
    below: float | None


def forecast_span(session: Session, project: str) -> tuple[datetime, datetime] | None:
    """Return the first and the last instant at which an outcome of production is or will be known."""
    row = session.read(_SPAN, [project]).to_pylist()[0]
    return None if row["first_at"] is None else (utc(row["first_at"]), utc(row["last_at"]))


def loss_steps(
    session: Session, project: str, start_at: datetime, end_at: datetime, seconds: int
) -> list[LossStep]:
    """Return sums by step and version over the outcomes in a span, oldest first."""
    rows = session.read(_LOSSES, [project, start_at, end_at, seconds]).to_pylist()
    return [LossStep(at=datetime.fromtimestamp(row.pop("at"), UTC), **row) for row in rows]


def interval_steps(
    session: Session,
    project: str,
    start_at: datetime,
    end_at: datetime,
    seconds: int,
    *,
    is_price: bool,
) -> list[IntervalStep]:
    """Return the production forecasts of a span by step, oldest first, in prices or in log returns."""
    form = "base_price * exp({})" if is_price else "{}"
    sql = _INTERVALS % {name: form.format(name) for name in ("lower", "upper", "y")}
    rows = session.read(sql, [project, start_at, end_at, seconds]).to_pylist()
    return [IntervalStep(at=datetime.fromtimestamp(row.pop("at"), UTC), **row) for row in rows]
