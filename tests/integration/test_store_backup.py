"""Backups of a store in use, restored and gone on with; what is kept and what is forgotten."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from appliance.config.paths import Paths
from appliance.config.settings import StoreSettings
from appliance.domain.event import Event, EventKind
from appliance.errors import StoreError
from store import candles, events
from store.backup import backup, check
from store.database import Database
from store.lock import StoreLock
from store.open import open_store
from store.retention import forget_old
from tests.store_process import START, raw_candle, running_service
from tests.waiting import wait_until


def _own(paths: Paths) -> Database:
    lock = StoreLock.acquire(paths.store_file)
    assert lock is not None
    return Database(paths.store_file, StoreSettings(), lock)


def _write(database: Database, first: int, count: int) -> None:
    raw = [raw_candle(minute) for minute in range(first, first + count)]
    candles.store_candles(database, raw, "rest", START)
    events.append_event(database, Event(EventKind.BACKFILLED, "x", "test", START))


def test_a_backup_made_while_writes_go_on_is_restored_and_continued(home: Paths) -> None:
    target = home.home / "backup.duckdb"
    batches: list[int] = []
    is_done = threading.Event()
    with _own(home) as database:
        _write(database, 0, 5000)
        assert database.checkpoint()
        _write(database, 5000, 50)

        def work() -> None:
            while not is_done.is_set():
                _write(database, 6000 + len(batches) * 50, 50)
                batches.append(50)

        writing = threading.Thread(target=work)
        writing.start()
        wait_until(lambda: len(batches) >= 2)
        before = len(batches)
        facts = backup(database, target)
        after = len(batches)
        is_done.set()
        writing.join(20)
    assert check(target) == facts
    shutil.copy(target, home.store_file)
    with open_store(home) as session:
        count = candles.count_candles(session, "KRW-BTC", 1)
        assert 5050 + before * 50 <= count <= 5050 + (after + 1) * 50
        assert (count - 5050) % 50 == 0
        newest = events.read_events(session, limit=1)[0].id
        event = Event(EventKind.BACKFILLED, "restored", "test", START)
        assert events.append_event(session, event) > newest


def test_the_service_makes_the_same_backup_and_tells_its_progress(
    home: Paths, tmp_path: Path
) -> None:
    target = tmp_path / "b.duckdb"
    told: list[str] = []
    with running_service(home) as (_, client):
        raw = [raw_candle(minute) for minute in range(1000)]
        candles.store_candles(client, raw, "rest", START)
        facts = backup(client, target, lambda what, _done, _total: told.append(what))
        with pytest.raises(StoreError) as caught:
            backup(client, target)
    assert caught.value.code == "store.target_exists"
    assert check(target) == facts
    assert {each.name: each.rows for each in facts.tables}["candles"] == 1000
    assert {"copying", "checking"} <= set(told)


def test_writes_and_reads_go_on_during_a_backup_and_checkpoints_wait(home: Paths) -> None:
    with _own(home) as database:
        _write(database, 0, 10)
        with database.snapshot() as (cursor, log_bytes):
            assert log_bytes > 0
            done = threading.Thread(target=lambda: _write(database, 10, 10))
            done.start()
            done.join(20)
            results: list[bool] = []
            trying = threading.Thread(target=lambda: results.append(database.checkpoint()))
            trying.start()
            trying.join(20)
            assert results == [False]
            assert candles.count_candles(database, "KRW-BTC", 1) == 20
            assert cursor.execute("SELECT count(*) FROM candles").fetchone() == (10,)
        assert database.checkpoint()


def test_a_backup_overwrites_nothing_and_leaves_nothing_behind(home: Paths) -> None:
    target = home.home / "taken"
    target.write_text("mine", encoding="utf-8")
    with _own(home) as database, pytest.raises(StoreError) as caught:
        backup(database, target)
    assert caught.value.code == "store.target_exists"
    assert caught.value.hint
    assert target.read_text(encoding="utf-8") == "mine"


def test_a_failed_backup_leaves_neither_file_nor_folder(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()

    def stop(what: str, _done: int, _total: int) -> None:
        if what == "checking":
            raise KeyboardInterrupt

    with _own(home) as database:
        with pytest.raises(KeyboardInterrupt):
            backup(database, folder / "b.duckdb", stop)
        assert list(folder.iterdir()) == []
        assert database.checkpoint()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda file: None, "store.no_file"),
        (lambda file: file.write_bytes(b"no database" * 999), "store."),
        (lambda file: duckdb.connect(str(file)).close(), "store.not_a_store"),
    ],
)
def test_a_check_refuses_what_is_no_store(tmp_path: Path, make: object, code: str) -> None:
    file = tmp_path / "some.duckdb"
    assert callable(make)
    make(file)
    with pytest.raises(StoreError) as caught:
        check(file)
    assert caught.value.code.startswith(code)
    assert caught.value.hint


def test_a_file_without_one_of_its_tables_is_no_whole_store(home: Paths, tmp_path: Path) -> None:
    target = tmp_path / "b.duckdb"
    with _own(home) as database:
        _write(database, 0, 20)
        backup(database, target)
    check(target)
    with duckdb.connect(str(target)) as connection:
        connection.execute("DROP TABLE forecasts")
    with pytest.raises(StoreError, match="has the tables forecasts, it has not"):
        check(target)


def test_a_damaged_backup_is_found(home: Paths, tmp_path: Path) -> None:
    target = tmp_path / "b.duckdb"
    with _own(home) as database:
        _write(database, 0, 20_000)
        database.checkpoint()
        size = backup(database, target).size
    with target.open("r+b") as file:
        for position in range(16_384, size, 4096):
            file.seek(position)
            file.write(b"\xff" * 64)
    with pytest.raises(StoreError) as caught:
        check(target)
    assert caught.value.hint


def test_retention_forgets_what_is_old_and_keeps_candles(home: Paths) -> None:
    settings = StoreSettings(raw_days=10, events_days=10)
    with _own(home) as database:
        _write(database, 0, 10)
        assert forget_old(database, settings, START + timedelta(days=9)) == 0
        assert forget_old(database, settings, START + timedelta(days=11)) == 11
        assert candles.count_candles(database, "KRW-BTC", 1) == 10
        assert events.read_events(database) == []


def test_zero_days_keep_everything(home: Paths) -> None:
    with _own(home) as database:
        _write(database, 0, 10)
        settings = StoreSettings(raw_days=0, events_days=0)
        assert forget_old(database, settings, START + timedelta(days=9999)) == 0
