"""A consistent copy of the store file while it is in use, and proof that a file is a whole store."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from appliance.config.settings import StoreSettings
from appliance.errors import StoreError
from store.client import FlightSession
from store.connection import wal_of
from store.database import Database
from store.faults import translate
from store.migrate import known_migrations, migrate, schema_version
from store.session import Session

_CHUNK_BYTES = 4 * 1024 * 1024
_SPARE_BYTES = 64 * 1024 * 1024

Progress = Callable[[str, int, int], None]
"""Takes what is being done, and how much of how much is done."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table's row count, and the exclusive-or of its rows' hashes."""

    name: str
    rows: int
    checksum: int


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What is in a store file, and how large the file is in bytes."""

    schema: int
    tables: tuple[TableFacts, ...]
    size: int


def backup(session: Session, target: Path, progress: Progress | None = None) -> StoreFacts:
    """Write the store as of now into one new file: by the service, or from the file when it is ours.

    See `backup_file` for what is promised and raised; raises `StoreUnavailable` when the service does
    not answer.
    """
    if isinstance(session, Database):
        return backup_file(session, target.absolute(), progress)
    if not isinstance(session, FlightSession):
        raise TypeError(f"{type(session).__name__} is no session of this package")
    told = progress or _silent
    for message in session.backup(target.absolute()):
        if "facts" in message:
            return _facts(message["facts"])
        told(str(message["what"]), int(message["done"]), int(message["total"]))
    raise StoreError("the backup ended without an answer", code="store.backup", hint="try again")


def backup_file(database: Database, target: Path, progress: Progress | None = None) -> StoreFacts:
    """Write the store as of now into one new file, and prove that every row of it is there.

    Reads and writes go on meanwhile; checkpoints wait. The file appears under its name only when it
    is complete, opened, compared with the source and on the disk.

    Raises:
        StoreError: the target exists, its folder does not or has too little space, or the copy differs.
    """
    told = progress or _silent
    _refuse_target(target, database.file)
    # The folder is new, on the target's disk, and 0700: nobody sees or takes the unfinished copy.
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    copy = folder / target.name
    try:
        with database.snapshot() as (cursor, log_bytes):
            _copy(database.file, copy, database.file.stat().st_size, told)
            if log_bytes:
                _copy(wal_of(database.file), wal_of(copy), log_bytes, told)
            expected = _tables(cursor, told)
        facts = _settled(copy, told)
        _refuse_difference(expected, facts.tables)
        _publish(copy, target)
    except OSError as error:
        raise StoreError(
            f"{target} could not be written: {error}",
            code="store.backup",
            hint="give another file, on a disk with more space",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return facts


def check(file: Path, progress: Progress | None = None) -> StoreFacts:
    """Read every row of a store file that nobody uses, without changing it.

    Raises:
        StoreError: the file does not exist, is in use, damaged, not a store, or newer than this code.
    """
    if not file.is_file():
        raise StoreError(f"there is no file {file}", code="store.no_file", hint="give a backup")
    return _read(file, progress or _silent, is_read_only=True)


def _facts(document: dict[str, Any]) -> StoreFacts:
    tables = tuple(TableFacts(**table) for table in document["tables"])
    return StoreFacts(int(document["schema"]), tables, int(document["size"]))


def _copy(source: Path, target: Path, size: int, told: Progress) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        done = 0
        while done < size:
            chunk = reader.read(min(_CHUNK_BYTES, size - done))
            if not chunk:
                raise StoreError(
                    f"{source} became shorter while it was copied", code="store.backup"
                )
            writer.write(chunk)
            done += len(chunk)
            told("copying", done, size)


def _settled(copy: Path, told: Progress) -> StoreFacts:
    facts = _read(copy, told, is_read_only=False)
    if wal_of(copy).exists():
        raise StoreError(f"the log of {copy} could not be merged", code="store.backup")
    return facts


def _read(file: Path, told: Progress, *, is_read_only: bool) -> StoreFacts:
    config: Any = {"threads": 1, "memory_limit": StoreSettings().memory_limit}
    try:
        with duckdb.connect(str(file), read_only=is_read_only, config=config) as connection:
            if not is_read_only:
                connection.execute("CHECKPOINT")
            schema = _schema(connection, file)
            _refuse_missing_tables(connection, schema, file)
            tables = _tables(connection, told)
    except duckdb.Error as error:
        raise translate(error, file) from error
    return StoreFacts(schema, tables, file.stat().st_size)


def _schema(connection: Any, file: Path) -> int:
    try:
        found = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()[0]
    except duckdb.CatalogException as error:
        raise StoreError(
            f"{file} is a DuckDB file, but not a store",
            code="store.not_a_store",
            hint="give a backup",
        ) from error
    if found is None or found > schema_version():
        raise StoreError(
            f"{file} has schema {found}, this program knows {schema_version()}",
            code="store.newer_schema",
            hint="use the appliance version that made the backup, or a newer one",
        )
    return int(found)


def _refuse_missing_tables(connection: Any, schema: int, file: Path) -> None:
    """Refuse a file without a table of its schema: of a table that is not there every row can be read."""
    with duckdb.connect(":memory:", config={"threads": 1}) as empty:
        migrate(empty, known_migrations()[:schema])
        missing = sorted(set(_table_names(empty)) - set(_table_names(connection)))
    if missing:
        raise StoreError(
            f"{file} is no whole store: schema {schema} has the tables {', '.join(missing)}, it has not",
            code="store.damaged",
            hint="give another backup",
        )


def _table_names(connection: Any) -> list[str]:
    sql = (
        "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND schema_name = 'main'"
        " ORDER BY table_name"
    )
    return [str(name) for (name,) in connection.execute(sql).fetchall()]


def _tables(connection: Any, told: Progress) -> tuple[TableFacts, ...]:
    names = _table_names(connection)
    return tuple(
        _table(connection, name, told, done, len(names)) for done, name in enumerate(names)
    )


def _table(connection: Any, name: str, told: Progress, done: int, total: int) -> TableFacts:
    told("checking", done, total)
    sql = f'SELECT count(*), coalesce(bit_xor(hash("{name}")), 0) FROM "{name}"'  # noqa: S608
    rows, checksum = connection.execute(sql).fetchone()
    return TableFacts(name, int(rows), int(checksum))


def _refuse_difference(expected: tuple[TableFacts, ...], copied: tuple[TableFacts, ...]) -> None:
    differing = [one.name for one in set(expected) ^ set(copied)]
    if differing:
        raise StoreError(
            f"the copy differs from the store in {', '.join(sorted(set(differing)))}",
            code="store.backup",
            hint="try again; when it stays, check the disk",
        )


def _refuse_target(target: Path, source: Path) -> None:
    if target.exists() or target.is_symlink():
        raise StoreError(
            f"{target} exists already", code="store.target_exists", hint="give another file name"
        )
    if not target.parent.is_dir():
        raise StoreError(
            f"there is no folder {target.parent}", code="store.no_folder", hint="make it first"
        )
    log_file = wal_of(source)
    needed = source.stat().st_size + 2 * (log_file.stat().st_size if log_file.exists() else 0)
    free = shutil.disk_usage(target.parent).free
    if free < needed + _SPARE_BYTES:
        raise StoreError(
            f"the backup needs {needed + _SPARE_BYTES:,} bytes, {target.parent} has {free:,} free",
            code="store.disk_full",
            hint="free some space there, or give a file on another disk",
        )


def _publish(copy: Path, target: Path) -> None:
    descriptor = os.open(copy, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    copy.chmod(0o600)
    try:
        os.link(copy, target)
    except FileExistsError as error:
        raise StoreError(
            f"{target} exists already", code="store.target_exists", hint="give another file name"
        ) from error
    with suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _silent(_what: str, _done: int, _total: int) -> None:
    return None
