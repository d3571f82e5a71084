"""From events to delivered messages, through the outbox table.

Enqueueing is idempotent by key and comes before the position moves on, so that no event is lost or
enqueued twice whenever the process dies. Delivery is at least once: a process killed between the
delivery and its record sends that one message again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from appliance import clock
from appliance.alerts.policy import ALERTING_KINDS, alert_for
from appliance.alerts.slack import Sender
from appliance.config.paths import write_atomically
from appliance.config.reading import MissingFile, UnreadableFile, read_text
from appliance.config.state_file import set_aside
from appliance.domain.alert import Alert
from appliance.domain.event import Event, EventKind, Severity
from appliance.errors import AlertDeliveryError, AlertRefused
from store import alerts, events
from store.session import Session

_log = logging.getLogger(__name__)

_EVENTS_PER_STEP = 1000
_BATCH = 20
_LOOKED_AT_AGAIN = timedelta(days=1)
_FIRST_RETRY_SECONDS = 15.0
_LONGEST_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class SlackTrouble:
    """Slack has taken nothing since `since_at`, because of `reason`.

    It `is_refusal` when Slack itself refuses, which only the operator can end.
    """

    since_at: datetime
    reason: str
    hint: str
    is_refusal: bool


class AlertDispatcher:
    """Enqueues messages for new events and delivers those that are due; one caller at a time.

    While Slack is not configured nothing is enqueued, and events of that time are never sent. While it takes
    nothing, the oldest message alone is tried, less and less often; another webhook or token at once.

    Args:
        sender: returns the configured way to Slack, None when there is none; asked at each step.
        position_file: keeps the id of the newest event looked at.
    """

    def __init__(self, sender: Callable[[], Sender | None], position_file: Path) -> None:
        self._sender = sender
        self._position_file = position_file
        self._position: int | None = None
        self._tried: Sender | None = None
        self.trouble: SlackTrouble | None = None
        """Why nothing is delivered, None when all is well; may be read from any thread."""

    def step(self, session: Session, now_at: datetime) -> int:
        """Look at new events, deliver what is due, and return how many messages were delivered.

        A failing Slack is recorded in the outbox, never raised.

        Raises:
            StoreError: the store could not be read or written; the next step makes up for it.
        """
        sender = self._sender()
        self._take_new_events(session, now_at, is_configured=sender is not None)
        return self._deliver(session, sender, now_at) if sender else 0

    def _take_new_events(self, session: Session, now_at: datetime, *, is_configured: bool) -> None:
        after_id = self._load_position(session)
        found = events.read_events(session, after_id, _EVENTS_PER_STEP, kinds=ALERTING_KINDS)
        for event in found if is_configured else ():
            draft = alert_for(event)
            if draft is not None:
                alerts.enqueue(session, draft.key, draft.text, now_at)
        if found:
            self._save_position(found[-1].id)

    def _deliver(self, session: Session, sender: Sender, now_at: datetime) -> int:
        delivered = 0
        is_new, self._tried = self._tried not in {None, sender}, sender
        queue = alerts.waiting(session, _BATCH)
        if not queue:
            self.trouble = None
        for alert in queue:
            if not is_new and alert.next_attempt_at is not None and now_at < alert.next_attempt_at:
                self.trouble = self.trouble or _known_trouble(alert)
                break
            try:
                sender.send(alert.text)
            except AlertDeliveryError as error:
                self._note_failure(session, alert, error, now_at)
                break
            alerts.mark_sent(session, alert.id, now_at)
            self.trouble = None
            delivered += 1
            headline = alert.text.splitlines()[0]
            _append(session, EventKind.ALERT_SENT, f"{sender.target}: {headline}", alert, now_at)
        return delivered

    def _note_failure(
        self, session: Session, alert: Alert, error: AlertDeliveryError, now_at: datetime
    ) -> None:
        wait = retry_wait(alert.attempts, error.fields.get("retry_after"))
        self.trouble = SlackTrouble(
            since_at=self.trouble.since_at if self.trouble else alert.enqueued_at,
            reason=error.message,
            hint=error.hint,
            is_refusal=isinstance(error, AlertRefused),
        )
        alerts.mark_failed(session, alert.id, error.message, now_at + wait)
        if alert.attempts == 0:
            _log.warning("alert=%s undelivered: %s", alert.key, error.message)
            summary = f"{error.message}; tried again by itself"
            _append(session, EventKind.ALERT_FAILED, summary, alert, now_at)

    def _load_position(self, session: Session) -> int:
        if self._position is None:
            newest = events.read_events(session, limit=1)
            recorded = self._recorded_position(session)
            is_other_store = recorded > (newest[-1].id if newest else 0)
            self._position = 0 if is_other_store else recorded
        return self._position

    def _recorded_position(self, session: Session) -> int:
        """Return the position; of a damaged file that of a day ago, since whose messages none is doubled.

        Keys of delivered messages are kept for days, so that looking at events again enqueues none twice.
        """
        try:
            text = read_text(self._position_file).strip()
        except MissingFile:
            return 0
        except UnreadableFile as error:
            text = error.message
        if re.fullmatch("[0-9]{1,18}", text):
            return int(text)
        set_aside(self._position_file, "it is not the number of an event")
        return events.newest_id_before(session, clock.now() - _LOOKED_AT_AGAIN)

    def _save_position(self, event_id: int) -> None:
        write_atomically(self._position_file, f"{event_id}\n")
        self._position = event_id


def _known_trouble(alert: Alert) -> SlackTrouble:
    """Return what an earlier process has noted of the oldest message."""
    hint = "it is tried again by itself; appliance alerts test tries it now"
    return SlackTrouble(alert.enqueued_at, alert.last_error, hint, is_refusal=False)


def retry_wait(attempts: int, retry_after: object = None) -> timedelta:
    """Return how long to wait after a failure: doubling up to 15 min, or what Slack asks for."""
    doubled = min(_FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 10), _LONGEST_RETRY_SECONDS)
    asked = float(retry_after) if isinstance(retry_after, int | float) else 0.0
    return timedelta(seconds=max(doubled, asked))


def _append(
    session: Session, kind: EventKind, summary: str, alert: Alert, now_at: datetime
) -> None:
    severity = Severity.INFO if kind is EventKind.ALERT_SENT else Severity.WARNING
    details: dict[str, object] = {"key": alert.key, "alert_id": alert.id}
    events.append_event(
        session, Event(kind, summary, "alerts", now_at, severity=severity, details=details)
    )
