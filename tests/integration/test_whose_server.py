"""No client of ours sends a byte to a server that is not this home's, whoever has the port."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.airflow_api.client import AirflowApi
from appliance.config.handover import VARIABLE
from appliance.config.listeners import connect_proven, record_listeners, recorded_listener
from appliance.config.paths import Paths
from appliance.config.ports import service_url
from appliance.config.proven_http import ProvenTransport
from appliance.config.secret import Secret, generate_missing, read_secret
from appliance.config.settings import Settings
from appliance.errors import ApplianceError, TransientError
from appliance.exchange.port import StreamState, StreamStatus
from appliance.exchange.source import open_source, resolve_source
from appliance.registry.location import locate_registry
from appliance.registry.rest import RegistryRest
from appliance.supervisor.door import Door
from appliance.supervisor.probes import AirflowApiProbe, HttpProbe, MlflowProbe
from appliance.supervisor.spec import ProcessFacts
from appliance.upbit.websocket import CandleStream
from tests.listening import announce
from tests.mlflow_process import appliance_up
from tests.squatter import Squatter, squatting

SIMULATED = Settings.model_validate({"source": {"kind": "simulator"}})
FACTS = ProcessFacts(os.getpid(), datetime(2026, 1, 1, tzinfo=UTC))
SERVICES = ("mlflow", "airflow", "simulator")


def trigger(home: Paths) -> None:
    url = service_url(home, "airflow")
    secret = read_secret(home, Secret.AIRFLOW_JWT_SECRET)
    with_proof = AirflowApi(url, secret, ProvenTransport(home, "airflow"))
    with_proof.trigger("crypto_forecast_train_wf", {})


def read_registry(home: Paths) -> None:
    RegistryRest.of_home(home).champion("crypto_forecast")


def find_registry(home: Paths) -> None:
    with appliance_up(home):
        locate_registry(home, SIMULATED)


def ask_mlflow(home: Paths) -> None:
    from appliance.registry.client import Registry
    from appliance.registry.location import RegistryLocation, artifact_root

    location = RegistryLocation(service_url(home, "mlflow"), artifact_root(home, SIMULATED))
    Registry(location).champion("crypto_forecast")


def ask_exchange(home: Paths) -> None:
    with open_source(resolve_source(SIMULATED, home), SIMULATED, home) as client:
        client.markets()


def follow_stream(home: Paths) -> None:
    lost: list[StreamStatus] = []
    is_lost = asyncio.Event()

    def note(status: StreamStatus) -> None:
        lost.append(status)
        is_lost.set()

    stream = CandleStream(
        resolve_source(SIMULATED, home).websocket_url,
        ("KRW-BTC",),
        (1,),
        note,
        open_socket=lambda: connect_proven(home, "simulator", 5.0),
    )

    async def follow() -> None:
        following = asyncio.ensure_future(anext(stream.candles()))
        await asyncio.wait_for(is_lost.wait(), 30)
        following.cancel()

    asyncio.run(follow())
    assert lost[0].state is StreamState.DISCONNECTED
    raise TransientError(lost[0].message)


def probe(home: Paths) -> None:
    looks = (
        MlflowProbe(recorded_listener(home, "mlflow"), lambda: "secret"),
        AirflowApiProbe(recorded_listener(home, "airflow")),
        HttpProbe(recorded_listener(home, "simulator"), "/sim"),
    )
    seen = [look(FACTS) for look in looks]
    assert not any(found.is_ready for found in seen)
    raise TransientError("; ".join(found.evidence for found in seen))


CLIENTS = (
    trigger,
    read_registry,
    find_registry,
    ask_mlflow,
    ask_exchange,
    follow_stream,
    probe,
)
IDS = [client.__name__ for client in CLIENTS]


@pytest.fixture
def lost(home: Paths, tmp_path: Path) -> Iterator[list[Squatter]]:
    """Squatters on each port of a home whose supervisor was killed: its record is still there."""
    generate_missing(home)
    doors = [Door(service, 0) for service in SERVICES]
    record_listeners(home, [door.listener for door in doors])
    with ExitStack() as stack:
        squatters = []
        for door in doors:
            port = door.port
            door.close()
            squatters.append(stack.enter_context(squatting(tmp_path / door.service, port)))
        yield squatters


@pytest.mark.parametrize("client", CLIENTS, ids=IDS)
def test_nothing_is_sent_to_who_has_taken_the_port_of_a_dead_server(
    home: Paths,
    lost: list[Squatter],
    client: Callable[[Paths], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with pytest.raises(ApplianceError) as caught:
        client(home)
    assert isinstance(caught.value, TransientError)
    assert f"(pid {lost[0].process.pid}" in str(caught.value) or "not this home's" in str(
        caught.value
    )
    assert [squatter.was_sent() for squatter in lost] == [b"", b"", b""]


def test_mlflows_client_repeats_a_request_only_to_the_home_s_own_server(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies in the middle of a request; who takes its port then is sent nothing."""
    generate_missing(home)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    with squatting(tmp_path / "ours") as ours:
        announce(home, "mlflow", ours.port)
        with squatting(tmp_path / "theirs", ours.port, patience=60) as theirs:

            def kill_when_asked() -> None:
                while not ours.was_sent():
                    threading.Event().wait(0.01)
                ours.process.kill()

            killer = threading.Thread(target=kill_when_asked)
            killer.start()
            with pytest.raises(ApplianceError):
                for _ in range(1000):
                    ask_mlflow(home)
            killer.join()
            theirs.wait_for_port()
            with pytest.raises(ApplianceError):
                ask_mlflow(home)
            assert theirs.was_sent() == b""
        assert b"Authorization" in ours.was_sent()


def test_the_variable_of_a_hand_over_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.config.handover import handed_over, inherited_listener

    door = Door("mlflow", 0)
    reader, writer = os.pipe()
    for name, value in handed_over(os.dup(door.descriptor), writer).items():
        monkeypatch.setenv(name, value)
    inherited = inherited_listener()
    assert inherited is not None
    assert inherited.socket.getsockname()[1] == door.port
    assert VARIABLE not in os.environ
    inherited.announce()
    assert os.read(reader, 2) == b"+"
    assert os.read(reader, 1) == b""
    inherited.socket.close()
    os.close(reader)
    door.close()
    assert inherited_listener() is None
