"""Slack takes no message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance import zone
from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings

_GRACE = timedelta(minutes=5)  # an outage of Slack's is over sooner, or worth a word


def find_slack_taken(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find that messages wait which Slack does not take: at once when it refuses, else after a while."""
    trouble = surroundings.slack_trouble
    if trouble is not None:
        yield Finding(
            "slack.refused" if trouble.is_refusal else "slack.undelivered",
            "",
            f"Slack has taken nothing since {zone.utc_text(trouble.since_at)}, because"
            f" {trouble.reason}",
            trouble.hint,
            timedelta(0) if trouble.is_refusal else _GRACE,
            since_at=trouble.since_at,
        )
