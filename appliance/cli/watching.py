"""Showing something again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from appliance.cli.output import narrate_error
from appliance.errors import TransientError
from appliance.terminal import CleanStream


def watching(seconds: float, show: Callable[[], None]) -> None:
    """Call `show` every so many seconds, each time on an empty screen where there is a terminal.

    While the appliance does not answer, that is told and it is asked again.
    """
    while True:
        if isinstance(sys.stdout, CleanStream):
            sys.stdout.clear_screen()
        try:
            show()
        except TransientError as error:
            narrate_error(error)
        sys.stdout.flush()
        time.sleep(seconds)
