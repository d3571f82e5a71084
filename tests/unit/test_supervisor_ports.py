"""Ports: the configured ones, a free one when a default is taken, an error when it was asked for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.config.loopback import describe_holder
from appliance.config.paths import Paths
from appliance.config.ports import read_ports
from appliance.config.settings import AirflowSettings, MlflowSettings, Settings
from appliance.errors import ServiceError
from appliance.supervisor import ports
from appliance.supervisor.ports import choose_ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this test listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        yield int(server.getsockname()[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(mlflow: int, airflow: int = 0) -> Settings:
    return Settings(mlflow=MlflowSettings(port=mlflow), airflow=AirflowSettings(port=airflow))


def test_a_free_configured_port_is_taken_and_recorded(home: Paths) -> None:
    wanted = free_port()
    choice = choose_ports(home, settings(wanted), has_simulator=False)
    assert choice.ports["mlflow"] == wanted
    assert choice.notes == ()
    assert read_ports(home) == choice.ports


def test_a_taken_port_that_was_set_is_an_error_that_names_who_has_it(
    home: Paths, taken: int
) -> None:
    with pytest.raises(ServiceError) as caught:
        choose_ports(home, settings(taken), has_simulator=False)
    assert f"(pid {os.getpid()}, user" in caught.value.message
    assert "[mlflow] port" in caught.value.hint


def test_a_taken_default_gives_way_and_says_so(
    home: Paths, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "MlflowSettings", lambda: MlflowSettings(port=taken))
    choice = choose_ports(home, settings(taken), has_simulator=False)
    assert choice.ports["mlflow"] != taken
    assert f"{taken} is taken by" in choice.notes[0]
    again = choose_ports(home, settings(taken), has_simulator=False)
    assert again.ports == choice.ports


def test_the_simulator_has_a_port_only_when_it_runs(home: Paths) -> None:
    assert "simulator" not in choose_ports(home, settings(0), has_simulator=False).ports
    choice = choose_ports(home, settings(0), has_simulator=True)
    assert is_free(choice.ports["simulator"])
    assert len(set(choice.ports.values())) == 3


def test_the_holder_of_a_port_is_named(taken: int) -> None:
    assert f"(pid {os.getpid()}, user" in describe_holder(taken)
