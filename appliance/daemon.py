"""The appliance's daemon: supervisor, control API and alerts, wired together.

Runs as `python -m appliance.daemon`: detached by `appliance up`, in the foreground under systemd.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from appliance import clock, zone
from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.cli.output import narrate_error
from appliance.config import outbound
from appliance.config.exchanges import SIMULATOR
from appliance.config.paths import Paths
from appliance.config.secret import generate_missing
from appliance.config.service_log import log_to_stderr
from appliance.config.settings import Settings, load_settings
from appliance.control.api import SourceStatus
from appliance.control.backend import ApplianceControl, open_control
from appliance.control.recording.opening import open_recorder
from appliance.control.recording.recorder import Recorder
from appliance.control.server import ControlServer, build_app
from appliance.control.services import SupervisedServices
from appliance.domain.event import Event, EventKind, Severity
from appliance.errors import ApplianceError
from appliance.exchange.source import Source, resolve_source, source_kind
from appliance.supervisor.runtime import run
from appliance.supervisor.supervisor import Supervisor
from appliance.terminal import guard


class Daemon:
    """One home's supervisor with its control API.

    Events that the supervisor reports before the control backend stands wait for it.
    """

    def __init__(self, paths: Paths, settings: Settings) -> None:
        self._paths = paths
        self._settings = settings
        self._control: ApplianceControl | None = None
        self._waiting: list[Event] = []

    async def run(self) -> None:
        """Supervise until asked to stop."""
        kind = await asyncio.to_thread(source_kind, self._settings, self._paths)
        if kind != SIMULATOR:
            outbound.check(self._settings.source.rest_url, self._settings.source.websocket_url)
        await run(
            self._paths,
            self._settings,
            self._serve,
            has_simulator=kind == SIMULATOR,
            on_event=self._record,
        )

    def _record(self, event: Event) -> None:
        if self._control is None:
            self._waiting.append(event)
        else:
            self._control.record(event)

    async def _serve(self, supervisor: Supervisor) -> None:
        source = resolve_source(self._settings, self._paths)
        services = SupervisedServices(supervisor, asyncio.get_running_loop(), self._paths)
        control = open_control(self._paths, self._settings, services, _status_of(source))
        recorder = self._recorder(control)
        hear = recorder.hear if recorder else lambda *_: None
        server = ControlServer(build_app(control, control.hub, hear), self._paths.control_socket)
        self._control = control
        for event in (*self._waiting, _source_event(source)):
            control.record(event)
        control.start()
        if recorder:
            recorder.start()
        await server.start()
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()
            if recorder:
                await asyncio.to_thread(recorder.stop)
            await asyncio.to_thread(control.close)

    def _recorder(self, control: ApplianceControl) -> Recorder | None:
        settings = self._settings.recorder
        if not settings.enabled:
            return None
        recorder = open_recorder(self._paths, settings, control, control.hub)
        control.recorder_trouble = lambda: recorder.trouble
        return recorder


def _status_of(source: Source) -> SourceStatus:
    return SourceStatus(source.kind, source.label, source.is_simulated)


def _source_event(source: Source) -> Event:
    return Event(
        kind=EventKind.SOURCE_CHOSEN,
        summary=f"the appliance starts; market source: {source.label}",
        actor="supervisor",
        at=clock.now(),
        severity=Severity.WARNING if source.is_simulated else Severity.INFO,
        details={"source": source.source_id, "url": source.rest_url},
    )


def main() -> int:
    """Supervise the home of `$APPLIANCE_HOME`; return an exit code."""
    guard()
    log_to_stderr("%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        paths = Paths.from_environment()
        paths.create()
        generate_missing(paths)
        settings = load_settings(paths)
        zone.use(zone.named(settings.display.timezone))  # of messages to Slack
        asyncio.run(Daemon(paths, settings).run())
    except ApplianceError as error:
        narrate_error(error)
        return exit_code_of(error)
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
