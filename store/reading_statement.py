"""What a reader may say: one statement that reads and does nothing else."""

from __future__ import annotations

import re

import duckdb

from store.faults import writes_refused

_READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}

_ACTS = re.compile(
    r"\b((force_)?checkpoint|(enable|disable)_(logging|profiling|profile)|truncate_duckdb_logs|write_log)\b",
    re.IGNORECASE,
)
"""Functions that a SELECT may call and that do something: a checkpoint would spoil a running backup."""

_RUNS_TEXT = re.compile(r"\bquery\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")


def refuse_writes(sql: str) -> None:
    """Refuse anything but one reading statement.

    Raises:
        StoreError: (`store.sql`) it would write or do something, or is several.
        duckdb.Error: it is no SQL.
    """
    statements = duckdb.extract_statements(sql)
    is_reading = len(statements) == 1 and statements[0].type in _READ_ONLY
    text = sql if _RUNS_TEXT.search(sql) else _LITERAL.sub("''", sql)
    if not is_reading or _ACTS.search(text):
        raise writes_refused()
