"""This home's credentials for MLflow's own client: `MLFLOW_TRACKING_AUTH=appliance`.

MLflow asks an auth provider before it connects, and connects again when an attempt has failed: by then
somebody else may listen there. So its sessions get connections here that prove themselves when they are
open, before anything is written to them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from mlflow.utils import request_utils
from requests import PreparedRequest, Response
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from appliance.config.listeners import Listener, prove, recorded_listener
from appliance.config.paths import Paths
from appliance.errors import RegistryError
from appliance.registry.credentials import authorization

_NAME = "appliance"
_expected: dict[tuple[str, int | None], Listener] = {}
"""Addresses to which this process sends credentials, and who must listen there."""


class HomeAuthProvider(RequestAuthProvider):
    """Entry point `mlflow.request_auth_provider`."""

    def get_name(self) -> str:
        """Return the value of `MLFLOW_TRACKING_AUTH` that asks for it."""
        return _NAME

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
            UnprovenListener: this home's MLflow does not run.
        """
        target = urlsplit(request.url or "")
        listener = recorded_listener(self._paths, "mlflow")
        if (target.hostname, target.port) != listener.address:
            raise RegistryError(
                f"{target.netloc} is not the MLflow of {self._paths.home}: nothing was sent",
                code="registry.foreign",
                hint="appliance status shows where it listens",
            )
        _expected[listener.address] = listener
        request.headers["Authorization"] = authorization(self._paths)
        return request


class _ProvenConnection(HTTPConnection):
    """Is refused when it reaches somebody else where a home's MLflow is expected."""

    def connect(self) -> None:
        """Connect, and prove who took the connection."""
        super().connect()
        listener = _expected.get((self.host, self.port))
        if listener is None:
            return
        try:
            prove(listener)
        except BaseException:
            self.close()
            raise


class _ProvenPool(HTTPConnectionPool):
    ConnectionCls = _ProvenConnection


class ProvenAdapter(request_utils.TCPKeepAliveHTTPAdapter):
    """MLflow's adapter with such connections, and without a proxy on the way to a home's own server."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            **self.poolmanager.pool_classes_by_scheme,
            "http": _ProvenPool,
        }

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send one request."""
        target = urlsplit(request.url or "")
        is_ours = (target.hostname, target.port) in _expected
        return super().send(request, stream, timeout, verify, cert, {} if is_ours else proxies)


setattr(request_utils, "TCPKeepAliveHTTPAdapter", ProvenAdapter)  # noqa: B010 - a type to mypy
request_utils._cached_get_request_session.cache_clear()
