"""Requests to the control API that no client of ours sends: wrong names, types, sizes and encodings."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from urllib.parse import quote

from appliance.control import wire
from tests import builders
from tests.fuzz.http_requests import BODIES, RawRequest

INTEGERS = (
    "0",
    "-1",
    "1.5",
    "abc",
    "",
    "9" * 30,
    "9223372036854775808",
    "nan",
    "true",
    "null",
    "\x00",
)
TEXTS = (
    "",
    "\x00",
    "x" * 100_000,
    "../../etc/passwd",
    "가",
    "\x1b[31m",
    "no_such",
    "%s",
    "'; DROP TABLE events; --",
)
INSTANTS = ("now", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01", "1e400", "", "nan")
RIGHT: dict[str, object] = {
    **{"market": builders.MARKET, "unit": 1, "count": 5, "hours": 24.0, "cells": 10, "project": builders.PROJECT},
    **{"kind": "train", "limit": 3, "run_id": "manual__x", "task_id": "fit", "lines": 3, "name": "mlflow"},
    **{"after_id": 0, "version": 1, "params": {}, "job": 1, "start_at": "2026-01-01T00:00:00Z"},
    **{"end_at": "2026-01-02T00:00:00Z", "request": "a", "champion": 1, "seen": 1, "is_enabled": True},
    **{"key": "loss", "points": 10, "first": 1, "second": 2, "before_id": 0},
    **{"wanted": "{}", "query": "{}", "origin": {"name": "fuzz", "through": "command"}},
}  # fmt: skip


def socket_requests(seed: int = 7) -> list[RawRequest]:
    """Return all requests, the same for the same seed."""
    return [*_reads(), *_actions(), *_odd(), *_random(seed)]


def _odd_values(name: str) -> tuple[str, ...]:
    if name in {"start_at", "end_at"}:
        return INSTANTS
    return INTEGERS if isinstance(RIGHT[name], int | float) else TEXTS


def _reads() -> Iterator[RawRequest]:
    for operation in sorted(wire.READS):
        names = wire.argument_names(operation)
        for name in names:
            for value in _odd_values(name):
                yield _read(operation, {**{each: RIGHT[each] for each in names}, name: value})
        yield _read(operation, {"no_such_argument": "1"})


def _read(operation: str, arguments: dict[str, object]) -> RawRequest:
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in arguments.items())
    return RawRequest("GET", f"{wire.API_PREFIX}{operation}?{query}".encode())


def _actions() -> Iterator[RawRequest]:
    for operation in sorted(wire.ACTIONS - {"shut_down", "test_alert"}):
        for body in BODIES:
            yield RawRequest("POST", f"{wire.API_PREFIX}{operation}".encode(), body=body)
        for name in wire.argument_names(operation):
            for value in (*_odd_values(name), None, [], {}, 1e300, True):
                right = {each: RIGHT[each] for each in wire.argument_names(operation)}
                body = json.dumps({**right, name: value}).encode()
                if value != {}:
                    yield RawRequest("POST", f"{wire.API_PREFIX}{operation}".encode(), body=body)


def _odd() -> Iterator[RawRequest]:
    for path in (
        "/",
        "/v1/",
        "/v1/none",
        "/v1/status/x",
        "/v1/__init__",
        "/v1/shut_down",
        "/v2/status",
    ):
        yield RawRequest("GET", path.encode())
    for method in ("PUT", "DELETE", "PATCH", "POST"):
        yield RawRequest(method, b"/v1/status")


def _random(seed: int) -> Iterator[RawRequest]:
    chance = random.Random(seed)
    reads = sorted(wire.READS)
    for _ in range(40):
        names = chance.choices(sorted(RIGHT), k=3)
        arguments: dict[str, object] = {name: chance.choice(_odd_values(name)) for name in names}
        yield _read(chance.choice(reads), arguments)
