"""Fixtures of every test: a home of its own, and nothing but loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import appliance.pipelines  # noqa: F401 - before a test imports scikit-learn
from appliance import zone
from appliance.config.environment import OUTBOUND
from appliance.config.paths import Paths

pytest_plugins = ["tests.other_user"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the tests that CI runs in a short form."""
    group = parser.getgroup("soak")
    group.addoption("--soak-hours", type=float, default=1.0, help="simulated hours under faults")
    group.addoption("--soak-kills", type=int, default=3, help="kill -9 of store and of ingestor")
    group.addoption("--soak-seed", type=int, default=1, help="of faults and kills")
    parser.getgroup("homes").addoption("--homes", type=int, default=2, help="started at once")
    mlflow = parser.getgroup("mlflow")
    mlflow.addoption("--mlflow-seconds", type=float, default=8.0, help="of load by many clients")
    mlflow.addoption("--mlflow-kills", type=int, default=2, help="kill -9 of the server under load")
    production = parser.getgroup("production")
    production.addoption(
        "--production-sequences", type=int, default=4, help="random operations on production"
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A fresh, created appliance home that the environment points at."""
    paths = Paths(tmp_path / "home")
    paths.create()
    monkeypatch.setenv("APPLIANCE_HOME", str(paths.home))
    return paths


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("APPLIANCE_") or variable in OUTBOUND:
            monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def _korean_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show and read times in Korean time, on whichever machine."""
    monkeypatch.setattr(zone, "_chosen", ZoneInfo("Asia/Seoul"))


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
            assert is_loopback, f"a test tried to reach {host}"
        real_connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield
