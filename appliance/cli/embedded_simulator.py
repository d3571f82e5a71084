"""The built-in simulator for the time of one command, while the appliance is down."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from appliance.config.handover import handed_over
from appliance.config.listeners import serving_here
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.errors import ServiceError
from appliance.exchange.source import source_kind
from appliance.supervisor.door import Door
from appliance.supervisor.environment import base_environment

START_SECONDS = 20.0
STOP_SECONDS = 5.0
_COMMAND = (sys.executable, "-m", "appliance.simulator", "--from-settings")


@contextmanager
def simulator_for(settings: Settings, paths: Paths) -> Iterator[None]:
    """Serve the home's own market to this process while the block runs, when it is the home's source.

    Raises:
        ServiceError: it did not start; the hint says how to see why.
    """
    if source_kind(settings, paths) != "simulator":
        yield
        return
    with (
        closing(Door("simulator", 0)) as door,
        _simulator(paths, door),
        serving_here(paths, door.listener),
    ):
        yield


@contextmanager
def _simulator(paths: Paths, door: Door) -> Iterator[None]:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        _COMMAND,
        env={**base_environment(paths), **handed_over(door.descriptor, writer)},
        pass_fds=(door.descriptor, writer),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        _wait_until_it_serves(reader)
        yield
    finally:
        os.close(reader)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_serves(reader: int) -> None:
    is_heard, _, _ = select.select([reader], [], [], START_SECONDS)
    if not is_heard or not os.read(reader, 1):
        raise ServiceError(
            "the built-in simulator did not start",
            hint=" ".join(_COMMAND),
        )
