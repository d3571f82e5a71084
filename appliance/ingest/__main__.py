"""The ingestor's process: `python -m appliance.ingest`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from appliance.config.paths import Paths
from appliance.config.service_log import log_to_stderr
from appliance.config.settings import Settings, load_settings
from appliance.errors import ApplianceError, ConfigError
from appliance.exchange.source import open_source, resolve_source
from appliance.ingest.live import Ingestor
from appliance.ingest.store_gate import StoreGate
from appliance.terminal import guard

_FAILED, _USAGE = 1, 2
_log = logging.getLogger("appliance.ingest")


def main() -> int:
    """Ingest until SIGTERM or SIGINT; return the exit code."""
    guard()
    log_to_stderr()
    for noisy in ("httpx", "apscheduler"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        paths = Paths.from_environment()
        return asyncio.run(_ingest(paths, load_settings(paths)))
    except ConfigError as error:
        _say(error)
        return _USAGE
    except ApplianceError as error:
        _say(error)
        return _FAILED


async def _ingest(paths: Paths, settings: Settings) -> int:
    source = await asyncio.to_thread(resolve_source, settings, paths)
    _log.info("source=%s url=%s", source.source_id, source.rest_url)
    gate = StoreGate(paths)
    client = open_source(source, settings, paths)
    running = asyncio.create_task(Ingestor(gate, client, source, settings, paths).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("stopped")
        logging.shutdown()
        # Threads may still wait for the exchange; whatever they have not stored is fetched again.
        os._exit(0)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    return 0


def _say(error: ApplianceError) -> None:
    sys.stderr.write(f"ingestor: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"ingestor: {error.hint}\n")


if __name__ == "__main__":
    sys.exit(main())
