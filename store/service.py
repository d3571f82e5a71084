"""The store's Flight service, and the process around it; `store.server` starts it."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from weakref import WeakSet

from pyarrow import flight

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.private_folder import make_private
from appliance.config.settings import load_settings
from appliance.errors import StoreError, StoreUnavailable
from store.arriving import ArrivingBatch
from store.backup import backup_file
from store.database import Database
from store.lock import StoreLock, holder
from store.maintenance import Maintenance
from store.memory import ProcessMemory
from store.rows_in_flight import Budget, pieces
from store.sending import Sending, told
from store.wire import (
    BACKUP_ACTION,
    HEALTH_ACTION,
    PROTOCOL,
    Command,
    decode_command,
    no_command,
)

log = logging.getLogger("store")

_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_LOCK_SECONDS = 10.0
_DRAIN_SECONDS = 2.0
_TICK_SECONDS = 0.1


class StoreService(flight.FlightServerBase):  # type: ignore[misc]
    """Flight calls onto a `Database`; one call runs on one gRPC thread."""

    def __init__(self, location: str, database: Database) -> None:
        self._database = database
        self._budget = Budget()
        self._sendings: WeakSet[Sending] = WeakSet()
        super().__init__(location)  # from now on it answers

    def do_get(self, context: Any, ticket: Any) -> Any:
        """Answer a read: the ticket is a command with one statement."""
        with _told():
            statements = self._command(ticket.ticket).statements
            if len(statements) != 1:
                raise no_command(f"{len(statements)} statements to read, expected 1")
            statement = statements[0]
            rows = self._database.stream_unless(
                context.is_cancelled, statement.sql, statement.parameters
            )
            return Sending(rows, self._budget).stream(self._sendings.add)

    def drop_slow(self) -> None:
        """Give back what is held for clients that have stopped reading."""
        now = clock.monotonic()
        for sending in list(self._sendings):
            sending.drop_if_slow(now)

    def do_exchange(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Answer a write: take the whole batch, commit, then send the last statement's rows."""
        with _told():
            command = self._command(descriptor.command)
            batch = None if command.rows is None else ArrivingBatch(reader, command.rows)
            if batch is None:
                reader.read_all()  # a call that ends before its client has written breaks the write
            rows = self._database.write(*command.statements, batch=batch)
        writer.begin(rows.schema)
        for bundle in rows.to_batches():
            for piece in pieces(bundle):
                writer.write_batch(piece)

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        """Answer `health`: run a query, say version, schema and process id; or make a `backup`."""
        with _told():
            command = self._command(action.body.to_pybytes())
            if action.type == BACKUP_ACTION:
                return self._backup(context, Path(command.target))
            if action.type != HEALTH_ACTION:
                raise StoreError(f"no such action: {action.type}", code="store.protocol")
            answer = self._database.read(
                "SELECT max(version) AS schema, version() AS version FROM schema_migrations"
            ).to_pylist()[0]
        return iter([json.dumps({**answer, "pid": os.getpid(), "protocol": PROTOCOL}).encode()])

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """Name the actions."""
        return [
            (HEALTH_ACTION, "run a query; return version, schema and pid as JSON"),
            (BACKUP_ACTION, "copy the store into a new file; stream progress, then facts, as JSON"),
        ]

    def _backup(self, context: Any, target: Path) -> Iterator[bytes]:
        told: SimpleQueue[bytes | StoreError | None] = SimpleQueue()

        def work() -> None:
            try:
                facts = backup_file(self._database, target, progress)
                told.put(json.dumps({"facts": asdict(facts)}).encode())
                told.put(None)
            except StoreError as error:
                told.put(error)

        def progress(what: str, done: int, total: int) -> None:
            if context.is_cancelled():
                raise StoreError("the caller went away", code="store.interrupted")
            told.put(json.dumps({"what": what, "done": done, "total": total}).encode())

        threading.Thread(target=work, name="backup", daemon=True).start()
        with _told():
            while (message := told.get()) is not None:
                if isinstance(message, StoreError):
                    raise message
                yield message

    def _command(self, data: bytes) -> Command:
        command = decode_command(data)
        if command.schema != self._database.schema:
            raise StoreError(
                f"the store service has schema {self._database.schema},"
                f" this program knows {command.schema}",
                code="store.schema_mismatch",
                hint="one of the two was upgraded while the other kept running: appliance restart",
            )
        return command


def serve(paths: Paths) -> int:
    """Own the file and serve until SIGTERM or SIGINT; return the exit code.

    Raises:
        StoreUnavailable: another process holds the file.
        StoreError: the file cannot be opened or migrated.
    """
    # Received buffers need not be aligned; Arrow's scan copies those instead of warning each time.
    os.environ.setdefault("ACERO_ALIGNMENT_HANDLING", "reallocate")
    os.umask(0o077)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    lock = _lock(paths)
    settings = load_settings(paths).store
    database = Database(paths.store_file, settings, lock)
    try:
        # Under the lock no other service can be listening, so the socket is a leftover.
        paths.store_socket.unlink(missing_ok=True)
        make_private(paths.sockets)
        service = StoreService(f"grpc+unix://{paths.store_socket}", database)
        paths.store_socket.chmod(0o600)
        log.info("serving file=%s schema=%s pid=%s", paths.store_file, database.schema, os.getpid())
        with Maintenance(database, settings):
            code = _run(service, database)
            _shut_down(service, database)
    finally:
        paths.store_socket.unlink(missing_ok=True)
        database.close()
    log.info("stopped file=%s", paths.store_file)
    return code


def _lock(paths: Paths) -> StoreLock:
    deadline = clock.monotonic() + _LOCK_SECONDS
    while (lock := StoreLock.acquire(paths.store_file)) is None:
        if clock.monotonic() >= deadline:
            raise StoreUnavailable(
                f"{paths.store_file} is held by {holder(paths.store_file)}",
                code="store.locked",
                hint="wait until that process is done, or stop it",
            )
        time.sleep(0.05)
    return lock


def _run(service: StoreService, database: Database) -> int:
    memory = ProcessMemory(database.duckdb_limit())
    while True:
        if signal.sigtimedwait(_SIGNALS, _TICK_SECONDS) is not None:
            return 0
        database.interrupt_abandoned()
        service.drop_slow()
        database.tidy()
        if memory.tidy():
            database.end_longest_read()
        if database.is_broken and not _recovered(database):
            log.error("the database stopped working; leaving, so that a restart can recover it")
            return 1


def _recovered(database: Database) -> bool:
    try:
        database.recover()
    except StoreError as error:
        # Space comes back without a restart; a restart would find the disk as full.
        return error.code == "store.disk_full" or isinstance(error, StoreUnavailable)
    return True


def _shut_down(service: StoreService, database: Database) -> None:
    stopping = threading.Thread(target=service.shutdown, daemon=True)
    stopping.start()
    stopping.join(_DRAIN_SECONDS)
    if stopping.is_alive():
        log.warning("interrupting what still runs after %s s", _DRAIN_SECONDS)
        database.cancel()
        stopping.join(_DRAIN_SECONDS)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise told(error) from error
