"""What another user of the machine can do to a home: requests and files, tried as that very user."""

from __future__ import annotations

import json
import subprocess
from typing import Any

_PROGRAM = """
import http.client, json, os, socket, sys

def request(port, method, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return [response.status, response.read(100_000).decode("latin-1")]
    except (OSError, http.client.HTTPException) as error:
        return [0, repr(error)]
    finally:
        connection.close()

def attempt(kind, *what):
    try:
        if kind == "request":
            return request(*what)
        if kind == "read":
            return open(what[0], "rb").read().decode("latin-1")
        if kind == "list":
            return os.listdir(what[0])
        if kind == "write":
            return open(what[0], "ab").write(b"evil")
        if kind == "connect":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(what[0])
            return "connected"
    except OSError as error:
        return [0, type(error).__name__]

print(json.dumps([attempt(*words) for words in json.load(sys.stdin)]))
"""


def request(
    port: int,
    path: str,
    method: str = "GET",
    body: object = None,
    headers: dict[str, str] | None = None,
) -> list[object]:
    """Return an HTTP request to try; a body that is no text is sent as JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    kind = {} if text is None or isinstance(body, str) else {"Content-Type": "application/json"}
    return ["request", port, method, path, text, {**kind, **(headers or {})}]


def attempts_of(user: str, attempts: list[list[object]]) -> list[Any]:
    """Return what each attempt gave: `[status, text]`, a file's text, `[0, error]` when it failed."""
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", _PROGRAM],
        input=json.dumps(attempts),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd="/",
        user=user,
        group=user,
        extra_groups=[],
    )
    results: list[Any] = json.loads(done.stdout)
    return results
