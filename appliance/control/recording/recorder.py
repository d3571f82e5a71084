"""The recorder inside the supervisor: one thread that writes, one that reads what the stream lacks.

It never holds the appliance up: whoever hands it something only puts that into a queue, a file that
cannot be written is a problem that is said once, and reading takes a small share of its own time.

Nothing of what is published is left out, each with its time: a console that was shown one of two messages
of the same quarter of a second finds that one again.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from appliance import clock
from appliance.control import wire
from appliance.control.api import Control, StreamMessage
from appliance.control.hub import Hub
from appliance.control.recording.state import (
    EVENTS,
    EVENTS_KEPT,
    LIVE,
    STATUS,
    failing,
    good,
    parts_of,
    row,
    subject_of,
)
from appliance.control.recording.subjects import RUNS, Reads
from appliance.control.recording.writer import RecordingWriter
from appliance.errors import ApplianceError

_log = logging.getLogger(__name__)

WRITE_SECONDS = 0.25
_MOST_WAITING = 20_000
"""Messages and answers that wait to be written; where a disk stands still, the oldest are let go."""
RETRY_SECONDS = 30.0
_IDLE_SECONDS = 2.0
_DERIVED = frozenset(
    {"find_events", "next_events", "count_events", "service_log_page", "task_log_page"}
)
"""Reads that replay answers from the newest events and log lines."""
_FORGET_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Answer:
    subject: str
    answer: bytes | ApplianceError


class Recorder:
    """Records one running appliance.

    Args:
        writer: writes the files; used by this thread only.
        hub: what is published.
        control: read for what is not published.
        stat_log: returns what changes when a service's log does.
    """

    def __init__(
        self,
        writer: RecordingWriter,
        hub: Hub,
        control: Control,
        stat_log: Callable[[str], object],
    ) -> None:
        self._writer = writer
        self._hub = hub
        self._lock = threading.Lock()
        self._waiting: deque[tuple[datetime, StreamMessage | _Answer]] = deque(maxlen=_MOST_WAITING)
        self._heard_at: dict[str, datetime] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._unfollow: Callable[[], None] = lambda: None
        self._retry_at = clock.monotonic()
        self._trouble = ""
        self._reads = Reads(control, hub, self.hear, stat_log)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._reader = threading.Thread(
            target=self._reads.run, args=(self._stopping,), name="recorder-reads", daemon=True
        )

    @property
    def trouble(self) -> str:
        """Why nothing is recorded now, "" while it is."""
        return self._trouble

    def start(self) -> None:
        """Begin to record."""
        self._unfollow = self._hub.follow(self._follow)
        self._thread.start()
        self._reader.start()

    def stop(self) -> None:
        """Write what is there and end the section."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(2.0)
        self._unfollow()

    def hear(
        self, operation: str, arguments: Mapping[str, object], answer: bytes | ApplianceError
    ) -> None:
        """Take what an operation answered, as JSON, or its error; from any thread, never blocks."""
        if operation not in wire.READS or operation == STATUS:
            return
        if operation in _DERIVED or (operation == EVENTS and arguments != {}):
            return
        self._keep(_Answer(subject_of(operation, arguments), answer))

    def _follow(self, message: StreamMessage) -> None:
        self._keep(message)
        self._wake.set()

    def _keep(self, known: StreamMessage | _Answer) -> None:
        with self._lock:
            self._waiting.append((clock.now(), known))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()
            self._step()
            self._stopping.wait(WRITE_SECONDS)
        self._step(is_last=True)

    def _step(self, *, is_last: bool = False) -> None:
        try:
            self._take()
            self._write(is_last=is_last)
        except OSError as error:
            self._say(error.strerror or str(error))
        except Exception as error:  # the thread's edge: recording may fail, the appliance may not
            if not self._trouble:
                _log.exception("the recorder failed unexpectedly")
            self._say(f"{type(error).__name__}: {error}")

    def _say(self, reason: str) -> None:
        if not self._trouble:
            _log.warning("nothing is recorded: %s", reason)
        self._trouble = reason
        self._retry_at = clock.monotonic() + RETRY_SECONDS

    def _take(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for at, known in waiting:
            if isinstance(known, StreamMessage):
                self._take_message(known, at)
            else:
                self._heard_at[known.subject] = at
                self._take_answer(known.subject, known.answer, at)

    def _take_message(self, message: StreamMessage, now: datetime) -> None:
        if message.status is not None:
            text = wire.encode_result(STATUS, message.status).decode()
            self._writer.put(STATUS, f'{{"r":{text}}}', now)
        if message.live is not None:
            candle = message.live.candle
            subject = subject_of(LIVE, {"market": candle.market, "unit": candle.unit})
            self._writer.put(subject, wire.encode_message(message).decode(), now)
        if message.event is not None:
            self._take_event(wire.encode_message(message).decode(), now)

    def _take_event(self, text: str, now: datetime) -> None:
        self._put_events([row(json.loads(text)["event"])], now, mark=True)

    def _put_events(self, new: list[str], at: datetime, *, mark: bool = False) -> None:
        """Add rows of events to those that are known, each once."""
        rows = [*(self._writer.value(EVENTS) or {}).get("r", []), *new]
        by_id = {json.loads(text)["id"]: text for text in rows}
        kept = [by_id[key] for key in sorted(by_id)][-EVENTS_KEPT:]
        self._writer.put(EVENTS, json.dumps({"r": kept}), at, mark=mark)

    def _take_answer(self, subject: str, answer: bytes | ApplianceError, at: datetime) -> None:
        if isinstance(answer, ApplianceError):
            error = json.loads(wire.encode_error(answer))
            failed = failing(self._writer.value(subject), error, round(at.timestamp() * 1000))
            self._writer.put(subject, json.dumps(failed), at)
            return
        value = good(json.loads(answer))
        if subject == EVENTS:
            self._put_events(value["r"], at)
        else:
            self._writer.put(subject, json.dumps(value), at)

    def _write(self, *, is_last: bool) -> None:
        if self._trouble and clock.monotonic() < self._retry_at:
            return
        if is_last:
            self._writer.close()
            return
        now = clock.now()
        self._forget(now)
        self._writer.flush(now)
        if self._trouble:
            _log.info("recording goes on")
            self._trouble = ""

    def _forget(self, now: datetime) -> None:
        """Drop what nobody has asked for lately, and runs that are in no list any more."""
        for subject, at in list(self._heard_at.items()):
            if (now - at).total_seconds() > _FORGET_SECONDS and not self._is_kept(subject):
                del self._heard_at[subject]
                self._writer.drop(subject, now)

    def _is_kept(self, subject: str) -> bool:
        if self._reads.follows(subject):
            return True
        operation, arguments = parts_of(subject)
        if operation not in {"dag_run", "task_log"}:
            return False
        listed = {"project": arguments["project"], "kind": arguments["kind"], "limit": RUNS}
        runs = self._writer.value(subject_of("dag_runs", listed)) or {}
        return any(json.loads(text)["run_id"] == arguments["run_id"] for text in runs.get("r", ()))
