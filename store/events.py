"""The append-only record of decisions and state changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.event_filter import EventCount, EventFilter
from appliance.domain.origin import origin_from_json, origin_to_json
from store.rows import delete_before, scalar, utc
from store.session import Session, Statement

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = "occurred_at, kind, severity, project, actor, summary, details, origin, done_by"

_APPEND = f"""
INSERT INTO events ({_COLUMNS})
SELECT * FROM (VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)) AS event ({_COLUMNS})
WHERE NOT EXISTS (
    FROM events WHERE occurred_at = $1 AND kind = $2 AND project = $4 AND actor = $5 AND summary = $6
)
"""  # noqa: S608 - the columns are a constant

_FIND = """
SELECT max(id) AS id FROM events
WHERE occurred_at = $1 AND kind = $2 AND project = $3 AND actor = $4 AND summary = $5
"""

_WHO = ("actor", "done_by")
_WORDS = ("summary", "kind", "project", *_WHO)
_LAST = 2**63 - 1
_NEAR = 2_000
"""Ids beside a page's edge that are looked at first: to order all rows takes twenty times as long."""


def append_event(session: Session, event: Event) -> int:
    """Append an event, once however often it is tried, and return its id.

    Who got no answer tries again, and the first try may have been stored: an event of the same instant,
    kind, project, actor and words is the same. Ids grow in the order of the appends.
    """
    values = (
        event.at,
        event.kind,
        event.severity,
        event.project,
        event.actor,
        event.summary,
        json.dumps(event.details, default=str),
        "" if event.origin is None else origin_to_json(event.origin),
        event.done_by,
    )
    key = (event.at, event.kind, event.project, event.actor, event.summary)
    return int(scalar(session.write(Statement(_APPEND, values), Statement(_FIND, key))))


def read_events(
    session: Session,
    after_id: int = 0,
    limit: int = 100,
    kinds: Sequence[EventKind] = (),
    project: str = "",
) -> list[Event]:
    """Return the newest `limit` events with an id above `after_id`, oldest first."""
    return find_events(session, EventFilter(kinds=tuple(kinds), project=project), after_id, limit)


def find_events(
    session: Session, wanted: EventFilter, after_id: int = 0, limit: int = 100, before_id: int = 0
) -> list[Event]:
    """Return the newest `limit` events that are wanted, oldest first.

    Their ids lie above `after_id` and, where it is not 0, below `before_id`: the way back to the beginning.
    """
    before_id = before_id or int(scalar(session.read("SELECT max(id) AS id FROM events")) or 0) + 1
    found = _read(session, wanted, max(after_id, before_id - _NEAR), before_id, limit, "DESC")
    if len(found) < limit and before_id - _NEAR > after_id:
        found = _read(session, wanted, after_id, before_id, limit, "DESC")
    return found[::-1]


def next_events(
    session: Session, wanted: EventFilter, after_id: int, limit: int = 100
) -> list[Event]:
    """Return the `limit` wanted events that follow upon `after_id`, oldest first."""
    found = _read(session, wanted, after_id, after_id + _NEAR, limit, "ASC")
    return found if len(found) == limit else _read(session, wanted, after_id, _LAST, limit, "ASC")


def _read(
    session: Session, wanted: EventFilter, after_id: int, before_id: int, limit: int, order: str
) -> list[Event]:
    condition, values = _condition(wanted)
    sql = (
        f"SELECT * FROM events WHERE id > ? AND id < ? AND {condition} "  # noqa: S608
        f"ORDER BY id {order} LIMIT ?"
    )
    rows = session.read(sql, [after_id, before_id, *values, limit]).to_pylist()
    return [_event(row) for row in rows]


def read_event_rows(session: Session, wanted: EventFilter, limit: int | None = None) -> pa.Table:
    """Return the newest `limit` events that are wanted, all where it is None, oldest first.

    Columns: id, occurred_at (timestamp[us, UTC]), kind, severity, project, actor, done_by, summary,
    details (JSON text).
    """
    condition, values = _condition(wanted)
    newest = "" if limit is None else f"ORDER BY id DESC LIMIT {int(limit)}"
    return session.read(
        "SELECT id, occurred_at, kind, severity, project, actor, done_by, summary,"  # noqa: S608
        f" details::VARCHAR AS details FROM (SELECT * FROM events WHERE {condition} {newest})"
        " ORDER BY id",
        values,
    )


def count_events(session: Session, wanted: EventFilter) -> list[EventCount]:
    """Return how many events are wanted of each kind, severity and actor, the most frequent first."""
    condition, values = _condition(wanted)
    sql = (
        f"SELECT kind, severity, actor, count(*) AS events FROM events WHERE {condition} "  # noqa: S608
        "GROUP BY ALL ORDER BY events DESC, kind, severity, actor"
    )
    rows = session.read(sql, values).to_pylist()
    return [
        EventCount(EventKind(row["kind"]), Severity(row["severity"]), row["actor"], row["events"])
        for row in rows
    ]


def _condition(wanted: EventFilter) -> tuple[str, list[object]]:
    """Return the SQL condition of a filter, and its values."""
    parts: list[str] = []
    values: list[object] = []
    for texts, columns, negation in (
        (wanted.actors, _WHO, ""),
        (wanted.without_actors, _WHO, "NOT "),
        (wanted.texts, _WORDS, ""),
        (wanted.without_texts, _WORDS, "NOT "),
    ):
        for text in texts:
            parts.append(negation + _any_contains(columns))
            values += [text.lower()] * len(columns)
    for condition, value in (
        ("list_contains(?::VARCHAR[], kind)", list(wanted.kinds)),
        ("list_contains(?::VARCHAR[], severity)", list(wanted.severities)),
        ("project = ?", wanted.project),
        ("occurred_at >= ?::TIMESTAMPTZ", wanted.since),
        ("occurred_at < ?::TIMESTAMPTZ", wanted.until),
    ):
        if value:
            parts.append(condition)
            values.append(value)
    return " AND ".join(parts) or "TRUE", values


def _any_contains(columns: Sequence[str]) -> str:
    return "(" + " OR ".join(f"contains(lower({column}), ?)" for column in columns) + ")"


def newest_id_before(session: Session, before_at: datetime) -> int:
    """Return the id of the newest event that occurred before an instant, 0 when there is none."""
    row = session.read("SELECT max(id) AS id FROM events WHERE occurred_at < ?", [before_at])
    return int(row.to_pylist()[0]["id"] or 0)


def forget(session: Session, before_at: datetime) -> int:
    """Delete events that occurred before an instant; returns how many."""
    return delete_before(session, "events", "occurred_at < ?", before_at)


def _event(row: dict[str, Any]) -> Event:
    return Event(
        id=row["id"],
        at=utc(row["occurred_at"]),
        kind=EventKind(row["kind"]),
        severity=Severity(row["severity"]),
        project=row["project"],
        actor=row["actor"],
        summary=row["summary"],
        details=json.loads(row["details"]),
        origin=origin_from_json(row["origin"]),
    )
