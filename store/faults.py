"""DuckDB's errors in our words: their codes, and what the operator does next."""

from __future__ import annotations

from pathlib import Path

import duckdb

from appliance.errors import StoreError, StoreUnavailable


def is_fatal(error: duckdb.Error) -> bool:
    """Return whether DuckDB refuses everything after this error until the file is opened again."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException)


def duckdb_error(error: BaseException) -> duckdb.Error:
    """Return DuckDB's own error for what comes through Arrow, which keeps the words of it only."""
    if isinstance(error, duckdb.Error):
        return error
    if isinstance(error, MemoryError):
        return duckdb.OutOfMemoryException("Allocation failure")
    text = str(error)
    for words, kind in _KINDS.items():
        if f"{words} Error:" in text:
            return kind(text)
    return duckdb.Error(text)


def translate(error: duckdb.Error, file: Path) -> StoreError:
    """Return what a DuckDB error means here: its code, and what the operator does next."""
    message = str(error).strip()
    if "No space left on device" in message:
        return disk_full(file, message)
    if "Could not set lock on file" in message:
        return StoreUnavailable(
            f"{file} is open in another program: {message}",
            code="store.locked",
            hint="close that program; to look at the data use: appliance sql",
        )
    if "launched in read-only mode" in message or "attached in read-only mode" in message:
        return writes_refused()
    if is_fatal(error):
        return StoreUnavailable(
            f"the database stopped working and is opened again: {message}",
            code="store.broken",
            hint="try again; when it stays: appliance logs store",
        )
    if "max_temp_directory_size" in message:
        return StoreError(
            f"the query needs more memory and more disk than there is: {message}",
            code="store.out_of_memory",
            hint=f"ask for fewer rows, or free some space on the disk of {file.parent}",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        # What follows is advice for whoever may change DuckDB's settings.
        message = "the query needs more memory than the store has: " + message.partition("\n")[0]
    for kind, code, hint in _MEANINGS:
        if isinstance(error, kind):
            return StoreError(message, code=code, hint=hint.format(file=file))
    return StoreError(message, code="store.failed")


_KINDS: dict[str, type[duckdb.Error]] = {
    "Out of Memory": duckdb.OutOfMemoryException,
    "INTERRUPT": duckdb.InterruptException,
    "FATAL": duckdb.FatalException,
    "INTERNAL": duckdb.InternalException,
    "Conversion": duckdb.ConversionException,
    "Out of Range": duckdb.OutOfRangeException,
    "Invalid Input": duckdb.InvalidInputException,
    "IO": duckdb.IOException,
}
"""DuckDB's names of its errors, as they begin their texts."""

_MEANINGS: tuple[tuple[type[duckdb.Error], str, str], ...] = (
    (duckdb.SerializationException, "store.damaged", "{file} is damaged: restore a backup"),
    (duckdb.IOException, "store.io", "check that {file} is intact and its disk works"),
    (
        duckdb.OutOfMemoryException,
        "store.out_of_memory",
        "ask for fewer rows or columns, or raise store.memory_limit in compose/appliance.toml",
    ),
    (duckdb.ConstraintException, "store.constraint", ""),
    (duckdb.InterruptException, "store.interrupted", "ask for fewer rows"),
    (duckdb.ConversionException, "store.value", ""),
    (duckdb.InvalidInputException, "store.sql", ""),
    (duckdb.ParserException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.CatalogException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.BinderException, "store.sql", "tables and columns: appliance sql 'SHOW ALL TABLES'"),
    (duckdb.PermissionException, "store.sql", "the store reads its own tables only"),
)


def disk_full(file: Path, message: str) -> StoreError:
    """Return the refusal of a write or of a large query for want of disk space."""
    return StoreError(
        f"the disk of {file} is full: {message}",
        code="store.disk_full",
        hint=f"free some space on the disk of {file.parent}; nothing was lost, try again after",
    )


def writes_refused() -> StoreError:
    """Return the refusal of anything but one reading statement."""
    return StoreError(
        "only one reading statement (SELECT, SHOW, DESCRIBE, SUMMARIZE, EXPLAIN) is allowed here",
        code="store.sql",
        hint="the tables are written by the workflows",
    )
