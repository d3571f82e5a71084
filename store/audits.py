"""Audits: comparisons of stored candles with the exchange, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.rows import scalar, utc_or_none
from store.session import Session, Statement


@dataclass(frozen=True, slots=True)
class Audit:
    """One comparison of [start_at, end_at), exchange time; `audited_at` is when it ended.

    `checked` intervals were compared, `corrected` candles had other values, `recovered` ones were not
    stored, `removed` ones the exchange does not list.
    """

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    audited_at: datetime
    checked: int
    corrected: int
    recovered: int
    removed: int


_COLUMNS = tuple(Audit.__dataclass_fields__)


def write_audit(session: Session, audit: Audit) -> None:
    """Append an audit."""
    sql = f"INSERT INTO audits ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    session.write(Statement(sql, tuple(getattr(audit, name) for name in _COLUMNS)))


def audited_at(session: Session, market: str, unit: int) -> datetime | None:
    """Return when the newest audit of a market and timeframe ended; None without one."""
    sql = "SELECT max(audited_at) FROM audits WHERE market = ? AND unit = ?"
    return utc_or_none(scalar(session.read(sql, [market, unit])))


def audited_until(session: Session, market: str, unit: int) -> datetime | None:
    """Return up to which exchange time a market and timeframe was audited; None without an audit."""
    sql = "SELECT max(end_at) FROM audits WHERE market = ? AND unit = ?"
    return utc_or_none(scalar(session.read(sql, [market, unit])))
