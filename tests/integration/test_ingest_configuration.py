"""Markets and timeframes follow the configuration while the ingestor runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from appliance import clock
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.event import EventKind
from store import Session
from store.candles import count_candles
from store.events import read_events
from store.live import read_ingestion
from tests.simulator_fixtures import UNLIMITED, running_simulator
from tests.store_process import running_service
from tests.waiting import wait_until


def configure(home: Paths, url: str, markets: str, timeframes: str = "[1]") -> None:
    (home.compose / "appliance.toml").write_text(
        f'[source]\nkind = "upbit"\nrest_url = "{url}"\n'
        f'websocket_url = "ws{url.removeprefix("http")}/websocket/v1"\n'
        f"[ingest]\nmarkets = {markets}\nhistory_candles = 400\n"
        f"timeframes = {timeframes}\n"
    )


@contextmanager
def ingestor(home: Paths) -> Iterator[subprocess.Popen[bytes]]:
    with (home.logs / "ingestor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance.ingest"],
            cwd=SOURCE_ROOT,
            env={**os.environ, "APPLIANCE_HOME": str(home.home)},
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def states(session: Session) -> dict[str, str]:
    return {f"{row.market} {row.unit}m": row.state for row in read_ingestion(session)}


def test_markets_come_and_go_and_a_broken_file_changes_nothing(home: Paths) -> None:
    with (
        running_simulator(replace(UNLIMITED, speed=5.0)) as url,
        running_service(home) as (_, session),
    ):
        configure(home, url, '["KRW-BTC"]')
        with ingestor(home) as process:
            wait_until(lambda: count_candles(session, "KRW-BTC", 1) >= 400, 60, "no history")
            configure(home, url, '["KRW-BTC", "KRW-DOGE"]', "[1, 5]")
            changed = clock.monotonic()
            wait_until(lambda: len(states(session)) == 4, 30, "not added")
            assert clock.monotonic() - changed < 10
            wait_until(lambda: count_candles(session, "KRW-DOGE", 5) >= 400, 60, "no history")
            added = read_events(session, kinds=[EventKind.MARKET_ADDED])
            assert len(added) == 3
            configure(home, url, '["KRW-BTC", "doge"]')
            wait_until(
                lambda: set(states(session).values()) == {"misconfigured"}, 30, "not told: broken"
            )
            told = read_ingestion(session)[0]
            assert "ingest.markets" in told.message
            assert "the configuration before goes on" in told.next_step
            assert told.since_at is not None
            configure(home, url, '["KRW-DOGE"]')
            wait_until(lambda: set(states(session)) == {"KRW-DOGE 1m"}, 30, "not removed")
            wait_until(lambda: states(session)["KRW-DOGE 1m"] == "streaming", 30, "not mended")
            removed = read_events(session, kinds=[EventKind.MARKET_REMOVED])
            assert len(removed) == 3
            assert count_candles(session, "KRW-BTC", 1) >= 400
            assert process.poll() is None


@pytest.mark.long
def test_two_homes_an_ingestor_each_and_a_backfill_share_one_budget(
    home: Paths, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import httpx

    other = Paths(tmp_path_factory.mktemp("other") / "home")
    other.create()
    with (
        running_simulator(replace(UNLIMITED, has_limits=True)) as url,
        running_service(home) as (_, first),
        running_service(other) as (_, second),
    ):
        for each in (home, other):
            configure(each, url, '["KRW-BTC", "KRW-DOGE"]')
        command = ["backfill", "KRW-BTC", "--unit", "5", "--from", "2025-12-25T00:00Z"]
        with ingestor(home), ingestor(other):
            done = subprocess.run(
                [sys.executable, "-c", _BACKFILL, *command],
                cwd=SOURCE_ROOT,
                env={**os.environ, "APPLIANCE_HOME": str(home.home)},
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            for session in (first, second):
                wait_until(lambda s=session: count_candles(s, "KRW-DOGE", 1) >= 400, 90, "slow")
        requests = httpx.get(f"{url}/sim").json()["requests"]
    assert requests["refused"] == 0
    assert requests["taken"] > 20


_BACKFILL = "import sys; from appliance.cli.main import run; sys.exit(run(sys.argv[1:], lambda: 0))"
