"""The forecaster's process: `python -m appliance.forecaster`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from appliance.config.paths import Paths
from appliance.config.service_log import log_to_stderr
from appliance.errors import ApplianceError
from appliance.forecaster.forecaster import Forecaster
from appliance.ingest.store_gate import StoreGate
from appliance.pipelines.stored_proofs import StoredProofs
from appliance.registry.rest import RegistryRest
from appliance.registry.warm_models import WarmModels
from appliance.terminal import guard

_log = logging.getLogger("appliance.forecaster")


def main() -> int:
    """Forecast until SIGTERM or SIGINT; return the exit code."""
    guard()
    log_to_stderr()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        paths = Paths.from_environment()
        gate = StoreGate(paths)
        proofs = StoredProofs(gate.use)
        models = WarmModels(RegistryRest.of_home(paths), paths.model_copies, proofs)
        asyncio.run(_forecast(Forecaster(paths, models, gate, proofs)))
    except ApplianceError as error:
        sys.stderr.write(f"forecaster: {error.message}\nforecaster: {error.hint}\n")
        return 1
    return 0


async def _forecast(forecaster: Forecaster) -> None:
    running = asyncio.create_task(forecaster.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("stopped")
        logging.shutdown()
        # A thread may still wait for MLflow; whatever is not stored the workflow forecasts.
        os._exit(0)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


if __name__ == "__main__":
    sys.exit(main())
