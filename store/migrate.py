"""Numbered SQL files bring a store file to the schema that this code knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from appliance import clock
from appliance.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    checksum VARCHAR NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `NNNN_name.sql`; `checksum` is the SHA-256 of its text."""

    version: int
    name: str
    checksum: str
    sql: str


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """Return a folder's migrations in order.

    Raises:
        StoreError: the numbers are not 1, 2, 3, ...
    """
    migrations = tuple(_read(path) for path in sorted(folder.glob("*.sql")))
    versions = [migration.version for migration in migrations]
    if not versions or versions != list(range(1, len(versions) + 1)):
        raise StoreError(
            f"migrations in {folder} are numbered {versions}, expected 1, 2, 3, ...",
            code="store.migrations",
            hint="reinstall the appliance",
        )
    return migrations


@cache
def known_migrations() -> tuple[Migration, ...]:
    """Return the migrations that ship with this code."""
    return read_migrations(MIGRATIONS)


def schema_version() -> int:
    """Return the schema version that this code reads and writes."""
    return known_migrations()[-1].version


def migrate(connection: Any, migrations: tuple[Migration, ...] | None = None) -> int:
    """Apply what is missing, each file in a transaction of its own, and return the version.

    What was applied is checkpointed at once: DuckDB 1.5 cannot replay every ALTER TABLE from its log.

    Args:
        connection: an open DuckDB connection.
        migrations: by default those that ship with this code.

    Raises:
        StoreError: the file is newer than the code, or an applied migration was edited since.
    """
    known = known_migrations() if migrations is None else migrations
    connection.execute(_LEDGER)
    applied = dict(connection.execute("SELECT version, checksum FROM schema_migrations").fetchall())
    _refuse_newer(applied, known)
    _refuse_changed(applied, known)
    missing = [migration for migration in known if migration.version not in applied]
    for migration in missing:
        _apply(connection, migration)
    if missing:
        connection.execute("CHECKPOINT")
    return known[-1].version


def require_current(connection: Any, file: Path) -> None:
    """Refuse a file whose schema is not the one that this code reads; changes nothing.

    Raises:
        StoreError: it is older or newer, or an applied migration was edited since.
        duckdb.Error: it is no store file.
    """
    applied = dict(connection.execute("SELECT version, checksum FROM schema_migrations").fetchall())
    _refuse_newer(applied, known_migrations())
    _refuse_changed(applied, known_migrations())
    newest = max(applied, default=0)
    if newest < schema_version():
        raise StoreError(
            f"{file} has schema {newest}, this program reads {schema_version()}",
            code="store.older_schema",
            hint="appliance up brings it to the newer schema and keeps all data",
        )


def _read(path: Path) -> Migration:
    number, _, name = path.stem.partition("_")
    sql = path.read_text(encoding="utf-8")
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    return Migration(int(number), name, checksum, sql)


def _refuse_newer(applied: dict[int, str], known: tuple[Migration, ...]) -> None:
    newest = max(applied, default=0)
    if newest > known[-1].version:
        raise StoreError(
            f"the store file has schema {newest}, this program knows {known[-1].version}",
            code="store.newer_schema",
            hint="run the newer appliance that wrote the file, or restore an older backup",
        )


def _refuse_changed(applied: dict[int, str], known: tuple[Migration, ...]) -> None:
    for migration in known:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise StoreError(
                f"migration {migration.version:04}_{migration.name} was changed after it was applied",
                code="store.changed_migration",
                hint="restore the released file; a schema change needs a new migration",
            )


def _apply(connection: Any, migration: Migration) -> None:
    connection.execute("BEGIN TRANSACTION")
    try:
        connection.execute(migration.sql)
        connection.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?, ?)",
            [migration.version, migration.name, migration.checksum, clock.now()],
        )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
