"""The store: the DuckDB file, its schema, its service, its tables.

`import store` loads neither duckdb nor pyarrow; the names below are resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.open import open_store
    from store.session import Session, Statement

__all__ = ["Session", "Statement", "open_store"]

_HOME = {"Session": "store.session", "Statement": "store.session", "open_store": "store.open"}


def __getattr__(name: str) -> object:
    """Import a public name's module when the name is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'store' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
