"""The events screen: every event that a filter wants, newest first, a line a day, and how many of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rich.text import Text

from appliance.config.event_query import HELP
from appliance.domain.event import Event, Severity
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import (
    clip,
    clock_time,
    count,
    day,
    fit,
    line,
    same_day,
    zone_name,
)
from appliance.tui.presentation.view import Frame, PanelView, Row, empty, failed, loading, title
from appliance.tui.state import Failure

NAME = "Events"
SPANS = ("", "12h", "24h", "7d")
"""What the screen's own key goes through: all, then the newest hours and days."""
_NOUNS = {
    Severity.INFO: ("other", "other"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.ERROR: ("error", "errors"),
}
_ROOMY = 100
_TERM = 24


@dataclass(frozen=True, slots=True)
class EventsState:
    """What the screen shows: a window of the wanted events by id, oldest first.

    The window reaches the beginning or the newest event, or more are read as the operator comes to its ends.
    `unseen` counts wanted events that came while the list stands still. `error` says why the filter line
    cannot be; the list is then still that of the line before.
    """

    line: str = ""
    wanted: EventFilter = field(default_factory=EventFilter)
    events: tuple[Event, ...] = ()
    counts: tuple[EventCount, ...] = ()
    is_read: bool = False
    reaches_beginning: bool = False
    reaches_end: bool = True
    is_following: bool = True
    unseen: int = 0
    error: str = ""
    failure: Failure | None = None


def present(state: EventsState, own: str, frame: Frame) -> PanelView:
    """Return the window newest first: time, kind, summary, who; a line where the day changes.

    Events of a project begin with its name, but not those of `own`, where there is only one.
    """
    if not state.is_read and not state.events:
        return (
            failed(NAME, frame, state.failure) if state.failure else loading(NAME, frame, "events")
        )
    if not state.events:
        what = "no event is like that" if state.line else "nothing has happened yet"
        step = "/ changes the filter, esc clears it" if state.line else "decisions appear here"
        return empty(NAME, frame, what, step)
    return PanelView(
        title(NAME, frame, *_details(state, frame)),
        _rows(state, own, frame),
        is_stale=state.failure is not None,
    )


def _details(state: EventsState, frame: Frame) -> list[tuple[str, str]]:
    if state.is_following:
        mode = ("following", "good")
    elif state.unseen:
        mode = (f"standing still, {state.unseen} new: f", "warning")
    else:
        mode = ("standing still", "muted")
    filtered = [(f"/{state.line}", "accent")] if state.line else []
    return [mode, *filtered, (f"newest first, {zone_name(frame.now)}", "muted")]


def _rows(state: EventsState, own: str, frame: Frame) -> tuple[Row, ...]:
    rows: list[Row] = []
    if not state.reaches_end:
        rows.append(_rule("newer events are above; f goes to the newest", frame.width))
    previous = frame.now
    for event in reversed(state.events):
        if not same_day(event.at, previous):
            rows.append(_rule(day(event.at, frame.now), frame.width))
        previous = event.at
        text = _text(
            clock_time(event.at),
            event.severity,
            event.kind.value,
            _summary(event, own),
            event.brief_actor,
            frame.width,
        )
        rows.append(Row(str(event.id), text))
    end = "the beginning: nothing older is stored" if state.reaches_beginning else "older events …"
    return (*rows, _rule(end, frame.width))


def _summary(event: Event, own: str) -> str:
    is_named = event.project in ("", own) or event.project in event.summary
    return event.summary if is_named else f"{event.project}: {event.summary}"


def _rule(words: str, width: int) -> Row:
    return Row("", line((fit(f"── {words} {'─' * width}", width).replace("…", "─"), "muted")))


@lru_cache(maxsize=16_384)
def _text(at: str, severity: Severity, kind: str, summary: str, who: str, width: int) -> Text:
    mark = marks.SEVERITY[severity]
    style = "plain" if severity is Severity.INFO else mark.style
    parts = [(f"{at} ", "muted"), (f"{mark.glyph} ", mark.style)]
    if width >= _ROOMY:
        parts.append((f"{fit(kind, 20)} ", "muted"))
    who_width = 24 if width >= _ROOMY else min(18, max(width // 4, 0))
    room = width - sum(len(text) for text, _ in parts) - who_width - 1
    return line(*parts, (fit(summary, room), style), (f" {fit(who, who_width)}", "accent"))


def about(state: EventsState, frame: Frame) -> list[Text]:
    """Return how many events the filter wants: by severity, by kind, by who; or what is wrong with it."""
    if state.error:
        return [line((clip(f"✖ {state.error}", frame.width), "bad"))]
    if not state.is_read:
        return [line((" counting …", "muted"))]
    total = sum(each.events for each in state.counts)
    severities = Counter[Severity]()
    kinds, actors = Counter[str](), Counter[str]()
    for each in state.counts:
        severities[each.severity] += each.events
        kinds[each.kind.value] += each.events
        actors[each.actor] += each.events
    first = line((f" {count(total, 'event')} ", "strong"))
    for severity in reversed(Severity):
        mark = marks.SEVERITY[severity]
        if severities[severity]:
            words = count(severities[severity], *_NOUNS[severity])
            first.append(f"  {mark.glyph} {words}", mark.style)
    return [
        first,
        _counted(" kind ", kinds.most_common(), frame.width),
        _counted(" by   ", actors.most_common(), frame.width),
    ]


def _counted(name: str, counts: Sequence[tuple[str, int]], width: int) -> Text:
    """Return as many counts as fit, and how many more there are."""
    text = line((name, "muted"))
    for index, (what, number) in enumerate(counts):
        part, left = f"{what} {number:,}   ", len(counts) - index
        if text.cell_len + len(part) + len(f"and {left} more") > width:
            return text.append(f"and {left} more", "muted")
        text.append_text(line((part, "plain")))
    return text


def filter_help(state: EventsState, frame: Frame) -> list[Text]:
    """Return what the filter line takes, for as long as it is open, and what is wrong with it now."""
    rows = [line((f" {fit(term, _TERM)}", "key"), (clip(f" {meaning}", frame.width - _TERM - 2), "muted"))
            for term, meaning in HELP]  # fmt: skip
    return [*rows, line((clip(f"✖ {state.error}", frame.width), "bad"))] if state.error else rows
