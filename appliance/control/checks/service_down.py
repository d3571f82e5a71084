"""A service that was given up, or lives and does not serve."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.service import ServiceState

_UNHEALTHY_GRACE = timedelta(seconds=30)


def find_service_down(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find services that no restart has helped."""
    for service in status.services:
        hint = f"appliance logs {service.name}, then appliance restart {service.name}"
        if service.observed is ServiceState.GIVEN_UP:
            message = (
                f"{service.name} was given up after {service.restarts} restarts: {service.reason}"
            )
            yield Finding("service.given_up", service.name, message, hint)
        elif service.observed is ServiceState.UNHEALTHY:
            message = f"{service.name} runs but does not serve: {service.reason}"
            yield Finding("service.unhealthy", service.name, message, hint, _UNHEALTHY_GRACE)
