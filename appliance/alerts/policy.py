"""Which events are worth a Slack message; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from appliance.alerts.render import render
from appliance.domain.event import Event, EventKind, Severity

ALERTING_KINDS = (
    EventKind.WORKFLOW_FAILED,
    EventKind.RETRAIN_DECIDED,
    EventKind.PROMOTED,
    EventKind.ROLLED_BACK,
    EventKind.GATE_VERDICT,
    EventKind.MODEL_HELD,
    EventKind.MODEL_REFUSED,
    EventKind.REGISTRY_CHANGED,
    EventKind.SERVICE_GIVEN_UP,
    EventKind.PROBLEM_FOUND,
)
"""The only kinds that are looked at."""

QUIET_PERIOD = timedelta(minutes=30)
"""A workflow that keeps failing is reported once per period, not once per run."""
PROBLEM_PERIOD = timedelta(hours=6)
"""A problem that comes and goes, or is found again after a restart, is reported once per period."""


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """A message to enqueue; `key` is the same whenever the same event is looked at again."""

    key: str
    text: str


def alert_for(event: Event) -> AlertDraft | None:
    """Return the message for an event, None when it is not worth one."""
    if event.kind not in ALERTING_KINDS:
        return None
    if event.kind is EventKind.RETRAIN_DECIDED and event.details.get("decision") != "retrain":
        return None
    if event.kind is EventKind.GATE_VERDICT and not event.details.get("suggests"):
        return None
    if event.kind is EventKind.REGISTRY_CHANGED and event.severity is Severity.INFO:
        return None
    return AlertDraft(_key(event), render(event))


def _key(event: Event) -> str:
    workflow = event.details.get("workflow") or event.details.get("dag_id")
    if event.kind is EventKind.WORKFLOW_FAILED and workflow:
        period = int(event.at.timestamp() // QUIET_PERIOD.total_seconds())
        return f"{event.kind}:{event.project}:{workflow}:{period}"
    if event.kind is EventKind.PROBLEM_FOUND:
        period = int(event.at.timestamp() // PROBLEM_PERIOD.total_seconds())
        return f"{event.kind}:{event.details.get('code')}:{event.details.get('subject')}:{period}"
    return f"event:{event.id}"
