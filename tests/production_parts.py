"""What decides on production, put together as the appliance does: for tests that ask for many decisions.

Real are the configuration's files, the store's service, MLflow and its database, the control plane with its
checks, and the clients and stages through which operators and workflows decide. Airflow is its REST API with
DAGs in memory; no task runs by itself.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
import mlflow.sklearn
import pytest
import skops.io
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from appliance import clock
from appliance.airflow_api.client import AirflowApi
from appliance.airflow_api.watch import WorkflowWatch
from appliance.alerts.outbox import AlertDispatcher
from appliance.config.paths import Paths, write_atomically
from appliance.config.settings import ProjectSettings, load_settings
from appliance.control.api import SourceStatus
from appliance.control.backend import ApplianceControl
from appliance.control.checks import ALL_CHECKS
from appliance.control.disabled_dags import DisabledDags
from appliance.control.health import Finding, Surroundings, run_checks
from appliance.control.model_reader import ModelFacts, ModelReader
from appliance.control.projects import FollowedProjects
from appliance.control.reach import Parts
from appliance.control.snapshot import Facts, Identity, compose
from appliance.control.store_reader import StoreLink
from appliance.domain.origin import Origin, Through
from appliance.domain.workflow import DagRun, WorkflowKind, dag_id
from appliance.pipelines.context import Json, MarketSource, Resources, StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.serving import ROW_DIGEST, identity_tags
from appliance.pipelines.forecasting.trained_window import HELD_OUT_END, WINDOW_END
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.spec import describe_project
from appliance.registry.client import Registry, open_registry
from appliance.registry.location import database_uri
from appliance.registry.production_lock import ProductionLock
from appliance.registry.rest import RegistryRest
from store.mlflow_backend.engine import backend_for
from store.session import Session, Statement
from tests.control_bench import FakeServices
from tests.mlflow_process import appliance_up, prepare, running, server_spec
from tests.store_process import running_service
from tests.stubs.airflow import SECRET, AirflowStub

PROJECT = "crypto_forecast"
CONFIGS = {
    "an hour": 'config = "krw_btc_60m"',
    "a minute": 'config = "krw_btc_1m"',
    "other features": 'config = "krw_btc_60m"\n[overrides.features]\nlags = [1]',
}
"""Configurations of the project; a model of one serves none of the others."""
DAGS = {kind: dag_id(PROJECT, kind) for kind in WorkflowKind}
_SOURCE = SourceStatus("simulator", "SIMULATED market", is_simulated=True)
_TRAINED_UNTIL = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
_ROOM = 10_000_000_000


class Mlflow(Protocol):
    """A way to MLflow: for workflows through its own client, for the appliance through its REST API."""

    is_away_when_stopped: bool
    """Whether nobody answers between `stop` and `start`."""

    def registry(self) -> Registry:
        """Return the workflows' client."""
        ...

    def rest(self) -> RegistryRest:
        """Return the appliance's client."""
        ...

    def model_source(self, client: MlflowClient) -> tuple[str, str | None]:
        """Return the URI of a model's folder that a version can be registered from, and its run."""
        ...

    def stop(self) -> None:
        """Stop what serves."""
        ...

    def start(self) -> None:
        """Serve again."""
        ...


class InFile:
    """MLflow's database opened in this process, with MLflow's server application before it; no process."""

    is_away_when_stopped = False

    def __init__(self, home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow.server import app, handlers

        uri = database_uri(home, load_settings(home))
        monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", uri)
        monkeypatch.setenv("_MLFLOW_SERVER_REGISTRY_STORE", uri)
        monkeypatch.setattr(handlers, "_tracking_store", None)
        monkeypatch.setattr(handlers, "_model_registry_store", None)
        self._home, self._app = home, app

    def registry(self) -> Registry:
        return open_registry(self._home, load_settings(self._home))

    def rest(self) -> RegistryRest:
        transport = httpx.WSGITransport(app=self._app)
        lock = ProductionLock(self._home.production_locks, 3.0)
        return RegistryRest("http://localhost", transport=transport, lock=lock)

    def model_source(self, client: MlflowClient) -> tuple[str, str | None]:
        return f"{self._home.mlflow_artifacts.as_uri()}/{PROJECT}/model", None

    def stop(self) -> None:
        assert backend_for(self._home.mlflow_database).instance.close()

    def start(self) -> None:
        """The file is opened at the next call."""


class Served:
    """MLflow's server process, as the supervisor starts it."""

    is_away_when_stopped = True

    def __init__(self, home: Paths) -> None:
        self._home, self._life = home, ExitStack()
        self.start()

    def registry(self) -> Registry:
        return open_registry(self._home, load_settings(self._home))

    def rest(self) -> RegistryRest:
        return RegistryRest.of_home(self._home)

    def model_source(self, client: MlflowClient) -> tuple[str, str | None]:
        experiment = client.create_experiment(
            PROJECT, artifact_location=f"{self._home.mlflow_artifacts.as_uri()}/{PROJECT}"
        )
        run = client.create_run(experiment).info
        return f"{run.artifact_uri}/model", run.run_id

    def stop(self) -> None:
        self._life.close()

    def start(self) -> None:
        spec = server_spec(self._home)
        prepare(spec)
        self._life.enter_context(running(spec))


class Production:
    """One home's production: what acts on it, and what is said of it."""

    def __init__(self, home: Paths, session: Session, airflow: AirflowStub, way: Mlflow) -> None:
        self.home, self.airflow, self.mlflow = home, airflow, way
        self._session = session
        self._api = AirflowApi(airflow.url, SECRET)
        self._numbers = itertools.count(1)
        self.restart_appliance()
        self._source = way.model_source(self.registry.client)
        _write_model(Path(urlsplit(self._source[0]).path))

    # -- beginnings

    def begin(self) -> None:
        """Leave nothing of what was before: no version, no pause, the first config, enabled."""
        client = self.registry.client
        with suppress(MlflowException):
            client.delete_registered_model(PROJECT)
        client.create_registered_model(PROJECT)
        self._session.write(Statement("DELETE FROM trials"))
        self.airflow.runs.clear()
        self.airflow.audit.clear()
        self.airflow.requests.clear()
        for name in DAGS.values():
            self.airflow.add_dag(name)
        self.home.paused_dags_file.unlink(missing_ok=True)
        self.configure(next(iter(CONFIGS)), is_enabled=True)
        self.restart_appliance()

    def restart_appliance(self) -> None:
        """Let everything that decides or tells begin anew, knowing what lies in files alone."""
        self.registry, self.rest = self.mlflow.registry(), self.mlflow.rest()
        settings = load_settings(self.home)
        self.control = ApplianceControl(
            self.home,
            settings,
            _SOURCE,
            Parts(
                services=FakeServices(self.home.logs),
                airflow=self._api,
                registry=self.rest,
                store=StoreLink(self.home),
                send_test_alert=lambda: "",
            ),
            AlertDispatcher(lambda: None, self.home.alert_position_file),
        )
        self._projects = FollowedProjects(self.home, settings)
        self._disabled_dags = DisabledDags(self._api, self.home.paused_dags_file)
        self._watch = WorkflowWatch(self._api)
        self._models = ModelReader(self.rest, self._projects.names)
        self._started_at = clock.now()
        self.seen: dict[str, ModelFacts] = {}
        """What the last look has read of MLflow; nothing of a disabled project."""

    # -- configuration

    def configure(self, config: str, *, is_enabled: bool) -> None:
        """Write the project's file of this home, as an operator does."""
        text = f"enabled = {str(is_enabled).lower()}\n{CONFIGS[config]}\n"
        write_atomically(self.home.compose / "projects" / f"{PROJECT}.toml", text)

    @property
    def configured(self) -> ProjectSettings:
        """The project's configuration as the home has it."""
        return load_settings(self.home).projects[PROJECT]

    def context(
        self, kind: WorkflowKind, config: str, upstream: dict[str, dict[str, Json]] | None = None
    ) -> StageContext[ForecastSpec]:
        """Return what a stage of a run of a config gets; production belongs to the configured one."""
        chosen = self.configured.model_copy(update=settings_of(config))
        settings = load_settings(self.home).model_copy(update={"projects": {PROJECT: chosen}})
        spec = describe_project(settings, PROJECT)
        assert isinstance(spec, ForecastSpec)
        return StageContext(
            project=PROJECT,
            kind=kind,
            spec=spec,
            settings=settings,
            paths=self.home,
            params={},
            origin=Origin(f"{kind.value}_wf", Through.WORKFLOW, run_id="run"),
            run_id="run",
            upstream=upstream or {},
            resources=Resources(lambda: self._session, lambda: self.registry, _no_source),
            is_configured=chosen == self.configured,
        )

    # -- workflows

    def ask_for_run(self, kind: WorkflowKind) -> DagRun:
        """Ask for a run as an operator does, and let it succeed at once."""
        run = self.control.run_workflow(
            PROJECT, kind, {}, Origin("operator"), f"{next(self._numbers)}"
        )
        self.airflow.runs[-1].update(state="success", end_date="2026-03-01T12:59:02Z")
        return run

    def register(self, config: str) -> int:
        """Register a model of a config with the tags that its training gives it, and return its version."""
        spec = self.context(WorkflowKind.TRAIN, config).spec
        ends = {WINDOW_END: _TRAINED_UNTIL, HELD_OUT_END: _TRAINED_UNTIL}
        tags = {**identity_tags(spec), **ends, ROW_DIGEST: row_digest(spec)}
        uri, run_id = self._source
        made = self.registry.client.create_model_version(PROJECT, uri, run_id=run_id, tags=tags)
        return int(made.version)

    # -- what is said

    def look(self) -> list[Finding]:
        """Look as the control plane does every few seconds, and return what it finds."""
        self._projects.look_again()
        projects = self._projects()
        self._disabled_dags.keep_still(self._projects.disabled())
        self._watch.look_again()
        self.seen = self._models.read()
        facts = Facts(workflows=self._watch.statuses(self._projects.names()), models=self.seen)
        identity = Identity(
            "0",
            str(self.home.home),
            self._started_at,
            _SOURCE,
            (),
            projects,
            self._projects.disabled(),
        )
        around = Surroundings(_ROOM, features={each.name: each.features for each in projects})
        return run_checks(ALL_CHECKS, compose(identity, facts, clock.now()), around)


def _write_model(folder: Path) -> None:
    """Write the files of a model that has learnt nothing and can be loaded, for all versions."""
    model = QuantileForecaster()
    trusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format="skops",
        skops_trusted_types=trusted,
        pip_requirements=[],
    )


def settings_of(config: str) -> dict[str, object]:
    """Return the fields of the project's settings that choose a config."""
    return {"overrides": {}, **tomllib.loads(CONFIGS[config])}


def _no_source() -> MarketSource:
    raise AssertionError("no decision asks the market")


@contextmanager
def production_in_file(home: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Production]:
    """Put production together with MLflow's database opened in this process."""
    with running_service(home) as (_, session), AirflowStub() as airflow:
        yield Production(home, session, airflow, InFile(home, monkeypatch))


@contextmanager
def production_served(home: Paths) -> Iterator[Production]:
    """Put production together with MLflow's own server process."""
    with running_service(home) as (_, session), AirflowStub() as airflow, appliance_up(home):
        served = Served(home)
        try:
            yield Production(home, session, airflow, served)
        finally:
            served.stop()
