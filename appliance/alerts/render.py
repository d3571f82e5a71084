"""How an event reads in Slack: headline, reason, next step, in mrkdwn; pure."""

from __future__ import annotations

from appliance import zone
from appliance.domain.event import Event, EventKind

_HEADLINES = {
    EventKind.WORKFLOW_FAILED: ":red_circle: *Workflow failed*",
    EventKind.RETRAIN_DECIDED: ":arrows_counterclockwise: *Retraining*",
    EventKind.PROMOTED: ":large_green_circle: *Promoted*",
    EventKind.ROLLED_BACK: ":leftwards_arrow_with_hook: *Rolled back*",
    EventKind.GATE_VERDICT: ":bulb: *A better model waits*",
    EventKind.MODEL_HELD: ":warning: *A model is held for you*",
    EventKind.MODEL_REFUSED: ":red_circle: *Model refused*",
    EventKind.REGISTRY_CHANGED: ":warning: *Changed in MLflow*",
    EventKind.SERVICE_GIVEN_UP: ":red_circle: *Service given up*",
    EventKind.PROBLEM_FOUND: ":warning: *Problem*",
}
_LONGEST_REASON = 600
_DECISIONS = ("promote", "reject")
TEST_TEXT = ":white_check_mark: *Test message* from the appliance. Alerts arrive here."


def render(event: Event) -> str:
    """Return the message of an event: at most four lines, its times in the zone."""
    headline = _HEADLINES.get(event.kind, f"*{event.kind}*")
    if event.project:
        headline += f" · {_escaped(event.project)}"
    lines = [headline, _escaped(_shortened(event.summary))]
    if event.kind is EventKind.WORKFLOW_FAILED and event.details.get("run_id"):
        task = _escaped(str(event.details.get("task") or "unknown"))
        lines.append(f"Task {task} of run {_escaped(str(event.details['run_id']))}")
    step = _next_step(event)
    return zone.in_zone("\n".join([*lines, f"Next: {step}"] if step else lines))


def _next_step(event: Event) -> str:
    project = f" --project {event.project}" if event.project else ""
    if event.kind is EventKind.SERVICE_GIVEN_UP:
        service = _escaped(str(event.details.get("service") or "SERVICE"))
        return f"`appliance logs {service}`, then `appliance restart {service}`"
    if event.kind is EventKind.PROBLEM_FOUND:
        return _escaped(str(event.details.get("hint") or ""))
    if event.kind is EventKind.WORKFLOW_FAILED:
        kind = _escaped(str(event.details.get("workflow") or "WORKFLOW"))
        return f"see why and repeat it: `appliance run {kind}{project}`"
    if event.kind is EventKind.RETRAIN_DECIDED:
        return "nothing; the train workflow runs and the gate decides"
    if event.kind in (EventKind.GATE_VERDICT, EventKind.MODEL_HELD):
        named = event.details.get("challenger") or event.details.get("version") or "VERSION"
        version = _escaped(str(named))
        promote, reject = (f"`appliance models {do} {version}{project}`" for do in _DECISIONS)
        return f"put it into production: {promote}; or not: {reject}"
    if event.kind is EventKind.MODEL_REFUSED:
        return f"find out who changed it, then train anew: `appliance run train{project}`"
    if event.kind is EventKind.PROMOTED:
        return f"to undo: `appliance models rollback{project}`"
    if event.kind in (EventKind.ROLLED_BACK, EventKind.REGISTRY_CHANGED):
        return f"compare the versions: `appliance models{project}`"
    return ""


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"


def _escaped(text: str) -> str:
    """Escape the three characters that Slack's mrkdwn reserves."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
