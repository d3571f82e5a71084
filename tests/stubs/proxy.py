"""A real proxy on loopback that takes every host for one server: HTTP, CONNECT and SOCKS5."""

from __future__ import annotations

import base64
import socket
import struct
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class ProxyStub:
    """Relays to `target`, whatever was asked for, and keeps what was asked: `exchange.test:443`."""

    def __init__(self, target: int, login: str = "") -> None:
        self.asked: list[str] = []
        self._target = target
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            first = client.recv(1, socket.MSG_PEEK)
            begun = self._socks(client) if first == b"\x05" else self._http(client)
            if begun is None:
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                server.sendall(begun)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()

    def _http(self, client: socket.socket) -> bytes | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        login = base64.b64encode(self._login.encode())
        if self._login and b"Proxy-Authorization: Basic " + login not in head:
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            )
            return None
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            self.asked.append(target.decode())
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return b""
        parts = urlsplit(target.decode())
        self.asked.append(f"{parts.hostname}:{parts.port or 80}")
        path = target.decode().removeprefix(f"{parts.scheme}://{parts.netloc}")
        return head.replace(target, path.encode(), 1)

    def _socks(self, client: socket.socket) -> bytes | None:
        _, count = client.recv(2)
        methods = client.recv(count)
        wanted = 2 if self._login else 0
        client.sendall(bytes((5, wanted if wanted in methods else 255)))
        if self._login and not self._has_logged_in(client):
            return None
        kind = client.recv(4)[3]
        host = (
            client.recv(client.recv(1)[0]).decode()
            if kind == 3
            else socket.inet_ntoa(client.recv(4))
        )
        (port,) = struct.unpack(">H", client.recv(2))
        self.asked.append(f"{host}:{port}")
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return b""

    def _has_logged_in(self, client: socket.socket) -> bool:
        client.recv(1)
        user = client.recv(client.recv(1)[0]).decode()
        password = client.recv(client.recv(1)[0]).decode()
        is_right = f"{user}:{password}" == self._login
        client.sendall(bytes((1, 0 if is_right else 1)))
        return is_right


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
