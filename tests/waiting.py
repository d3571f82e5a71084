"""Waiting for conditions instead of sleeping."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_never = threading.Event()
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
"""Test files that run at a time and share the machine: each takes so many times as long."""


def wait_until(condition: Callable[[], T], seconds: float = 10.0, message: str = "") -> T:
    """Poll `condition` until it returns something truthy and return that; fail at the deadline.

    `seconds` are those of a machine that runs one test file at a time.
    """
    deadline = time.monotonic() + seconds * _WORKERS
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {message or condition}"
        _never.wait(0.02)
