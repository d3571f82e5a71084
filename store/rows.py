"""From Arrow rows to values: shared by the table modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from appliance.errors import StoreError
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa


def utc(value: datetime) -> datetime:
    """Return an instant read from the store with `datetime.UTC` as its zone."""
    return value.astimezone(UTC)


def utc_or_none(value: datetime | None) -> datetime | None:
    """Return an optional instant with `datetime.UTC` as its zone."""
    return None if value is None else utc(value)


def scalar(table: pa.Table) -> Any:
    """Return the first column of the first row; None when there is no row."""
    return table.column(0)[0].as_py() if table.num_rows else None


def instant_array(values: Iterable[datetime]) -> pa.Array:
    """Return aware instants as timestamp[us, UTC].

    Raises:
        StoreError: one of them has no time zone.
    """
    import pyarrow as pa

    instants = list(values)
    if any(instant.tzinfo is None for instant in instants):
        raise StoreError(
            "an instant has no time zone",
            code="store.naive_instant",
            hint="pass aware UTC datetimes",
        )
    return pa.array(instants, pa.timestamp("us", "UTC"))


def delete_before(session: Session, table: str, condition: str, before_at: datetime) -> int:
    """Delete a table's rows that meet `condition`, whose one `?` is `before_at`; return how many."""
    sql = f"DELETE FROM {table} WHERE {condition} RETURNING TRUE"  # noqa: S608 - constants
    return int(session.write(Statement(sql, (before_at,))).num_rows)


def changed(table: str, columns: Sequence[str]) -> str:
    """Return the SQL condition that an upsert's `excluded` row differs from the stored one."""
    return " OR ".join(f"{table}.{each} IS DISTINCT FROM excluded.{each}" for each in columns)


def taken(columns: Sequence[str]) -> str:
    """Return the SQL assignments that take these columns from an upsert's `excluded` row."""
    return ", ".join(f"{each} = excluded.{each}" for each in columns)


def newest_first(limit: int | None) -> str:
    """Return the SQL tail that keeps the newest `limit` rows by candle; "" for all rows."""
    return "" if limit is None else f"ORDER BY candle_date_time_utc DESC LIMIT {int(limit)}"
