"""This home's credentials for MLflow's own client: `MLFLOW_TRACKING_AUTH=appliance`."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests import PreparedRequest
from requests.auth import AuthBase

from appliance.config.listeners import prove, recorded_listener
from appliance.config.paths import Paths
from appliance.errors import RegistryError
from appliance.registry.credentials import authorization


class HomeAuthProvider(RequestAuthProvider):
    """Entry point `mlflow.request_auth_provider`."""

    def get_name(self) -> str:
        """Return the value of `MLFLOW_TRACKING_AUTH` that asks for it."""
        return "appliance"

    def get_auth(self) -> HomeAuth:
        """Return what adds the credentials to a request."""
        return HomeAuth(Paths.from_environment())


class HomeAuth(AuthBase):
    """Adds a home's credentials to requests to its own MLflow, and refuses to send any other."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request with credentials.

        Raises:
            RegistryError: it is for another server.
            UnprovenListener: somebody else listens there.
        """
        target = urlsplit(request.url or "")
        listener = recorded_listener(self._paths, "mlflow")
        if (target.hostname, target.port) != listener.address:
            raise RegistryError(
                f"{target.netloc} is not the MLflow of {self._paths.home}: nothing was sent",
                code="registry.foreign",
                hint="appliance status shows where it listens",
            )
        prove(listener)
        request.headers["Authorization"] = authorization(self._paths)
        return request
