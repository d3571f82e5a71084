"""Who may speak to MLflow: the gate in front of the real server, as a home runs it."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from appliance.config.paths import Paths
from appliance.registry.credentials import password
from tests.mlflow_process import running_mlflow

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
CREATE = "/api/2.0/mlflow/registered-models/create"


@dataclass(frozen=True)
class Server:
    """A running server and its secret."""

    port: int
    password: str

    @property
    def basic(self) -> dict[str, str]:
        return basic("appliance", self.password)

    def status(
        self, path: str, method: str = "GET", body: str = "", **headers: str | None
    ) -> tuple[int, http.client.HTTPResponse]:
        """Send one request; header names take `_` for `-`, None leaves `Host` out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in named)
        for name, value in {**named, "Content-Length": str(len(body))}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body.encode())
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response


def basic(user: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    paths = Paths(tmp_path_factory.mktemp("gate") / "home")
    paths.create()
    with running_mlflow(paths) as url:
        yield Server(urlsplit(url).port or 0, password(paths))


def test_nothing_but_health_answers_without_credentials(server: Server) -> None:
    paths = (
        *("/", "/version", "/graphql", "/get-artifact?run_id=x&path=y", "/static-files/main.css"),
        *("/metrics", "/docs", "/openapi.json", "/v1/traces", "/gateway/x/mlflow/invocations"),
        *("/ajax-api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/assistant/config", SEARCH),
        *("/health/", "//health", "/health/..", "/HEALTH", "/health%2f..%2fversion", "/health;x"),
        *("/health%00", "/%2e/health", "/mlflow/health", "/x/../health", "/api/2.0/mlflow/health"),
    )
    for path in paths:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
            assert (path, method, server.status(path, method)[0]) == (path, method, 401)
    assert server.status("/health")[0] == server.status("/health", "HEAD")[0] == 200
    assert server.status("/health", "POST")[0] == 401


def test_a_browser_is_asked_for_the_password(server: Server) -> None:
    _, response = server.status("/")
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert server.status("/", **server.basic)[0] == 200


def test_only_the_very_credentials_count(server: Server) -> None:
    secret = server.password
    accepted = [server.basic, {"Authorization": f"Bearer {secret}"}]
    accepted.append({"Authorization": server.basic["Authorization"].replace("Basic", "basic")})
    for headers in accepted:
        assert server.status(SEARCH, **headers)[0] == 200
    wrong = (
        *(basic("appliance", secret[:-1]), basic("admin", secret), basic("", secret)),
        *(basic("appliance", secret + ":"), {"Authorization": secret}, {"Authorization": "Basic"}),
        *({"Authorization": "Bearer"}, {"Authorization": "Basic ===="}, basic("Appliance", secret)),
        {"Authorization": f"Digest {secret}"},
    )
    for headers in wrong:
        assert (headers, server.status(SEARCH, **headers)[0]) == (headers, 401)


def test_two_authorization_headers_are_none(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("GET", SEARCH)
    connection.putheader("Authorization", "Bearer guess")
    connection.putheader("Authorization", server.basic["Authorization"])
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize("host", ["localhost:18080", "127.0.0.1:5000", "[::1]:4321"])
def test_an_ssh_forward_to_any_local_port_works(server: Server, host: str) -> None:
    assert server.status(SEARCH, Host=host, **server.basic)[0] == 200
    page = {"Origin": f"http://{host}", "Content_Type": "application/json", **server.basic}
    name = f'{{"name": "model-{len(host)}"}}'
    assert server.status(CREATE, "POST", name, Host=host, **page)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.nip.io"),
        *("localhost:1@evil.example", "0.0.0.0:5000", "127.0.0.2", "localhost:x", "", None),
    ],
)
def test_strangers_names_are_refused_even_with_credentials(
    server: Server, host: str | None
) -> None:
    for path in (SEARCH, "/health", "/"):
        assert server.status(path, Host=host, **server.basic)[0] in {400, 403}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "image"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Dest": "script"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "iframe"},
    ],
)
def test_other_sites_pages_neither_read_nor_change(server: Server, headers: dict[str, str]) -> None:
    for method, path in (("GET", SEARCH), ("OPTIONS", SEARCH), ("POST", CREATE)):
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
            told = {**headers, **server.basic, "Content_Type": kind}
            status, response = server.status(path, method, '{"name": "evil"}', **told)
            assert status == 403
            assert not [name for name in response.headers if name.lower().startswith("access-")]


def test_a_link_on_another_page_opens_the_start_page(server: Server) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}
    assert server.status("/", **link, **server.basic)[0] == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_only_json_changes_the_registry(server: Server, kind: str | None) -> None:
    told = server.basic if kind is None else {**server.basic, "Content_Type": kind}
    assert server.status(CREATE, "POST", '{"name": "typeless"}', **told)[0] == 400


def test_a_web_socket_is_refused_without_credentials(server: Server) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Key": base64.b64encode(b"0123456789abcdef").decode(),
        "Sec_WebSocket_Version": "13",
    }
    assert server.status("/health", **upgrade)[0] == 403
