"""The parked retrain, the frozen twin and its account, estimates of the loss to come."""

from __future__ import annotations

from datetime import datetime

from appliance.domain.trial import LossEstimate, ParkedRetrain, TwinAccount
from store.rows import scalar, utc
from store.session import Session, Statement

_ACCOUNT = """
INSERT INTO twin_accounts
    (project, model_version, "rows", production_loss, twin_loss, verdict, computed_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET "rows" = excluded."rows", production_loss = excluded.production_loss,
    twin_loss = excluded.twin_loss, verdict = excluded.verdict, computed_at = excluded.computed_at
"""

_ESTIMATE = """
INSERT INTO loss_estimates
    (project, model_version, window_start_at, window_end_at, "rows", expected, estimated_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""

_RECONCILE = """
UPDATE loss_estimates SET realised = known.loss
FROM (
    SELECT e.window_start_at, avg(o.pinball) AS loss
    FROM loss_estimates e
    JOIN forecasts f ON f.project = e.project AND f.model_version = e.model_version
        AND f.candle_date_time_utc BETWEEN e.window_start_at AND e.window_end_at
    JOIN outcomes o ON o.forecast_id = f.id
    WHERE e.project = $1 AND e.model_version = $2 AND e.realised IS NULL
    GROUP BY e.window_start_at, e."rows" HAVING count(*) >= e."rows"
) known
WHERE loss_estimates.project = $1 AND loss_estimates.model_version = $2
    AND loss_estimates.window_start_at = known.window_start_at
"""


def park_retrain(session: Session, parked: ParkedRetrain) -> None:
    """Keep a wish to retrain; one that is parked already stays as it is."""
    session.write(
        Statement(
            "INSERT INTO parked_retrains (project, reasons, parked_at) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (parked.project, list(parked.reasons), parked.parked_at),
        )
    )


def parked_retrain(session: Session, project: str) -> ParkedRetrain | None:
    """Return the project's parked retrain, None when there is none."""
    sql = "SELECT reasons, parked_at FROM parked_retrains WHERE project = ?"
    rows = session.read(sql, [project]).to_pylist()
    if not rows:
        return None
    return ParkedRetrain(project, tuple(rows[0]["reasons"]), utc(rows[0]["parked_at"]))


def clear_parked(session: Session, project: str) -> None:
    """Forget the parked retrain."""
    session.write(Statement("DELETE FROM parked_retrains WHERE project = ?", (project,)))


def twin_versions(session: Session, project: str) -> set[int]:
    """Return the frozen twins of all of a project's configurations."""
    rows = session.read("SELECT DISTINCT model_version FROM twins WHERE project = ?", [project])
    return set(rows["model_version"].to_pylist())


def claim_twin(session: Session, project: str, config: str, version: int, now_at: datetime) -> int:
    """Return the frozen twin of `config`; the first version ever named stays the twin."""
    session.write(
        Statement(
            "INSERT INTO twins (project, config, model_version, since_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (project, config, version, now_at),
        )
    )
    sql = "SELECT model_version FROM twins WHERE project = ? AND config = ?"
    return int(scalar(session.read(sql, [project, config])))


def replace_twin(
    session: Session, project: str, config: str, version: int, now_at: datetime
) -> None:
    """Make another version the frozen twin of `config`, because the one that was cannot forecast any more."""
    session.write(
        Statement(
            "UPDATE twins SET model_version = ?, since_at = ? WHERE project = ? AND config = ?",
            (version, now_at, project, config),
        )
    )


def write_account(session: Session, account: TwinAccount) -> None:
    """Store what retraining was worth, in place of the earlier account of the same twin."""
    values = (
        account.project,
        account.model_version,
        account.rows,
        account.production_loss,
        account.twin_loss,
        account.verdict,
        account.computed_at,
    )
    session.write(Statement(_ACCOUNT, values))


def latest_account(session: Session, project: str) -> TwinAccount | None:
    """Return the project's newest account, None before the first retrain has been measured."""
    rows = session.read(
        "SELECT * FROM twin_accounts WHERE project = ? ORDER BY computed_at DESC LIMIT 1", [project]
    ).to_pylist()
    return TwinAccount(**{**rows[0], "computed_at": utc(rows[0]["computed_at"])}) if rows else None


def write_estimate(session: Session, estimate: LossEstimate) -> None:
    """Store an estimate once; a window that has one keeps it."""
    values = (
        estimate.project,
        estimate.model_version,
        estimate.window_start_at,
        estimate.window_end_at,
        estimate.rows,
        estimate.expected,
        estimate.estimated_at,
    )
    session.write(Statement(_ESTIMATE, values))


def reconcile_estimates(session: Session, project: str, model_version: int) -> None:
    """Give estimates whose forecasts have all matured the loss that came."""
    session.write(Statement(_RECONCILE, (project, model_version)))


def read_estimates(
    session: Session, project: str, model_version: int, limit: int = 200
) -> list[LossEstimate]:
    """Return the newest estimates of a version, oldest first."""
    rows = session.read(
        "SELECT * FROM (SELECT * FROM loss_estimates WHERE project = ? AND model_version = ?"
        " ORDER BY window_start_at DESC LIMIT ?) ORDER BY window_start_at",
        [project, model_version, limit],
    )
    instants = ("window_start_at", "window_end_at", "estimated_at")
    return [
        LossEstimate(**{**row, **{name: utc(row[name]) for name in instants}})
        for row in rows.to_pylist()
    ]
