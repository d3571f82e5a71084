"""The rows of a query in the forms that `appliance sql` prints, as they come."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from appliance.cli.output import TablePrinter, emit_text, json_text, narrate

if TYPE_CHECKING:
    import pyarrow as pa

CELL_CHARACTERS = 500
"""A table's cell is cut there; the other formats print all of it."""

_MEASURED_ROWS = 1000
"""A table's columns are as wide as these rows need."""

_ROWS_AT_ONCE = 256

Batches = Iterable["pa.RecordBatch"]


def print_csv(schema: pa.Schema, batches: Batches) -> None:
    """Print CSV with a line of names."""
    import pyarrow.csv

    from appliance.cli.arrow_values import writable_as_csv

    buffer = io.BytesIO()
    with pyarrow.csv.CSVWriter(buffer, writable_as_csv(schema.empty_table()).schema) as writer:
        for batch in batches:
            writer.write_table(writable_as_csv(pyarrow.Table.from_batches([batch])))
            emit_text(buffer.getvalue().decode(errors="surrogateescape"))
            buffer.seek(0)
            buffer.truncate()
    emit_text(buffer.getvalue().decode(errors="surrogateescape"))


def print_json(schema: pa.Schema, batches: Batches) -> None:
    """Print one array of objects."""
    lead = "[\n"
    for row in _rows(batches):
        text = json_text(row, indent=2).replace("\n", "\n  ")
        emit_text(f"{lead}  {text}")
        lead = ",\n"
    emit_text("[]\n" if lead == "[\n" else "\n]\n")


def print_json_lines(schema: pa.Schema, batches: Batches) -> None:
    """Print one object a line."""
    for row in _rows(batches):
        emit_text(json_text(row) + "\n")


def print_table(schema: pa.Schema, batches: Batches) -> None:
    """Print aligned columns."""
    is_cut = False

    def cut(value: object) -> object:
        nonlocal is_cut
        text = value if isinstance(value, str) else str(value) if _is_long(value) else None
        if text is None or len(text) <= CELL_CHARACTERS:
            return value
        is_cut = True
        return text[:CELL_CHARACTERS] + "…"

    rows = ([cut(value) for value in row.values()] for row in _rows(batches))
    first = list(itertools.islice(rows, _MEASURED_ROWS))
    table = TablePrinter(schema.names, first)
    for row in itertools.chain(first, rows):
        table.emit(row)
    if is_cut:
        narrate(f"cells are cut at {CELL_CHARACTERS} characters; --json or --format csv has all")


FORMATS: dict[str, Callable[[pa.Schema, Batches], None]] = {
    "table": print_table,
    "json": print_json,
    "jsonl": print_json_lines,
    "csv": print_csv,
}


def _rows(batches: Batches) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    from appliance.cli.arrow_values import rows_of

    for batch in batches:
        for at in range(0, batch.num_rows, _ROWS_AT_ONCE):
            yield from rows_of(pa.Table.from_batches([batch.slice(at, _ROWS_AT_ONCE)]))


def _is_long(value: object) -> bool:
    return isinstance(value, list | dict | bytes)
