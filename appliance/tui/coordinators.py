"""Threads that keep the screens' data current without ever blocking the event loop.

Daemon threads on purpose: leaving the dashboard must not wait for a call that hangs.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from textual.message import Message

from appliance import clock
from appliance.control.api import Control, StreamMessage
from appliance.domain.feed import Feed
from appliance.errors import ApplianceError, ApplianceNotRunning
from appliance.tui.messages import HistoryRead, StreamAdvanced, StreamUpdate
from appliance.tui.state import Failure

log = logging.getLogger(__name__)

T = TypeVar("T")
Post = Callable[[Message], bool]

COALESCE_SECONDS = 0.25
"""At most four messages a second reach the event loop."""
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Back-off between attempts to reach the supervisor; the last one repeats."""
CANDLES_READ = 240
FORECASTS_READ = 120


def failure_of(error: Exception) -> Failure:
    """Return what `error` means to the operator; unexpected ones point to the log."""
    if isinstance(error, ApplianceError):
        failed_at = error.fields.get("failed_at")  # a recording says when
        return Failure.of(error, failed_at if isinstance(failed_at, datetime) else clock.now())
    log.error("unexpected error=%r", error, exc_info=error)
    hint = "report this with `appliance doctor`"
    return Failure(f"{type(error).__name__}: {error}", hint, "tui.unexpected", clock.now())


def merged(older: StreamUpdate, newer: StreamUpdate) -> StreamUpdate:
    """Return one update that says what both say, the newer one winning."""
    if newer.failure is not None:
        return replace(newer, status=older.status, live=older.live, events=older.events)
    return StreamUpdate(
        newer.status or older.status, older.live + newer.live, older.events + newer.events
    )


def update_of(message: StreamMessage) -> StreamUpdate:
    """Return the update that one stream message means."""
    live = (message.live,) if message.live else ()
    events = (message.event,) if message.event else ()
    return StreamUpdate(message.status, live, events)


class StreamCoordinator:
    """Reads `Control.stream()` for ever, reconnecting, and posts at most four updates a second."""

    def __init__(self, control: Control, post: Post) -> None:
        self._control = control
        self._post = post
        self._updates: queue.SimpleQueue[StreamUpdate] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the reader and the publisher."""
        threading.Thread(target=self._read_forever, name="tui-stream", daemon=True).start()
        threading.Thread(target=self._publish_forever, name="tui-publish", daemon=True).start()

    def stop(self) -> None:
        """Let both threads end at their next step; does not wait for them."""
        self._stopped.set()
        self._updates.put(StreamUpdate())

    def _read_forever(self) -> None:
        attempt = 0
        while not self._stopped.is_set():
            started = clock.monotonic()
            failure = self._read_until_it_breaks()
            if clock.monotonic() - started > RETRY_SECONDS[-1]:
                attempt = 0
            delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            attempt += 1
            self._updates.put(StreamUpdate(failure=failure, retry_seconds=delay))
            self._stopped.wait(delay)

    def _read_until_it_breaks(self) -> Failure:
        try:
            for message in self._control.stream():
                if self._stopped.is_set():
                    break
                self._updates.put(update_of(message))
        except Exception as error:  # the coordinator's edge: whatever broke, it tries again
            return failure_of(error)
        ended = ApplianceNotRunning(
            "the supervisor closed the connection", hint="start it: `appliance up`"
        )
        return Failure.of(ended, clock.now())

    def _publish_forever(self) -> None:
        while not self._stopped.is_set():
            update = self._updates.get()
            while not self._updates.empty():
                update = merged(update, self._updates.get())
            if not self._stopped.is_set():
                self._post(StreamAdvanced(update))
                self._stopped.wait(COALESCE_SECONDS)


class HistoryCoordinator:
    """Reads what the stream does not carry, when asked; a request in flight absorbs others."""

    def __init__(self, control: Control, post: Post) -> None:
        self._control = control
        self._post = post
        self._requested = threading.Event()
        self._stopped = threading.Event()
        self._subject: tuple[str, Feed] = ("", Feed("", 1))

    def start(self) -> None:
        """Start the reader."""
        threading.Thread(target=self._run, name="tui-history", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end at its next step; does not wait for it."""
        self._stopped.set()
        self._requested.set()

    def request(self, project: str, feed: Feed) -> None:
        """Ask for a reading; returns at once. Without a project there are no forecasts."""
        self._subject = (project, feed)
        self._requested.set()

    def _run(self) -> None:
        while True:
            self._requested.wait()
            if self._stopped.is_set():
                return
            self._requested.clear()
            self._post(self._read(*self._subject))

    def _read(self, project: str, feed: Feed) -> HistoryRead:
        forecasts = lambda: self._control.forecasts(project, FORECASTS_READ)  # noqa: E731
        return HistoryRead(
            project,
            feed,
            attempted(lambda: self._control.candles(*feed, CANDLES_READ)),
            attempted(forecasts) if project else (),
            attempted(self._control.events),
        )


def attempted(read: Callable[[], Sequence[T]]) -> tuple[T, ...] | Failure:
    """Return what `read` returns, or why it could not."""
    try:
        return tuple(read())
    except Exception as error:  # the coordinator's edge: the panel says what failed
        return failure_of(error)
