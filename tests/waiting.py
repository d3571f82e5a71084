"""Waiting for conditions instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_never = threading.Event()


def wait_until(condition: Callable[[], T], seconds: float = 10.0, message: str = "") -> T:
    """Poll `condition` until it returns something truthy and return that; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {message or condition}"
        _never.wait(0.02)
