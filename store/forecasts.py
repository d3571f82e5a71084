"""Forecasts, written once, and their outcomes, joined when they mature.

Realised returns are log returns ln(close at target / base price). The pinball loss of a forecast is the
mean over the quantiles q = 0.1, 0.5, 0.9 of max(q (y - f), (q - 1) (y - f)) (Koenker and Bassett,
Regression Quantiles, Econometrica 46, 1978).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from appliance.domain.forecast import Forecast, Quantiles
from store.coverage import PROVEN
from store.rows import instant_array, scalar, utc
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = ("project", "market", "unit", "candle_date_time_utc", "horizon", "model_version")
_PLAIN = (*_KEY, "target_at", "base_price", "made_at")
_INSTANTS = ("candle_date_time_utc", "target_at", "made_at")
_TRIPLES = {"quantiles": "", "static": "static_", "ewma": "ewma_"}
_LEVELS = {"lower": 0.1, "median": 0.5, "upper": 0.9}
_COLUMNS = (
    *_PLAIN,
    "is_production",
    *(prefix + level for prefix in _TRIPLES.values() for level in _LEVELS),
)


def _pinball(prefix: str) -> str:
    # max(q u, (q - 1) u) = |u| / 2 + (q - 1/2) u, which DuckDB computes three times as fast.
    terms = (
        f"0.5e0 * abs(y - {prefix}{level}) + {q - 0.5:.1f}e0 * (y - {prefix}{level})"
        for level, q in _LEVELS.items()
    )
    return f"({' + '.join(terms)}) / {len(_LEVELS)}"


# The forecast's own candle is stored, so no earlier one can be the last close at or before the target:
# the lower bound on candles follows, and keeps the join away from history. A target without a candle
# counts only when the proven span around it reaches back to that last close.
_JOIN = f"""
INSERT INTO outcomes
WITH waiting AS (
    SELECT * FROM forecasts
    WHERE project = $1 AND id NOT IN (SELECT forecast_id FROM outcomes)
        AND epoch_us(target_at) + unit * 60_000_000::BIGINT <= epoch_us($2::TIMESTAMPTZ)
), known AS (
    SELECT market, unit, candle_date_time_utc AS last_at, close FROM candles
    WHERE market IN (SELECT market FROM waiting)
        AND candle_date_time_utc >= (SELECT min(candle_date_time_utc) FROM waiting)
        AND candle_date_time_utc <= (SELECT max(target_at) FROM waiting)
), met AS (
    SELECT w.*, k.close FROM waiting w LEFT JOIN known k
        ON k.market = w.market AND k.unit = w.unit AND k.last_at = w.target_at
), matured AS (
    SELECT *, ln(close / base_price) AS y FROM met WHERE close IS NOT NULL
    UNION ALL
    SELECT m.*, ln(k.close / m.base_price) FROM met m ASOF JOIN known k
        ON k.market = m.market AND k.unit = m.unit AND m.target_at >= k.last_at
    JOIN ({PROVEN}) s ON s.market = m.market AND s.unit = m.unit
        AND s.start_at <= m.target_at AND s.end_at > m.target_at
        AND s.start_at <= k.last_at + to_minutes(m.unit)
    WHERE m.close IS NULL
)
SELECT id, y, {_pinball("")}, {_pinball("static_")}, {_pinball("ewma_")},
    y BETWEEN lower AND upper, $2
FROM matured
"""  # noqa: S608 - built from constants

_UNFORECAST = """
SELECT candle_date_time_utc FROM features x
WHERE project = $1 AND market = $2 AND unit = $3 AND schema_id = (
        SELECT max(schema_id) FROM feature_schemas WHERE project = $1 AND digest = $7
    )
    AND candle_date_time_utc >= $6
    AND NOT EXISTS (
        SELECT 1 FROM forecasts f
        WHERE f.project = $1 AND f.market = $2 AND f.unit = $3 AND f.horizon = $4
            AND f.model_version = $5 AND f.candle_date_time_utc = x.candle_date_time_utc
    )
ORDER BY candle_date_time_utc
"""

# What nobody served: after the project's first production forecast, without one by any version.
_UNSERVED = """
SELECT candle_date_time_utc FROM features x
WHERE project = $1 AND market = $2 AND unit = $3 AND schema_id = (
        SELECT max(schema_id) FROM feature_schemas WHERE project = $1 AND digest = $7
    )
    AND candle_date_time_utc >= greatest($6, (
        SELECT min(candle_date_time_utc) FROM forecasts
        WHERE project = $1 AND market = $2 AND unit = $3 AND horizon = $4 AND is_production
    ))
    AND NOT EXISTS (
        SELECT 1 FROM forecasts f
        WHERE f.project = $1 AND f.market = $2 AND f.unit = $3 AND f.horizon = $4
            AND (f.is_production OR f.model_version = $5)
            AND f.candle_date_time_utc = x.candle_date_time_utc
    )
ORDER BY candle_date_time_utc
"""


# Live is what was made before the target candle was stored: its outcome could not be known.
_INSERT = f"""
INSERT INTO forecasts ({", ".join(_COLUMNS)}, is_live)
SELECT {", ".join(_COLUMNS)}, target_at > coalesce((
    SELECT max(c.candle_date_time_utc) FROM candles c
    WHERE c.market = batch.market AND c.unit = batch.unit
), '-infinity'::TIMESTAMPTZ)
FROM batch ON CONFLICT DO NOTHING RETURNING TRUE
"""  # noqa: S608 - built from constants


def insert_forecasts(session: Session, forecasts: Sequence[Forecast]) -> int:
    """Store forecasts and return how many were new; one that is already stored stays as it is.

    A forecast whose target candle is stored by then is marked as filled later, others as live.
    """
    if not forecasts:
        return 0
    rows = session.write(Statement(_INSERT), batch=_as_batch(forecasts))
    return int(rows.num_rows)


def latest_forecasts(
    session: Session, project: str, count: int, model_version: int | None = None
) -> list[Forecast]:
    """Return the newest `count` forecasts, ascending by the candle they were made from."""
    version, values = _of_version(model_version)
    rows = session.read(
        f"SELECT {', '.join(_COLUMNS)} FROM ("  # noqa: S608 - names are constants
        f"SELECT * FROM forecasts WHERE project = ?{version}"
        " ORDER BY candle_date_time_utc DESC, id DESC LIMIT ?"
        ") ORDER BY candle_date_time_utc, id",
        [project, *values, count],
    )
    return [_forecast(row) for row in rows.to_pylist()]


def count_forecasts(session: Session, project: str) -> int:
    """Return how many forecasts the project has stored."""
    sql = "SELECT count(*) FROM forecasts WHERE project = ?"
    return int(scalar(session.read(sql, [project])))


def unforecast_candles(
    session: Session,
    project: str,
    market: str,
    unit: int,
    horizon: int,
    model_version: int,
    since_at: datetime,
    digest: str,
) -> list[datetime]:
    """Return the candles from `since_at` on that have a row of `digest` and no forecast of this version."""
    asked = [project, market, unit, horizon, model_version, since_at, digest]
    rows = session.read(_UNFORECAST, asked)
    return [utc(instant) for instant in rows.column(0).to_pylist()]


def unserved_candles(
    session: Session,
    project: str,
    market: str,
    unit: int,
    horizon: int,
    model_version: int,
    since_at: datetime,
    digest: str,
) -> list[datetime]:
    """Return the candles from `since_at` on that were left without a production forecast, ascending.

    Those without a row of `digest` do not count, nor those before the first production forecast, nor those
    that `model_version` has forecast.
    """
    asked = [project, market, unit, horizon, model_version, since_at, digest]
    rows = session.read(_UNSERVED, asked)
    return [utc(instant) for instant in rows.column(0).to_pylist()]


def join_outcomes(session: Session, project: str, now_at: datetime) -> int:
    """Give every forecast that has matured by `now_at` its outcome, once; return how many got one.

    A forecast has matured when its target candle has closed and is stored, or is proven to have had no
    trade: then the last close before it counts. An unproven target waits.
    """
    return int(scalar(session.write(Statement(_JOIN, (project, now_at)))))


def read_outcomes(
    session: Session, project: str, model_version: int | None = None, limit: int | None = None
) -> pa.Table:
    """Return forecasts with outcomes, ascending by candle; `limit` keeps the newest.

    Columns: those of a forecast (quantiles as lower, median, upper, static_*, ewma_*), then is_live,
    realised_return, pinball, pinball_static, pinball_ewma (log returns), is_inside.
    """
    version, values = _of_version(model_version)
    tail = "" if limit is None else "ORDER BY candle_date_time_utc DESC, id DESC LIMIT ?"
    return session.read(
        f"SELECT {', '.join(_COLUMNS)}, is_live, realised_return, pinball, pinball_static, "  # noqa: S608
        "pinball_ewma, is_inside FROM ("
        "SELECT * FROM forecasts JOIN outcomes ON forecast_id = id"
        f" WHERE project = ?{version} {tail}"
        ") ORDER BY candle_date_time_utc, id",
        [project, *values, *([] if limit is None else [limit])],
    )


def read_predictions(
    session: Session,
    project: str,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    model_version: int | None = None,
) -> pa.Table:
    """Return the forecasts made from candles of [start_at, end_at), ascending, outcomes beside them.

    Columns: those of `read_outcomes`; the outcome's are null until the forecast has matured.
    """
    version, values = _of_version(model_version)
    bounds = {" AND candle_date_time_utc >= ?": start_at, " AND candle_date_time_utc < ?": end_at}
    given = {condition: value for condition, value in bounds.items() if value is not None}
    return session.read(
        f"SELECT {', '.join(_COLUMNS)}, is_live, realised_return, pinball, pinball_static, "  # noqa: S608
        "pinball_ewma, is_inside FROM forecasts LEFT JOIN outcomes ON forecast_id = id"
        f" WHERE project = ?{version}{''.join(given)} ORDER BY candle_date_time_utc, id",
        [project, *values, *given.values()],
    )


def _of_version(model_version: int | None) -> tuple[str, list[object]]:
    return ("", []) if model_version is None else (" AND model_version = ?", [model_version])


def _forecast(row: dict[str, Any]) -> Forecast:
    fields: dict[str, Any] = {
        name: utc(row[name]) if name in _INSTANTS else row[name] for name in _PLAIN
    }
    for name, prefix in _TRIPLES.items():
        fields[name] = Quantiles(*(row[prefix + level] for level in _LEVELS))
    fields["is_production"] = row["is_production"]
    return Forecast(**fields)


def _as_batch(forecasts: Sequence[Forecast]) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name in _PLAIN:
        values = [getattr(each, name) for each in forecasts]
        columns[name] = instant_array(values) if name in _INSTANTS else pa.array(values)
    columns["is_production"] = pa.array([each.is_production for each in forecasts])
    for name, prefix in _TRIPLES.items():
        for level in _LEVELS:
            values = [getattr(getattr(each, name), level) for each in forecasts]
            columns[prefix + level] = pa.array(values, pa.float64())
    return pa.table(columns)
