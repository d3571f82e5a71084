"""Prepared rows of any project: names in `feature_schemas`, values in `features`.

A project's current schema is the one it wrote last; rows of another set of names are kept but no
longer read.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from appliance.errors import StoreError
from store.rows import newest_first, scalar, utc_or_none
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_FIXED = ("candle_date_time_utc", "close")

_NEWEST_NAMES = """
SELECT names FROM feature_schemas WHERE project = ? ORDER BY schema_id DESC LIMIT 1
"""

_REMEMBER_NAMES = """
INSERT INTO feature_schemas
SELECT $1, coalesce(max(schema_id), 0) + 1, $2::VARCHAR[]
FROM feature_schemas WHERE project = $1
HAVING arg_max(names, schema_id) IS DISTINCT FROM $2::VARCHAR[]
"""

_UPSERT = """
INSERT INTO features
SELECT $1, $2, $3, candle_date_time_utc, close,
    (SELECT max(schema_id) FROM feature_schemas WHERE project = $1), [{values}]
FROM batch
ON CONFLICT DO UPDATE SET close = excluded.close, schema_id = excluded.schema_id,
    feature_values = excluded.feature_values
WHERE features.close IS DISTINCT FROM excluded.close
    OR features.schema_id <> excluded.schema_id
    OR features.feature_values IS DISTINCT FROM excluded.feature_values
RETURNING TRUE
"""

_CURRENT = """
project = ? AND market = ? AND unit = ? AND schema_id IN (
    SELECT schema_id FROM feature_schemas WHERE project = ? AND names = ?::VARCHAR[]
)
"""


def write_features(session: Session, project: str, market: str, unit: int, table: pa.Table) -> int:
    """Upsert prepared rows and return how many were new or changed.

    Args:
        session: the store.
        project: the project's name.
        market: market code.
        unit: candle width in minutes.
        table: columns candle_date_time_utc (timestamp with zone), close, then one double per
            feature; one row per candle.

    Raises:
        StoreError: the columns are others; nothing was written.
    """
    names = table.column_names[2:]
    if tuple(table.column_names[:2]) != _FIXED or not names or len(set(names)) < len(names):
        raise StoreError(
            f"features need the columns candle_date_time_utc, close and distinct feature names,"
            f" not {table.column_names}",
            code="store.feature_columns",
        )
    values = ", ".join(f"f{position}" for position in range(len(names)))
    rows = session.write(
        Statement(_REMEMBER_NAMES, (project, names)),
        Statement(_UPSERT.format(values=values), (project, market, unit)),
        batch=_as_batch(table),
    )
    return int(rows.num_rows)


def read_features(
    session: Session,
    project: str,
    market: str,
    unit: int,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Return prepared rows of [start_at, end_at) in the form they were written, ascending.

    `limit` keeps the newest. Without any row of the project: the two fixed columns, no rows.
    """
    names = feature_names(session, project)
    columns = "".join(
        f", feature_values[{position}] AS {_quoted(name)}"
        for position, name in enumerate(names, start=1)
    )
    bounds = [bound for bound in (start_at, end_at) if bound is not None]
    return session.read(
        f"SELECT candle_date_time_utc, close{columns} FROM ("  # noqa: S608 - names are quoted
        f"SELECT * FROM features WHERE {_CURRENT}"
        f"{'' if start_at is None else ' AND candle_date_time_utc >= ?'}"
        f"{'' if end_at is None else ' AND candle_date_time_utc < ?'} {newest_first(limit)}"
        ") ORDER BY candle_date_time_utc",
        [project, market, unit, project, names, *bounds],
    )


def feature_names(session: Session, project: str) -> list[str]:
    """Return the names of the project's current schema, in order; empty before the first write."""
    return list(scalar(session.read(_NEWEST_NAMES, [project])) or [])


def newest_feature_at(session: Session, project: str, market: str, unit: int) -> datetime | None:
    """Return the opening time of the newest prepared row of the current schema."""
    names = feature_names(session, project)
    sql = f"SELECT max(candle_date_time_utc) FROM features WHERE {_CURRENT}"  # noqa: S608
    return utc_or_none(scalar(session.read(sql, [project, market, unit, project, names])))


def oldest_feature_at(session: Session, project: str, market: str, unit: int) -> datetime | None:
    """Return the opening time of the oldest prepared row of the current schema."""
    names = feature_names(session, project)
    sql = f"SELECT min(candle_date_time_utc) FROM features WHERE {_CURRENT}"  # noqa: S608
    return utc_or_none(scalar(session.read(sql, [project, market, unit, project, names])))


def _as_batch(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    instants = table.column(0)
    if not pa.types.is_timestamp(instants.type) or instants.type.tz is None:
        raise StoreError(
            f"candle_date_time_utc must be a timestamp with zone, not {instants.type}",
            code="store.naive_instant",
        )
    renamed = ["candle_date_time_utc", "close"]
    renamed += [f"f{position}" for position in range(table.num_columns - 2)]
    kinds = [pa.timestamp("us", "UTC"), *[pa.float64()] * (table.num_columns - 1)]
    columns = [column.cast(kind) for column, kind in zip(table.columns, kinds, strict=True)]
    return pa.table(columns, names=renamed)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
