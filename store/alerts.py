"""The outbox of messages that wait for Slack."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appliance.domain.alert import Alert
from store.rows import delete_before, utc, utc_or_none
from store.session import Session, Statement

_ENQUEUE = """
INSERT INTO alert_outbox (key, text, enqueued_at) VALUES (?, ?, ?)
ON CONFLICT DO NOTHING RETURNING id
"""

_FAILED = """
UPDATE alert_outbox SET attempts = attempts + 1, last_error = ?, next_attempt_at = ? WHERE id = ?
"""


def enqueue(session: Session, key: str, text: str, at: datetime) -> bool:
    """Put a message into the outbox; False when one with this key is or was there."""
    return bool(session.write(Statement(_ENQUEUE, (key, text, at))).num_rows)


def waiting(session: Session, limit: int) -> list[Alert]:
    """Return unsent messages, due or not, oldest first."""
    sql = "SELECT * FROM alert_outbox WHERE sent_at IS NULL ORDER BY id LIMIT ?"
    return [_alert(row) for row in session.read(sql, [limit]).to_pylist()]


def recent(session: Session, limit: int) -> list[Alert]:
    """Return the newest `limit` messages, sent or not, newest first."""
    sql = "SELECT * FROM alert_outbox ORDER BY id DESC LIMIT ?"
    return [_alert(row) for row in session.read(sql, [limit]).to_pylist()]


def mark_sent(session: Session, id: int, at: datetime) -> None:  # noqa: A002 - the row's name
    """Record that a message was delivered."""
    sql = "UPDATE alert_outbox SET sent_at = ?, last_error = '' WHERE id = ?"
    session.write(Statement(sql, (at, id)))


def mark_failed(
    session: Session,
    id: int,  # noqa: A002 - the row's name
    error: str,
    next_attempt_at: datetime,
) -> None:
    """Record a failed delivery and when to try again."""
    session.write(Statement(_FAILED, (error, next_attempt_at, id)))


def forget_sent(session: Session, before_at: datetime) -> int:
    """Delete messages that were delivered before an instant; returns how many."""
    return delete_before(session, "alert_outbox", "sent_at < ?", before_at)


def _alert(row: dict[str, Any]) -> Alert:
    return Alert(
        id=row["id"],
        key=row["key"],
        text=row["text"],
        enqueued_at=utc(row["enqueued_at"]),
        attempts=row["attempts"],
        next_attempt_at=utc_or_none(row["next_attempt_at"]),
        sent_at=utc_or_none(row["sent_at"]),
        last_error=row["last_error"],
    )
