"""Listeners: opened where configured, moved when a default is lost, refused where somebody insists."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from appliance.config.listeners import prove, record_listeners, recorded_listener
from appliance.config.paths import Paths
from appliance.config.ports import read_ports, write_ports
from appliance.config.settings import AirflowSettings, MlflowSettings, Settings
from appliance.errors import ServiceError
from appliance.supervisor.door import Door
from appliance.supervisor.listeners import Doors, open_doors
from tests.squatter import squatting


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


def defaults(mlflow: int, airflow: int = 0) -> Settings:
    """Settings whose ports nobody has set."""
    return Settings.model_construct(
        mlflow=MlflowSettings.model_construct(set(), port=mlflow),
        airflow=AirflowSettings.model_construct(set(), port=airflow),
    )


def set_ports(mlflow: int, airflow: int = 0) -> Settings:
    return Settings(mlflow=MlflowSettings(port=mlflow), airflow=AirflowSettings(port=airflow))


@contextmanager
def opened(home: Paths, settings: Settings, *, has_simulator: bool = False) -> Iterator[Doors]:
    with closing(open_doors(home, settings, has_simulator=has_simulator)) as doors:
        yield doors


def test_a_free_default_is_opened_recorded_and_listens(home: Paths) -> None:
    wanted = free_port()
    with opened(home, defaults(wanted)) as doors:
        assert doors.ports["mlflow"] == wanted
        assert doors.notes == ()
        assert read_ports(home) == doors.ports
        for service in ("mlflow", "airflow"):
            prove(recorded_listener(home, service))


def test_a_port_that_was_set_and_is_taken_is_an_error_that_names_who_has_it(
    home: Paths, taken: int
) -> None:
    free = free_port()
    with pytest.raises(ServiceError) as caught:
        open_doors(home, set_ports(free, taken), has_simulator=False)
    assert f"(pid {os.getpid()}, user" in caught.value.message
    assert "[airflow] port" in caught.value.hint
    Door("mlflow", free).close()  # what was opened before has been given up


def test_a_port_set_to_the_default_is_one_that_was_set(home: Paths, taken: int) -> None:
    (home.compose / "appliance.toml").write_text(f"[mlflow]\nport = {taken}\n")
    from appliance.config.settings import load_settings

    with pytest.raises(ServiceError, match=f"port {taken} for mlflow is taken"):
        open_doors(home, load_settings(home), has_simulator=False)


def test_a_taken_default_gives_way_says_so_once_and_keeps_its_new_port(
    home: Paths, taken: int
) -> None:
    with opened(home, defaults(taken)) as doors:
        moved = doors.ports
        assert moved["mlflow"] != taken
        assert f"mlflow is on port {moved['mlflow']}: {taken} is taken by" in doors.notes[0]
    with opened(home, defaults(taken)) as again:
        assert again.ports == moved
        assert again.notes == ()


def test_a_port_that_was_set_once_is_not_kept_when_the_setting_goes(home: Paths) -> None:
    was_set, default = free_port(), free_port()
    with opened(home, set_ports(was_set)) as doors:
        assert doors.ports["mlflow"] == was_set
    with opened(home, defaults(default)) as doors:
        assert doors.ports["mlflow"] == default


def test_a_lost_recorded_port_falls_back_to_the_default(home: Paths, taken: int) -> None:
    write_ports(home, {"mlflow": taken})
    default = free_port()
    with opened(home, defaults(default)) as doors:
        assert doors.ports["mlflow"] == default
        assert f"{taken} is taken by" in doors.notes[0]


def test_the_simulator_has_a_port_only_when_it_runs(home: Paths) -> None:
    with opened(home, set_ports(0)) as doors:
        assert "simulator" not in doors.ports
    with opened(home, set_ports(0), has_simulator=True) as doors:
        assert len(set(doors.ports.values())) == 3


@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", "7", '{"mlflow": "x"}', '{"mlflow": true}', '{"mlflow": 70000}', "[" * 99_999],
)
def test_a_damaged_record_of_ports_is_named_and_written_anew(home: Paths, damaged: str) -> None:
    home.ports_file.write_text(damaged)
    with opened(home, set_ports(0)) as doors:
        assert f"{home.ports_file} is damaged" in doors.notes[0]
    with opened(home, defaults(0)) as doors:
        assert doors.notes == ()
        assert read_ports(home) == doors.ports


def test_a_socket_that_is_bound_but_does_not_listen_yet_keeps_nobody_out(home: Paths) -> None:
    """Two may be bound to one port; whoever listens first has it, and the other is told."""
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        with opened(home, defaults(port)) as doors:
            assert doors.ports["mlflow"] == port
            with pytest.raises(OSError, match="in use"):
                squatter.listen()


def test_a_port_that_a_killed_supervisor_still_has_is_waited_for(home: Paths) -> None:
    """Its guard keeps the port of the home until the processes that talk to it have ended."""
    left = Door("mlflow", 0)
    record_listeners(home, [left.listener])
    keeper = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        pass_fds=(left.descriptor,),
    )
    left.close()
    code = f"""
from appliance.config.paths import Paths
from appliance.config.settings import MlflowSettings, AirflowSettings, Settings
from appliance.supervisor.listeners import open_doors
settings = Settings(mlflow=MlflowSettings(port={left_port(home)}), airflow=AirflowSettings(port=0))
print("waits", flush=True)
print(open_doors(Paths.from_environment(), settings, has_simulator=False).ports["mlflow"])
"""
    starting = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starting.stdout is not None
    assert starting.stdout.readline() == "waits\n"
    keeper.communicate(b"\n")
    assert int(starting.communicate(timeout=20)[0]) == left_port(home)


def left_port(home: Paths) -> int:
    return recorded_listener(home, "mlflow").port


_OPENER = """
import sys
from appliance.config.paths import Paths
from appliance.config.settings import AirflowSettings, MlflowSettings, Settings
from appliance.supervisor.listeners import open_doors
mlflow, airflow = map(int, sys.argv[1:])
settings = Settings.model_construct(
    mlflow=MlflowSettings.model_construct(set(), port=mlflow),
    airflow=AirflowSettings.model_construct(set(), port=airflow),
)
sys.stdin.readline()
doors = open_doors(Paths.from_environment(), settings, has_simulator=False)
print(*doors.ports.values(), flush=True)
sys.stdin.readline()
"""


def test_many_homes_that_start_at_once_all_get_ports_of_their_own(tmp_path: Path) -> None:
    defaults_of_all = [str(free_port()), str(free_port())]
    homes = [Paths(tmp_path / f"home{number}") for number in range(12)]
    openers = []
    for paths in homes:
        paths.create()
        openers.append(
            subprocess.Popen(
                [sys.executable, "-c", _OPENER, *defaults_of_all],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "APPLIANCE_HOME": str(paths.home)},
            )
        )
    for go in openers:
        assert go.stdin is not None
        go.stdin.write("\n")
        go.stdin.flush()
    ports = [
        port for opener in openers if opener.stdout for port in opener.stdout.readline().split()
    ]
    for paths in homes:
        for service in ("mlflow", "airflow"):
            prove(recorded_listener(paths, service))
    for opener in openers:
        opener.communicate("\n", timeout=20)
    assert len(ports) == len(set(ports)) == 2 * len(homes)
    assert set(defaults_of_all) <= set(ports)


def test_a_squatter_on_a_default_makes_it_move_and_is_named_with_its_user(
    home: Paths, tmp_path: Path, other_user: str
) -> None:
    with (
        squatting(tmp_path / "kept", user=other_user) as squatter,
        opened(home, defaults(squatter.port)) as doors,
    ):
        assert doors.ports["mlflow"] != squatter.port
        assert f"user {other_user}" in doors.notes[0]
        assert squatter.was_sent() == b""
