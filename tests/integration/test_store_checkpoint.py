"""Checkpoints of a store that is never idle."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pyarrow as pa

from appliance.config.paths import Paths
from appliance.config.settings import StoreSettings
from store.database import Database
from store.lock import StoreLock
from store.session import Statement

_UPSERT = Statement("INSERT INTO kept SELECT * FROM batch ON CONFLICT DO UPDATE SET x = excluded.x")


def test_readers_and_writers_without_a_pause_do_not_keep_a_checkpoint_off(home: Paths) -> None:
    lock = StoreLock.acquire(home.store_file)
    assert lock is not None
    batch = pa.table({"id": range(5_000), "x": [1.0] * 5_000})
    with Database(home.store_file, StoreSettings(), lock) as database:
        database.write(Statement("CREATE TABLE kept (id BIGINT PRIMARY KEY, x DOUBLE)"))
        is_ending = threading.Event()

        def again(work: Callable[[], object]) -> None:
            while not is_ending.is_set():
                work()

        works = [lambda: database.write(_UPSERT, batch=batch), lambda: database.read("FROM kept")]
        threads = [threading.Thread(target=again, args=(work,)) for work in works * 3]
        for thread in threads:
            thread.start()
        try:
            assert sum(database.checkpoint() for _ in range(20)) >= 18
        finally:
            is_ending.set()
            for thread in threads:
                thread.join()
