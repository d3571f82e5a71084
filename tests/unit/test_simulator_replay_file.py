"""Replay files are read in the forms that people have; what cannot be read is named by column and row."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance.errors import ConfigError
from appliance.simulator.replay import ReplayMarket
from appliance.simulator.replay_file import NEEDED, TIME, read_replay

START = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 30
Row = list[Any]
ROWS: list[Row] = [
    [START + timedelta(minutes=i), 100.5 + i, 102.25 + i, 99.75 + i, 101.5 + i, 0.125 + i]
    for i in range(COUNT)
]
SECONDS = [int(row[0].timestamp()) for row in ROWS]


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def write(
    path: Path,
    rows: list[Row] = ROWS,
    time: Callable[[datetime], object] = iso,
    number: Callable[[float], object] = str,
    head: tuple[str, ...] = NEEDED,
    encoding: str = "utf-8",
    **form: str,
) -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file, **({"lineterminator": "\n"} | form))  # type: ignore[arg-type]
        out.writerow(head)
        out.writerows([time(row[0]), *map(number, row[1:])] for row in rows)
    return path


def write_parquet(path: Path, times: pa.Array, number: Callable[[Any], Any] = pa.array) -> Path:
    numbers = [number([row[i] for row in ROWS]) for i in range(1, 6)]
    pq.write_table(pa.table([times, *numbers], NEEDED), path)
    return path


def epoch(factor: int) -> Callable[[datetime], object]:
    return lambda at: int(at.timestamp()) * factor


def kst(at: datetime) -> str:
    return iso(at + timedelta(hours=9)) + "+09:00"


CSV_FORMS: dict[str, Callable[[Path], Path]] = {
    "plain": write,
    "bom": lambda p: write(p, encoding="utf-8-sig"),
    "crlf": lambda p: write(p, lineterminator="\r\n"),
    "semicolon": lambda p: write(p, delimiter=";"),
    "tab": lambda p: write(p, delimiter="\t"),
    "quoted": lambda p: write(p, quoting=csv.QUOTE_ALL),  # type: ignore[arg-type]
    "zulu": lambda p: write(p, time=lambda at: iso(at) + "Z"),
    "offset": lambda p: write(p, time=kst),
    "fraction": lambda p: write(p, time=lambda at: iso(at) + ".000000+00:00"),
    "space": lambda p: write(p, time=lambda at: at.strftime("%Y-%m-%d %H:%M")),
    "seconds": lambda p: write(p, time=epoch(1)),
    "milliseconds": lambda p: write(p, time=epoch(1_000)),
    "microseconds": lambda p: write(p, time=epoch(1_000_000)),
    "nanoseconds": lambda p: write(p, time=epoch(1_000_000_000)),
    "scientific": lambda p: write(p, number=lambda value: f"{value:.6e}"),
    "signed": lambda p: write(p, number=lambda value: f" +{value}"),
    "unsorted": lambda p: write(p, ROWS[::-1]),
    "doubled": lambda p: write(p, [ROWS[5][:1] + [1.0] * 4 + [0.0], *ROWS]),
    "head": lambda p: write(p, head=tuple(f" {name.upper()} " for name in NEEDED)),
}


@pytest.mark.parametrize("form", CSV_FORMS)
def test_texts_in_every_form_are_read(tmp_path: Path, form: str) -> None:
    assert_same(CSV_FORMS[form](tmp_path / "candles.csv"))


@pytest.mark.parametrize("name", ["CANDLES.CSV", "candles.parquet", "candles"])
def test_the_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    assert_same(write(tmp_path / name))


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    plain = write(tmp_path / "candles.csv")
    packed = tmp_path / "candles.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert_same(packed)


TIMES: dict[str, Callable[[], pa.Array]] = {
    "aware": lambda: pa.array([row[0] for row in ROWS], pa.timestamp("us", tz="UTC")),
    "seoul": lambda: pa.array([row[0] for row in ROWS], pa.timestamp("ms", tz="Asia/Seoul")),
    "naive": lambda: pa.array([row[0].replace(tzinfo=None) for row in ROWS], pa.timestamp("ns")),
    "dictionary": lambda: pa.array([iso(row[0]) for row in ROWS]).dictionary_encode(),
    "wide text": lambda: pa.array([iso(row[0]) for row in ROWS], pa.large_string()),
    "milliseconds": lambda: pa.array([1000 * at for at in SECONDS]),
    "float": lambda: pa.array([float(at) for at in SECONDS]),
}


@pytest.mark.parametrize("form", TIMES)
def test_times_of_every_type_are_read(tmp_path: Path, form: str) -> None:
    assert_same(write_parquet(tmp_path / "candles.csv", TIMES[form]()))


@pytest.mark.parametrize(
    "number",
    [
        lambda values: pa.array([Decimal(str(v)) for v in values], pa.decimal128(18, 6)),
        lambda values: pa.array([str(v) for v in values]),
        lambda values: pa.array([str(v) for v in values]).dictionary_encode(),
        lambda values: pa.array(values, pa.float32()),
    ],
    ids=["decimal", "text", "dictionary", "float32"],
)
def test_numbers_of_every_type_are_read(tmp_path: Path, number: Callable[[Any], Any]) -> None:
    assert_same(write_parquet(tmp_path / "candles.parquet", pa.array(SECONDS), number))


def assert_same(path: Path) -> None:
    columns = read_replay(path, "KRW-BTC")
    order = np.argsort(columns[TIME], kind="stable")
    rows = {int(columns[TIME][i]): [float(columns[name][i]) for name in NEEDED[1:]] for i in order}
    assert rows == {at: row[1:] for at, row in zip(SECONDS, ROWS, strict=True)}
    market = ReplayMarket("KRW-BTC", path)
    assert market.first_minute == SECONDS[0] // 60
    assert market.base_unit == 1


def test_dates_are_days(tmp_path: Path) -> None:
    days = pa.array([(START + timedelta(days=i)).date() for i in range(COUNT)], pa.date32())
    market = ReplayMarket("KRW-BTC", write_parquet(tmp_path / "days.parquet", days))
    assert market.base_unit == 1440


def test_of_several_markets_the_named_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    head = ",".join(NEEDED)
    lines = [f"{code},{iso(START)},{price},{price},{price},{price},1" for code, price in (("KRW-ETH", 5), ("KRW-BTC", 7))]  # fmt: skip
    path.write_text("\n".join([f"market,{head}", *lines]))
    assert read_replay(path, "KRW-BTC")["close"].tolist() == [7.0]
    with pytest.raises(
        ConfigError, match="no candles of KRW-XRP, but of several markets: 'KRW-BTC'"
    ):
        read_replay(path, "KRW-XRP")


def changed(row: int, column: int, value: object) -> list[Row]:
    rows = [list(each) for each in ROWS]
    rows[row][column] = value
    return rows


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda p: p.write_bytes(b""), "is empty"),
    "only a head": (lambda p: write(p, []), "has no rows"),
    "another head": (lambda p: write(p, head=tuple("abcdef")), "no column 'candle_date_time_utc', but: a, b"),
    "two of a column": (lambda p: write(p, head=(*NEEDED[:5], "open")), "two columns 'open'|no column"),
    "binary": (lambda p: p.write_bytes(bytes(range(256)) * 40), "cannot be read"),
    "utf-16": (lambda p: write(p, encoding="utf-16"), "cannot be read"),
    "truncated": (lambda p: p.write_bytes(b"PAR1" + b"x" * 100), "cannot be read"),
    "folder": (lambda p: p.mkdir(), "not a regular file"),
    "pipe": (os.mkfifo, "not a regular file"),
    "device": (lambda p: p.symlink_to("/dev/zero"), "not a regular file"),
    "loop": (lambda p: p.symlink_to(p), "cannot be read"),
    "missing": (lambda p: None, "cannot be read"),
    "nan": (lambda p: write(p, changed(3, 4, "nan")), "column 'close', row 4 is not a number: 'nan'"),
    "word": (lambda p: write(p, changed(3, 1, "much")), "column 'open', row 4 is not a number: 'much'"),
    "empty value": (lambda p: write(p, changed(3, 1, "")), "column 'open', row 4 is empty"),
    "infinite": (lambda p: write(p, changed(3, 1, "1e999")), "column 'open', row 4 is not a number above 0"),
    "zero price": (lambda p: write(p, changed(9, 3, 0)), "column 'low', row 10 is not a number above 0"),
    "negative": (lambda p: write(p, changed(9, 5, -1)), "column 'volume', row 10 is not a number at least 0"),
    "high < low": (lambda p: write(p, changed(2, 2, 1)), "column 'high', row 3 is not the highest price"),
    "low > open": (lambda p: write(p, changed(2, 3, 102.6)), "column 'low', row 3 is not the lowest price"),
    "no time": (lambda p: write(p, time=lambda at: "soon"), "column 'candle_date_time_utc', row 1 is not a time"),
    "no date": (lambda p: write(p, time=lambda at: "2026-02-30T00:00:00"), "row 1 is not a time"),
    "no hour": (lambda p: write(p, time=lambda at: "2026-02-03T25:00:00"), "row 1 is not a time"),
    "some zones": (
        lambda p: write(p, time=lambda at: kst(at) if at.minute > 7 else iso(at)),
        "row 9 differs from the first row in having a zone",
    ),
    "two units": (
        lambda p: write(p, time=lambda at: int(at.timestamp()) * (1000 if at.minute > 7 else 1)),
        "row 9 has another unit",
    ),
    "row numbers": (lambda p: write(p, time=lambda at: at.minute), "row 1 is not of the years"),
    "half a minute": (
        lambda p: write(p, time=lambda at: iso(at + timedelta(seconds=30))),
        "row 1 is not a full minute",
    ),
    "seven minutes": (
        lambda p: write(p, time=lambda at: iso(START + 7 * (at - START))),
        "candles of 7 minutes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", UNREADABLE)
def test_what_cannot_be_read_is_named(tmp_path: Path, form: str) -> None:
    make, message = UNREADABLE[form]
    path = tmp_path / "candles.csv"
    make(path)
    with pytest.raises(ConfigError, match=message) as caught:
        ReplayMarket("KRW-BTC", path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("kind", [pa.bool_(), pa.binary(), pa.list_(pa.int64())])
def test_another_type_is_named_with_what_is_taken(tmp_path: Path, kind: pa.DataType) -> None:
    times = pa.nulls(COUNT, kind)
    path = write_parquet(tmp_path / "candles.parquet", times)
    with pytest.raises(ConfigError, match="column 'candle_date_time_utc'"):
        ReplayMarket("KRW-BTC", path)
