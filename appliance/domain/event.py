"""The append-only record of decisions and state changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from appliance.domain.origin import Origin


class EventKind(StrEnum):
    """What happened."""

    SERVICE_STATE = "service.state"
    SERVICE_GIVEN_UP = "service.given_up"
    SOURCE_CHOSEN = "source.chosen"
    BACKFILLED = "data.backfilled"
    GAP_FOUND = "data.gap_found"
    GAP_REPAIRED = "data.gap_repaired"
    AUDITED = "data.audited"
    MARKET_ADDED = "data.market_added"
    MARKET_REMOVED = "data.market_removed"
    QUALITY_CHECKED = "data.quality"
    TRAINED = "model.trained"
    GATE_VERDICT = "model.gate_verdict"
    PROMOTED = "model.promoted"
    ROLLED_BACK = "model.rolled_back"
    REJECTED = "model.rejected"
    MODEL_HELD = "model.held"
    FILES_REMOVED = "model.files_removed"
    MODEL_REFUSED = "model.refused"
    MODEL_UNPROVEN = "model.unproven"
    REGISTRY_CHANGED = "registry.changed"
    DRIFT_VERDICT = "drift.verdict"
    RETRAIN_DECIDED = "retrain.decided"
    RETRAIN_ACCOUNTED = "retrain.accounted"
    WORKFLOW_UNPAUSED = "workflow.unpaused"
    PROJECT_SWITCHED = "project.switched"
    PROBLEM_FOUND = "problem.found"
    WORKFLOW_REQUESTED = "workflow.requested"
    WORKFLOW_FAILED = "workflow.failed"
    ALERT_SENT = "alert.sent"
    ALERT_FAILED = "alert.failed"


MOVES = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
"""Events of a champion that the appliance has moved."""


class Severity(StrEnum):
    """How much attention an event wants."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded fact; `id` is 0 until the store has assigned one.

    `actor` names who or what caused it (`kim`, `supervisor`, `monitoring_wf`); `origin` says all that is
    known of that: terminal, host, run, who asked. It is None for what a service did on its own, and for
    events of before it was recorded. `details` holds JSON-compatible evidence.
    """

    kind: EventKind
    summary: str
    actor: str
    at: datetime
    severity: Severity = Severity.INFO
    project: str = ""
    details: dict[str, object] = field(default_factory=dict)
    id: int = 0
    origin: Origin | None = None

    @classmethod
    def asked_for(
        cls,
        kind: EventKind,
        summary: str,
        project: str,
        origin: Origin,
        at: datetime,
        details: dict[str, object],
    ) -> Event:
        """Return the event of what a person asked for; who it was is its actor."""
        return cls(kind, summary, origin.name, at, project=project, details=details, origin=origin)

    @property
    def brief_actor(self) -> str:
        """Who or what caused it, in a few words."""
        return self.actor if self.origin is None else self.origin.brief

    @property
    def done_by(self) -> str:
        """Who or what caused it, and through what, in words."""
        return self.actor if self.origin is None else self.origin.words
