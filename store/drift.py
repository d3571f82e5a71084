"""Reference profiles of model versions and the drift reports made against them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance import clock
from appliance.domain.drift import (
    DriftReport,
    DriftScore,
    DriftVerdict,
    Histogram,
    LossReport,
    RegimeLoss,
)
from store.rows import delete_before, scalar, utc
from store.session import Session, Statement

_WRITE_PROFILE = """
INSERT INTO reference_profiles (project, model_version, profile, written_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET profile = excluded.profile, written_at = excluded.written_at
WHERE reference_profiles.profile <> excluded.profile
"""

_WRITE_REPORT = """
INSERT INTO drift_reports
    (project, model_version, verdict, window_start_at, window_end_at, computed_at, scores, loss)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET verdict = excluded.verdict, scores = excluded.scores, loss = excluded.loss,
    window_start_at = excluded.window_start_at, window_end_at = excluded.window_end_at
"""

_BY_STEP = """
SELECT * FROM drift_reports WHERE rowid IN (
    SELECT arg_max(rowid, computed_at) FROM drift_reports
    WHERE project = $1 AND window_end_at BETWEEN $2::TIMESTAMPTZ AND $3::TIMESTAMPTZ
    GROUP BY epoch(window_end_at)::BIGINT // $4
) ORDER BY window_end_at
"""


def write_profile(
    session: Session, project: str, model_version: int, profile: Mapping[str, object]
) -> None:
    """Store a version's reference profile, JSON-compatible; infinite bin edges are allowed."""
    text = json.dumps(profile)
    session.write(Statement(_WRITE_PROFILE, (project, model_version, text, clock.now())))


def read_profile(session: Session, project: str, model_version: int) -> dict[str, object] | None:
    """Return a version's reference profile; None when it has none."""
    sql = "SELECT profile FROM reference_profiles WHERE project = ? AND model_version = ?"
    text = scalar(session.read(sql, [project, model_version]))
    return None if text is None else dict(json.loads(text))


def newest_profiled(session: Session, project: str) -> int:
    """Return the highest version that a project has ever had a profile of; 0 without one."""
    sql = "SELECT coalesce(max(model_version), 0) FROM reference_profiles WHERE project = ?"
    return int(scalar(session.read(sql, [project])))


def write_report(session: Session, report: DriftReport) -> None:
    """Store one monitoring run's report."""
    session.write(
        Statement(
            _WRITE_REPORT,
            (
                report.project,
                report.model_version,
                report.verdict,
                report.window_start_at,
                report.window_end_at,
                report.computed_at,
                json.dumps([dataclasses.asdict(score) for score in report.scores]),
                None if report.loss is None else json.dumps(dataclasses.asdict(report.loss)),
            ),
        )
    )


def latest_report(session: Session, project: str) -> DriftReport | None:
    """Return the project's newest report."""
    sql = "SELECT * FROM drift_reports WHERE project = ? ORDER BY computed_at DESC LIMIT 1"
    rows = session.read(sql, [project]).to_pylist()
    return _report(rows[0]) if rows else None


def read_reports(
    session: Session, project: str, model_version: int, since_at: datetime
) -> list[DriftReport]:
    """Return a version's reports on windows that end at `since_at` or later, ascending by that end."""
    rows = session.read(
        "SELECT * FROM drift_reports WHERE project = ? AND model_version = ? AND window_end_at >= ?"
        " ORDER BY window_end_at, computed_at",
        [project, model_version, since_at],
    )
    return [_report(row) for row in rows.to_pylist()]


def newest_reports_by_step(
    session: Session, project: str, start_at: datetime, end_at: datetime, seconds: int
) -> list[DriftReport]:
    """Return the newest report of each step of time, by the end of its window, oldest first."""
    return [
        _report(row)
        for row in session.read(_BY_STEP, [project, start_at, end_at, seconds]).to_pylist()
    ]


def forget(session: Session, before_at: datetime) -> int:
    """Delete reports made before an instant, but never a version's newest; returns how many."""
    condition = (
        "computed_at < ? AND computed_at < (SELECT max(computed_at) FROM drift_reports AS r"
        " WHERE r.project = drift_reports.project"
        " AND r.model_version = drift_reports.model_version)"
    )
    return delete_before(session, "drift_reports", condition, before_at)


def _report(row: dict[str, Any]) -> DriftReport:
    return DriftReport(
        project=row["project"],
        model_version=row["model_version"],
        verdict=DriftVerdict(row["verdict"]),
        window_start_at=utc(row["window_start_at"]),
        window_end_at=utc(row["window_end_at"]),
        computed_at=utc(row["computed_at"]),
        scores=tuple(
            DriftScore(
                **{
                    **score,
                    "verdict": DriftVerdict(score["verdict"]),
                    "histogram": _histogram(score.get("histogram")),
                }
            )
            for score in json.loads(row["scores"])
        ),
        loss=_loss(row["loss"]),
    )


def _loss(text: str | None) -> LossReport | None:
    if text is None:
        return None
    stored = json.loads(text)
    regimes = tuple(RegimeLoss(**regime) for regime in stored.get("regimes", ()))
    return LossReport(**{**stored, "verdict": DriftVerdict(stored["verdict"]), "regimes": regimes})


def _histogram(stored: dict[str, list[float]] | None) -> Histogram | None:
    if stored is None:
        return None
    return Histogram(**{name: tuple(values) for name, values in stored.items()})
