"""Every event that is stored: filtered by one line, following or standing still, back to the beginning."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from appliance import clock
from appliance.config.event_query import parse_event_query
from appliance.domain.event import Event
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.tui.background import ask
from appliance.tui.messages import Answer
from appliance.tui.presentation.event_list import SPANS, EventsState, about, filter_help, present
from appliance.tui.presentation.formats import same_day, zone_name
from appliance.tui.screens.event import open_event
from appliance.tui.screens.page import Page
from appliance.tui.state import Board, Failure
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel

PAGE = 200
KEPT = 3_000
"""Events held at once; what is farther from the cursor is read again when the operator comes to it."""
AHEAD = 60
"""Rows before an end of the window at which the next page is read."""
TYPING_SECONDS = 0.15
COUNT_SECONDS = 2.0
_SINCE = re.compile(r"(?:^|\s)since=\S*")


class Place(Enum):
    """What part of the events was read."""

    NEWEST = "newest"
    OLDER = "older"
    NEWER = "newer"
    OLDEST = "oldest"
    AROUND = "around"


Part = tuple[tuple[Event, ...], tuple[Event, ...]]
"""Events before and after the instant that was asked for; for a page, the first alone."""


class EventsRead(Message):
    """A part of the events was read, or could not be; `turn` says by which read."""

    def __init__(self, turn: int, place: Place, found: Part | Failure) -> None:
        super().__init__()
        self.turn = turn
        self.place = place
        self.found = found


class EventsCounted(Answer):
    """The wanted events were counted, or could not be."""

    def __init__(self, wanted: EventFilter, counts: list[EventCount] | Failure) -> None:
        super().__init__()
        self.wanted = wanted
        self.counts = counts


class EventsPanel(Panel):
    """The list; says when the operator asks for its first or last row."""

    class Jumped(Message):
        """The operator asked for the first row, or with -1 for the last."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def action_jump(self, index: int) -> None:
        """Go to the first or last row; the page reads what lies beyond."""
        super().action_jump(index)
        self.post_message(self.Jumped(index))


class EventsPage(Page):
    """The events that one line of filter wants."""

    AUTO_FOCUS = "#events"
    CRUMB = "events"
    OWN_KEYS: ClassVar[Sequence[tuple[str, str]]] = (
        ("esc", "Back"),
        ("/", "Filter"),
        ("f", "Follow"),
        ("events", "Last 12 h"),
        ("enter", "Open"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "follow", "Follow", show=False)]

    def __init__(self, line: str = "") -> None:
        super().__init__()
        self.state = EventsState()
        self._first_line = line
        self._turn = 0
        self._newest_seen = 0
        self._is_reading = False
        self._shown: tuple[object, ...] = ()
        self._shown_at: datetime | None = None
        self._typing: Timer | None = None
        self._counted_at = 0.0

    def compose_body(self) -> ComposeResult:
        """Place the counts above the list."""
        yield Lines(id="about", max_lines=10)
        yield EventsPanel(id="events")

    def on_mount(self) -> None:
        """Read the newest events."""
        super().on_mount()
        self.watch(self.panel("events"), "scroll_y", self._read_beyond, init=False)
        self.search(self._first_line)

    # -- showing

    def show_board(self, board: Board, now: datetime) -> None:
        """Show counts and list; take in what has happened since."""
        super().show_board(board, now)
        self._take_in(board)
        words = filter_help if self._is_typing else about
        self.query_one("#about", Lines).show(partial(words, self.state), now)
        projects = board.status.value.projects if board.status.value else ()
        own = projects[0].name if len(projects) == 1 else ""
        shown = (self.state, own, zone_name(now), same_day(now, self._shown_at or now))
        if shown != self._shown:
            self._shown, self._shown_at = shown, now
            self._show_list(own, now)

    def _show_list(self, own: str, now: datetime) -> None:
        """Show the window; the row under the cursor stays where it is on the screen."""
        panel = self.panel("events")
        before = panel.cursor
        panel.show(partial(present, self.state, own), now)
        if moved := panel.cursor - before:
            panel.scroll_to(y=panel.scroll_offset.y + moved, animate=False, force=True)

    def _take_in(self, board: Board) -> None:
        """Append what the stream has brought, or count it while the list stands still."""
        new = [event for event in board.events.value or () if event.id > self._newest_seen]
        if not new or not self.state.is_read:
            return
        self._newest_seen = new[-1].id
        wanted = tuple(event for event in new if self.state.wanted.wants(event))
        if not wanted:
            return
        if self.state.is_following and self.state.reaches_end:
            self._hold((*self.state.events, *wanted), is_cut_at_beginning=True)
            self._count_soon()
        else:
            self.state = replace(self.state, unseen=self.state.unseen + len(wanted))

    def _hold(self, events: tuple[Event, ...], *, is_cut_at_beginning: bool) -> None:
        """Keep a window of events, each once; cut what is beyond `KEPT` at one end."""
        known = {event.id: event for event in events}
        ordered = tuple(known[key] for key in sorted(known))
        state = replace(self.state, events=ordered)
        if len(ordered) > KEPT and is_cut_at_beginning:
            state = replace(state, events=ordered[-KEPT:], reaches_beginning=False)
        elif len(ordered) > KEPT:
            state = replace(state, events=ordered[:KEPT], reaches_end=False)
        self.state = state

    # -- searching

    def search(self, line: str) -> None:
        """Show what a filter line wants; one that cannot be is explained, the list stays."""
        line = " ".join(line.split())
        try:
            query = parse_event_query(line, clock.now())
        except ValueError as error:
            self.state = replace(self.state, line=line, error=str(error))
            self.show_again()
            return
        here = tuple(event for event in self.state.events if query.wanted.wants(event))
        self.state = EventsState(line, query.wanted, here, is_following=query.at is None)
        self.show_again()
        if query.at is None:
            self._read(Place.NEWEST)
        else:
            self._read(Place.AROUND, query.at)
        self._count()

    def next_span(self) -> None:
        """Search all events, those of the last 12 hours, of the last day, of the last week, in turn."""
        found = _SINCE.search(self.state.line)
        current = found[0].strip().removeprefix("since=") if found else ""
        place = SPANS.index(current) if current in SPANS else 0
        span = SPANS[(place + 1) % len(SPANS)]
        rest = _SINCE.sub(" ", self.state.line)
        self.search(f"{rest} since={span}" if span else rest)

    def action_filter(self) -> None:
        """Open the filter line on the filter that the list has; its help stands above the list."""
        field = self.query_one("#filter", Input)
        field.value = self.state.line
        field.display = True
        field.focus()
        self.show_again()

    def clear_filter(self) -> bool:
        """Close the filter line and want all events again; return False when nothing was filtered."""
        field = self.query_one("#filter", Input)
        if not field.display and not self.state.line:
            return False
        field.display = False
        self.panel("events").focus()
        self.search("")
        return True

    @on(Input.Changed, "#filter")
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        if not event.input.display or event.value == self.state.line:
            return
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_SECONDS, partial(self.search, event.value))

    @on(Input.Submitted, "#filter")
    def _keep_filter(self, event: Input.Submitted) -> None:
        event.stop()
        if self._typing is not None:
            self._typing.stop()
        event.input.display = False
        self.panel("events").focus()
        self.search(event.value)

    @property
    def _is_typing(self) -> bool:
        return any(field.display for field in self.query("#filter").results(Input))

    # -- reading

    def _read(self, place: Place, at: datetime | None = None) -> None:
        """Read a part; the next page waits for what is being read, everything else replaces it."""
        if self._is_reading and place in (Place.OLDER, Place.NEWER):
            return
        self._is_reading = True
        self._turn += 1
        ask(self, self._call(place, at), partial(EventsRead, self._turn, place))

    def _call(self, place: Place, at: datetime | None) -> Callable[[], Part]:
        control, wanted, held = self.appliance.control, self.state.wanted, self.state.events
        match place:
            case Place.OLDER:
                return lambda: (tuple(control.find_events(wanted, held[0].id, PAGE)), ())
            case Place.NEWER:
                return lambda: (tuple(control.next_events(wanted, held[-1].id, PAGE)), ())
            case Place.OLDEST:
                return lambda: (tuple(control.next_events(wanted, 0, PAGE)), ())
            case Place.AROUND if at is not None:
                until, since = _around(wanted, at)
                return lambda: (
                    tuple(control.find_events(until, 0, PAGE)),
                    tuple(control.next_events(since, 0, PAGE)),
                )
        return lambda: (tuple(control.find_events(wanted, 0, PAGE)), ())

    @on(EventsRead)
    def _show_events(self, message: EventsRead) -> None:
        if message.turn != self._turn:
            return
        self._is_reading = False
        if isinstance(message.found, Failure):
            self.state = replace(self.state, failure=message.found)
            self.show_again()
            return
        first, second = message.found
        self.state = replace(self.state, is_read=True, failure=None)
        self._place(message.place, first, second)
        self.show_again()
        if message.place is Place.AROUND:
            newest_before = str(first[-1].id) if first else ""
            self._go_to(newest_before)
        elif message.place is Place.OLDEST:
            self.panel("events").action_move(KEPT)

    def _place(self, place: Place, first: tuple[Event, ...], second: tuple[Event, ...]) -> None:
        """Put what was read where it belongs in the window."""
        is_last = len(first) < PAGE
        match place:
            case Place.OLDER:
                self._hold((*first, *self.state.events), is_cut_at_beginning=False)
                self.state = replace(self.state, reaches_beginning=is_last)
            case Place.NEWER:
                self._hold((*self.state.events, *first), is_cut_at_beginning=True)
                self.state = replace(self.state, reaches_end=is_last)
            case Place.OLDEST:
                self._window(first, begins=True, ends=is_last)
                self.state = replace(self.state, is_following=False)
            case Place.AROUND:
                self._window((*first, *second), begins=is_last, ends=len(second) < PAGE)
            case Place.NEWEST:
                self._newest_seen = max([self._newest_seen, *(event.id for event in first[-1:])])
                self._window(first, begins=is_last, ends=True)
                self.state = replace(self.state, unseen=0)

    def _window(self, events: tuple[Event, ...], *, begins: bool, ends: bool) -> None:
        self.state = replace(self.state, events=events, reaches_beginning=begins, reaches_end=ends)

    def _count(self) -> None:
        self._counted_at = clock.monotonic()
        control, wanted = self.appliance.control, self.state.wanted
        self.ask(lambda: control.count_events(wanted), partial(EventsCounted, wanted))

    def _count_soon(self) -> None:
        if clock.monotonic() - self._counted_at > COUNT_SECONDS:
            self._count()

    @on(EventsCounted)
    def _show_counts(self, message: EventsCounted) -> None:
        if self.is_late(message):
            return
        if message.wanted == self.state.wanted and not isinstance(message.counts, Failure):
            self.state = replace(self.state, counts=tuple(message.counts))
            self.show_again()

    def forget(self) -> None:
        """Forget what was read; the filter stays."""
        self._turn += 1
        self.state = replace(EventsState(self.state.line, self.state.wanted), is_following=True)

    def read(self) -> None:
        """Read the newest events of the time that is shown."""
        self._read(Place.NEWEST)
        self._count()

    # -- moving

    def action_follow(self) -> None:
        """Stay at the newest event, or stand still."""
        if self.state.is_following:
            self.state = replace(self.state, is_following=False)
            self.show_again()
            return
        self.state = replace(self.state, is_following=True)
        self.panel("events").action_move(-KEPT)
        self._read(Place.NEWEST)
        self.show_again()

    @on(Panel.Moved, "#events")
    def _stand_still(self) -> None:
        if self.panel("events").cursor and self.state.is_following:
            self.state = replace(self.state, is_following=False)
            self.show_again()
        self._read_beyond()

    def _read_beyond(self) -> None:
        """Read the next page when the cursor or the wheel comes near an end of the window."""
        panel, state = self.panel("events"), self.state
        if not state.events or not state.is_read or state.failure is not None:
            return
        rows = len(panel.view.rows)
        lowest = max(panel.cursor, int(panel.scroll_offset.y) + panel.frame_height)
        highest = min(panel.cursor, int(panel.scroll_offset.y))
        if lowest >= rows - AHEAD and not state.reaches_beginning:
            self._read(Place.OLDER)
        elif highest <= AHEAD and not state.reaches_end:
            self._read(Place.NEWER)

    @on(EventsPanel.Jumped)
    def _go_to_end(self, message: EventsPanel.Jumped) -> None:
        if message.index < 0 and not self.state.reaches_beginning:
            self._read(Place.OLDEST)
        elif message.index == 0 and not self.state.reaches_end:
            self._read(Place.NEWEST)

    def _go_to(self, key: str) -> None:
        panel = self.panel("events")
        keys = [row.key for row in panel.view.rows]
        panel.action_move(keys.index(key) - panel.cursor if key in keys else 0)

    @on(Panel.Chosen, "#events")
    def _open(self, chosen: Panel.Chosen) -> None:
        """Open the event under the cursor; on the line of a day, the newest event of that day."""
        panel = self.panel("events")
        keys = [row.key for row in panel.view.rows[panel.cursor :] if row.key]
        key = chosen.key or next(iter(keys), "")
        event = next((event for event in self.state.events if str(event.id) == key), None)
        if event is not None:
            open_event(self.appliance, event)


def _around(wanted: EventFilter, at: datetime) -> tuple[EventFilter, EventFilter]:
    """Return the filters of what is wanted before an instant, and from it on."""
    until = at if wanted.until is None else min(at, wanted.until)
    since = at if wanted.since is None else max(at, wanted.since)
    return replace(wanted, until=until), replace(wanted, since=since)
