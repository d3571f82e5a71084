"""Reading recorded candles from a file as people have it: parquet or CSV, with times in many forms."""

from __future__ import annotations

import gzip
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from appliance.config.forms import shown
from appliance.errors import ConfigError
from appliance.simulator.replay_columns import Column, number_column, time_column, value_type

PRICES = ("open", "high", "low", "close")
TIME = "candle_date_time_utc"
NEEDED = (TIME, *PRICES, "volume")
_MARKET_COLUMNS = ("market", "code", "symbol")
_EXPECTED = f"expected columns: {', '.join(NEEDED)}"
_HEAD_BYTES = 65_536
_SEPARATORS = (",", ";", "\t", "|")
_TOLERANCE = 1e-9
"""Of the price; what arithmetic on floats may have left between an extreme and the open or close."""


def read_replay(path: Path, market: str) -> dict[str, Column]:
    """Return the checked columns of a market's recorded candles; `value` only where the file has it.

    Times are seconds since 1970. What the file holds decides, not its name.

    Raises:
        ConfigError: it cannot be read, or a value is no candle's; names column, row and what is taken.
    """
    table = _named(_table(path), path)
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        there = ", ".join(table.column_names[:20]) or "none"
        raise ConfigError(
            f"replay file {path} has no column {missing[0]!r}, but: {there}", hint=_EXPECTED
        )
    table = _of_market(table, market, path)
    if table.num_rows == 0:
        raise ConfigError(f"replay file {path} has no rows", hint="give a file with candles")
    columns = {TIME: time_column(table.column(TIME), f"replay file {path}", TIME)}
    names = [*PRICES, "volume", *(["value"] if "value" in table.column_names else [])]
    for name in names:
        least = "above 0" if name in PRICES else "at least 0"
        columns[name] = number_column(table.column(name), f"replay file {path}", name, least)
    _require_order(columns, path)
    return columns


def _table(path: Path) -> pa.Table:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(
                f"replay file {path} is not a regular file", hint="give a parquet or CSV file"
            )
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if not head:
            raise ConfigError(
                f"replay file {path} is empty", hint="give a parquet or CSV file with candles"
            )
        if head.startswith(b"PAR1"):
            return parquet.ParquetFile(path).read()
        return _csv(path, head)
    except (OSError, ValueError, pa.ArrowException, EOFError) as error:
        reason = str(error).splitlines()[0][:300]
        raise ConfigError(
            f"replay file {path} cannot be read: {reason}", hint="give a parquet or CSV file"
        ) from error


def _csv(path: Path, head: bytes) -> pa.Table:
    """Return the texts of a CSV file, compressed or not; its separator is the one of its first line."""
    is_packed = head.startswith(b"\x1f\x8b")
    if is_packed:
        with gzip.open(path) as file:
            head = file.read(_HEAD_BYTES)
    if b"\0" in head:
        raise ValueError("it is neither parquet nor text")
    first_line = head.decode("utf-8-sig").splitlines()[0] if is_text(head) else ""
    if not first_line.strip():
        raise ValueError("its first line has no column names in UTF-8")
    separator = max(_SEPARATORS, key=first_line.count)
    names = [name.strip().strip('"') for name in first_line.split(separator)]
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    parse = csv.ParseOptions(delimiter=separator)
    with pa.input_stream(str(path), compression="gzip" if is_packed else None) as stream:
        return csv.read_csv(stream, parse_options=parse, convert_options=options)


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file is UTF-8, up to a character that the end cuts."""
    try:
        head[: head.rfind(b"\n") + 1 or len(head)].decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


def _named(table: pa.Table, path: Path) -> pa.Table:
    """Return the table with column names without spaces around and in lower case; each once."""
    names = [name.strip().lstrip("\ufeff").lower() for name in table.column_names]
    doubled = sorted({name for name in names if names.count(name) > 1 and name in NEEDED})
    if doubled:
        raise ConfigError(f"replay file {path} has two columns {doubled[0]!r}", hint=_EXPECTED)
    return table.rename_columns(names)


def _of_market(table: pa.Table, market: str, path: Path) -> pa.Table:
    """Return a market's rows where a column names markets; a file of one market is taken whole."""
    name = next((name for name in _MARKET_COLUMNS if name in table.column_names), None)
    if name is None or not value_type(table.column(name), pa.types.is_string):
        return table
    column = pc.utf8_trim_whitespace(pc.cast(table.column(name), pa.string()))
    found = [text for text in pc.unique(column).to_pylist() if text]
    if len(found) <= 1:
        return table
    if market not in found:
        listed = ", ".join(shown(each) for each in sorted(found)[:10])
        raise ConfigError(
            f"replay file {path} has no candles of {market}, but of several markets: {listed}",
            hint=f"replay one of these, or name {market} in column {name!r}",
        )
    return table.filter(pc.equal(column, market))


def _require_order(columns: dict[str, Column], path: Path) -> None:
    """Refuse candles whose low is not the lowest or whose high is not the highest price."""
    opened, high, low, close = (columns[name] for name in PRICES)
    room = high * _TOLERANCE
    for name, is_wrong in (
        ("high", (high + room < low) | (high + room < opened) | (high + room < close)),
        ("low", (low - room > opened) | (low - room > close)),
    ):
        if is_wrong.any():
            row = int(is_wrong.argmax())
            prices = ", ".join(f"{each} {columns[each][row]:.10g}" for each in PRICES)
            raise ConfigError(
                f"replay file {path}: column {name!r}, row {row + 1} is not the {name}est price: {prices}",
                hint="correct or remove the row; rows are counted without the head line",
            )
