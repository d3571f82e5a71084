"""Trials between two versions, and the losses of two versions on the same candles."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from appliance import clock
from appliance.domain.trial import Trial, TrialPurpose, TrialState
from store.rows import utc
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_WRITE = """
INSERT INTO trials
    (project, purpose, champion, challenger, started_at, from_at, state, evidence, changed_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET state = excluded.state, evidence = excluded.evidence,
    changed_at = excluded.changed_at
"""

_PAIRS = """
SELECT a.market, a.candle_date_time_utc, x.pinball AS champion_loss, y.pinball AS challenger_loss,
    a.ewma_upper - a.ewma_lower AS spread, a.is_live AND b.is_live AS is_live
FROM forecasts a
JOIN forecasts b ON b.project = a.project AND b.market = a.market AND b.unit = a.unit
    AND b.candle_date_time_utc = a.candle_date_time_utc AND b.horizon = a.horizon
JOIN outcomes x ON x.forecast_id = a.id
JOIN outcomes y ON y.forecast_id = b.id
WHERE a.project = $1 AND {champion} AND b.model_version = $2
    AND a.unit = $3 AND a.horizon = $4 AND a.candle_date_time_utc >= $5
ORDER BY a.market, a.candle_date_time_utc
"""

_SCORES = """
SELECT avg(x.pinball) AS first_loss, avg(y.pinball) AS second_loss,
    avg(x.pinball_ewma) AS first_ewma, avg(y.pinball_ewma) AS second_ewma,
    avg(x.pinball_static) AS first_static, avg(y.pinball_static) AS second_static,
    avg(x.is_inside::INTEGER) AS first_coverage, avg(y.is_inside::INTEGER) AS second_coverage,
    min(greatest(x.joined_at, y.joined_at)) FILTER (a.is_live AND b.is_live) AS first_live_at,
    count(*) FILTER (a.is_live AND b.is_live AND greatest(x.joined_at, y.joined_at) >= $7) AS recent
FROM forecasts a
JOIN forecasts b ON b.project = a.project AND b.market = a.market AND b.unit = a.unit
    AND b.candle_date_time_utc = a.candle_date_time_utc AND b.horizon = a.horizon
JOIN outcomes x ON x.forecast_id = a.id
JOIN outcomes y ON y.forecast_id = b.id
WHERE a.project = $1 AND a.model_version = $6 AND b.model_version = $2
    AND a.unit = $3 AND a.horizon = $4 AND a.candle_date_time_utc >= $5
"""


def write_trial(session: Session, trial: Trial) -> None:
    """Store a trial, or its new state and evidence."""
    values = (
        trial.project,
        trial.purpose,
        trial.champion,
        trial.challenger,
        trial.started_at,
        trial.from_at,
        trial.state,
        json.dumps(trial.evidence, default=str),
        trial.changed_at or clock.now(),
    )
    session.write(Statement(_WRITE, values))


def read_trials(
    session: Session, project: str, state: TrialState | None = None, limit: int = 50
) -> list[Trial]:
    """Return the newest trials, of one state if given, newest first."""
    rows = session.read(
        "SELECT * FROM trials WHERE project = $1 AND ($2 IS NULL OR state = $2)"
        " ORDER BY started_at DESC, challenger DESC LIMIT $3",
        [project, state, limit],
    )
    return [_trial(row) for row in rows.to_pylist()]


def pair_trials(session: Session, project: str, one: int, other: int) -> list[Trial]:
    """Return the trials of exactly two versions, newest first, whichever of them was the champion."""
    rows = session.read(
        "SELECT * FROM trials WHERE project = $1 AND (champion, challenger) IN (($2, $3), ($3, $2))"
        " ORDER BY started_at DESC",
        [project, one, other],
    )
    return [_trial(row) for row in rows.to_pylist()]


def reject_challenger(session: Session, project: str, version: int, now_at: datetime) -> int:
    """End the challenges of a version that run or wait for a decision; returns how many."""
    rows = session.write(
        Statement(
            "UPDATE trials SET state = ?, changed_at = ? WHERE project = ? AND challenger = ?"
            " AND purpose = ? AND state IN (?, ?) RETURNING TRUE",
            (
                *(TrialState.REJECTED, now_at, project, version),
                *(TrialPurpose.CHALLENGE, TrialState.RUNNING, TrialState.BETTER),
            ),
        )
    )
    return int(rows.num_rows)


def paired_losses(
    session: Session,
    project: str,
    champion: int,
    challenger: int,
    unit: int,
    horizon: int,
    from_at: datetime,
) -> pa.Table:
    """Return both versions' losses on every candle from `from_at` on where both have an outcome.

    Columns: market, candle_date_time_utc, champion_loss, challenger_loss (mean pinball, log return),
    spread (width of the champion's EWMA benchmark, known before), is_live; ascending.
    """
    sql = _PAIRS.format(champion="a.model_version = $6")
    return session.read(sql, [project, challenger, unit, horizon, from_at, champion])


def paired_scores(
    session: Session,
    project: str,
    first: int,
    second: int,
    unit: int,
    horizon: int,
    from_at: datetime,
    recent_at: datetime,
) -> dict[str, Any]:
    """Return the means over the rows of `paired_losses`, of both versions and of their benchmarks.

    Keys: loss, ewma, static, coverage of each (`first_loss`, ...), None without a row; first_live_at, when
    the first live row got its outcome; recent, how many live rows got theirs since `recent_at`.
    """
    values = [project, second, unit, horizon, from_at, first, recent_at]
    (row,) = session.read(_SCORES, values).to_pylist()
    row["first_live_at"] = utc(row["first_live_at"]) if row["first_live_at"] else None
    return dict(row)


def production_losses(
    session: Session, project: str, version: int, unit: int, horizon: int, from_at: datetime
) -> pa.Table:
    """Return the losses of what was in production beside those of another `version`.

    Candles on which `version` itself was in production are left out. Columns as `paired_losses`.
    """
    sql = _PAIRS.format(champion="a.is_production AND a.model_version <> $2")
    return session.read(sql, [project, version, unit, horizon, from_at])


def _trial(row: dict[str, Any]) -> Trial:
    return Trial(
        project=row["project"],
        purpose=TrialPurpose(row["purpose"]),
        champion=row["champion"],
        challenger=row["challenger"],
        started_at=utc(row["started_at"]),
        from_at=utc(row["from_at"]),
        state=TrialState(row["state"]),
        evidence=json.loads(row["evidence"]),
        changed_at=utc(row["changed_at"]),
    )
