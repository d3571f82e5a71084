"""Foreign keys and their actions, kept by the plugin because DuckDB refuses keys with actions.

The rules come from MLflow's metadata: what a child row refers to must exist, changing a key takes the
children along (ON UPDATE CASCADE), deleting a row deletes its children, empties their reference, or is
refused (ON DELETE CASCADE, SET NULL, none). Hooks on the session apply them to what the ORM flushes and
to DELETE statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ForeignKeyConstraint,
    Table,
    and_,
    delete,
    event,
    inspect,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker

from store.mlflow_backend.schema import metadata

Row = dict[str, Any]


def keep_foreign_keys(maker: sessionmaker[Session]) -> None:
    """Make every session of a factory keep MLflow's foreign keys."""
    event.listen(maker, "before_flush", _before_flush)
    event.listen(maker, "after_flush", _after_flush)
    event.listen(maker, "do_orm_execute", _on_execute)


@cache
def children_of(table: Table) -> tuple[ForeignKeyConstraint, ...]:
    """Return the foreign keys that refer to a table, each rule once."""
    found = {}
    for child in metadata.sorted_tables:
        for key in child.foreign_key_constraints:
            if key.referred_table is table:
                found[(child.name, tuple(key.column_keys))] = key
    return tuple(found.values())


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    # Before the parent's own UPDATE, since the ORM then expects children to carry the new key already.
    for instance in session.dirty:
        state: Any = inspect(instance)
        table: Table = state.mapper.local_table
        old, new = {}, {}
        for column in table.primary_key.columns:
            history = state.attrs[state.mapper.get_property_by_column(column).key].history
            new[column.name] = getattr(instance, state.mapper.get_property_by_column(column).key)
            old[column.name] = history.deleted[0] if history.deleted else new[column.name]
        if old != new:
            _cascade_update(session, table, old, new)


def _cascade_update(session: Session, table: Table, old: Row, new: Row) -> None:
    for key in children_of(table):
        if (key.onupdate or "").upper() != "CASCADE":
            continue
        pairs = [
            (element.parent, element.column.name)
            for element in key.elements
            if element.column.name in old
        ]
        child_old = {column.name: old[parent] for column, parent in pairs}
        child_new = {column.name: new[parent] for column, parent in pairs}
        _cascade_update(session, key.table, child_old, child_new)
        session.connection().execute(
            update(key.table)
            .where(*(key.table.c[name] == value for name, value in child_old.items()))
            .values(child_new)
        )


def _after_flush(session: Session, context: Any) -> None:
    for instance in session.deleted:
        state: Any = inspect(instance)
        table: Table = state.mapper.local_table
        if children_of(table):
            _cascade_delete(session, table, [_values(instance, state.mapper, table)])
    _check_parents(session)


def _values(instance: Any, mapper: Any, table: Table) -> Row:
    return {
        column.name: instance.__dict__.get(mapper.get_property_by_column(column).key)
        for column in table.columns
    }


def _check_parents(session: Session) -> None:
    written = [*session.new, *(i for i in session.dirty if session.is_modified(i))]
    known: set[tuple[Table, tuple[Any, ...]]] = set()
    for instance in written:
        mapper: Any = inspect(instance).mapper
        table: Table = mapper.local_table
        for key in table.foreign_key_constraints:
            row = _values(instance, mapper, table)
            reference = tuple(row[column] for column in key.column_keys)
            parent = (key.referred_table, reference)
            if None in reference or parent in known or _is_loaded(session, mapper, key, reference):
                continue
            if not _exists(session, key, reference):
                raise _violation(key, reference)
            known.add(parent)


def _is_loaded(
    session: Session, mapper: Any, key: ForeignKeyConstraint, reference: tuple[Any, ...]
) -> bool:
    for parent in mapper.registry.mappers:
        if parent.local_table is key.referred_table:
            order = [element.column.name for element in key.elements]
            if sorted(order) != sorted(c.name for c in parent.primary_key):
                return False
            named = dict(zip(order, reference, strict=True))
            identity = tuple(named[column.name] for column in parent.primary_key)
            found = session.identity_map.get(parent.identity_key_from_primary_key(identity))
            return found is not None and found not in session.deleted
    return False


def _exists(session: Session, key: ForeignKeyConstraint, reference: Sequence[Any]) -> bool:
    matches = (e.column == value for e, value in zip(key.elements, reference, strict=True))
    query = select(1).select_from(key.referred_table).where(*matches).limit(1)
    return session.connection().execute(query).first() is not None


def _on_execute(state: ORMExecuteState) -> Any:
    if not state.is_delete:
        return None
    statement: Any = state.statement
    table = metadata.tables[statement.table.name]  # the statement's own is an annotated copy
    if not children_of(table):
        return None
    columns = _referenced_columns(table)
    query = select(*columns).where(*statement._where_criteria)
    rows = [dict(row) for row in state.session.connection().execute(query).mappings()]
    result = state.invoke_statement()
    _cascade_delete(state.session, table, rows)
    return result


def _referenced_columns(table: Table) -> list[Any]:
    names = {element.column.name for key in children_of(table) for element in key.elements}
    return [column for column in table.columns if column.name in names]


def _cascade_delete(session: Session, table: Table, rows: list[Row]) -> None:
    """Apply ON DELETE to the children of rows of a table that are gone."""
    if not rows:
        return
    for key in children_of(table):
        matches = _children(key, rows)
        action = (key.ondelete or "").upper()
        if action == "CASCADE":
            _delete_children(session, key.table, matches)
        elif action == "SET NULL":
            empty = dict.fromkeys(key.column_keys)
            session.connection().execute(update(key.table).where(matches).values(empty))
        elif session.connection().execute(select(1).where(matches).limit(1)).first():
            raise _violation(key, [row[e.column.name] for row in rows for e in key.elements])


def _children(key: ForeignKeyConstraint, rows: Iterable[Row]) -> Any:
    if len(key.elements) == 1:
        element = key.elements[0]
        return element.parent.in_([row[element.column.name] for row in rows])
    return or_(*(and_(*(e.parent == row[e.column.name] for e in key.elements)) for row in rows))


def _delete_children(session: Session, table: Table, matches: Any) -> None:
    rows: list[Row] = []
    if children_of(table):
        query = select(*_referenced_columns(table)).where(matches)
        rows = [dict(row) for row in session.connection().execute(query).mappings()]
    session.connection().execute(delete(table).where(matches))
    _cascade_delete(session, table, rows)


def _violation(key: ForeignKeyConstraint, reference: Sequence[Any]) -> IntegrityError:
    return IntegrityError(
        f"foreign key of {key.table.name} ({', '.join(key.column_keys)}) to {key.referred_table.name}",
        tuple(reference),
        Exception("FOREIGN KEY constraint failed"),
    )
