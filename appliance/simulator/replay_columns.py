"""Columns of a replay file: numbers and times in the forms that people have, checked row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from appliance.config.forms import END_AT, FIRST_AT, shown
from appliance.errors import ConfigError

Column = NDArray[Any]
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*$"
_TIME = (
    r"^\s*(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?\s*"
    r"(?P<zone>Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?)?\s*$"
)
_TIME_FORMS = (
    "taken are times such as 2026-01-31T09:00:00Z (without a zone: UTC), dates, and seconds, milliseconds, "
    "micro- or nanoseconds since 1970"
)
_NUMBER_FORMS = "taken are numbers such as 1234.5 or 1.2e3"
_ROWS = "rows are counted without the head line"
_FINE_DIGITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (float("inf"), 1_000_000_000))
"""Numbers below the first are seconds since 1970, the next milli-, micro- and nanoseconds."""


def number_column(column: pa.ChunkedArray, where: str, name: str, least: str) -> Column:
    """Return finite numbers, `least` "above 0" or "at least 0".

    Raises:
        ConfigError: one is something else; names column and row.
    """
    values = _numbers(_plain(column, where, name), where, name)
    is_wrong = ~np.isfinite(values) | (values <= 0 if least == "above 0" else values < 0)
    _refuse(column, is_wrong, where, name, f"is not a number {least}", _NUMBER_FORMS)
    return values


def time_column(column: pa.ChunkedArray, where: str, name: str) -> Column:
    """Return times as whole minutes in seconds since 1970.

    Raises:
        ConfigError: one is no time, between minutes, or not of 2010 to 2099; names column and row.
    """
    seconds = _seconds(_plain(column, where, name), where, name)
    is_outside = (seconds < FIRST_AT.timestamp()) | (seconds >= END_AT.timestamp())
    _refuse(column, is_outside, where, name, "is not of the years 2010 to 2099", _TIME_FORMS)
    _refuse(column, seconds % 60 != 0, where, name, "is not a full minute", "candles open at one")
    return seconds


def value_type(column: pa.ChunkedArray, is_kind: Callable[[pa.DataType], bool]) -> bool:
    """Whether a column's values, of a dictionary its words, are of a kind; wide texts count as texts."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_wide = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(is_kind(pa.string() if is_wide else kind))


def _plain(column: pa.ChunkedArray, where: str, name: str) -> pa.ChunkedArray:
    """Return a column without dictionary, its texts as `string`; refuses rows without a value."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if value_type(column, pa.types.is_string):
        column = pc.cast(column, pa.string())
    is_empty = np.asarray(pc.is_null(column, nan_is_null=False).to_numpy(zero_copy_only=False))
    _refuse(column, is_empty, where, name, "is empty", "every row needs a value")
    return column


def _numbers(column: pa.ChunkedArray, where: str, name: str) -> Column:
    kind = column.type
    if pa.types.is_decimal(kind):  # Arrow's own cast of decimals to floats is off by a bit
        return np.asarray(pc.cast(pc.cast(column, pa.string()), pa.float64()).to_numpy())
    if pa.types.is_string(kind):
        is_number = pc.match_substring_regex(column, _NUMBER)
        _refuse(column, ~_booleans(is_number), where, name, "is not a number", _NUMBER_FORMS)
        column = pc.utf8_ltrim(pc.utf8_trim_whitespace(column), "+")
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _wrong_type(kind, where, name, _NUMBER_FORMS)
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _seconds(column: pa.ChunkedArray, where: str, name: str) -> Column:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        instants = pc.cast(column, pa.timestamp("s", tz=getattr(kind, "tz", None)), safe=False)
        return np.asarray(pc.cast(instants, pa.int64()).to_numpy(), dtype=np.int64)
    if pa.types.is_string(kind) and not pc.all(pc.match_substring_regex(column, _NUMBER)).as_py():
        return _text_seconds(column, where, name)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise _wrong_type(kind, where, name, _TIME_FORMS)
    return _epoch_seconds(column, where, name)


def _epoch_seconds(column: pa.ChunkedArray, where: str, name: str) -> Column:
    """Return numbers since 1970 as seconds; the size of the first tells their unit."""
    values = _numbers(column, where, name)
    _refuse(column, ~np.isfinite(values), where, name, "is not a time", _TIME_FORMS)
    units = np.array([unit for _, unit in _FINE_DIGITS])
    chosen = units[np.searchsorted([limit for limit, _ in _FINE_DIGITS], np.abs(values), "right")]
    _refuse(
        column,
        chosen != chosen[0],
        where,
        name,
        "has another unit than the first row",
        "all rows in seconds, or all in milliseconds",
    )
    seconds = np.divide(values, chosen[0])
    _refuse(column, seconds != np.floor(seconds), where, name, "is not a full minute", _TIME_FORMS)
    return np.asarray(seconds, dtype=np.int64)


def _text_seconds(column: pa.ChunkedArray, where: str, name: str) -> Column:
    """Return ISO texts as seconds, each by its own offset; either all have one or none."""
    parts = pc.extract_regex(column.combine_chunks(), _TIME)
    _refuse(column, _booleans(pc.is_null(parts)), where, name, "is not a time", _TIME_FORMS)
    date, clock, second, zone = (
        pc.struct_field(parts, part) for part in ("date", "clock", "second", "zone")
    )
    has_zone = _booleans(pc.not_equal(zone, ""))
    _refuse(
        column,
        has_zone != has_zone[0],
        where,
        name,
        "differs from the first row in having a zone",
        "give all times a zone, or none",
    )
    text = pc.binary_join_element_wise(
        date, _or(clock, "00:00"), pc.binary_join_element_wise(":", _or(second, "00"), ""), ""
    )
    instants = pc.strptime(text, format="%Y-%m-%d%H:%M:%S", unit="s", error_is_null=True)
    again = pc.equal(pc.strftime(instants, format="%Y-%m-%d"), date)  # February 30 moves to March
    _refuse(
        column,
        ~_booleans(pc.fill_null(again, fill_value=False)),
        where,
        name,
        "is not a time",
        _TIME_FORMS,
    )
    seconds = np.asarray(pc.cast(instants, pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    return np.subtract(seconds, _offsets(zone))


def _offsets(zone: pa.Array) -> Column:
    """Return offsets such as +09:00 in seconds; few differ, so each is read once."""
    encoded = pc.dictionary_encode(zone)
    offsets = []
    for text in encoded.dictionary.to_pylist():
        digits = text[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:]) if text[:1] in {"+", "-"} else 0
        offsets.append(-60 * minutes if text.startswith("-") else 60 * minutes)
    taken: Column = np.take(np.array(offsets, np.int64), encoded.indices.to_numpy())
    return taken


def _or(texts: pa.Array, otherwise: str) -> pa.Array:
    return pc.if_else(pc.equal(texts, ""), otherwise, texts)


def _booleans(array: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)


def _refuse(
    column: pa.ChunkedArray, is_wrong: Column, where: str, name: str, what: str, hint: str
) -> None:
    """Raise an error that names the first wrong row, when there is one."""
    if is_wrong.any():
        row = int(is_wrong.argmax())
        value = shown(_shortly(column[row]))
        raise ConfigError(
            f"{where}: column {name!r}, row {row + 1} {what}: {value}", hint=f"{hint}; {_ROWS}"
        )


def _shortly(scalar: Any) -> object:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):  # beyond what Python's times hold
        return str(scalar)


def _wrong_type(kind: pa.DataType, where: str, name: str, forms: str) -> ConfigError:
    return ConfigError(f"{where}: column {name!r} has the type {kind}", hint=forms)
