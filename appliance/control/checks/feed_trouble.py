"""What the ingestor says is wrong, one finding for all markets that share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding
from appliance.domain.candle import IngestionState, IngestionStatus

_NAMED = 3
_SILENT_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding says about a state: code, words where the ingestor has none, time until shown."""

    code: str
    message: str
    hint: str
    grace: timedelta = timedelta(seconds=5)


def find_state(status: ApplianceStatus, state: IngestionState, kind: Kind) -> Iterator[Finding]:
    """Find the feeds in a state; silent ingestors are another check's."""
    rows = [row for row in reporting(status) if row.state == state]
    if rows:
        yield Finding(
            kind.code,
            "",
            f"{names(rows)}: {_same(rows, 'message') or kind.message}",
            _same(rows, "next_step") or kind.hint,
            kind.grace,
            since_at=_since(rows),
        )


def reporting(status: ApplianceStatus) -> list[IngestionStatus]:
    """Return the rows of the feeds on which the ingestor has reported lately."""
    rows = [market.ingestion for market in status.markets if market.ingestion is not None]
    return [row for row in rows if status.at - row.heartbeat_at <= _SILENT_AFTER]


def unreported(status: ApplianceStatus) -> list[IngestionStatus]:
    """Return the rows of the feeds on which the ingestor has not reported for a while."""
    rows = [market.ingestion for market in status.markets if market.ingestion is not None]
    return [row for row in rows if status.at - row.heartbeat_at > _SILENT_AFTER]


def names(rows: list[IngestionStatus]) -> str:
    """Return feeds by name, the first three and how many more: `KRW-BTC 1m, KRW-ETH 1m`."""
    first = ", ".join(f"{row.market} {row.unit}m" for row in rows[:_NAMED])
    return f"{first} and {len(rows) - _NAMED} more" if len(rows) > _NAMED else first


def _same(rows: list[IngestionStatus], field: str) -> str:
    """Return what the first row that has words says."""
    return next((str(getattr(row, field)) for row in rows if getattr(row, field)), "")


def _since(rows: list[IngestionStatus]) -> datetime | None:
    return min((row.since_at for row in rows if row.since_at is not None), default=None)
