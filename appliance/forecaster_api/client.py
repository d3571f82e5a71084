"""Asking the forecaster of a home over its unix socket."""

from __future__ import annotations

import os
import socket

from appliance.config.paths import Paths
from appliance.errors import ServiceError, TransientError
from appliance.forecaster_api.wire import REPORT, REPORT_JSON, ForecasterReport

_MOST_BYTES = 1_000_000


class ForecasterUnavailable(ServiceError, TransientError):
    """The forecaster does not answer."""

    code_default = "forecaster.unavailable"


def ask_report(paths: Paths, seconds: float = 2.0) -> ForecasterReport:
    """Return what the forecaster says about itself.

    Raises:
        ForecasterUnavailable: it does not listen, does not answer in time, or answers nonsense.
    """
    try:
        with _connected(paths, seconds) as connection:
            connection.sendall(REPORT)
            return REPORT_JSON.validate_json(_read_all(connection))
    except FileNotFoundError as error:
        raise _unavailable("does not listen yet") from error
    except (OSError, ValueError) as error:
        raise _unavailable(f"does not answer: {error or type(error).__name__}") from error


def _connected(paths: Paths, seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(os.fspath(paths.forecaster_socket))
    except BaseException:
        connection.close()
        raise
    return connection


def _read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    while chunk := connection.recv(65_536):
        received += chunk
        if len(received) > _MOST_BYTES:
            raise ValueError("the answer does not end")
    return bytes(received)


def _unavailable(why: str) -> ForecasterUnavailable:
    return ForecasterUnavailable(
        f"the forecaster {why}", hint="appliance logs forecaster; forecasts go on in the workflow"
    )
