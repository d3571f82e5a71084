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
    absent,
    empty,
    old_note,
    title,
)
from appliance.tui.state import Board

NAME = "Services"
_FULL_NAME_FROM = 60
"""Below this width `airflow-` is left off: the parts' own names are unambiguous."""


def present(board: Board, frame: Frame) -> PanelView:
    """Return every service with state and reason; the title counts what is ready."""
    status = board.status.value
    if status is None:
        return absent(NAME, frame, board.status, "services")
    if not status.services:
        return empty(NAME, frame, "no services", "check the log: `appliance logs supervisor`")
    rows = tuple(Row(s.name, _row(s, status.services, frame)) for s in status.services)
    ready = sum(service.is_ready for service in status.services)
    total = len(status.services)
    style = "good" if ready == total else "warning"
    old = old_note(board.status, frame.now)
    details = [(f"{ready}/{total} ready", style), *([(old, "warning")] if old else [])]
    return PanelView(title(NAME, frame, *details), rows, is_stale=bool(old))


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


def describe(service: ServiceStatus, frame: Frame) -> tuple[tuple[str, str], ...]:
    """Return everything known about one service, as (text, style) paragraphs."""
    mark = marks.SERVICE[service.observed]
    wanted = "" if service.desired is ServiceState.READY else f", wanted {service.desired.value}"
    facts = [f"{mark.word} since {age(service.since_at, frame.now)}{wanted}"]
    if service.pid:
        facts.append(f"pid {service.pid}")
    if service.restarts:
        facts.append(count(service.restarts, "restart"))
    if service.endpoint:
        facts.append(service.endpoint)
    return (
        (f"{mark.glyph} {service.name}: {' · '.join(facts)}", mark.style),
        (service.reason or "no evidence yet", "muted"),
    )


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
                (fit(service.name, frame.width - 3), "plain"),
            ),
        )
        for service in known
    )
    return PanelView(title(NAME, frame), rows)
