"""Nothing is sent to a listener that has not proved to be this home's."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from appliance.config import sock_diag
from appliance.config.listeners import (
    Listener,
    UnprovenListener,
    connect_proven,
    forget_listeners,
    prove,
    record_listeners,
    recorded_listener,
)
from appliance.config.loopback import ListeningSocket, describe_holder, listening_sockets
from appliance.config.paths import Paths
from appliance.config.proven_http import ProvenTransport
from tests.squatter import squatting


@contextmanager
def listening(port: int = 0) -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        yield server


def listener_of(server: socket.socket, service: str = "mlflow") -> Listener:
    inode = os.fstat(server.fileno()).st_ino
    return Listener(service, server.getsockname()[1], inode, os.getuid())


def get(paths: Paths, port: int) -> httpx.Response:
    with httpx.Client(transport=ProvenTransport(paths, "mlflow"), timeout=5) as client:
        return client.get(f"http://127.0.0.1:{port}/", headers={"Authorization": "secret"})


def test_a_recorded_socket_that_listens_is_proven(home: Paths) -> None:
    with listening() as server:
        record_listeners(home, [listener_of(server)])
        assert recorded_listener(home, "mlflow") == listener_of(server)
        with connect_proven(home, "mlflow", 5.0) as connection:
            assert connection.getpeername() == server.getsockname()
    assert home.listeners_file.stat().st_mode & 0o777 == 0o600


def test_a_service_that_is_not_recorded_is_not_reached(home: Paths) -> None:
    with pytest.raises(UnprovenListener, match=r"airflow .* does not run"):
        connect_proven(home, "airflow", 5.0)
    with listening() as server:
        record_listeners(home, [listener_of(server)])
        forget_listeners(home)
        with pytest.raises(UnprovenListener, match="does not run"):
            connect_proven(home, "mlflow", 5.0)


def test_whoever_has_the_port_now_is_named_and_sent_nothing(home: Paths, tmp_path: Path) -> None:
    with listening() as server:
        ours = listener_of(server)
        record_listeners(home, [ours])
    with squatting(tmp_path / "kept", ours.port) as squatter:
        with pytest.raises(UnprovenListener) as caught:
            connect_proven(home, "mlflow", 5.0)
        with pytest.raises(httpx.ConnectError, match="is not this home's mlflow"):
            get(home, ours.port)
        assert f"(pid {squatter.process.pid}, user " in caught.value.message
        assert f"socket {ours.inode} of its supervisor is expected" in caught.value.message
        assert squatter.was_sent() == b""


def test_a_closed_port_and_one_of_a_socket_that_does_not_listen_prove_nothing(home: Paths) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(UnprovenListener, match="nobody listens"):
            prove(listener_of(bound))


def test_another_homes_listener_is_refused(home: Paths) -> None:
    with listening() as ours, listening() as theirs:
        record_listeners(home, [listener_of(ours)])
        wrong_port = ours.getsockname()[1], theirs.getsockname()[1]
        with pytest.raises(
            httpx.ConnectError, match="listens on 127.0.0.1:{}, not on".format(*wrong_port)
        ):
            get(home, theirs.getsockname()[1])


def test_the_listener_must_have_been_recorded_before_the_connection(home: Paths) -> None:
    """A listener of ours that came between connection and proof did not take the connection."""
    with listening() as early:
        port = early.getsockname()[1]
        expected = Listener("mlflow", port, 1, os.getuid())
        connection = socket.create_connection(("127.0.0.1", port))
    with connection, listening(port) as late:
        record_listeners(home, [listener_of(late)])
        with pytest.raises(UnprovenListener):
            prove(expected)


def test_a_record_of_another_boot_or_a_damaged_one_proves_nothing(home: Paths) -> None:
    with listening() as server:
        record_listeners(home, [listener_of(server)])
        record = json.loads(home.listeners_file.read_text())
        home.listeners_file.write_text(json.dumps(record | {"boot": "another"}))
        with pytest.raises(UnprovenListener, match="does not run"):
            recorded_listener(home, "mlflow")
        for damaged in ("", "[]", "{", json.dumps(record | {"listeners": [{"port": 1}]})):
            home.listeners_file.write_text(damaged)
            with pytest.raises(UnprovenListener, match=r"listeners\.json cannot be read"):
                recorded_listener(home, "mlflow")


def test_a_proven_connection_is_kept_alive_and_proven_once(home: Paths) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    record_listeners(home, [listener_of(server.socket)])
    try:
        with httpx.Client(transport=ProvenTransport(home, "mlflow"), timeout=5) as client:
            assert client.get(url).status_code == 200
            forget_listeners(home)
            assert client.get(url).status_code == 200, "not over the connection proven before"
    finally:
        server.shutdown()
        server.server_close()


def test_another_users_listener_is_refused_and_its_user_named(
    home: Paths, tmp_path: Path, other_user: str
) -> None:
    with listening() as server:
        ours = listener_of(server)
        record_listeners(home, [ours])
    with squatting(tmp_path / "kept", ours.port, user=other_user) as squatter:
        with pytest.raises(httpx.ConnectError, match=f"user {other_user}.* listens"):
            get(home, ours.port)
        assert squatter.was_sent() == b""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"])
def test_netlink_and_proc_tell_the_same_of_who_listens(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_forbidden(family: socket.AddressFamily, port: int) -> list[tuple[str, int, int]]:
        raise PermissionError(f"no netlink for {family} {port}")

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, 0))
        port = server.getsockname()[1]
        assert list(listening_sockets(port)) == []
        server.listen()
        inode = os.fstat(server.fileno()).st_ino
        expected = [ListeningSocket(host, port, os.getuid(), inode)]
        assert list(listening_sockets(port)) == expected
        monkeypatch.setattr(sock_diag, "listening", is_forbidden)
        assert list(listening_sockets(port)) == expected


def test_the_holder_of_a_port_is_named() -> None:
    with listening() as server:
        assert f"(pid {os.getpid()}, user " in describe_holder(server.getsockname()[1])
