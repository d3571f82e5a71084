"""The append-only record of decisions and state changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from appliance.domain.event import Event, EventKind, Severity
from store.rows import delete_before, scalar, utc
from store.session import Session, Statement

_COLUMNS = "occurred_at, kind, severity, project, actor, summary, details"

_APPEND = f"""
INSERT INTO events ({_COLUMNS}) SELECT * FROM (VALUES ($1, $2, $3, $4, $5, $6, $7)) AS event ({_COLUMNS})
WHERE NOT EXISTS (
    FROM events WHERE occurred_at = $1 AND kind = $2 AND project = $4 AND actor = $5 AND summary = $6
)
"""  # noqa: S608 - the columns are a constant

_FIND = """
SELECT max(id) AS id FROM events
WHERE occurred_at = $1 AND kind = $2 AND project = $3 AND actor = $4 AND summary = $5
"""

_READ = """
SELECT * FROM (
    SELECT * FROM events
    WHERE id > $1 AND ($2 IS NULL OR project = $2)
        AND ($3::VARCHAR[] IS NULL OR list_contains($3::VARCHAR[], kind))
    ORDER BY id DESC LIMIT $4
) ORDER BY id
"""


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
    )
    key = (event.at, event.kind, event.project, event.actor, event.summary)
    return int(scalar(session.write(Statement(_APPEND, values), Statement(_FIND, key))))


def read_events(
    session: Session,
    after_id: int = 0,
    limit: int = 100,
    kinds: Sequence[EventKind] | None = None,
    project: str | None = None,
) -> list[Event]:
    """Return the newest `limit` events with an id above `after_id`, oldest first."""
    wanted = None if kinds is None else list(kinds)
    rows = session.read(_READ, [after_id, project, wanted, limit])
    return [_event(row) for row in rows.to_pylist()]


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
    )
