"""Keeps the appliance's status current: one thread per source, one that assembles and publishes."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from appliance import clock
from appliance.airflow_api.watch import WorkflowWatch
from appliance.alerts.outbox import SlackTrouble
from appliance.config.last_status import write_last_status
from appliance.config.paths import Paths
from appliance.control.api import ApplianceStatus, StreamMessage
from appliance.control.checks import ALL_CHECKS
from appliance.control.health import Announcements, ProblemLog, Surroundings, run_checks
from appliance.control.hub import Hub
from appliance.control.model_reader import ModelFacts, ModelReader
from appliance.control.poller import Poller
from appliance.control.projects import FollowedProjects
from appliance.control.scheduler_log import SCHEDULER_LINES, start_failure
from appliance.control.services import Services, trouble_of
from appliance.control.snapshot import WORKFLOWS, Facts, Identity, compose, is_worth_sending
from appliance.control.store_reader import StoreFacts, StoreReader
from appliance.control.wire import encode_result
from appliance.domain.candle import LiveCandle
from appliance.domain.feed import Feed
from appliance.domain.history_job import HistoryJob
from appliance.domain.workflow import WorkflowStatus
from appliance.errors import ServiceError, StoreError
from appliance.forecaster_api.wire import ForecasterReport
from appliance.supervisor.log_file import read_tail

_log = logging.getLogger(__name__)

T = TypeVar("T")

STORE, PRICES, MODELS, ALERTS = "store", "prices", "models", "alerts"
FORECASTER = "forecaster"
"""Names of the sources in `ApplianceStatus.stale`."""
_SERVICE = {STORE: "store", WORKFLOWS: "airflow-api-server", MODELS: "mlflow"}
"""Which service each source that is shown is read from."""

_UNWATCHED_FACTOR = 4.0
_UNWATCHED_LIMIT = 8.0


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between two reads of a source, and between two looks for something to publish.

    They hold while somebody watches; while nobody does, all are four times as long, 8 s at most.
    """

    store: float = 1.0
    prices: float = 0.4
    workflows: float = 2.0
    models: float = 5.0
    alerts: float = 1.0
    forecaster: float = 2.0
    publish: float = 0.5


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read, and how."""

    services: Services
    store: StoreReader
    workflows: WorkflowWatch
    keep_still: Callable[[], None]
    projects: FollowedProjects
    models: ModelReader
    deliver_alerts: Callable[[], int]
    jobs: Callable[[], tuple[HistoryJob, ...]]
    forecaster: Callable[[], ForecasterReport]
    slack_trouble: Callable[[], SlackTrouble | None] = lambda: None
    recorder_trouble: Callable[[], str] = lambda: ""
    intervals: Intervals = field(default_factory=Intervals)


class Collector:
    """Polls the sources and publishes every change to `hub`.

    Args:
        identity: what does not change, and the projects of the beginning.
        sources: what is read.
        hub: receives a status at most twice a second, and only when it differs.
    """

    def __init__(self, identity: Identity, sources: Sources, hub: Hub) -> None:
        self._identity = identity
        self._services = sources.services
        self._store_reader = sources.store
        self._workflow_watch = sources.workflows
        self._keep_still = sources.keep_still
        self._projects = sources.projects
        self._jobs = sources.jobs
        self._slack_trouble = sources.slack_trouble
        self._recorder_trouble = sources.recorder_trouble
        self._hub = hub
        every = sources.intervals
        self._publish_seconds = self._paced(every.publish)
        self._store = Poller[StoreFacts](
            STORE, self._paced(every.store), self._serving(STORE, sources.store.read)
        )
        self._prices = Poller[dict[Feed, LiveCandle]](
            PRICES, self._paced(every.prices), self._serving(STORE, sources.store.read_prices)
        )
        self._workflows = Poller[list[WorkflowStatus]](
            WORKFLOWS,
            self._paced(every.workflows),
            self._serving(WORKFLOWS, self._read_workflows),
        )
        self._models = Poller[dict[str, ModelFacts]](
            MODELS, self._paced(every.models), self._serving(MODELS, sources.models.read)
        )
        self._alerts = Poller[int](
            ALERTS, self._paced(every.alerts), self._serving(STORE, sources.deliver_alerts)
        )
        self._forecaster = Poller[ForecasterReport](
            FORECASTER, self._paced(every.forecaster), sources.forecaster
        )
        self._pollers = (
            self._store,
            self._prices,
            self._workflows,
            self._models,
            self._alerts,
            self._forecaster,
        )
        self._problems = ProblemLog()
        self._announcements = Announcements()
        self._problems_lock = threading.Lock()
        self._stopping = threading.Event()
        hub.on_attention = lambda: self.refresh(STORE, PRICES, WORKFLOWS, MODELS)
        self._thread = threading.Thread(target=self._publish, name="collector", daemon=True)

    def _serving(self, source: str, read: Callable[[], T]) -> Callable[[], T]:
        """Return a reading that fails at once while the source's service does not serve."""

        def read_when_serving() -> T:
            if trouble := trouble_of(self._services, _SERVICE[source]):
                raise ServiceError(trouble, code="service.not_ready")
            return read()

        return read_when_serving

    def _paced(self, seconds: float) -> Callable[[], float]:
        slow = max(seconds, min(_UNWATCHED_FACTOR * seconds, _UNWATCHED_LIMIT))
        return lambda: seconds if self._hub.is_watched else slow

    def _read_workflows(self) -> list[WorkflowStatus]:
        """Pause what is disabled before looking: what it has unpaused is not said to be paused."""
        self._keep_still()
        return self._workflow_watch.statuses(self._projects.names())

    def start(self) -> None:
        """Begin to read and publish."""
        for poller in self._pollers:
            poller.start()
        self._thread.start()

    def stop(self) -> None:
        """Read and publish no more; writes what events still wait if the store answers."""
        self._stopping.set()
        for poller in self._pollers:
            poller.stop()
        self._thread.join(2.0)
        try:
            self._store_reader.flush()
        except StoreError as error:
            _log.info("events left unwritten: %s", error.message)

    def refresh(self, *names: str) -> None:
        """Read the named sources again now."""
        for poller in self._pollers:
            if poller.name in names:
                poller.poke()

    def champion(self, project: str) -> int | None:
        """Return a project's production version as last read."""
        facts = (self._models.reading.value or {}).get(project)
        return facts.champion.version if facts and facts.champion else None

    def current(self) -> ApplianceStatus:
        """Return the status as of now."""
        identity = replace(
            self._identity,
            projects=self._projects(),
            disabled=self._projects.disabled(),
            markets=self._projects.markets(),
        )
        status = compose(identity, self._facts(), clock.now())
        with self._problems_lock:
            findings = run_checks(ALL_CHECKS, status, self._surroundings())
            problems = self._problems.update(findings, status.at)
            for event in self._announcements.of(problems, status):
                self._store_reader.record(event)
        return replace(status, problems=problems)

    def _facts(self) -> Facts:
        shown: tuple[Poller[Any], ...] = (self._store, self._workflows, self._models)
        stale = {poller.name: reason for poller in shown if (reason := self._why_stale(poller))}
        return Facts(
            services=self._services.services(),
            store=self._store.reading.value or StoreFacts(),
            workflows=self._workflows.reading.value or [],
            models=self._models.reading.value or {},
            jobs=self._jobs(),
            prices=self._prices.reading.value or {},
            stale=stale,
            read_at={
                poller.name: poller.reading.read_at
                for poller in shown
                if poller.name in stale and poller.reading.read_at is not None
            },
        )

    def _why_stale(self, poller: Poller[Any]) -> str:
        trouble = trouble_of(self._services, _SERVICE[poller.name], with_time=False)
        return trouble or poller.reading.error

    def _surroundings(self) -> Surroundings:
        broken = [project for project in self._projects() if project.error]
        slack, live = self._alerts.reading, self._forecaster.reading
        is_misconfigured = slack.code.startswith(("slack.", "secret."))
        return Surroundings(
            free_bytes=shutil.disk_usage(Path(self._identity.home)).free,
            dag_errors=tuple(self._workflow_watch.import_errors.items()),
            unstarted=(unstarted := self._workflow_watch.unstarted),
            unstarted_cause=self._start_failure() if unstarted else "",
            project_errors=tuple((p.name, p.error, p.hint) for p in broken),
            slack_error=(slack.error, slack.hint) if is_misconfigured else ("", ""),
            slack_trouble=self._slack_trouble(),
            recorder_trouble=self._recorder_trouble(),
            forecaster=None if live.error else live.value,
            features={p.name: p.features for p in self._projects() if p.features},
        )

    def _start_failure(self) -> str:
        log = Paths(Path(self._identity.home)).logs / "airflow-scheduler.log"
        return start_failure(read_tail(log, SCHEDULER_LINES))

    def _publish(self) -> None:
        while not self._stopping.wait(self._publish_seconds()):
            try:
                status = self.current()
            except Exception:
                _log.exception("the status could not be assembled")
                continue
            if is_worth_sending(self._hub.status, status):
                self._hub.publish(StreamMessage(status=status))
                self._keep(status)

    def _keep(self, status: ApplianceStatus) -> None:
        """Write the status down for those who will get no answer."""
        try:
            write_last_status(Paths(Path(self._identity.home)), encode_result("status", status))
        except OSError as error:
            _log.warning("the status could not be written down: %s", error)
