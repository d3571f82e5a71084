"""The service list."""

from __future__ import annotations

from rich.text import Text

from appliance.domain.service import ServiceState, ServiceStatus
from appliance.tui.presentation import marks
from appliance.tui.presentation.formats import age, count, fit, line
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    absent,
    empty,
    old_note,
    title,
    wrapped,
)
from appliance.tui.state import Board

NAME = "Services"
_COLUMNS = ("name", "not ready", "restarts", "since")
_FULL_NAME_FROM = 60
"""Below this width `airflow-` is left off: the parts' own names are unambiguous."""


def present(board: Board, frame: Frame) -> PanelView:
    """Return every service with state and reason; the title counts what is ready."""
    status = board.status.value
    if status is None:
        return absent(NAME, frame, board.status, "services")
    if not status.services:
        return empty(NAME, frame, "no services", "check the log: `appliance logs supervisor`")
    rows = tuple(
        Row(s.name, _row(s, status.services, frame), sort=_sort_values(s)) for s in status.services
    )
    ready = sum(service.is_ready for service in status.services)
    total = len(status.services)
    style = "good" if ready == total else "warning"
    old = old_note(board.status, frame.now)
    details = [(f"{ready}/{total} ready", style), *([(old, "warning")] if old else [])]
    text = title(NAME, frame, *details)
    return PanelView(text, rows, is_stale=bool(old), columns=_COLUMNS)


def _sort_values(service: ServiceStatus) -> tuple[SortValue, ...]:
    is_well = 0 if service.is_ready else 1
    return (service.name, is_well, service.restarts, service.since_at)


def display_name(name: str, width: int) -> str:
    """Return the service's name as a panel of `width` cells shows it."""
    return name if width >= _FULL_NAME_FROM else name.removeprefix("airflow-")


def _row(service: ServiceStatus, services: tuple[ServiceStatus, ...], frame: Frame) -> Text:
    mark = marks.SERVICE[service.observed]
    names = max(len(display_name(other.name, frame.width)) for other in services)
    states = max(len(marks.SERVICE[other.observed].word) for other in services)
    states = min(states, 5) if frame.width < _FULL_NAME_FROM else states
    name = fit(display_name(service.name, frame.width), names)
    word = mark.word.ljust(states)
    room = frame.width - 2 - names - 1 - len(word) - 1
    return line(
        (f"{mark.glyph} ", mark.style),
        (name, "plain" if service.is_ready else "strong"),
        " ",
        (word, mark.style),
        " ",
        (fit(_evidence(service), room), "muted" if service.is_ready else mark.style),
    )


def _evidence(service: ServiceStatus) -> str:
    """Return the reason, and from the second start on how often the service was restarted."""
    parts = [service.reason] if service.reason else []
    if service.restarts:
        parts.append(f"↻{service.restarts}")
    return " ".join(parts)


def about(board: Board, name: str, frame: Frame) -> list[Text]:
    """Return everything known about one service in at most `frame.height` lines."""
    known = board.status.value.services if board.status.value else ()
    service = next((service for service in known if service.name == name), None)
    if service is None:
        return []
    mark = marks.SERVICE[service.observed]
    facts = [f"{mark.word} since {age(service.since_at, frame.now).removesuffix(' ago')}"]
    if service.desired is not ServiceState.READY:
        facts.append(f"wanted {service.desired.value}")
    facts += [f"pid {service.pid}"] if service.pid else []
    facts += [count(service.restarts, "restart")] if service.restarts else []
    facts += [service.endpoint] if service.endpoint else []
    facts += [service.reason] if service.reason else []
    pieces = wrapped(f"{mark.glyph} {' · '.join(facts)}", frame.width)
    style = "muted" if service.is_ready else mark.style
    return [line((piece, style)) for piece in pieces[: frame.height]]


def names(board: Board, chosen: str, frame: Frame) -> PanelView:
    """Return the services to choose from, with their marks."""
    known = board.status.value.services if board.status.value else ()
    rows = tuple(
        Row(
            service.name,
            line(
                ("▸" if service.name == chosen else " ", "accent"),
                (
                    f"{marks.SERVICE[service.observed].glyph} ",
                    marks.SERVICE[service.observed].style,
                ),
                (fit(display_name(service.name, frame.width + 36), frame.width - 3), "plain"),
            ),
        )
        for service in known
    )
    return PanelView(title(NAME, frame), rows)
