"""The real service: one owner, nothing lost, nothing half written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.settings import StoreSettings
from appliance.domain.event import Event, EventKind
from appliance.errors import StoreError, StoreUnavailable
from store import candles, events
from store.candles import StoredCandles
from store.client import FlightSession, _send
from store.database import Database
from store.lock import StoreLock
from store.migrate import schema_version
from store.open import open_store
from store.reset import reset_store
from store.service import StoreService
from store.session import Session, Statement
from store.wire import Command, encode_command
from tests.store_process import START, raw_candle, running_service
from tests.waiting import wait_until

Service = tuple["subprocess.Popen[bytes]", FlightSession]


@pytest.fixture
def service(home: Paths) -> Iterator[Service]:
    with running_service(home) as running:
        yield running


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(20)


def _store(session: Session, first: int, count: int, market: str = "KRW-BTC") -> StoredCandles:
    raw = [raw_candle(minute, market=market) for minute in range(first, first + count)]
    return candles.store_candles(session, raw, "rest", START)


def test_health_runs_a_query_and_says_who_answers(service: Service) -> None:
    process, client = service
    health = client.health()
    assert (health.pid, health.schema) == (process.pid, schema_version())
    assert health.version.startswith("v1.5")


def test_sigterm_checkpoints_leaves_no_socket_and_exits_0(home: Paths, service: Service) -> None:
    process, client = service
    _store(client, 0, 10)
    assert _stop(process) == 0
    assert not home.store_socket.exists()
    assert not home.store_file.with_name("appliance.duckdb.wal").exists()
    with open_store(home) as session:
        assert candles.count_candles(session, "KRW-BTC", 1) == 10


def test_sigterm_ends_a_query_that_would_run_for_hours(service: Service) -> None:
    process, client = service
    failures: list[StoreError] = []

    def ask() -> None:
        try:
            client.read("SELECT count(*) FROM range(10000000) a, range(10000000) b")
        except StoreError as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(client.health, 5)
    assert _stop(process) == 0
    asking.join(5)
    assert failures


def test_the_log_says_little_however_much_is_written(home: Paths, service: Service) -> None:
    for _ in range(20):
        _store(service[1], 0, 5)
    lines = (home.logs / "store.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert "serving" in lines[0]


def test_an_acknowledged_write_survives_kill_9(home: Paths, service: Service) -> None:
    process, client = service
    acknowledged = 0
    for _ in range(20):
        acknowledged += _store(client, acknowledged, 5).inserted
        events.append_event(client, Event(EventKind.BACKFILLED, f"x{acknowledged}", "test", START))
    process.kill()
    process.wait(10)
    with running_service(home) as (_, revived):
        assert candles.count_candles(revived, "KRW-BTC", 1) == acknowledged == 100
        assert [event.id for event in events.read_events(revived)] == list(range(1, 21))


def test_kill_9_in_the_middle_of_writing_loses_nothing_acknowledged(
    home: Paths, service: Service
) -> None:
    process, client = service
    stored: list[int] = []
    is_dead = threading.Event()

    def write() -> None:
        try:
            while not is_dead.is_set():
                _store(client, len(stored) * 50, 50)
                stored.append(50)
        except StoreError:
            return

    writing = threading.Thread(target=write)
    writing.start()
    wait_until(lambda: len(stored) >= 5, 10)
    process.kill()
    is_dead.set()
    writing.join(10)
    process.wait(10)
    with open_store(home) as session:
        count = candles.count_candles(session, "KRW-BTC", 1)
        raw = session.read("SELECT count(*) AS n FROM candles_raw").column("n")[0].as_py()
    assert count == raw
    assert count in (sum(stored), sum(stored) + 50)


def test_a_client_finds_the_service_again_after_a_restart(home: Paths, service: Service) -> None:
    process, client = service
    process.kill()
    process.wait(10)
    with pytest.raises(StoreUnavailable) as caught:
        client.read("SELECT 1")
    assert caught.value.hint
    with running_service(home):
        assert client.read("SELECT 1 AS a").to_pylist() == [{"a": 1}]


def test_two_processes_write_at_once(home: Paths, service: Service) -> None:
    program = (
        "import sys; from appliance.config.paths import Paths; from store import open_store;"
        "from tests.integration.test_store_service import _store;"
        "session = open_store(Paths.from_environment());"
        "[_store(session, n * 10, 10, sys.argv[1]) for n in range(15)]"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, market], cwd=SOURCE_ROOT)
        for market in ("KRW-A", "KRW-B")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for market in ("KRW-A", "KRW-B"):
        assert candles.count_candles(service[1], market, 1) == 150


def test_a_second_owner_is_refused(home: Paths, service: Service) -> None:
    assert StoreLock.acquire(home.store_file) is None
    assert isinstance(open_store(home), FlightSession)
    with pytest.raises(StoreUnavailable) as caught:
        reset_store(home)
    assert str(service[0].pid) in caught.value.message


def test_a_second_service_of_the_same_home_leaves_with_a_hint(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from store import service as server

    monkeypatch.setattr(server, "_LOCK_SECONDS", 0.1)
    with open_store(home), pytest.raises(StoreUnavailable) as caught:
        server._lock(home)
    assert caught.value.hint


def test_a_held_file_without_service_is_told_with_a_hint(home: Paths) -> None:
    with open_store(home), pytest.raises(StoreUnavailable) as caught:
        open_store(home, wait_seconds=0.2)
    assert caught.value.hint
    assert "is held by process" in caught.value.message


def test_a_service_that_appears_during_the_wait_is_used(home: Paths) -> None:
    opened: list[Session] = []
    lock = StoreLock.acquire(home.store_file)
    assert lock is not None
    waiting = threading.Thread(target=lambda: opened.append(open_store(home, wait_seconds=20)))
    waiting.start()
    # The lock is handed over to a service of this process, so that the waiter cannot get it first.
    database = Database(home.store_file, StoreSettings(), lock)
    service = StoreService(f"grpc+unix://{home.store_socket}", database)
    waiting.join(20)
    service.shutdown()
    database.close()
    assert isinstance(opened[0], FlightSession)


def test_a_stale_socket_is_replaced(home: Paths) -> None:
    with running_service(home) as (process, _):
        process.kill()
        process.wait(10)
    assert home.store_socket.exists()
    with open_store(home) as session:
        assert isinstance(session, Database)
    with running_service(home) as (_, client):
        assert client.read("SELECT 1 AS a").num_rows == 1


def test_a_batch_that_was_cut_short_is_not_written(home: Paths, service: Service) -> None:
    insert = Statement("INSERT INTO source (source_id, claimed_at) SELECT x, now() FROM batch")
    command = encode_command(Command(schema_version(), (insert,), rows=2))
    client = flight.FlightClient(f"grpc+unix://{home.store_socket}")
    writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(command))
    part = pa.table({"x": ["one"]})
    with pytest.raises(flight.FlightServerError, match="incomplete_batch"), writer:
        writer.begin(part.schema)
        writer.write_table(part)
        writer.done_writing()
        reader.read_all()
    assert service[1].read("SELECT * FROM source").num_rows == 0


def test_another_schema_version_is_told_clearly(
    service: Service, home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.client.schema_version", lambda: 999)
    with pytest.raises(StoreError) as caught:
        open_store(home)
    assert caught.value.code == "store.schema_mismatch"
    assert "999" in caught.value.message
    assert caught.value.hint


def test_a_program_of_another_protocol_version_is_told_in_the_form_it_reads(
    home: Paths, service: Service
) -> None:
    version_1 = json.dumps({"schema": schema_version(), "rows": None, "statements": []}).encode()
    with flight.FlightClient(f"grpc+unix://{home.store_socket}") as older:
        for version in (version_1, version_1.replace(b"{", b'{"protocol": 99, ', 1)):
            with pytest.raises(flight.FlightServerError) as caught:
                list(older.do_action(flight.Action("health", version)))
            told = json.loads(caught.value.extra_info)
            assert told["code"] == "store.protocol_mismatch"
            assert told["hint"]
            assert told["transient"] is False


def test_a_service_of_another_protocol_version_is_told_by_its_client(
    home: Paths, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.wire.PROTOCOL", 99)
    with pytest.raises(StoreError) as caught:
        open_store(home)
    assert caught.value.code == "store.protocol_mismatch"
    assert "99" in caught.value.message


def test_a_tampered_migration_keeps_the_store_shut(home: Paths) -> None:
    with open_store(home) as session:
        session.write(Statement("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1"))
    with pytest.raises(StoreError) as caught:
        open_store(home)
    assert caught.value.code == "store.changed_migration"
    lock = StoreLock.acquire(home.store_file)
    assert lock is not None
    lock.release()


def test_a_damaged_file_is_told_with_a_hint(home: Paths) -> None:
    home.store_file.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError) as caught:
        open_store(home)
    assert caught.value.hint
    assert str(home.store_file) in str(caught.value.hint) + caught.value.message


def test_what_a_killed_store_had_on_the_disk_is_removed(home: Paths) -> None:
    left = home.store_file.with_name("spill") / "duckdb_temp_storage_DEFAULT-0.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    with open_store(home):
        assert not left.exists()


def test_a_deep_expression_is_refused_and_kills_nobody(service: Service) -> None:
    with pytest.raises(StoreError) as caught:
        service[1].read("SELECT " + "1 + " * 5000 + "1")
    assert caught.value.code == "store.sql"
    assert service[1].read("SELECT 1 AS a").num_rows == 1


def test_a_reset_leaves_an_empty_store(home: Paths) -> None:
    with open_store(home) as session:
        _store(session, 0, 5)
    reset_store(home)
    assert not home.store_file.exists()
    with open_store(home) as session:
        assert candles.count_candles(session, "KRW-BTC", 1) == 0


@pytest.mark.parametrize("kind", ["file", "service"])
def test_a_closed_session_says_so(home: Paths, kind: str) -> None:
    session = open_store(home) if kind == "file" else FlightSession(home.store_socket)
    session.close()
    session.close()
    with pytest.raises(StoreError) as caught:
        session.read("SELECT 1")
    assert caught.value.code == "store.closed"


_FILL = """
import sys
from pathlib import Path
from appliance.config.paths import Paths
from appliance.errors import StoreError
import store.database
from store import Statement, open_store
store.database._SPARE_BYTES = int(sys.argv[2])
paths = Paths(Path(sys.argv[1]) / "home")
paths.create()
insert = ("INSERT INTO events (occurred_at, kind, severity, project, actor, summary, details)"
          " SELECT now(), 'k', 'info', 'p', 'a', repeat(md5(random()::VARCHAR), 9), '{}' FROM range(500)")
written = 0
session = open_store(paths)
try:
    while True:
        session.write(Statement(insert))
        written += 500
except StoreError as error:
    assert error.code == "store.disk_full", error
    assert error.hint
session.close()
with open_store(paths) as session:
    stored = session.read("SELECT count(*) AS n FROM events").column("n")[0].as_py()
assert written > 0 and stored in (written, written + 500), (written, stored)
"""


@pytest.mark.parametrize(
    "spare",
    [
        pytest.param(64 << 20, id="kept-free"),
        pytest.param(0, id="really-full", marks=pytest.mark.long),
    ],
)
def test_a_full_disk_is_told_and_loses_nothing(home: Paths, spare: int) -> None:
    mount = f"mount -t tmpfs -o size=80M none {home.home} && exec"
    if subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount} true"], check=False).returncode:
        pytest.skip("this machine lets no test mount a small disk")
    command = f'{mount} "$@"'
    program = [sys.executable, "-c", _FILL, str(home.home), str(spare)]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", *program],
        cwd=SOURCE_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


class Cancelling(flight.FlightServerBase):  # type: ignore[misc]
    """Cancels each read after its first rows, as a store does that is being ended."""

    def do_get(self, context: object, ticket: object) -> object:
        def rows() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"a": [1]})
            raise flight.FlightCancelledError("the server is shutting down")

        return flight.GeneratorStream(pa.schema([("a", pa.int64())]), rows())


def test_a_cancelled_read_interrupts_nobody(home: Paths) -> None:
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        with (
            Cancelling(f"grpc+unix://{home.store_socket}"),
            FlightSession(home.store_socket) as session,
            pytest.raises(StoreUnavailable),
        ):
            session.read("SELECT 1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupts == []


def test_a_client_that_is_slow_to_write_gets_its_answer(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_late(writer: Any, batch: pa.Table | None) -> None:
        threading.Event().wait(0.5)
        _send(writer, batch)

    with running_service(home) as (_, session):
        monkeypatch.setattr("store.client._send", send_late)
        session.write(Statement("DELETE FROM parked_retrains WHERE project = ?", ("none",)))
        with pytest.raises(StoreError, match="no_such_table"):
            session.write(Statement("DELETE FROM no_such_table"))
        with pytest.raises(StoreError, match="schema"):
            monkeypatch.setattr(session, "_schema", 0)
            session.write(Statement("DELETE FROM parked_retrains"))
