"""What a client of this home's MLflow says to be let in; who checks it is `appliance.registry.gate`."""

from __future__ import annotations

import base64
from collections.abc import Generator

import httpx

from appliance.config.paths import Paths
from appliance.config.secret import Secret, require_secret
from appliance.errors import ConfigError, RegistryUnavailable

USER = "appliance"
"""The one user of a home's MLflow, as of its Airflow."""


def password(paths: Paths) -> str:
    """Return the password of `USER`, which is also the bearer token.

    Raises:
        ConfigError: the home has none yet.
    """
    return require_secret(paths, Secret.MLFLOW_PASSWORD)


def authorization(paths: Paths) -> str:
    """Return the value of the `Authorization` header; raises `ConfigError` as `password` does."""
    pair = f"{USER}:{password(paths)}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


class HomeCredentials(httpx.Auth):
    """Adds a home's credentials to requests, as they are at that moment.

    A request raises `RegistryUnavailable` while the home has none: long-running callers wait for the
    registry then, as for any other fault of it.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with the credentials."""
        try:
            request.headers["Authorization"] = authorization(self._paths)
        except ConfigError as error:
            raise RegistryUnavailable(error.message, code=error.code, hint=error.hint) from error
        yield request
