"""A replay is the file: row for row over HTTP, absent rows absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from appliance.errors import ConfigError
from appliance.simulator.options import SimulatorOptions
from appliance.simulator.replay import ReplayMarket
from tests.simulator_fixtures import running_simulator

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
ABSENT = {5, 6, 130, 131, 132, 299}
ROWS = 400
PRICES = ("open", "high", "low", "close", "volume")
FIELDS = ("opening_price", "high_price", "low_price", "trade_price", "candle_acc_trade_volume")


def recording(rows: int = ROWS) -> pa.Table:
    """Return candles that cross midnight, with minutes absent."""
    minutes = [i for i in range(rows) if i not in ABSENT]
    price = [100_000_000.0 + (i * 7919 % 977) * 1000 for i in minutes]
    return pa.table(
        {
            "candle_date_time_utc": pa.array(
                [(START + timedelta(minutes=i)).replace(tzinfo=None) for i in minutes],
                pa.timestamp("us"),
            ),
            "open": price,
            "high": [p + 3000 for p in price],
            "low": [p - 5000 for p in price],
            "close": [p + 1000 for p in price],
            "volume": [round(0.12345678 + i * 0.00000013, 8) for i in minutes],
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "candles.parquet"
    pq.write_table(recording(), path)
    return path


def options(file: Path, start_at: datetime | None = None) -> SimulatorOptions:
    return SimulatorOptions(
        markets=(), replay={"KRW-BTC": file}, start_at=start_at, has_limits=False
    )


def download(url: str, unit: int = 1, market: str = "KRW-BTC") -> list[dict[str, Any]]:
    """Return everything that the server has, oldest first."""
    rows: list[dict[str, Any]] = []
    to = ""
    with httpx.Client(base_url=url) as client:
        while page := client.get(
            f"/v1/candles/minutes/{unit}", params={"market": market, "count": 200, "to": to}
        ).json():
            rows += page
            to = page[-1]["candle_date_time_utc"]
    return rows[::-1]


def as_tuples(table: pa.Table) -> Iterator[tuple[object, ...]]:
    for row in table.to_pylist():
        yield (row["candle_date_time_utc"].isoformat(), *(row[name] for name in PRICES))


def sent(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [(row["candle_date_time_utc"], *(row[field] for field in FIELDS)) for row in rows]


def test_every_row_of_the_file_is_sent_as_it_is_and_nothing_else(file: Path) -> None:
    with running_simulator(options(file, START + timedelta(minutes=ROWS + 5))) as url:
        rows = download(url)
    assert sent(rows) == list(as_tuples(recording()))
    assert rows[0]["candle_acc_trade_price"] == pytest.approx(
        rows[0]["trade_price"] * rows[0]["candle_acc_trade_volume"], abs=1e-5
    )


def test_a_csv_file_gives_the_same_as_parquet(file: Path, tmp_path: Path) -> None:
    text = tmp_path / "candles.csv"
    csv.write_csv(recording(), text)
    end_at = START + timedelta(minutes=ROWS)
    with (
        running_simulator(options(file, end_at)) as one,
        running_simulator(options(text, end_at)) as other,
    ):
        assert download(one) == download(other)


def test_only_what_has_closed_is_final_and_the_current_one_forms(file: Path) -> None:
    with running_simulator(options(file, START + timedelta(minutes=100, seconds=30))) as url:
        rows = download(url)
    expected = list(as_tuples(recording()))
    assert sent(rows[:-1]) == expected[: len(rows) - 1]
    forming = rows[-1]
    assert forming["candle_date_time_utc"] == (START + timedelta(minutes=100)).strftime(
        "%Y-%m-%dT%H:%M:00"
    )
    assert forming["opening_price"] == expected[len(rows) - 1][1]
    assert 0 < forming["candle_acc_trade_volume"] < float(str(expected[len(rows) - 1][5]))


def test_wider_candles_are_sums_of_the_recorded_ones(file: Path) -> None:
    with running_simulator(options(file, START + timedelta(minutes=ROWS))) as url:
        hours = download(url, 60)
        minutes = download(url)
    inside = [row for row in minutes if row["candle_date_time_utc"].startswith("2026-03-02T00")]
    hour = next(row for row in hours if row["candle_date_time_utc"] == "2026-03-02T00:00:00")
    assert hour["opening_price"] == inside[0]["opening_price"]
    assert hour["trade_price"] == inside[-1]["trade_price"]
    assert hour["high_price"] == max(row["high_price"] for row in inside)
    assert hour["candle_acc_trade_volume"] == pytest.approx(
        sum(row["candle_acc_trade_volume"] for row in inside), abs=1e-7
    )


def test_without_a_start_it_begins_an_hour_before_the_end(file: Path) -> None:
    with running_simulator(options(file)) as url:
        newest = download(url)[-1]["candle_date_time_utc"]
    begins_at = START + timedelta(minutes=ROWS - 60)
    assert newest <= begins_at.strftime("%Y-%m-%dT%H:%M:%S") or newest.startswith(
        begins_at.strftime("%Y-%m-%dT%H:%M")
    )


def test_replayed_and_synthetic_markets_live_side_by_side(file: Path) -> None:
    both = replace(options(file, START + timedelta(minutes=50)), markets=("KRW-DOGE",))
    with running_simulator(both) as url:
        codes = [row["market"] for row in httpx.get(f"{url}/v1/market/all").json()]
        doge = httpx.get(f"{url}/v1/candles/minutes/1", params={"market": "KRW-DOGE"}).json()
    assert codes == ["KRW-DOGE", "KRW-BTC"]
    assert doge[0]["candle_date_time_utc"] <= "2026-03-01T22:51:00"


def test_an_hourly_file_serves_hours_and_wider_only(tmp_path: Path) -> None:
    path = tmp_path / "hours.parquet"
    table = recording(6)
    hours = [START.replace(tzinfo=None) + timedelta(hours=i) for i in range(table.num_rows)]
    table = table.set_column(0, "candle_date_time_utc", pa.array(hours, pa.timestamp("us")))
    pq.write_table(table, path)
    with running_simulator(options(path, START + timedelta(hours=9))) as url:
        assert sent(download(url, 60)) == list(as_tuples(table))
        assert download(url, 1) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["volume"]), "no column 'volume'"),
        (lambda table: table.slice(0, 0), "has no rows"),
        (lambda table: table.take([0, 7]), "candles of"),
    ],
)
def test_a_file_that_cannot_be_replayed_says_why(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(change(recording()), path)
    with pytest.raises(ConfigError, match=message):
        ReplayMarket("KRW-BTC", path)


@pytest.mark.parametrize("name", ["upbit_krw_btc_1m", "upbit_krw_doge_1m"])
def test_real_candles_come_back_row_for_row(name: str, tmp_path: Path) -> None:
    source = SHARED / f"{name}.parquet"
    if not source.exists():
        pytest.skip("no recorded candles beside this checkout")
    table = pq.read_table(source).slice(30_000, 12_000)
    path = tmp_path / "slice.parquet"
    pq.write_table(table, path)
    end_at = table.column("candle_date_time_utc")[-1].as_py().replace(tzinfo=UTC)
    with running_simulator(options(path, end_at + timedelta(minutes=2))) as url:
        assert sent(download(url)) == list(as_tuples(table))
