"""`Control` on top of the real parts: store, Airflow, registry, supervisor, Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Signal

import appliance
from appliance import clock
from appliance.airflow_api.client import AirflowApi
from appliance.airflow_api.watch import WorkflowWatch
from appliance.alerts.outbox import AlertDispatcher
from appliance.alerts.slack import send_test_message, sender_of
from appliance.config.enabling import enable_project
from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.control.api import ApplianceStatus, SourceStatus, StreamMessage
from appliance.control.collector import (
    MODELS,
    STORE,
    Collector,
    Intervals,
    Sources,
)
from appliance.control.decisions import Decisions
from appliance.control.history_jobs import HistoryJobs
from appliance.control.hub import Hub
from appliance.control.model_reader import ModelReader
from appliance.control.projects import FollowedProjects
from appliance.control.services import Services, trouble_of
from appliance.control.snapshot import WORKFLOWS, Facts, Identity, compose
from appliance.control.store_reader import StoreLink, StoreReader
from appliance.control.strip import read_strip
from appliance.domain.candle import Candle
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event, EventKind
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import CoverageCell, HistoryJob, HistoryKind
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.trial import Trial
from appliance.domain.workflow import DagRun, WorkflowKind, dag_id
from appliance.errors import (
    AirflowUnavailable,
    ConfigError,
    RegistryUnavailable,
    StoreUnavailable,
)
from appliance.forecaster_api.client import ask_report
from appliance.registry.rest import RegistryRest
from appliance.supervisor.log_file import read_tail
from store import candles, coverage, events, forecasts
from store.monitoring import read_monitoring
from store.session import Session
from store.trials import pair_trials

_STREAM_WAIT_SECONDS = 1.0
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


def open_control(
    paths: Paths, settings: Settings, services: Services, source: SourceStatus
) -> ApplianceControl:
    """Wire the control backend of a home; the ports must have been chosen already.

    Raises:
        ApplianceNotRunning: no ports are recorded.
        ConfigError: a secret's file is readable by others.
    """
    secret = read_secret(paths, Secret.AIRFLOW_JWT_SECRET)
    parts = Parts(
        services=services,
        airflow=AirflowApi(
            service_url(paths, "airflow"), secret, ProvenTransport(paths, "airflow")
        ),
        registry=RegistryRest.of_home(paths),
        store=StoreLink(paths),
        send_test_alert=lambda: send_test_message(settings, paths),
    )
    dispatcher = AlertDispatcher(lambda: sender_of(settings, paths), paths.alert_position_file)
    return ApplianceControl(paths, settings, source, parts, dispatcher)


class ApplianceControl:
    """See `Control` for the operations; all of them may be called from any thread.

    Args:
        paths: the home.
        settings: its configuration.
        source: where candles come from.
        parts: the adapters.
        dispatcher: delivers alerts.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        source: SourceStatus,
        parts: Parts,
        dispatcher: AlertDispatcher,
    ) -> None:
        self._parts = parts
        self._dispatcher = dispatcher
        self._paths = paths
        self._projects = FollowedProjects(paths, settings)
        identity = _identity(paths, source, parts, self._projects)
        self.hub = Hub(compose(identity, Facts(services=parts.services.services()), clock.now()))
        self._jobs = HistoryJobs(paths, on_change=lambda: self._collector.refresh(STORE))
        self._reader = StoreReader(
            parts.store.session,
            self._projects.markets,
            self._projects,
            champion=self._champion,
            on_live=lambda live: self.hub.publish(StreamMessage(live=live)),
            on_event=lambda event: self.hub.publish(StreamMessage(event=event)),
        )
        sources = Sources(
            services=parts.services,
            store=self._reader,
            workflows=WorkflowWatch(parts.airflow),
            projects=self._projects,
            models=ModelReader(parts.registry, self._projects.names),
            deliver_alerts=self._deliver_alerts,
            slack_trouble=lambda: dispatcher.trouble,
            jobs=self._jobs.jobs,
            forecaster=lambda: ask_report(paths),
            intervals=parts.intervals,
        )
        self._collector = Collector(identity, sources, self.hub)
        self._decisions = Decisions(self._session, self._note_decision)

    # -- life

    def start(self) -> None:
        """Begin to collect, to publish and to deliver alerts."""
        self._collector.start()

    def close(self) -> None:
        """Stop collecting, write what events wait, close the connections."""
        self._jobs.close()
        self._collector.stop()
        self._parts.store.close()
        self._parts.airflow.close()
        self._parts.registry.close()

    def record(self, event: Event) -> None:
        """Append an event once the store can be reached; never blocks or raises."""
        self._reader.record(event)
        self._collector.refresh(STORE)

    # -- Control: looking

    def status(self) -> ApplianceStatus:
        """See `Control.status`."""
        self.hub.look()
        return self._collector.current()

    def stream(self) -> Iterator[StreamMessage]:
        """See `Control.stream`; ends with its consumer or the server."""
        changed = Signal()
        subscription = self.hub.subscribe(changed.set)
        try:
            while not self.hub.is_closed:
                changed.clear()
                yield from subscription.drain()
                changed.wait(_STREAM_WAIT_SECONDS)
        finally:
            subscription.close()

    def candles(self, market: str, unit: int, count: int) -> list[Candle]:
        """See `Control.candles`."""
        return candles.latest_candles(self._session(), market, unit, count)

    def coverage(self, market: str, unit: int) -> MarketCoverage | None:
        """See `Control.coverage`."""
        return coverage.summarise(self._session(), market, unit)

    def coverage_strip(
        self, market: str, unit: int, hours: float, cells: int
    ) -> list[CoverageCell]:
        """See `Control.coverage_strip`."""
        return read_strip(self._session(), market, unit, hours, cells)

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        """See `Control.forecasts`; of all versions while the production one is unknown."""
        version = self._champion(project)
        return forecasts.latest_forecasts(self._session(), project, count, version)

    def events(self, after_id: int = 0, limit: int = 100) -> list[Event]:
        """See `Control.events`."""
        return events.read_events(self._session(), after_id, limit)

    def models(self, project: str) -> list[ModelVersion]:
        """See `Control.models`."""
        return self._registry().versions(self._known(project))

    def monitoring(self, project: str) -> Monitoring:
        """See `Control.monitoring`."""
        return read_monitoring(self._session(), self._known(project))

    def verdicts(self, project: str, champion: int, version: int) -> list[Trial]:
        """See `Control.verdicts`."""
        return pair_trials(self._session(), self._known(project), champion, version)

    def dag_runs(self, project: str, kind: WorkflowKind, limit: int = 10) -> list[DagRun]:
        """See `Control.dag_runs`."""
        return self._airflow().newest_runs([dag_id(self._known(project), kind)], limit)

    def dag_run(self, project: str, kind: WorkflowKind, run_id: str) -> DagRun:
        """See `Control.dag_run`."""
        return self._airflow().dag_run(dag_id(self._known(project), kind), run_id)

    def task_log(
        self, project: str, kind: WorkflowKind, run_id: str, task_id: str, lines: int = 200
    ) -> list[str]:
        """See `Control.task_log`."""
        dag = dag_id(self._known(project), kind)
        return self._airflow().task_log(dag, run_id, task_id, lines)

    def service_log(self, name: str, lines: int = 200) -> list[str]:
        """See `Control.service_log`."""
        return read_tail(self._parts.services.log_path(name), lines)

    # -- Control: acting

    def run_workflow(
        self,
        project: str,
        kind: WorkflowKind,
        params: Mapping[str, str],
        actor: str,
        request: str = "",
    ) -> DagRun:
        """See `Control.run_workflow`."""
        conf = {**params, "actor": actor}
        run_id = f"manual__{request}" if request else None
        run = self._airflow().trigger(dag_id(self._known(project), kind), conf, run_id)
        details: dict[str, object] = {
            "workflow": kind.value,
            "run_id": run.run_id,
            "params": dict(params),
        }
        summary = f"{kind.value} requested by {actor}"
        self._note(EventKind.WORKFLOW_REQUESTED, summary, project, actor, details)
        self._collector.refresh(WORKFLOWS)
        return run

    def unpause(self, project: str, kind: WorkflowKind, actor: str) -> None:
        """See `Control.unpause`."""
        self._airflow().unpause(dag_id(self._known(project), kind))
        summary = f"{kind.value} unpaused by {actor}"
        details: dict[str, object] = {"workflow": kind.value}
        self._note(EventKind.WORKFLOW_UNPAUSED, summary, project, actor, details)
        self._collector.refresh(WORKFLOWS)

    def enable_project(self, project: str, is_enabled: bool, actor: str) -> None:
        """See `Control.enable_project`."""
        known = [*self._projects.names(), *self._projects.disabled()]
        if project not in known:
            raise _unknown_project(project, known)
        if not enable_project(self._paths, project, is_enabled=is_enabled):
            return
        word = "enabled" if is_enabled else "disabled"
        summary = f"{project} {word} by {actor}"
        self._note(EventKind.PROJECT_SWITCHED, summary, project, actor, {"enabled": is_enabled})

    def promote(self, project: str, version: int, seen: int, actor: str) -> ModelVersion:
        """See `Control.promote`."""
        return self._decisions.promote(self._registry(), self._known(project), version, seen, actor)

    def roll_back(self, project: str, version: int, seen: int, actor: str) -> ModelVersion:
        """See `Control.roll_back`."""
        known = self._known(project)
        return self._decisions.roll_back(self._registry(), known, version, seen, actor)

    def reject(self, project: str, version: int, seen: int, actor: str) -> ModelVersion:
        """See `Control.reject`."""
        return self._decisions.reject(self._registry(), self._known(project), version, seen, actor)

    def restart_service(self, name: str, actor: str) -> None:
        """See `Control.restart_service`."""
        self._parts.services.restart(name, actor)

    def start_history(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        actor: str,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> HistoryJob:
        """See `Control.start_history`; only of a market and timeframe that is ingested."""
        known = [(status.market, status.unit) for status in self.hub.status.markets]
        if (market, unit) not in known:
            raise ConfigError(
                f"{market} {unit}m is not ingested",
                code="history.unknown",
                hint="name it in ingest.markets and ingest.timeframes, or use `appliance backfill`",
            )
        return self._jobs.start(kind, market, unit, start_at, end_at, actor)

    def cancel_history(self, job: int, actor: str) -> HistoryJob:
        """See `Control.cancel_history`."""
        del actor  # the job records its own end
        return self._jobs.cancel(job)

    def test_alert(self, actor: str) -> str:
        """See `Control.test_alert`."""
        target = self._parts.send_test_alert()
        self._note(EventKind.ALERT_SENT, f"test message to {target}", "", actor, {})
        return target

    def shut_down(self, actor: str) -> None:
        """See `Control.shut_down`."""
        self._parts.services.shut_down(actor)

    # -- inside

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
                raise ConfigError(
                    f"project {project} is disabled",
                    code="project.disabled",
                    hint=f"appliance project enable {project}",
                )
            raise _unknown_project(project, known)
        return project

    def _champion(self, project: str) -> int | None:
        return self._collector.champion(project)

    def _note_decision(self, event: Event) -> None:
        self.record(event)
        self._collector.refresh(MODELS)

    def _note(
        self,
        kind: EventKind,
        summary: str,
        project: str,
        actor: str,
        details: dict[str, object],
    ) -> None:
        self.record(Event(kind, summary, actor, clock.now(), project=project, details=details))

    def _deliver_alerts(self) -> int:
        return self._dispatcher.step(self._session(), clock.now())


def _unknown_project(project: str, known: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"no enabled project is called {project!r}",
        code="project.unknown",
        hint=f"one of: {', '.join(known) or 'none is configured'}",
    )


def _identity(
    paths: Paths,
    source: SourceStatus,
    parts: Parts,
    followed: FollowedProjects,
) -> Identity:
    return Identity(
        version=appliance.__version__,
        home=str(paths.home),
        started_at=clock.now(),
        source=source,
        markets=followed.markets(),
        projects=followed(),
        disabled=followed.disabled(),
        airflow_url=parts.airflow.base_url,
        mlflow_url=parts.registry.base_url,
    )
