"""Realised performance of model versions, one row per evaluation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appliance.domain.forecast import Performance
from store.rows import delete_before, taken, utc
from store.session import Session, Statement

_COLUMNS = tuple(Performance.__dataclass_fields__)
_KEY = {"project", "market", "unit", "model_version", "computed_at"}
_INSTANTS = ("window_start_at", "window_end_at", "computed_at")
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)


def write_performance(session: Session, p: Performance) -> None:
    """Store one evaluation; the same version at the same instant is replaced."""
    values = [f'"{name}"' for name in _COLUMNS if name not in _KEY]
    sql = (
        f"INSERT INTO performance ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
        f" ON CONFLICT DO UPDATE SET {taken(values)}"
    )
    session.write(Statement(sql, tuple(getattr(p, name) for name in _COLUMNS)))


def latest_performance(
    session: Session, project: str, model_version: int | None = None
) -> Performance | None:
    """Return the newest evaluation of the project, or of one version of it."""
    version = "" if model_version is None else " AND model_version = ?"
    rows = session.read(
        f"SELECT {_NAMES} FROM performance WHERE project = ?{version}"  # noqa: S608
        " ORDER BY computed_at DESC LIMIT 1",
        [project, *([] if model_version is None else [model_version])],
    ).to_pylist()
    return _performance(rows[0]) if rows else None


def read_performances(session: Session, project: str, limit: int) -> list[Performance]:
    """Return the newest evaluations of any version, oldest first."""
    rows = session.read(
        f"SELECT * FROM (SELECT {_NAMES} FROM performance WHERE project = ?"  # noqa: S608
        " ORDER BY computed_at DESC LIMIT ?) ORDER BY computed_at",
        [project, limit],
    )
    return [_performance(row) for row in rows.to_pylist()]


def forget(session: Session, before_at: datetime) -> int:
    """Delete evaluations before an instant, but never a version's newest; returns how many."""
    condition = (
        "computed_at < ? AND computed_at < (SELECT max(computed_at) FROM performance AS p"
        " WHERE p.project = performance.project AND p.model_version = performance.model_version)"
    )
    return delete_before(session, "performance", condition, before_at)


def _performance(row: dict[str, Any]) -> Performance:
    return Performance(**{**row, **{name: utc(row[name]) for name in _INSTANTS}})
