"""How SQLAlchemy speaks to DuckDB for MLflow: the duckdb dialect, less what DuckDB refuses.

Registered under a name of its own, so that other users of SQLAlchemy and DuckDB are not affected.
"""

from __future__ import annotations

from typing import Any

from duckdb_sqlalchemy import Dialect, DuckDBCompiler, DuckDBDDLCompiler
from mlflow.store.db.db_types import POSTGRES
from sqlalchemy import Column, Computed
from sqlalchemy.dialects import registry
from sqlalchemy.exc import NotSupportedError
from sqlalchemy.sql.compiler import DDLCompiler

NAME = "duckdb.mlflow"


def sequence_name(column: Column[Any]) -> str:
    """Return the sequence that numbers an auto-incremented column."""
    return f"{column.table.name}_{column.name}_seq"


def is_numbered(column: Column[Any]) -> bool:
    """Tell whether the database numbers this column's rows."""
    return column is column.table.autoincrement_column


class MlflowCompiler(DuckDBCompiler):
    """Statements without row locks: DuckDB has none, and writers are serialised anyway.

    Functions of PostgreSQL that MLflow uses are given by DuckDB's.
    """

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Drop FOR UPDATE, which DuckDB's parser refuses."""
        return ""

    def visit_div_func(self, function: Any, **kw: Any) -> str:
        """Write PostgreSQL's integer division, which rounds towards zero, as DuckDB's."""
        dividend, divisor = (self.process(clause, **kw) for clause in function.clauses)
        return f"({dividend} // {divisor})"


class MlflowDDLCompiler(DuckDBDDLCompiler):
    """Tables without foreign keys, with sequences and virtual computed columns."""

    def visit_foreign_key_constraint(self, constraint: Any, **kw: Any) -> Any:
        """Leave the constraint out: DuckDB has no actions on foreign keys; `integrity` keeps them."""
        return None

    def visit_computed_column(self, generated: Computed, **kw: Any) -> str:
        """Compute on read: DuckDB does not store generated columns."""
        text = self.sql_compiler.process(generated.sqltext, include_table=False, literal_binds=True)
        return f"GENERATED ALWAYS AS ({text}) VIRTUAL"

    def get_column_specification(self, column: Column[Any], **kwargs: Any) -> str:
        """Number auto-incremented keys from a sequence."""
        text = DDLCompiler.get_column_specification(self, column, **kwargs)
        return f"{text} DEFAULT nextval('{sequence_name(column)}')" if is_numbered(column) else text


class MlflowDialect(Dialect):
    """The dialect, named postgresql, since MLflow looks up comparisons and upserts by that name."""

    name = POSTGRES
    statement_compiler = MlflowCompiler
    ddl_compiler = MlflowDDLCompiler
    supports_statement_cache = True

    def do_savepoint(self, connection: Any, name: str) -> None:
        """Do nothing: DuckDB has no savepoints; a failure ends the whole transaction."""

    def do_release_savepoint(self, connection: Any, name: str) -> None:
        """Do nothing; see `do_savepoint`."""

    def do_rollback_to_savepoint(self, connection: Any, name: str) -> None:
        """Refuse: what was done since the savepoint cannot be undone alone."""
        raise NotSupportedError(
            "ROLLBACK TO SAVEPOINT", None, Exception("DuckDB has no savepoints")
        )


registry.register(NAME, __name__, MlflowDialect.__name__)
