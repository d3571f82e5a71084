"""A control server for tests: real store, real HTTP to stubs of Airflow and MLflow, faked services."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from appliance.airflow_api.client import AirflowApi
from appliance.alerts.outbox import AlertDispatcher
from appliance.alerts.slack import send_test_message, sender_of
from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings
from appliance.control.api import Control, SourceStatus
from appliance.control.backend import ApplianceControl
from appliance.control.client import ControlClient
from appliance.control.collector import Intervals
from appliance.control.hub import Hub
from appliance.control.reach import Parts
from appliance.control.server import ControlServer, build_app
from appliance.control.store_reader import StoreLink
from appliance.domain.origin import Origin
from appliance.domain.service import ServiceStatus
from appliance.errors import ServiceError
from appliance.registry.rest import RegistryRest
from store.session import Session
from tests import builders
from tests.store_process import running_service
from tests.stubs.airflow import SECRET, AirflowStub
from tests.stubs.mlflow import MlflowStub

PROJECT = builders.PROJECT
QUICK = Intervals(0.1, 0.1, 0.1, 0.1, 0.1)
SOURCE = SourceStatus("simulator", "SIMULATED market", is_simulated=True)


def settings() -> Settings:
    """Return the configuration of one project on one market."""
    return Settings(projects={PROJECT: ProjectSettings(config="krw_btc_1m")})


@dataclass
class FakeServices:
    """Services that are what they are told; remembers what was asked."""

    folder: Path
    current: tuple[ServiceStatus, ...] = field(default_factory=builders.services)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def services(self) -> tuple[ServiceStatus, ...]:
        return self.current

    def restart(self, name: str, origin: Origin) -> None:
        self.log_path(name)
        self.asked.append(("restart", name, origin.name))

    def log_path(self, name: str) -> Path:
        if name not in {service.name for service in self.current}:
            raise ServiceError(f"no service is called {name!r}", code="service.unknown", hint="x")
        return self.folder / f"{name}.log"

    def shut_down(self, origin: Origin) -> None:
        self.asked.append(("shut_down", origin.name))


@contextmanager
def serving(control: Control, hub: Hub, paths: Paths) -> Iterator[ControlClient]:
    """Serve a control on the home's socket, in a loop of its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        server = ControlServer(build_app(control, hub), paths.control_socket)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield ControlClient(paths)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Bench:
    """Everything around one running control backend."""

    paths: Paths
    client: ControlClient
    backend: ApplianceControl
    services: FakeServices
    airflow: AirflowStub
    mlflow: MlflowStub
    store: Session


@contextmanager
def running_bench(paths: Paths, prepare: Callable[[Session, AirflowStub], None]) -> Iterator[Bench]:
    """Run a control backend and its server; on leaving nothing of it is left.

    `prepare` fills the store and Airflow before the backend first reads them.
    """
    config = settings()
    services = FakeServices(paths.logs)
    with ExitStack() as stack:
        airflow = stack.enter_context(AirflowStub())
        mlflow = stack.enter_context(MlflowStub())
        _, store = stack.enter_context(running_service(paths))
        prepare(store, airflow)
        parts = Parts(
            services=services,
            airflow=AirflowApi(airflow.url, SECRET),
            registry=RegistryRest(mlflow.url),
            store=StoreLink(paths),
            send_test_alert=lambda: send_test_message(config, paths),
            intervals=QUICK,
        )
        alerts = AlertDispatcher(lambda: sender_of(config, paths), paths.alert_position_file)
        backend = ApplianceControl(paths, config, SOURCE, parts, alerts)
        backend.start()
        stack.callback(backend.close)
        client = stack.enter_context(serving(backend, backend.hub, paths))
        yield Bench(paths, client, backend, services, airflow, mlflow, store)
