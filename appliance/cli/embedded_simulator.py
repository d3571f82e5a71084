"""The built-in simulator for the time of one command, while the appliance is down."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.settings import Settings
from appliance.errors import ServiceError
from appliance.supervisor.environment import base_environment
from appliance.supervisor.ports import choose_ports
from appliance.upbit.source import source_kind

START_SECONDS = 20.0
STOP_SECONDS = 5.0


@contextmanager
def simulator_for(settings: Settings, paths: Paths) -> Iterator[None]:
    """Serve the home's own market while the block runs, when it is the home's source.

    Raises:
        ServiceError: it did not start; the hint says how to see why.
    """
    if source_kind(settings, paths) != "simulator":
        yield
        return
    choose_ports(paths, settings, has_simulator=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.simulator", "--from-settings"],
        env=base_environment(paths),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(process, service_url(paths, "simulator"))
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/sim", timeout=1.0, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise ServiceError(
        "the built-in simulator did not start",
        hint=f"{sys.executable} -m appliance.simulator --from-settings",
    )
