"""The one line that says which events are wanted: `kind=promoted actor=kim since=12h -service gap`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from appliance.config.forms import nearest, parse_moment, shown
from appliance.domain.event import EventKind, Severity
from appliance.domain.event_filter import EventFilter

HELP = (
    ("kind=promoted", "a part of the kind; promoted,rolled_back is either"),
    ("severity=warning", "warnings and errors; info, warning or error"),
    ("project=NAME", "of one project"),
    ("actor=kim", "who or through what: a user, pts/3, console, train"),
    ("since=12h until=02:13", "a span ago, a time of day, or an ISO time"),
    ("gap", 'a word that occurs in the event; "a b" is one'),
    ("-service -actor=kim", "without it; also !service"),
    ("at=02:13", "go to that time; what was before and after is there"),
)
"""Term and meaning, for the help of screen and command."""
_SEVERITIES = tuple(Severity)
_KEYS = ("kind", "severity", "project", "actor", "text", "since", "until", "at")
_INVERSE = ("kind", "actor", "text")


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A line taken apart: which events, and the instant to go to, if any."""

    wanted: EventFilter = field(default_factory=EventFilter)
    at: datetime | None = None


def parse_event_query(text: str, now: datetime) -> EventQuery:
    """Return what a line asks for; a term without a value, as while it is typed, asks for nothing.

    Raises:
        ValueError: a term says something that cannot be; names the term and what is expected.
    """
    return parse_event_terms(_words(text), now)


def parse_event_terms(terms: Iterable[str], now: datetime) -> EventQuery:
    """Return what the terms of a line ask for; see `parse_event_query`."""
    query = EventQuery()
    for term in terms:
        is_inverse = len(term) > 1 and term[0] in "-!"
        key, equals, value = term[is_inverse:].partition("=")
        if not equals:
            key, value = "text", term[is_inverse:]
        if key not in _KEYS:
            raise ValueError(f"there is no {shown(key)} to search by; {nearest(key, _KEYS)}")
        if is_inverse and key not in _INVERSE:
            raise ValueError(f"{shown(term)}: only {', '.join(_INVERSE)} can be left out")
        if value:
            query = _with(query, key, value, is_inverse=is_inverse, now=now)
    since, until = query.wanted.since, query.wanted.until
    if since is not None and until is not None and until <= since:
        raise ValueError("until is not after since")
    return query


def _with(
    query: EventQuery, key: str, value: str, *, is_inverse: bool, now: datetime
) -> EventQuery:
    if key == "at":
        return replace(query, at=_moment(key, value, now))
    return replace(query, wanted=_narrowed(query.wanted, key, value, is_inverse, now))


def _narrowed(
    wanted: EventFilter, key: str, value: str, is_inverse: bool, now: datetime
) -> EventFilter:
    match key, is_inverse:
        case "kind", _:
            return replace(wanted, kinds=_kinds(wanted, value, is_inverse))
        case "severity", _:
            return replace(wanted, severities=_severities(value))
        case "project", _:
            return replace(wanted, project=value)
        case "actor", False:
            return replace(wanted, actors=(*wanted.actors, value))
        case "actor", True:
            return replace(wanted, without_actors=(*wanted.without_actors, value))
        case "since", _:
            return replace(wanted, since=_moment(key, value, now))
        case "until", _:
            return replace(wanted, until=_moment(key, value, now))
        case _, False:
            return replace(wanted, texts=(*wanted.texts, value))
    return replace(wanted, without_texts=(*wanted.without_texts, value))


def _kinds(wanted: EventFilter, value: str, is_inverse: bool) -> tuple[EventKind, ...]:
    known = [kind.value for kind in EventKind]
    named: set[str] = set()
    for part in filter(None, value.lower().split(",")):
        matching = {kind for kind in known if part in kind}
        if not matching:
            raise ValueError(f"no kind of event has {shown(part)} in it; {nearest(part, known)}")
        named |= matching
    before = [kind.value for kind in wanted.kinds] or known
    return tuple(EventKind(kind) for kind in before if (kind in named) is not is_inverse)


def _severities(value: str) -> tuple[Severity, ...]:
    matching = [each for each in _SEVERITIES if each.startswith(value.lower())]
    if not matching:
        raise ValueError(f"severity must be info, warning or error, was {shown(value)}")
    return _SEVERITIES[_SEVERITIES.index(matching[0]) :]


def _moment(key: str, value: str, now: datetime) -> datetime:
    try:
        return parse_moment(value, now)
    except ValueError as error:
        raise ValueError(f"{key} must be {error}, was {shown(value)}") from None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("“", '"').replace("”", '"'))
    except ValueError:  # a quote that is not closed yet
        return text.replace('"', " ").replace("'", " ").split()
