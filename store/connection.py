"""Opening a store file: DuckDB's configuration, and what is locked before anybody's SQL runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from appliance.config.settings import StoreSettings
from store.migrate import migrate


def connect(file: Path, settings: StoreSettings, *, is_read_only: bool = False) -> Any:
    """Open the file; its checkpoints are the caller's.

    Read-only, DuckDB writes neither the file nor its log, and moves nothing from memory to the disk.
    """
    return duckdb.connect(
        str(file),
        read_only=is_read_only,
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": "" if is_read_only else str(spill_of(file)),
            "max_temp_directory_size": "4GB",
            # DuckDB would checkpoint inside somebody's commit, and while a backup copies the file.
            "checkpoint_threshold": "1TB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # DuckDB descends into an expression on its thread's stack, and dies when that ends.
            "max_expression_depth": 250,
        },
    )


def prepare(connection: Any) -> int:
    """Shut the outside off, migrate, and return the schema; closes the connection on failure."""
    try:
        shut_off(connection)
        return migrate(connection)
    except BaseException:
        connection.close()
        raise


def shut_off(connection: Any) -> None:
    """Let statements see nothing but the database, in UTC, and change no setting."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET GLOBAL python_enable_replacements = false")
    connection.execute("SET GLOBAL enable_external_access = false")
    connection.execute("SET GLOBAL lock_configuration = true")


def spill_of(file: Path) -> Path:
    """Return the folder for what queries move from memory to the disk."""
    return file.with_name("spill")


def wal_of(file: Path) -> Path:
    """Return where DuckDB keeps what was committed since the last checkpoint."""
    return file.with_name(file.name + ".wal")


def wal_bytes(file: Path) -> int:
    """Return the size of the write-ahead log; 0 when there is none."""
    try:
        return wal_of(file).stat().st_size
    except FileNotFoundError:
        return 0
