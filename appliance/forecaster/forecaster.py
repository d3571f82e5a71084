"""The long-lived forecaster: looks for closed candles when they are due, follows models and projects."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

from appliance import clock
from appliance.config.paths import Paths
from appliance.errors import (
    ModelRefused,
    RegistryError,
    RegistryUnavailable,
    StoreUnavailable,
)
from appliance.forecaster.project import ProjectRunner
from appliance.forecaster.projects import LiveProjects
from appliance.forecaster.rhythm import IDLE_SECONDS
from appliance.forecaster_api.wire import REPORT, REPORT_JSON, ForecasterReport
from appliance.ingest.store_gate import StoreGate
from appliance.pipelines.stored_proofs import StoredProofs
from appliance.registry.warm_models import WarmModels

REGISTRY_SECONDS = 5.0
CONFIG_SECONDS = 2.0
_REQUEST_SECONDS = 2.0
_log = logging.getLogger(__name__)


class Forecaster:
    """All projects of a home.

    Looking and loading happen in a thread each: while a new champion loads, the old one goes on.

    Args:
        paths: the home.
        models: followed here.
        gate: the way to the store.
        proofs: told of what is done about a refused champion.
    """

    def __init__(
        self, paths: Paths, models: WarmModels, gate: StoreGate, proofs: StoredProofs
    ) -> None:
        self._paths = paths
        self._models = models
        self._gate = gate
        self._proofs = proofs
        self._projects = LiveProjects(paths, models)
        self._wanted = asyncio.Event()
        self._looking = ThreadPoolExecutor(1, "look")
        self._loading = ThreadPoolExecutor(1, "load")
        self._registry_message = ""
        self._registry_lost_at: datetime | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        socket = self._paths.forecaster_socket
        with suppress(FileNotFoundError):
            socket.unlink()  # left by a killed forecaster; two would do no harm to the store
        server = await asyncio.start_unix_server(self._answer, socket)
        socket.chmod(0o600)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._every(CONFIG_SECONDS, self._loading, self._follow_config))
                group.create_task(self._every(REGISTRY_SECONDS, self._loading, self._follow_models))
                group.create_task(self._look_for_ever())
        finally:
            server.close()
            socket.unlink(missing_ok=True)
            for pool in (self._looking, self._loading):
                pool.shutdown(wait=False, cancel_futures=True)

    def report(self) -> ForecasterReport:
        """Return the present state."""
        return ForecasterReport(
            pid=os.getpid(),
            projects=tuple(runner.state() for runner in self._projects.runners),
            registry_message=self._registry_message,
            registry_lost_at=self._registry_lost_at,
            config_message=self._projects.message,
        )

    async def _look_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._next_look())
            self._wanted.clear()
            await loop.run_in_executor(self._looking, self._look)

    def _next_look(self) -> float:
        now = clock.monotonic()
        waits = [runner.next_look(now) for runner in self._projects.runners]
        return min(waits, default=IDLE_SECONDS)

    def _look(self) -> None:
        runners = self._projects.runners
        try:
            with self._gate.use() as session:
                for runner in runners:
                    runner.look(session)
        except StoreUnavailable as error:
            for runner in runners:
                runner.lose_store(error)

    async def _every(
        self, seconds: float, pool: ThreadPoolExecutor, work: Callable[[], bool]
    ) -> None:
        """Run `work` again and again; when it says that something changed, have a look."""
        loop = asyncio.get_running_loop()
        while True:
            if await loop.run_in_executor(pool, work):
                self._wanted.set()
            await asyncio.sleep(seconds)

    def _follow_config(self) -> bool:
        return self._projects.follow()

    def _follow_models(self) -> bool:
        changed = [self._follow_model(runner) for runner in self._projects.runners]
        return any(changed)

    def _follow_model(self, runner: ProjectRunner) -> bool:
        try:
            return self._follow_proven(runner)
        except ModelRefused as error:
            self._regain()
            self._refuse(runner, error)
            return self._return_previous(runner, error)
        except StoreUnavailable as error:
            _log.info("project=%s its model waits for the store: %s", runner.project, error.message)
            return False

    def _refuse(self, runner: ProjectRunner, error: RegistryError) -> None:
        if str(error) != str(runner.model_problem):
            _log.error("project=%s %s", runner.project, error.message)
        runner.model_problem = error

    def _return_previous(self, runner: ProjectRunner, refused: ModelRefused) -> bool:
        """Bring the previous champion back; the next look at the registry loads it."""
        number, reason = refused.fields.get("version"), str(refused.fields.get("reason"))
        if not isinstance(number, int):
            return False
        try:
            returned = self._models.return_previous(runner.project, number)
            if returned is not None:
                self._proofs.say_returned(returned, number, reason)
        except (RegistryError, StoreUnavailable) as error:
            _log.error("project=%s the previous model: %s", runner.project, error.message)
            return False
        return returned is not None and self._follow_model(runner)

    def _follow_proven(self, runner: ProjectRunner) -> bool:
        changed = False
        try:
            changed = self._models.recover(runner.project)
        except RegistryError as error:
            _log.warning("project=%s its copy is not used: %s", runner.project, error.message)
        try:
            changed = self._models.refresh(runner.project) or changed
        except RegistryUnavailable as error:
            self._lose(error)
            return changed
        except ModelRefused:
            raise
        except RegistryError as error:
            self._refuse(runner, error)
            return changed
        self._regain()
        runner.model_problem = None
        return changed

    def _lose(self, error: RegistryUnavailable) -> None:
        if self._registry_lost_at is None:
            self._registry_lost_at = clock.now()
            _log.warning("registry lost, the last models go on: %s", error.message)
        self._registry_message = error.message

    def _regain(self) -> None:
        if self._registry_lost_at is not None:
            _log.warning("registry is back")
        self._registry_lost_at, self._registry_message = None, ""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError):
            line = await asyncio.wait_for(reader.readline(), _REQUEST_SECONDS)
            if line == REPORT:
                writer.write(REPORT_JSON.dump_json(self.report()))
                await writer.drain()
        writer.close()
