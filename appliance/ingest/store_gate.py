"""The ingestor's way to the store: only through its service, opened again after every break."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.config.paths import Paths
from appliance.errors import StoreUnavailable
from store import Session
from store.open import open_service

_log = logging.getLogger(__name__)


class StoreGate:
    """One shared session; says once when the store is lost and once when it is back.

    The store's file itself is never taken: a restarting service must find it free.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._is_lost = False

    @contextmanager
    def use(self) -> Iterator[Session]:
        """Yield the session.

        Raises:
            StoreUnavailable: the service does not answer.
        """
        try:
            session = self._open()
            yield session
        except StoreUnavailable as error:
            self._lose(error)
            raise
        self._regain()

    def close(self) -> None:
        """Close the session."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = None

    def _open(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = open_service(self._paths)
            return self._session

    def _lose(self, error: StoreUnavailable) -> None:
        self.close()
        with self._lock:
            is_news, self._is_lost = not self._is_lost, True
        if is_news:
            _log.warning("store lost, trying again every second: %s", error.message)

    def _regain(self) -> None:
        with self._lock:
            is_news, self._is_lost = self._is_lost, False
        if is_news:
            _log.warning("store is back")
