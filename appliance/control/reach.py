"""The parts behind the control protocol, each reached only while its service can answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from appliance.airflow_api.client import AirflowApi
from appliance.config.enabling import disabled_project
from appliance.config.paths import Paths
from appliance.control.collector import (
    Intervals,
)
from appliance.control.projects import FollowedProjects
from appliance.control.services import Services, trouble_of
from appliance.control.store_reader import StoreLink
from appliance.errors import (
    AirflowUnavailable,
    ConfigError,
    RegistryUnavailable,
    StoreUnavailable,
)
from appliance.registry.rest import RegistryRest
from store.session import Session

_NOT_READY = "service.not_ready"
_WAIT = "try again when it is ready: appliance status"


@dataclass(frozen=True, slots=True)
class Parts:
    """The adapters that `ApplianceControl` works with."""

    services: Services
    airflow: AirflowApi
    registry: RegistryRest
    store: StoreLink
    send_test_alert: Callable[[], str]
    intervals: Intervals = field(default_factory=Intervals)


class Reach:
    """Hands out a part, or raises while its service does not serve; callable from any thread.

    Args:
        paths: the home.
        parts: the adapters.
        projects: the projects of the configuration, as it is now.
    """

    def __init__(self, paths: Paths, parts: Parts, projects: FollowedProjects) -> None:
        self._paths = paths
        self._parts = parts
        self._projects = projects

    def _session(self) -> Session:
        if trouble := trouble_of(self._parts.services, "store"):
            raise StoreUnavailable(trouble, code=_NOT_READY, hint=_WAIT)
        return self._parts.store.session()

    def _airflow(self) -> AirflowApi:
        if trouble := trouble_of(self._parts.services, "airflow-api-server"):
            raise AirflowUnavailable(trouble, code=_NOT_READY, hint=_WAIT)
        return self._parts.airflow

    def _registry(self) -> RegistryRest:
        if trouble := trouble_of(self._parts.services, "mlflow"):
            raise RegistryUnavailable(trouble, code=_NOT_READY, hint=_WAIT)
        return self._parts.registry

    def _known(self, project: str) -> str:
        known = sorted(self._projects.names())
        if project not in known:
            if project in self._projects.disabled():
                raise disabled_project(project)
            raise unknown_project(project, known)
        return project


def unknown_project(project: str, known: Sequence[str]) -> ConfigError:
    """Return the error that no enabled project has a name."""
    return ConfigError(
        f"no enabled project is called {project!r}",
        code="project.unknown",
        hint=f"one of: {', '.join(known) or 'none is configured'}",
    )
