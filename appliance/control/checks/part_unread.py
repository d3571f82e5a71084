"""A part of the status that cannot be read: what it says is of before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.service import ServiceState

PARTS = {"store": "store", "workflows": "airflow-api-server", "models": "mlflow"}
"""Part -> the service that it is read from."""
_GRACE = timedelta(seconds=1)
_KNOWN = (ServiceState.GIVEN_UP, ServiceState.STARTING, ServiceState.WAITING, ServiceState.STOPPED)


def find_part_unread(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find services that give no answer; one that starts, or is named as given up, is no news."""
    states = {service.name: service.observed for service in status.services}
    for part, reason in (status.stale or {}).items():
        service = PARTS.get(part, part)
        if states.get(service) not in _KNOWN:
            yield Finding(
                "service.silent",
                service,
                f"{service} does not answer, {part} are of before: {reason}",
                f"it is replaced when it stays silent; appliance logs {service}",
                _GRACE,
            )
