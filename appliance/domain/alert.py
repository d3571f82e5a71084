"""Messages that wait for Slack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One outbox row; `key` makes enqueueing idempotent, `attempts` counts failed deliveries."""

    key: str
    text: str
    enqueued_at: datetime
    attempts: int = 0
    next_attempt_at: datetime | None = None
    sent_at: datetime | None = None
    last_error: str = ""
    id: int = 0
