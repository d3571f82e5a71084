"""`Control` on top of the real parts: store, Airflow, registry, supervisor, Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    Sources,
)
from appliance.control.decisions import Decisions
from appliance.control.disabled_dags import DisabledDags
from appliance.control.history_jobs import HistoryJobs
from appliance.control.hub import Hub
from appliance.control.looking import Looking
from appliance.control.model_reader import ModelReader
from appliance.control.projects import FollowedProjects
from appliance.control.reach import Parts, unknown_project
from appliance.control.services import Services
from appliance.control.snapshot import WORKFLOWS, Facts, Identity, compose
from appliance.control.store_reader import StoreLink, StoreReader
from appliance.domain.event import Event, EventKind
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import HistoryJob, HistoryKind
from appliance.domain.model_version import ModelVersion
from appliance.domain.origin import ORIGIN, Origin, origin_to_json
from appliance.domain.workflow import DagRun, WorkflowKind, dag_id
from appliance.errors import (
    ConfigError,
)
from appliance.forecaster_api.client import ask_report
from appliance.pipelines.workflow import check_parameters
from appliance.registry.rest import RegistryRest
from store import forecasts

_STREAM_WAIT_SECONDS = 1.0


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


class ApplianceControl(Looking):
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
        self.recorder_trouble: Callable[[], str] = lambda: ""
        """Returns why nothing is recorded, "" while it is."""
        super().__init__(paths, parts, FollowedProjects(paths, settings))
        self._dispatcher = dispatcher
        identity = _identity(paths, source, parts, self._projects)
        self.hub = Hub(compose(identity, Facts(services=parts.services.services()), clock.now()))
        self._workflow_watch = WorkflowWatch(parts.airflow)
        self._disabled_dags = DisabledDags(parts.airflow, paths.paused_dags_file)
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
            workflows=self._workflow_watch,
            keep_still=self._keep_still,
            projects=self._projects,
            models=ModelReader(parts.registry, self._projects.names),
            deliver_alerts=self._deliver_alerts,
            slack_trouble=lambda: dispatcher.trouble,
            recorder_trouble=self._why_unrecorded,
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

    def forecasts(self, project: str, count: int) -> list[Forecast]:
        """See `Control.forecasts`; of all versions while the production one is unknown."""
        version = self._champion(project)
        return forecasts.latest_forecasts(self._session(), project, count, version)

    # -- Control: acting

    def run_workflow(
        self,
        project: str,
        kind: WorkflowKind,
        params: Mapping[str, str],
        origin: Origin,
        request: str = "",
    ) -> DagRun:
        """See `Control.run_workflow`."""
        check_parameters(self._known(project), [kind], params)
        conf = {**params, ORIGIN: origin_to_json(origin)}
        run_id = f"manual__{request}" if request else None
        run = self._airflow().trigger(dag_id(self._known(project), kind), conf, run_id)
        details: dict[str, object] = {
            "workflow": kind.value,
            "run_id": run.run_id,
            "params": dict(params),
        }
        summary = f"{kind.value} requested by {origin.name}"
        self._note(EventKind.WORKFLOW_REQUESTED, summary, project, origin, details)
        self._collector.refresh(WORKFLOWS)
        return run

    def unpause(self, project: str, kind: WorkflowKind, origin: Origin) -> None:
        """See `Control.unpause`."""
        self._airflow().unpause(dag_id(self._known(project), kind))
        self._workflow_watch.look_again()
        summary = f"{kind.value} unpaused by {origin.name}"
        details: dict[str, object] = {"workflow": kind.value}
        self._note(EventKind.WORKFLOW_UNPAUSED, summary, project, origin, details)
        self._collector.refresh(WORKFLOWS)

    def enable_project(self, project: str, is_enabled: bool, origin: Origin) -> None:
        """See `Control.enable_project`."""
        known = [*self._projects.names(), *self._projects.disabled()]
        if project not in known:
            raise unknown_project(project, known)
        if not enable_project(self._paths, project, is_enabled=is_enabled):
            return
        word = "enabled" if is_enabled else "disabled"
        summary = f"{project} {word} by {origin.name}"
        self._note(EventKind.PROJECT_SWITCHED, summary, project, origin, {"enabled": is_enabled})
        self._projects.look_again()
        self._collector.refresh(STORE, WORKFLOWS, MODELS)

    def promote(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.promote`."""
        return self._decisions.promote(
            self._registry(), self._known(project), version, seen, origin
        )

    def roll_back(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.roll_back`."""
        known = self._known(project)
        return self._decisions.roll_back(self._registry(), known, version, seen, origin)

    def reject(self, project: str, version: int, seen: int, origin: Origin) -> ModelVersion:
        """See `Control.reject`."""
        return self._decisions.reject(self._registry(), self._known(project), version, seen, origin)

    def restart_service(self, name: str, origin: Origin) -> None:
        """See `Control.restart_service`."""
        self._parts.services.restart(name, origin)

    def start_history(
        self,
        kind: HistoryKind,
        market: str,
        unit: int,
        origin: Origin,
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
        return self._jobs.start(kind, market, unit, start_at, end_at, origin)

    def cancel_history(self, job: int, origin: Origin) -> HistoryJob:
        """See `Control.cancel_history`."""
        del origin  # the job records its own end
        return self._jobs.cancel(job)

    def test_alert(self, origin: Origin) -> str:
        """See `Control.test_alert`."""
        target = self._parts.send_test_alert()
        self._note(EventKind.ALERT_SENT, f"test message to {target}", "", origin, {})
        return target

    def shut_down(self, origin: Origin) -> None:
        """See `Control.shut_down`."""
        self._parts.services.shut_down(origin)

    # -- inside

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
        origin: Origin,
        details: dict[str, object],
    ) -> None:
        self.record(Event.asked_for(kind, summary, project, origin, clock.now(), details))

    def _why_unrecorded(self) -> str:
        return self.recorder_trouble()

    def _keep_still(self) -> None:
        if self._disabled_dags.keep_still(self._projects.disabled()):
            self._workflow_watch.look_again()

    def _deliver_alerts(self) -> int:
        return self._dispatcher.step(self._session(), clock.now())


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
