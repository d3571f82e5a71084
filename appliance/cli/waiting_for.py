"""Says which of Airflow's parts a run waits for, each state once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from appliance.cli.output import narrate
from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from appliance.control.api import Control

QUIET_SECONDS = 5.0
_NEEDED = frozenset(
    {"postgres", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "store"}
)


class WaitingFor:
    """What a run waits for when it has made no news for a while."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._told: set[str] = set()
        self._quiet_since = time.monotonic()

    def note_news(self) -> None:
        """Take note that the run has moved."""
        self._quiet_since = time.monotonic()

    def narrate(self) -> None:
        """Narrate the services that are not ready, at most every few seconds."""
        if time.monotonic() - self._quiet_since < QUIET_SECONDS:
            return
        self._quiet_since = time.monotonic()
        try:
            services = self._control.status().services
        except ApplianceError:
            return  # the run is followed anyway, and says so itself
        for service in services:
            text = f"{service.name} is {service.observed.value}"
            if service.name in _NEEDED and not service.is_ready and text not in self._told:
                self._told.add(text)
                narrate(f"  waiting: {text}: {service.reason}")
