"""Glyph, word and colour of every state: never the colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.drift import DriftVerdict
from appliance.domain.event import Severity
from appliance.domain.service import ServiceState
from appliance.domain.workflow import DagRun, RunState


@dataclass(frozen=True, slots=True)
class Mark:
    """How one state looks."""

    glyph: str
    word: str
    style: str


SERVICE = {
    ServiceState.READY: Mark("●", "ready", "good"),
    ServiceState.STARTING: Mark("◐", "starting", "info"),
    ServiceState.WAITING: Mark("◌", "waiting", "muted"),
    ServiceState.UNHEALTHY: Mark("▲", "unhealthy", "warning"),
    ServiceState.BACKING_OFF: Mark("↻", "backing off", "warning"),
    ServiceState.GIVEN_UP: Mark("✖", "given up", "bad"),
    ServiceState.STOPPING: Mark("◑", "stopping", "muted"),
    ServiceState.STOPPED: Mark("○", "stopped", "muted"),
    ServiceState.UNKNOWN: Mark("?", "unknown", "muted"),
}

RUN = {
    RunState.SUCCESS: Mark("✔", "success", "good"),
    RunState.RUNNING: Mark("▶", "running", "info"),
    RunState.QUEUED: Mark("◌", "queued", "muted"),
    RunState.SCHEDULED: Mark("◌", "scheduled", "muted"),
    RunState.FAILED: Mark("✖", "failed", "bad"),
    RunState.SKIPPED: Mark("»", "skipped", "muted"),
    RunState.UPSTREAM_FAILED: Mark("▲", "blocked", "warning"),
    RunState.UP_FOR_RETRY: Mark("↻", "retrying", "warning"),
    RunState.NONE: Mark("○", "not yet", "muted"),
    RunState.UNKNOWN: Mark("?", "unknown", "muted"),
}

_ENDED = Mark("■", "ended", "muted")


def of_run(run: DagRun) -> Mark:
    """Return how a run looks; one that was ended with its project has not failed."""
    return _ENDED if run.was_ended else RUN[run.state]


DRIFT = {
    DriftVerdict.STABLE: Mark("●", "stable", "good"),
    DriftVerdict.WARNING: Mark("▲", "warning", "warning"),
    DriftVerdict.DRIFTED: Mark("✖", "drifted", "bad"),
    DriftVerdict.INSUFFICIENT: Mark("◌", "too few", "muted"),
}

FEED = {
    "streaming": Mark("●", "streaming", "good"),
    "polling": Mark("◐", "polling", "info"),
    "backfilling": Mark("↻", "filling", "info"),
    "silent": Mark("▲", "silent", "warning"),
    "disconnected": Mark("✖", "no answer", "bad"),
    "blocked": Mark("✖", "blocked", "bad"),
    "garbled": Mark("✖", "garbled", "bad"),
    "rejected": Mark("✖", "rejected", "bad"),
    "misconfigured": Mark("▲", "config", "warning"),
    "store-down": Mark("✖", "store", "bad"),
}
"""By the ingestor's state; `UNKNOWN` for one that this version does not know."""

UNKNOWN = Mark("?", "unknown", "muted")

SEVERITY = {
    Severity.INFO: Mark("·", "info", "muted"),
    Severity.WARNING: Mark("▲", "warning", "warning"),
    Severity.ERROR: Mark("✖", "error", "bad"),
}
