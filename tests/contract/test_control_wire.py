"""What a `Control` returns or raises on the server arrives unchanged at the client."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from appliance.config.paths import Paths
from appliance.config.whoami import host_name, user_name
from appliance.control.api import Control, StreamMessage
from appliance.control.client import ControlClient
from appliance.control.hub import Hub
from appliance.domain.event import EventKind, Severity
from appliance.domain.event_filter import EventFilter
from appliance.domain.history_job import HistoryKind
from appliance.domain.log import LogQuery
from appliance.domain.origin import Origin, Through
from appliance.domain.workflow import WorkflowKind
from appliance.errors import (
    AirflowUnavailable,
    ApplianceError,
    ApplianceNotRunning,
    ConfigError,
    ModelNotFound,
    RegistryUnavailable,
    ServiceError,
    StoreUnavailable,
)
from tests import builders
from tests.builders import KIM
from tests.control_bench import serving
from tests.fakes.control import FakeControl

PROJECT = builders.PROJECT
TRAIN = WorkflowKind.TRAIN


@pytest.fixture
def fake() -> FakeControl:
    return FakeControl()


@pytest.fixture
def hub(fake: FakeControl) -> Hub:
    return Hub(fake.snapshot)


@pytest.fixture
def client(fake: FakeControl, hub: Hub, home: Paths) -> Iterator[ControlClient]:
    with serving(fake, hub, home) as connected:
        yield connected


def newest_run(control: Control) -> str:
    return control.dag_runs(PROJECT, TRAIN, 1)[0].run_id


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.status(),
        lambda c: c.candles(builders.MARKET, 1, 20),
        lambda c: c.candles_until(builders.MARKET, 1, builders.ago(hours=1), 20),
        lambda c: c.coverage(builders.MARKET, 1),
        lambda c: c.coverage_strip(builders.MARKET, 1, 24.0, 60),
        lambda c: c.start_history(HistoryKind.REPAIR, builders.MARKET, 1, KIM),
        lambda c: c.start_history(HistoryKind.BACKFILL, builders.MARKET, 1, KIM, builders.NOW),
        lambda c: c.cancel_history(1, KIM),
        lambda c: c.forecasts(PROJECT, 5),
        lambda c: c.events(),
        lambda c: c.events(after_id=2, limit=1),
        lambda c: c.find_events(EventFilter(), before_id=5, limit=2),
        lambda c: c.find_events(EventFilter(texts=("v12",), since=builders.ago(hours=9))),
        lambda c: c.next_events(EventFilter(severities=(Severity.WARNING,)), 2),
        lambda c: c.count_events(EventFilter(kinds=(EventKind.TRAINED, EventKind.PROMOTED))),
        lambda c: c.models(PROJECT),
        lambda c: c.monitoring(PROJECT),
        lambda c: c.charts(PROJECT),
        lambda c: c.chart(PROJECT, "outcomes", 60),
        lambda c: c.chart(PROJECT, "loss", 60, builders.ago(hours=2), builders.NOW),
        lambda c: c.unpause(PROJECT, TRAIN, KIM),
        lambda c: c.enable_project(PROJECT, False, KIM),
        lambda c: c.verdicts(PROJECT, 12, 13),
        lambda c: c.compare(PROJECT, 12, 13),
        lambda c: c.dag_runs(PROJECT, TRAIN, 2),
        lambda c: c.dag_run(PROJECT, TRAIN, newest_run(c)),
        lambda c: c.task_log(PROJECT, TRAIN, "manual__2026-03-14T05:02:10+00:00", "fit", 3),
        lambda c: c.service_log("mlflow", 7),
        lambda c: c.task_log_page(PROJECT, TRAIN, "manual__1", "fit", LogQuery(lines=2)),
        lambda c: c.service_log_page("mlflow", LogQuery(needle="429", context=1)),
        lambda c: c.service_log_page("mlflow", LogQuery(around_at=builders.NOW, lines=3)),
        lambda c: c.promote(PROJECT, 11, 12, KIM),
        lambda c: c.roll_back(PROJECT, 11, 12, KIM),
        lambda c: c.restart_service("mlflow", KIM),
        lambda c: c.test_alert(KIM),
        lambda c: c.shut_down(KIM),
    ],
    ids=lambda call: ".".join(call.__code__.co_names),
)
def test_the_client_returns_what_the_server_returned(
    fake: FakeControl, client: ControlClient, call: Callable[[Control], object]
) -> None:
    assert call(client) == call(fake)


def test_a_read_only_client_says_so_and_changes_nothing(
    fake: FakeControl, client: ControlClient, home: Paths
) -> None:
    watching = ControlClient(home, is_read_only=True)
    assert watching.status().read_only and not client.status().read_only
    first = next(message for message in watching.stream() if message.status is not None)
    assert first.status is not None and first.status.read_only
    with pytest.raises(ConfigError, match="only looks"):
        watching.promote(PROJECT, 11, 12, KIM)
    with pytest.raises(ConfigError, match="only looks"):
        watching.shut_down(KIM)
    assert fake.commands == []


def test_the_kernel_says_who_asks_and_the_client_only_from_where(
    hub: Hub, home: Paths, fake: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Origin] = []
    monkeypatch.setattr(fake, "shut_down", lambda origin: asked.append(origin))  # noqa: PLW0108
    with serving(fake, hub, home) as client:
        client.shut_down(KIM)
        client.shut_down(Origin("train_wf", Through.WORKFLOW, run_id="x", cause=KIM))
        with pytest.raises(ConfigError, match="control characters"):
            client.shut_down(replace(KIM, terminal="\x1b[2J"))
    me = user_name(os.getuid())
    assert [(each.name, each.host, each.through, each.terminal) for each in asked] == [
        (me, host_name(), Through.CONSOLE, KIM.terminal),
        (me, host_name(), Through.COMMAND, ""),
    ]
    assert [(each.client, each.run_id, each.cause) for each in asked] == [
        (KIM.client, "", None),
        ("", "", None),
    ]


def test_a_workflows_parameters_arrive(fake: FakeControl, client: ControlClient) -> None:
    client.run_workflow(PROJECT, TRAIN, {"rows": "10"}, KIM)
    assert fake.commands == [
        ("run_workflow", PROJECT, TRAIN, {"rows": "10"}, user_name(os.getuid()))
    ]


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("locked", hint="wait", path="/x"),
        RegistryUnavailable("MLflow is down", hint="appliance logs mlflow"),
        AirflowUnavailable("Airflow is down", code="airflow.slow"),
        ModelNotFound("no version 9", hint="list them", version=9),
        ConfigError("unknown project", hint="known: a"),
        ServiceError("no such service"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_it_was_raised(
    fake: FakeControl, client: ControlClient, error: ApplianceError
) -> None:
    fake.failures["models"] = error
    with pytest.raises(type(error)) as raised:
        client.models(PROJECT)
    received = raised.value
    assert type(received) is type(error)
    assert (received.message, received.code, received.hint, received.fields) == (
        error.message,
        error.code,
        error.hint,
        error.fields,
    )


def test_an_argument_that_does_not_fit_is_refused(client: ControlClient) -> None:
    with pytest.raises(ConfigError, match="count"):
        client.candles(builders.MARKET, 1, "many")  # type: ignore[arg-type]


def test_a_number_that_is_not_one_arrives_as_it_is(
    fake: FakeControl, client: ControlClient
) -> None:
    fake.known_models = [replace(fake.known_models[0], metrics={"pinball": math.nan})]
    assert math.isnan(client.models(PROJECT)[0].metrics["pinball"])


def test_the_stream_begins_with_a_snapshot_and_goes_on_with_changes(
    fake: FakeControl, hub: Hub, client: ControlClient
) -> None:
    stream = client.stream()
    assert next(stream) == StreamMessage(status=fake.snapshot)
    live = builders.live(fake.closed)
    hub.publish(StreamMessage(live=live))
    assert next(stream) == StreamMessage(live=live)
    event = builders.events()[0]
    hub.publish(StreamMessage(event=event))
    assert next(stream) == StreamMessage(event=event)


def test_every_subscriber_gets_every_event(hub: Hub, client: ControlClient) -> None:
    streams = [client.stream() for _ in range(3)]
    for stream in streams:
        next(stream)
    wanted = builders.events()[:4]
    for event in wanted:
        hub.publish(StreamMessage(event=event))
    for stream in streams:
        assert [message.event for message in itertools.islice(stream, 4)] == wanted


def test_a_slow_subscriber_gets_the_newest_status_only(fake: FakeControl, hub: Hub) -> None:
    subscription = hub.subscribe(lambda: None)
    subscription.drain()
    for count in range(5):
        status = replace(fake.snapshot, version=str(count))
        hub.publish(StreamMessage(status=status))
    (message,) = subscription.drain()
    assert message.status is not None
    assert message.status.version == "4"
    assert subscription.drain() == []


def test_a_closed_subscription_receives_nothing(fake: FakeControl, hub: Hub) -> None:
    woken: list[int] = []
    subscription = hub.subscribe(lambda: woken.append(1))
    subscription.close()
    hub.publish(StreamMessage(status=fake.snapshot))
    assert woken == []


def test_nobody_listening_is_not_running_with_the_next_step(home: Paths) -> None:
    client = ControlClient(home)
    for call in (client.status, lambda: next(client.stream())):
        with pytest.raises(ApplianceNotRunning) as raised:
            call()
        assert raised.value.hint == "appliance up"


def test_a_socket_left_behind_is_not_running_and_is_replaced_by_the_next_server(
    fake: FakeControl, hub: Hub, home: Paths
) -> None:
    home.control_socket.touch()
    with pytest.raises(ApplianceNotRunning):
        ControlClient(home).status()
    with serving(fake, hub, home) as client:
        assert client.status() == fake.snapshot
    assert not home.control_socket.exists()


def test_only_the_owner_may_use_the_socket(client: ControlClient, home: Paths) -> None:
    client.status()
    assert home.control_socket.stat().st_mode & 0o777 == 0o600


def test_a_stream_ends_when_the_server_stops(fake: FakeControl, hub: Hub, home: Paths) -> None:
    with serving(fake, hub, home) as client:
        stream = client.stream()
        next(stream)
    with pytest.raises((StopIteration, ApplianceNotRunning)):
        next(stream)


def test_the_client_needs_no_pydantic(client: ControlClient, home: Paths) -> None:
    code = (
        "import sys; from appliance.config.paths import Paths;"
        "from appliance.control.client import ControlClient;"
        "ControlClient(Paths.from_environment()).status(); print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
