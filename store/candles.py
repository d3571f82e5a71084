"""Candles: as the exchange sent them (`candles_raw`) and typed (`candles`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from appliance.domain.candle import Candle, RawCandle
from appliance.errors import StoreError
from store.rows import changed, delete_before, newest_first, scalar, taken, utc
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = ("market", "unit", "candle_date_time_utc")
_SENT = (
    "candle_date_time_kst",
    "opening_price",
    "high_price",
    "low_price",
    "trade_price",
    '"timestamp"',
    "candle_acc_trade_price",
    "candle_acc_trade_volume",
)
_TYPED = ("open", "high", "low", "close", "volume", "value")

_ARROW = {
    "market": "string",
    "unit": "int32",
    "candle_date_time_utc": "string",
    "candle_date_time_kst": "string",
    "timestamp": "int64",
}

_UPSERT_RAW = f"""
INSERT INTO candles_raw ({", ".join((*_KEY, *_SENT))}, source, received_at)
SELECT {", ".join((*_KEY, *_SENT))}, ?, ? FROM batch
ON CONFLICT DO UPDATE SET {taken((*_SENT, "source", "received_at"))}
WHERE {changed("candles_raw", _SENT)}
"""  # noqa: S608 - column names are constants

_UPSERT_TYPED = f"""
INSERT INTO candles ({", ".join((*_KEY, *_TYPED))})
SELECT market, unit, opens_at, opening_price, high_price, low_price, trade_price,
    candle_acc_trade_volume, candle_acc_trade_price
FROM batch
ON CONFLICT DO UPDATE SET {taken(_TYPED)}, corrections = candles.corrections + 1
WHERE {changed("candles", _TYPED)}
RETURNING corrections > 0 AS is_corrected
"""  # noqa: S608 - column names are constants


COUNT_WITH_BATCH = """
SELECT count(*) FROM (
    SELECT candle_date_time_utc FROM candles
    WHERE market = $1 AND unit = $2 AND candle_date_time_utc >= $3 AND candle_date_time_utc < $4
    UNION SELECT opens_at FROM batch
    WHERE market = $1 AND unit = $2 AND opens_at >= $3 AND opens_at < $4
)
"""
"""Candles of a market and timeframe in a range, with those that a batch is about to store."""


@dataclass(frozen=True, slots=True)
class StoredCandles:
    """What a write changed; candles that were already stored with the same values are in neither."""

    inserted: int
    corrected: int


def store_candles(
    session: Session,
    raw: Sequence[RawCandle],
    source: str,
    received_at: datetime,
    together_with: Sequence[Statement] = (),
) -> StoredCandles:
    """Store candles raw and typed in one transaction; of the same candle the last one wins.

    The statements `together_with` run before, in the same transaction, and see the candles as `batch`.

    Raises:
        StoreError: a time is not `yyyy-MM-ddTHH:mm:ss`; nothing was stored.
    """
    import pyarrow.compute as pc

    if not raw:
        if together_with:
            session.write(*together_with)
        return StoredCandles(0, 0)
    rows = session.write(
        *together_with,
        Statement(_UPSERT_RAW, (source, received_at)),
        Statement(_UPSERT_TYPED),
        batch=_as_batch(raw),
    )
    corrected = pc.sum(rows.column("is_corrected"), min_count=0).as_py()
    return StoredCandles(rows.num_rows - corrected, corrected)


def read_candles(
    session: Session,
    market: str,
    unit: int,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Return candles that open in [start_at, end_at), ascending; `limit` keeps the newest.

    Columns: market, unit, candle_date_time_utc (timestamp[us, UTC]), open, high, low, close, volume,
    value (double).
    """
    bounds = _bounds(start_at, end_at)
    columns = ", ".join((*_KEY, *_TYPED))
    return session.read(
        f"SELECT {columns} FROM ("  # noqa: S608 - all parts are constants of this module
        f"SELECT * FROM candles WHERE market = ? AND unit = ?{bounds} {newest_first(limit)}"
        ") ORDER BY candle_date_time_utc",
        [market, unit, *(bound for bound in (start_at, end_at) if bound is not None)],
    )


def latest_candles(
    session: Session, market: str, unit: int, count: int, end_at: datetime | None = None
) -> list[Candle]:
    """Return the newest `count` candles, those that open before `end_at` where it is given, ascending."""
    return [
        Candle(**{**row, "candle_date_time_utc": utc(row["candle_date_time_utc"])})
        for row in read_candles(session, market, unit, end_at=end_at, limit=count).to_pylist()
    ]


def count_candles(session: Session, market: str, unit: int) -> int:
    """Return how many candles are stored."""
    sql = "SELECT count(*) FROM candles WHERE market = ? AND unit = ?"
    return int(scalar(session.read(sql, [market, unit])))


def count_between(
    session: Session, market: str, unit: int, start_at: datetime, end_at: datetime
) -> int:
    """Return how many stored candles open in [start_at, end_at)."""
    sql = (
        "SELECT count(*) FROM candles WHERE market = ? AND unit = ?"
        " AND candle_date_time_utc >= ? AND candle_date_time_utc < ?"
    )
    return int(scalar(session.read(sql, [market, unit, start_at, end_at])))


def remove_candles(session: Session, market: str, unit: int, opens_at: Sequence[datetime]) -> None:
    """Remove candles that the exchange does not list; `candles_raw` keeps what was once sent."""
    session.write(
        Statement(
            "DELETE FROM candles WHERE market = ? AND unit = ?"
            " AND list_contains(?::TIMESTAMPTZ[], candle_date_time_utc)",
            (market, unit, list(opens_at)),
        )
    )


def count_by_bucket(
    session: Session,
    market: str,
    unit: int,
    start_at: datetime,
    end_at: datetime,
    width: timedelta,
) -> dict[int, int]:
    """Return how many candles open in each bucket of `width` from `start_at`, without empty ones."""
    found = session.read(
        "SELECT floor(epoch(candle_date_time_utc - ?::TIMESTAMPTZ) / ?)::INTEGER AS bucket,"
        " count(*) AS candles FROM candles WHERE market = ? AND unit = ?"
        " AND candle_date_time_utc >= ? AND candle_date_time_utc < ? GROUP BY bucket",
        [start_at, width.total_seconds(), market, unit, start_at, end_at],
    )
    return {int(row["bucket"]): int(row["candles"]) for row in found.to_pylist()}


def forget_raw(session: Session, before_at: datetime) -> int:
    """Delete raw candles received before an instant; the typed ones stay. Returns how many."""
    return delete_before(session, "candles_raw", "received_at < ?", before_at)


def _bounds(start_at: datetime | None, end_at: datetime | None) -> str:
    lower = "" if start_at is None else " AND candle_date_time_utc >= ?"
    return lower + ("" if end_at is None else " AND candle_date_time_utc < ?")


def _as_batch(raw: Sequence[RawCandle]) -> pa.Table:
    import pyarrow as pa

    last = {(each.market, each.unit, each.candle_date_time_utc): each for each in raw}
    columns = {
        name: pa.array([getattr(each, name) for each in last.values()], _ARROW.get(name, "double"))
        for name in RawCandle.__dataclass_fields__
    }
    try:
        for name in ("candle_date_time_utc", "candle_date_time_kst"):
            columns[name] = columns[name].cast(pa.timestamp("us"))
    except pa.ArrowInvalid as error:
        raise StoreError(
            f"a candle's time is not yyyy-MM-ddTHH:mm:ss: {error}", code="store.value"
        ) from error
    opens_at = columns["candle_date_time_utc"].cast(pa.timestamp("us", "UTC"))
    return pa.table({**columns, "opens_at": opens_at})
