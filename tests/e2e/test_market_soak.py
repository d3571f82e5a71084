"""Whatever exchange and host do, the store ends up equal to the exchange's truth.

The simulated hour of CI becomes a day with `--soak-hours 24 --soak-kills 10`.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from appliance import clock
from appliance.config.paths import Paths
from appliance.domain.coverage import IntervalKind, MarketCoverage
from appliance.ingest.audit import audit
from appliance.ingest.intake import Intake
from appliance.upbit.client import open_client
from store import Session
from store.candles import read_candles
from store.coverage import summarise
from store.ledger import classify
from tests.e2e.soak import HISTORY, MARKETS, Plan, exchange, suffer
from tests.store_process import running_service

MINUTE = timedelta(minutes=1)
COLUMNS = ["candle_date_time_utc", "open", "high", "low", "close", "volume", "value"]


def truth(url: str, market: str, start_at: datetime, end_at: datetime) -> pa.Table:
    """Return the exchange's final candles of [start_at, end_at)."""
    query = {
        "market": market,
        "unit": "1",
        "from": start_at.isoformat(),
        "to": end_at.isoformat(),
    }
    reply = httpx.get(f"{url}/sim/truth/candles", params=query, timeout=60).raise_for_status()
    table = pa.ipc.open_stream(io.BytesIO(reply.content)).read_all().select(COLUMNS)
    return table.set_column(0, COLUMNS[0], table.column(0).cast(pa.timestamp("us", "UTC")))


def kinds(session: Session, found: MarketCoverage) -> dict[datetime, IntervalKind]:
    """Return the class of every interval; fails when one has none or two."""
    runs = classify(session, found.market, 1, found.start_at, found.end_at)
    classes: dict[datetime, IntervalKind] = {}
    for run in runs:
        at = run.start_at
        while at < run.end_at:
            assert at not in classes, f"{at} is classified twice"
            classes[at] = run.kind
            at += MINUTE
    assert len(classes) == found.expected
    return classes


def check_market(session: Session, url: str, market: str) -> Counter[IntervalKind]:
    """Compare one market with the truth, and every interval's class with it."""
    found = summarise(session, market, 1)
    assert found is not None
    assert found.gaps == ()
    assert found.watermark_at == found.end_at
    expected = truth(url, market, found.start_at, found.end_at)
    stored = read_candles(session, market, 1, found.start_at, found.end_at).select(COLUMNS)
    assert stored.to_pylist() == expected.to_pylist()
    raw = session.read(
        "SELECT count(*) AS rows, count(DISTINCT candle_date_time_utc) AS times FROM candles_raw"
        " WHERE market = ? AND unit = 1 AND candle_date_time_utc < ?",
        [market, found.end_at],
    ).to_pylist()[0]
    assert raw["rows"] == raw["times"] == expected.num_rows
    traded = set(expected.column(0).to_pylist())
    classes = kinds(session, found)
    right = {True: IntervalKind.CANDLE, False: IntervalKind.NO_TRADE}
    wrong = [
        (at, kind)
        for at, kind in classes.items()
        if kind not in (right[at in traded], IntervalKind.REPAIRED)
    ]
    assert wrong == []
    counted = Counter(classes.values())
    assert counted[IntervalKind.REPAIRED] == found.repaired
    return counted


def final_audit(session: Session, url: str) -> None:
    """Run what the nightly audit runs, over everything."""
    with open_client(url) as client:
        for market in MARKETS:
            found = summarise(session, market, 1)
            assert found is not None
            feed = Intake(session, client, market, 1, "soak")
            audit(feed, found.start_at, found.end_at)


@pytest.mark.long
def test_the_store_equals_the_exchange_after_every_fault_and_many_kills(
    home: Paths, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    plan = Plan(
        simulated_hours=pytestconfig.getoption("--soak-hours"),
        seed=pytestconfig.getoption("--soak-seed"),
        kills=pytestconfig.getoption("--soak-kills"),
    )
    faults = tmp_path / "faults.toml"
    faults.write_text(plan.faults, encoding="utf-8")
    with exchange(plan, faults) as url:
        for key, value in {
            "APPLIANCE__SOURCE__KIND": "upbit",
            "APPLIANCE__SOURCE__REST_URL": url,
            "APPLIANCE__SOURCE__WEBSOCKET_URL": f"ws{url.removeprefix('http')}/websocket/v1",
            "APPLIANCE__INGEST__MARKETS": json.dumps(MARKETS),
            "APPLIANCE__INGEST__TIMEFRAMES": "[1]",
            "APPLIANCE__INGEST__HISTORY_CANDLES": str(HISTORY),
        }.items():
            monkeypatch.setenv(key, value)
        started = clock.monotonic()
        asyncio.run(suffer(home, plan))
        seconds = clock.monotonic() - started
        simulator: dict[str, Any] = httpx.get(f"{url}/sim").json()
        with running_service(home) as (_, session):
            report = {}
            for phase in ("before the audit", "after it"):
                if phase == "after it":
                    final_audit(session, url)
                report[phase] = {m: _verdict(session, url, m) for m in MARKETS}
            _print(report, simulator, seconds)
            counted = {market: check_market(session, url, market) for market in MARKETS}
    # In one hour a fault may meet no request; in a day each kind must have met a client.
    counted_by = "fired" if plan.simulated_hours >= 12 else "started"
    assert [kind for kind, times in simulator["faults"][counted_by].items() if times == 0] == []
    assert counted["KRW-ICX"][IntervalKind.NO_TRADE] > 0


def _verdict(session: Session, url: str, market: str) -> str:
    try:
        counted = check_market(session, url, market)
    except AssertionError as error:
        return f"differs: {str(error)[:300]}"
    return ", ".join(f"{number} {kind.value}" for kind, number in counted.items())


def _print(report: object, simulator: dict[str, Any], seconds: float) -> None:
    """Show figures in the captured output of the test."""
    shown = {"seconds": seconds, "markets": report, "faults": simulator["faults"]["fired"]}
    print(json.dumps(shown, indent=2, default=str))  # noqa: T201
