"""Alerts are configured in a way that cannot work."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings


def find_slack_config(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find a Slack configuration that is incomplete or unsafe."""
    message, hint = surroundings.slack_error
    if message:
        yield Finding("slack.config", "", f"alerts are not sent: {message}", hint)
