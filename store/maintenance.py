"""What the service does by itself while it runs: checkpoints and retention."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from appliance import clock
from appliance.config.settings import StoreSettings
from appliance.errors import StoreError
from store.connection import wal_bytes
from store.database import Database
from store.retention import forget_old

log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_WAL_BYTES = 8 * 1024 * 1024
"""A checkpoint follows when the log is larger: replaying this much takes well under a second."""
_IDLE_SECONDS = 60.0
"""After so long without a write whatever the log holds moves into the file."""
_RETENTION_SECONDS = 3600.0
_RETENTION_STARTS_SECONDS = 300.0
"""A start has better things to do."""
_RETRY_SECONDS = 10.0


class Maintenance:
    """A thread beside the service, from entering to leaving the context."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._settings = settings
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)
        self._checkpoint_at = clock.monotonic()
        self._retention_at = self._checkpoint_at + _RETENTION_STARTS_SECONDS

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; what runs is finished first."""
        self._is_ending.set()
        self._thread.join()

    def work(self) -> None:
        """Do what is due now."""
        now = clock.monotonic()
        if now >= self._retention_at:
            self._retention_at = now + _RETENTION_SECONDS
            forget_old(self._database, self._settings, clock.now())
        if now >= self._checkpoint_at and self._is_checkpoint_due(now):
            is_done = self._database.checkpoint()
            self._checkpoint_at = now + (0.0 if is_done else _RETRY_SECONDS)

    def _run(self) -> None:
        while not self._is_ending.wait(_TICK_SECONDS):
            try:
                self.work()
            except StoreError as error:
                log.warning("maintenance: %s code=%s", error.message, error.code)

    def _is_checkpoint_due(self, now: float) -> bool:
        size = wal_bytes(self._database.file)
        return size > _WAL_BYTES or (size > 0 and now - self._database.written_at >= _IDLE_SECONDS)
