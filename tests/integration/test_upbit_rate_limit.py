"""One budget for all processes of the host: as fast as the limit allows, and never over it."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from appliance import clock
from appliance.config.paths import SOURCE_ROOT
from appliance.upbit.rate_limit import HostRateLimit
from tests.simulator_fixtures import LIMITED, running_simulator, upbit_client

_WORKER = """
import sys
from pathlib import Path
from appliance.upbit.client import UpbitClient
from appliance.upbit.rate_limit import HostRateLimit

url, directory, requests = sys.argv[1:]
client = UpbitClient(url, HostRateLimit(Path(directory), 10))
limited = 0
hold = HostRateLimit.hold
def counted(self, group, seconds):
    global limited
    limited += 1
    hold(self, group, seconds)
HostRateLimit.hold = counted
for _ in range(int(requests)):
    client.minute_candles("KRW-BTC", 1, None, 200)
print(limited)
"""


def worker(url: str, directory: Path, requests: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, url, str(directory), str(requests)],
        cwd=SOURCE_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("latency_ms", [0.0, 150.0])
def test_two_processes_together_stay_inside_ten_requests_a_second(
    tmp_path: Path, latency_ms: float
) -> None:
    with running_simulator(replace(LIMITED, latency_ms=latency_ms)) as url:
        started = clock.monotonic()
        workers = [worker(url, tmp_path, 20), worker(url, tmp_path, 20)]
        refused = [process.communicate(timeout=60)[0].strip() for process in workers]
        seconds = clock.monotonic() - started
    assert refused == ["0", "0"]
    assert seconds >= 3.0


def test_many_requests_in_flight_on_a_slow_network_are_never_refused(tmp_path: Path) -> None:
    distant = replace(LIMITED, latency_ms=150.0)
    with running_simulator(distant) as url, upbit_client(url, tmp_path, 10) as client:

        def page(_number: int) -> int:
            return len(client.minute_candles("KRW-BTC", 1, None, 1, is_bulk=True))

        started = clock.monotonic()
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(page, range(45))) == 45
        seconds = clock.monotonic() - started
        assert httpx.get(f"{url}/sim").json()["requests"] == {"taken": 45, "refused": 0}
    assert seconds >= 4.0


def test_a_request_counts_until_its_reply_can_have_been_counted_before_it(tmp_path: Path) -> None:
    limit = HostRateLimit(tmp_path, 1)
    state = {"slots": {"a": [0.0, clock.monotonic()]}, "hold_until": 0, "round_trips": [0.3] * 9}
    (tmp_path / "default.json").write_text(
        json.dumps({"groups": {"candles": state}, "blocked_until": 0})
    )
    started = clock.monotonic()
    with limit.acquire("candles"):
        assert 0.7 <= clock.monotonic() - started < 0.95


def test_requests_of_others_on_the_same_address_slow_us_down(tmp_path: Path) -> None:
    limit = HostRateLimit(tmp_path, 10)
    with limit.acquire("candles") as slot:
        slot.observe(1)  # eight requests that are not ours
    started = clock.monotonic()
    with limit.acquire("candles"):
        assert clock.monotonic() - started >= 0.9


def test_our_own_full_second_is_no_reason_to_hold(tmp_path: Path) -> None:
    limit = HostRateLimit(tmp_path, 10)
    for remaining in range(9, -1, -1):
        with limit.acquire("candles") as slot:
            slot.observe(remaining)
    started = clock.monotonic()
    with limit.acquire("market"):
        pass
    with limit.acquire("candles"):
        assert 0.8 < clock.monotonic() - started < 1.3


def test_a_process_that_died_with_a_request_running_does_not_block_for_ever(
    tmp_path: Path,
) -> None:
    limit = HostRateLimit(tmp_path, 1)
    limit.acquire("candles").__enter__()
    state = (tmp_path / "default.json").read_text()
    assert '"slots"' in state
    (tmp_path / "default.json").write_text(state.replace(", null]", ", 0.0]"))
    with limit.acquire("candles"):
        pass


def test_an_unreadable_state_file_counts_as_empty(tmp_path: Path) -> None:
    limit = HostRateLimit(tmp_path, 10)
    (tmp_path / "default.json").write_text("{broken")
    with limit.acquire("candles"):
        pass
