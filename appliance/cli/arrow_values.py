"""Values of Arrow columns as Python and CSV take them, also those that neither can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from appliance.cli.output import plain

_INFINITY = {pa.date32(): 2**31 - 1}
_ENDLESS = 2**63 - 1
"""How DuckDB stores an infinite instant; an infinite date is the largest of 32 bits."""


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    """Return the rows of a table; an instant beyond the year 9999 is a text."""
    columns = [list(_values(column)) for column in table.columns]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def writable_as_csv(table: pa.Table) -> pa.Table:
    """Return a table whose columns CSV can hold: lists, structures and intervals are JSON or texts."""
    columns = [column if _is_simple(column.type) else _as_text(column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _values(column: pa.ChunkedArray) -> Iterator[object]:
    try:
        yield from column.to_pylist()
    except (OverflowError, ValueError):
        for scalar in column:
            yield _value(scalar)


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        if pa.types.is_struct(scalar.type):
            return {name: _value(inner) for name, inner in scalar.items()}
        if pa.types.is_nested(scalar.type):
            return [_value(inner) for inner in scalar.values]
        return _far_instant(scalar)


def _far_instant(scalar: pa.Scalar) -> str:
    if abs(scalar.value) >= _INFINITY.get(scalar.type, _ENDLESS):
        return "infinity" if scalar.value > 0 else "-infinity"
    return str(pc.cast(scalar, pa.string()))


def _is_simple(kind: pa.DataType) -> bool:
    is_number = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return (is_number or is_text) and not (pa.types.is_interval(kind) or pa.types.is_duration(kind))


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    texts = [
        None
        if value is None
        else str(value)
        if not isinstance(value, list | dict)
        else json.dumps(plain(value), ensure_ascii=False)
        for value in _values(column)
    ]
    return pa.array(texts, pa.string())
