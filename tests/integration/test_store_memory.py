"""What one caller may cost the others: memory, snapshots and time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.errors import StoreError
from store.client import FlightSession
from store.memory import BESIDE_DUCKDB
from store.session import Statement
from tests.store_process import running_service
from tests.waiting import wait_until

LIMIT = 512_000_000 + BESIDE_DUCKDB
WIDE = ", ".join(f"random() AS c{n}" for n in range(100))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, FlightSession]]:
    paths = Paths(tmp_path_factory.mktemp("memory") / "home")
    paths.create()
    with running_service(paths) as (process, client):
        yield process.pid, client
        assert process.poll() is None


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Sample the resident memory while the block runs; the peak is below the limit."""
    seen, is_over = [_resident(pid)], threading.Event()

    def sample() -> None:
        while not is_over.wait(0.01):
            seen.append(_resident(pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield seen
    finally:
        is_over.set()
        sampler.join()
    assert max(seen) < LIMIT


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 1000000000)",
        "SELECT repeat('x', 1000000) FROM range(3000)",
        "SELECT range(1000000000)",
        "SELECT string_agg(repeat(md5(i::VARCHAR), 40), ',') FROM range(1000000) t(i)",
        "WITH RECURSIVE r AS (SELECT 1 n, 'x' s UNION ALL SELECT n + 1, s || s FROM r WHERE n < 40)"
        " SELECT length(s) FROM r",
    ],
)
def test_a_query_that_needs_too_much_is_told_in_one_sentence(
    service: tuple[int, FlightSession], sql: str
) -> None:
    pid, client = service
    with _watched(pid), pytest.raises(StoreError) as caught:
        client.read(sql)
    assert caught.value.code == "store.out_of_memory"
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert client.read("SELECT 1 AS a").to_pylist() == [{"a": 1}]


def test_a_row_that_cannot_be_cut_is_refused(service: tuple[int, FlightSession]) -> None:
    pid, client = service
    with _watched(pid), pytest.raises(StoreError) as caught:
        client.read("SELECT repeat('x', 100000000)")
    assert caught.value.code == "store.row_too_large"
    assert caught.value.hint


def test_a_wide_result_is_streamed(service: tuple[int, FlightSession]) -> None:
    pid, client = service
    with _watched(pid) as seen, client.stream(f"SELECT {WIDE} FROM range(500000)") as rows:
        sizes = [batch.nbytes for batch in rows]
    assert sum(sizes) >= 400_000_000
    assert max(sizes) <= 1024 * 1024
    assert max(seen) - seen[0] < 100_000_000


def test_leaving_a_result_early_frees_what_it_held(service: tuple[int, FlightSession]) -> None:
    pid, client = service
    client.read("SELECT 1")
    base = _resident(pid)
    with _watched(pid) as seen:
        with client.stream(f"SELECT {WIDE} FROM range(200000) ORDER BY 5") as rows:
            assert next(iter(rows)).num_rows
            assert max(seen) > base + 100_000_000
        wait_until(lambda: _resident(pid) < base + 60_000_000, 10, "memory is kept")


_ASK = """
import sys
from pathlib import Path
from store.client import FlightSession
with FlightSession(Path(sys.argv[1])).stream(sys.argv[2]) as rows:
    next(rows)
    print("began", flush=True)
    for _ in rows:
        pass
"""


def _asking(socket: Path, sql: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK, str(socket), sql], cwd=SOURCE_ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"began\n"
    return process


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_killed_client_frees_memory_and_processor(home: Paths) -> None:
    with running_service(home) as (service, client):
        base = _resident(service.pid)
        asking = _asking(home.store_socket, f"SELECT {WIDE} FROM range(300000) ORDER BY 5")
        assert _resident(service.pid) > base + 100_000_000
        asking.kill()
        asking.wait(10)
        wait_until(lambda: _resident(service.pid) < base + 60_000_000, 10, "memory is kept")
        used = _cpu_seconds(service.pid)
        client.health()
        assert _cpu_seconds(service.pid) - used < 0.5


def test_a_stopped_reader_loses_its_rows_and_nobody_else_waits(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from store import sending
    from store.open import open_store
    from store.service import StoreService

    monkeypatch.setattr(sending, "SLOW_SECONDS", 0.5)
    with open_store(home) as database:
        service = StoreService(f"grpc+unix://{home.store_socket}", database)  # type: ignore[arg-type]
        with FlightSession(home.store_socket) as client:
            rows = client.stream(f"SELECT {WIDE} FROM range(10000000)")
            assert next(iter(rows)).num_rows

            def is_dropped() -> bool:
                service.drop_slow()
                return not database._statements.has_reads()  # type: ignore[attr-defined]

            wait_until(is_dropped, 10, "a reader that takes nothing keeps its query")
            client.write(Statement("SELECT 1"))
            assert database.checkpoint()  # type: ignore[attr-defined]
            with pytest.raises(StoreError) as caught:
                rows.read_all()
            assert caught.value.code == "store.slow_reader"
        service.shutdown()


def test_a_large_batch_is_written_within_the_limit(service: tuple[int, FlightSession]) -> None:
    pid, client = service
    batch = pa.table({"n": range(1_000_000), "s": ["x" * 400] * 1_000_000})
    with _watched(pid):
        rows = client.write(Statement("SELECT count(*) AS n FROM batch"), batch=batch)
    assert rows.to_pylist() == [{"n": 1_000_000}]


def test_an_abandoned_query_without_rows_is_stopped(home: Paths) -> None:
    with running_service(home) as (service, client):
        sql = "SELECT count(*) FROM range(10000000) a, range(10000000) b"
        asking = subprocess.Popen(
            [sys.executable, "-c", _ASK, str(home.store_socket), sql], cwd=SOURCE_ROOT
        )
        before = _cpu_seconds(service.pid)
        wait_until(lambda: _cpu_seconds(service.pid) > before + 0.3, 20)
        asking.send_signal(signal.SIGKILL)
        asking.wait(10)

        def is_quiet() -> bool:
            used = _cpu_seconds(service.pid)
            client.read("SELECT 1 FROM range(100000)")
            return _cpu_seconds(service.pid) - used < 0.1

        wait_until(is_quiet, 10, "the query goes on without its caller")
