"""Prepared rows of any project: what made them in `feature_schemas`, values in `features`.

A schema is the names of the features and a digest of the code and parameters that made the rows. Rows
are read by their digest: those that other code made are kept for a while, and never mixed in.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from appliance.errors import StoreError
from store.rows import delete_before, newest_first, scalar, utc_or_none
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_FIXED = ("candle_date_time_utc", "close")

# $1 is the project, $2 the digest.
_SCHEMA = "(SELECT max(schema_id) FROM feature_schemas WHERE project = $1 AND digest = $2)"

_NAMES = f"SELECT names FROM feature_schemas WHERE project = $1 AND schema_id = {_SCHEMA}"  # noqa: S608

_REMEMBER = f"""
INSERT INTO feature_schemas (project, schema_id, names, digest)
SELECT $1, coalesce(max(schema_id), 0) + 1, $3::VARCHAR[], $2
FROM feature_schemas WHERE project = $1
HAVING arg_max(names, schema_id) FILTER (WHERE schema_id = {_SCHEMA})
    IS DISTINCT FROM $3::VARCHAR[]
"""  # noqa: S608 - built from constants

_UPSERT = """
INSERT INTO features
SELECT $1, $3, $4, candle_date_time_utc, close, {schema}, [{values}]
FROM batch
ON CONFLICT DO UPDATE SET close = excluded.close, feature_values = excluded.feature_values
WHERE features.close IS DISTINCT FROM excluded.close
    OR features.feature_values IS DISTINCT FROM excluded.feature_values
RETURNING TRUE
"""

_OF_SCHEMA = f"project = $1 AND market = $3 AND unit = $4 AND schema_id = {_SCHEMA}"

_EARLIER = """
SELECT digest FROM feature_schemas WHERE project = $1 AND digest <> $2
GROUP BY digest ORDER BY max(schema_id) DESC LIMIT 5
"""

_COMPARED = f"""
WITH mine AS (SELECT * FROM features WHERE {_OF_SCHEMA}),
    other AS (SELECT * FROM features WHERE {_OF_SCHEMA.replace("$2", "$5")})
SELECT count(*) AS "rows", count(*) FILTER (
    len(mine.feature_values) <> len(other.feature_values)
    OR NOT abs(mine.close - other.close) <= $6 * abs(other.close)
    OR NOT list_bool_and(list_transform(
        list_zip(mine.feature_values, other.feature_values),
        lambda pair: abs(pair[1] - pair[2]) <= $7 + $6 * abs(pair[2])
    ))
) AS differing
FROM mine JOIN other USING (candle_date_time_utc)
"""  # noqa: S608 - built from constants

_NOTE_EQUAL = """
INSERT INTO equal_rows (project, digest, earlier, "rows", compared_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET "rows" = excluded."rows", compared_at = excluded.compared_at
"""

_ARE_EQUAL = "SELECT 1 FROM equal_rows WHERE project = ? AND digest = ? AND earlier = ?"

_FORGET = """
(project, market, unit, schema_id) IN (
    SELECT project, market, unit, schema_id FROM (
        SELECT project, market, unit, schema_id, max(candle_date_time_utc) AS newest_at,
            max(max(candle_date_time_utc)) OVER (PARTITION BY project, market, unit) AS last_at
        FROM features GROUP BY project, market, unit, schema_id
    ) WHERE newest_at < ? AND newest_at < last_at
)
"""


def write_features(
    session: Session, project: str, market: str, unit: int, digest: str, table: pa.Table
) -> int:
    """Upsert prepared rows and return how many were new or changed.

    Args:
        session: the store.
        project: the project's name.
        market: market code.
        unit: candle width in minutes.
        digest: of the code and parameters that made the rows.
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
        Statement(_REMEMBER, (project, digest, names)),
        Statement(_UPSERT.format(schema=_SCHEMA, values=values), (project, digest, market, unit)),
        batch=_as_batch(table),
    )
    return int(rows.num_rows)


def read_features(
    session: Session,
    project: str,
    market: str,
    unit: int,
    digest: str,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    limit: int | None = None,
) -> pa.Table:
    """Return the prepared rows of a digest of [start_at, end_at) in the form they were written, ascending.

    `limit` keeps the newest. Without any row of the digest: the two fixed columns, no rows.
    """
    names = feature_names(session, project, digest)
    columns = "".join(
        f", feature_values[{position}] AS {_quoted(name)}"
        for position, name in enumerate(names, start=1)
    )
    bounds = [bound for bound in (start_at, end_at) if bound is not None]
    start, end = "$5", "$6" if start_at is not None else "$5"
    return session.read(
        f"SELECT candle_date_time_utc, close{columns} FROM ("  # noqa: S608 - names are quoted
        f"SELECT * FROM features WHERE {_OF_SCHEMA}"
        f"{'' if start_at is None else f' AND candle_date_time_utc >= {start}'}"
        f"{'' if end_at is None else f' AND candle_date_time_utc < {end}'} {newest_first(limit)}"
        ") ORDER BY candle_date_time_utc",
        [project, digest, market, unit, *bounds],
    )


def feature_names(session: Session, project: str, digest: str) -> list[str]:
    """Return the names of the features of a digest's rows, in order; empty before the first write."""
    return list(scalar(session.read(_NAMES, [project, digest])) or [])


def newest_feature_at(
    session: Session, project: str, market: str, unit: int, digest: str
) -> datetime | None:
    """Return the opening time of the newest prepared row of a digest."""
    return _extreme(session, "max", project, market, unit, digest)


def oldest_feature_at(
    session: Session, project: str, market: str, unit: int, digest: str
) -> datetime | None:
    """Return the opening time of the oldest prepared row of a digest."""
    return _extreme(session, "min", project, market, unit, digest)


def note_equal_rows(
    session: Session,
    project: str,
    market: str,
    unit: int,
    digest: str,
    now_at: datetime,
    *,
    least: int,
    relative: float,
    absolute: float,
) -> dict[str, tuple[int, int]]:
    """Compare a digest's rows with those that earlier digests have of the same candles, and note equality.

    Args:
        session: the store.
        project: the project's name.
        market: market code.
        unit: candle width in minutes.
        digest: of the newest code and parameters.
        now_at: when they are compared.
        least: rows of the same candles below which two digests are not compared.
        relative: by how much a value may differ, as a part of it.
        absolute: what it may differ by besides.

    Returns:
        earlier digest -> rows compared, and how many of them differ.
    """
    earlier = session.read(_EARLIER, [project, digest]).column(0).to_pylist()
    found: dict[str, tuple[int, int]] = {}
    for other in earlier:
        asked = [project, digest, market, unit, other, relative, absolute]
        row = session.read(_COMPARED, asked).to_pylist()[0]
        if row["rows"] < least:
            continue
        found[other] = int(row["rows"]), int(row["differing"])
        if not row["differing"]:
            session.write(Statement(_NOTE_EQUAL, (project, digest, other, row["rows"], now_at)))
    return found


def has_equal_rows(session: Session, project: str, digest: str, earlier: str) -> bool:
    """Return whether the rows of two digests were compared and are the same."""
    return bool(session.read(_ARE_EQUAL, [project, digest, earlier]).num_rows)


def forget(session: Session, before_at: datetime) -> int:
    """Delete rows of code that has not made any since an instant, while other code has; returns how many."""
    return delete_before(session, "features", _FORGET, before_at)


def _extreme(
    session: Session, function: str, project: str, market: str, unit: int, digest: str
) -> datetime | None:
    sql = f"SELECT {function}(candle_date_time_utc) FROM features WHERE {_OF_SCHEMA}"  # noqa: S608
    return utc_or_none(scalar(session.read(sql, [project, digest, market, unit])))


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
