"""Time travel: the screens as of an instant of the recording, stepping and playing.

The recording is read on a thread of its own, one request after the other; what arrives is a board and a
`Control` of that instant, which every screen then reads in place of the running appliance's.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from textual.message import Message

from appliance import clock
from appliance.control.api import Control
from appliance.control.past import PastLook, Recording
from appliance.domain.feed import Feed
from appliance.tui.coordinators import CANDLES_READ, FORECASTS_READ, Post, failure_of
from appliance.tui.presentation.formats import full_moment
from appliance.tui.state import Board, Failure, Past, Reading, with_live

T = TypeVar("T")

SPEEDS = (1, 5, 20, 60, 300, 1200)
PLAY_SECONDS = 0.25
"""Between two pictures while playing."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Which project and chart the board is about."""

    project_name: str = ""
    chosen_feed: Feed | None = None


class PastRead(Message):
    """Another time can be shown, or could not be read; `board` None when there was no further change.

    `notice` says why it is not the time that was asked for.
    """

    def __init__(
        self, board: Board | Failure | None, as_of: Control | None = None, notice: str = ""
    ) -> None:
        super().__init__()
        self.turn = 0
        self.notice = notice
        self.board = board
        self.as_of = as_of


class Traveller:
    """Which time the screens show.

    `present` is the running appliance's board, kept current while another time is shown; None while it
    is shown itself.

    Args:
        recording: what is travelled in; None when there is none to read.
        post: hands a message to the application.
    """

    def __init__(self, recording: Recording | None, post: Post) -> None:
        self.recording = recording
        self.present: Board | None = None
        self.control: Control | None = None
        self._post = post
        self._requests: queue.SimpleQueue[Callable[[], PastRead] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._waiting = 0
        self._turn = 0
        self._speed = SPEEDS[0]
        self._is_playing = False

    @property
    def is_away(self) -> bool:
        """Whether another time than now is shown."""
        return self.control is not None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer of the recording is awaited."""
        return self._waiting > 0

    def stop(self) -> None:
        """Let the thread end at its next step."""
        self._requests.put(None)

    def go_to(self, at: datetime, subject: Subject) -> None:
        """Ask for another time."""
        recording = self.recording
        if recording is not None:
            self._request(lambda: _read(recording, at, subject))

    def drop_requests(self) -> None:
        """Want nothing of what was asked for before: another project or chart is chosen, or now is shown."""
        self._turn += 1

    def step(self, board: Board, *, forward: bool, events_only: bool = False) -> None:
        """Ask for the next change before or after the time shown."""
        recording, past = self.recording, board.past
        if recording is None or past is None:
            return
        self._is_playing = False
        subject = Subject(board.project_name, board.chosen_feed)

        def read() -> PastRead:
            at = recording.step(past.at, forward=forward, events_only=events_only)
            return PastRead(None) if at is None else _read(recording, at, subject)

        self._request(read)

    def tick(self, board: Board) -> None:
        """Ask for the next picture while playing, unless one is awaited."""
        if self._is_playing and board.past is not None and not self._waiting:
            at = board.past.at + timedelta(seconds=PLAY_SECONDS * self._speed)
            if at >= board.past.last_at:
                self._is_playing = False
            self.go_to(at, Subject(board.project_name, board.chosen_feed))

    def play(self, board: Board) -> Board:
        """Play or stand still."""
        self._is_playing = not self._is_playing
        return self.marked(board)

    def change_speed(self, board: Board, steps: int) -> Board:
        """Play faster or slower."""
        index = SPEEDS.index(self._speed) + steps
        self._speed = SPEEDS[min(max(index, 0), len(SPEEDS) - 1)]
        return self.marked(board)

    def marked(self, board: Board) -> Board:
        """Return a board of the past that says whether and how fast it plays."""
        if board.past is None:
            return board
        past = replace(board.past, is_playing=self._is_playing, speed=self._speed)
        return replace(board, past=past)

    def is_wanted(self, message: PastRead) -> bool:
        """Count an answer as arrived, and return whether it is still what was asked for last."""
        self._waiting = max(0, self._waiting - 1)
        return message.turn == self._turn

    def arrive(self, message: PastRead, shown: Board) -> Board | Failure | None:
        """Return the board to show, why it could not be read, or None for nothing further."""
        board = message.board
        if board is None or isinstance(board, Failure):
            self._is_playing = False
            return board
        if not self.is_away:
            self.present = shown
        self.control = message.as_of
        return self.marked(board)

    def return_to_now(self) -> Board | None:
        """Return the running appliance's board, None when it is shown already."""
        self.drop_requests()
        board, self.present, self.control = self.present, None, None
        self._is_playing = False
        return board

    def _request(self, read: Callable[[], PastRead]) -> None:
        self._waiting += 1
        turn = self._turn

        def of_turn() -> PastRead:
            message = _attempt(read)
            message.turn = turn
            return message

        self._requests.put(of_turn)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tui-past", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (read := self._requests.get()) is not None:
            self._post(read())


def _attempt(read: Callable[[], PastRead]) -> PastRead:
    try:
        return read()
    except Exception as error:  # the thread's edge: the screen says what failed
        return PastRead(failure_of(error))


def _read(recording: Recording, at: datetime, subject: Subject) -> PastRead:
    look = recording.look(at)
    is_early = look.at > at
    notice = f"the recording begins at {full_moment(look.at)}" if is_early else ""
    return PastRead(board_of(look, recording, subject), look.control, notice)


def board_of(look: PastLook, recording: Recording, subject: Subject) -> Board:
    """Return everything that the dashboard showed at an instant."""
    first_at, last_at = recording.span()
    past = Past(look.at, first_at, last_at, clock.now(), recording.title, is_gap=look.is_gap)
    status = Reading(look.kept.status(), look.recorded_at)
    if look.is_gap:
        words = "nothing was recorded then: the appliance did not run"
        status = status.failed(Failure(words, "", "recording.gap", look.recorded_at))
    board = Board(
        status=status,
        project_name=subject.project_name,
        chosen_feed=subject.chosen_feed,
        past=past,
    )
    lives = tuple(m.live for m in look.kept.stream() if m.live is not None)
    board = with_live(board, lives)
    project, feed, at = board.project, board.feed, look.recorded_at
    events = _reading(look, lambda control: control.events(), at)
    if feed is not None:
        candles = _reading(look, lambda control: control.candles(*feed, CANDLES_READ), at)
        board = replace(board, candles=candles)
    if project is not None:
        name = project.name
        found = _reading(look, lambda control: control.forecasts(name, FORECASTS_READ), at)
        board = replace(board, forecasts=found)
    return replace(board, events=events)


def _reading(
    look: PastLook, read: Callable[[Control], Sequence[T]], at: datetime
) -> Reading[tuple[T, ...]]:
    """Return what an open screen showed: the last good value, and the failure beside it."""
    kept, answer = _attempted(look.kept, read), _attempted(look.control, read)
    reading: Reading[tuple[T, ...]] = Reading()
    if not isinstance(kept, Failure):
        reading = reading.good(kept, at)
    return reading.failed(answer) if isinstance(answer, Failure) else reading


def _attempted(control: Control, read: Callable[[Control], Sequence[T]]) -> tuple[T, ...] | Failure:
    try:
        return tuple(read(control))
    except Exception as error:  # a screen says what could not be read
        return failure_of(error)
