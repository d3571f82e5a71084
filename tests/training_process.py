"""Trains in a process that can be made to stand still at a point, to be killed there.

    python -m tests.training_process [POINT]

A point is `module:name` of a function or method, with `+` before it to stand still after its call. The
process says `AT` and waits; without a point it trains to the end.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.workflow import WorkflowKind
from appliance.pipelines.workflow import run_in_process

AT = "AT"


def kill_training_at(point: str) -> None:
    """Train in a process of its own in this environment's home; SIGKILL it when it is at the point.

    Raises:
        AssertionError: the training ended without coming to the point.
    """
    command = [sys.executable, "-m", "tests.training_process", point]
    with subprocess.Popen(command, cwd=SOURCE_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            assert said == AT, f"the training ended without coming to {point}"
        finally:
            process.kill()


def _stand_still_at(point: str) -> None:
    module, _, name = point.removeprefix("+").partition(":")
    owner: Any = importlib.import_module(module)
    *path, name = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, name, _standing_still(getattr(owner, name), after=point.startswith("+")))


def _standing_still(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named) if after else None
        sys.stdout.write(AT + "\n")
        sys.stdout.flush()
        signal.pause()
        return result

    return wrapped


def main() -> None:
    """Train in the environment's home."""
    from tests.integration.test_crypto_forecast_workflows import PROJECT, settings_with

    if sys.argv[1:]:
        _stand_still_at(sys.argv[1])
    run_in_process(Paths.from_environment(), settings_with(), PROJECT, WorkflowKind.TRAIN)


if __name__ == "__main__":
    main()
