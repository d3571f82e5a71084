"""What is live: the forming candle and the ingestor's own words, one row per market and timeframe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from appliance.domain.candle import Candle, IngestionStatus, LiveCandle
from appliance.domain.feed import Feed
from store.rows import scalar, taken, utc, utc_or_none
from store.session import Session, Statement

_LIVE = (
    "market",
    "unit",
    "candle_date_time_utc",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "value",
    "received_at",
)
_INGESTION = (
    "market",
    "unit",
    "state",
    "heartbeat_at",
    "last_tick_at",
    "watermark_at",
    "message",
    "since_at",
    "next_step",
    "expected_until_at",
)


def write_live(session: Session, *live: LiveCandle) -> None:
    """Replace the forming candles of their markets and timeframes."""
    rows = [
        (*(getattr(each.candle, name) for name in _LIVE[:-1]), each.received_at) for each in live
    ]
    session.write(*(_replace("live_candles", _LIVE, row) for row in rows))


def read_live(session: Session) -> list[LiveCandle]:
    """Return every forming candle, by market and timeframe."""
    rows = session.read("SELECT * FROM live_candles ORDER BY market, unit").to_pylist()
    return [
        LiveCandle(
            received_at=utc(row.pop("received_at")),
            candle=Candle(**{**row, "candle_date_time_utc": utc(row["candle_date_time_utc"])}),
        )
        for row in rows
    ]


def write_ingestion(session: Session, *statuses: IngestionStatus) -> None:
    """Replace the ingestor's status of markets and timeframes."""
    rows = [tuple(getattr(status, name) for name in _INGESTION) for status in statuses]
    session.write(*(_replace("ingestion", _INGESTION, row) for row in rows))


def read_ingestion(session: Session) -> list[IngestionStatus]:
    """Return every status, by market and timeframe."""
    rows = session.read("SELECT * FROM ingestion ORDER BY market, unit").to_pylist()
    return [
        IngestionStatus(
            market=row["market"],
            unit=row["unit"],
            state=row["state"],
            heartbeat_at=utc(row["heartbeat_at"]),
            last_tick_at=utc_or_none(row["last_tick_at"]),
            watermark_at=utc_or_none(row["watermark_at"]),
            message=row["message"],
            since_at=utc_or_none(row["since_at"]),
            next_step=row["next_step"],
            expected_until_at=utc_or_none(row["expected_until_at"]),
        )
        for row in rows
    ]


def expected_until(session: Session, market: str, unit: int) -> datetime | None:
    """Return the newest close that the ingestor expects to be proven by now; None when it never said."""
    sql = "SELECT expected_until_at FROM ingestion WHERE market = ? AND unit = ?"
    return utc_or_none(scalar(session.read(sql, [market, unit])))


def keep_only(session: Session, feeds: Sequence[Feed]) -> None:
    """Remove forming candles and status rows of every other feed."""
    kept = [f"{market} {unit}" for market, unit in feeds]
    condition = "NOT list_contains(?::VARCHAR[], market || ' ' || unit)"
    session.write(
        Statement(f"DELETE FROM live_candles WHERE {condition}", (kept,)),  # noqa: S608
        Statement(f"DELETE FROM ingestion WHERE {condition}", (kept,)),  # noqa: S608
    )


def _replace(table: str, columns: tuple[str, ...], values: tuple[object, ...]) -> Statement:
    sql = (
        f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - names are constants
        f" VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT DO UPDATE SET {taken(columns[2:])}"
    )
    return Statement(sql, values)
