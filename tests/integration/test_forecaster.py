"""The forecaster as a process: a real store service, real rows and model, MLflow's REST API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import skops.io

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.secret import Secret, generate_missing
from appliance.domain.event import EventKind
from appliance.domain.model_proof import ModelProof
from appliance.domain.workflow import WorkflowKind
from appliance.forecaster_api.client import ForecasterUnavailable, ask_report
from appliance.forecaster_api.wire import ForecasterReport, LiveProject, LiveState
from store.events import read_events
from store.forecasts import count_forecasts, latest_forecasts
from store.model_proofs import record_proof
from store.open import open_store
from store.session import Session
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_workflows import Bench, settings_with
from tests.listening import announce
from tests.store_process import connect, running_service, spawn_service
from tests.stubs.http_server import Reply
from tests.stubs.mlflow import MlflowStub
from tests.waiting import wait_until

PROJECT = "crypto_forecast"
CONFIG = """
config = "krw_btc_1m"
[overrides]
horizon = 5
training_rows = 1500
min_rows = 900
catch_up_rows = 300
[overrides.features]
half_lives = [4, 10, 30]
scale_half_life = 10
return_lags = [1, 5]
[overrides.learner]
scale_iter = 10
quantile_iter = 5
scale_leaf_rows = 50
quantile_leaf_rows = 50
[overrides.evaluation]
folds = 2
purge = 5
embargo = 0
comparison_rows = 200
"""
AWAY = [Reply(503)] * 1_000


@dataclass
class Place:
    """A home with a store service and a trained model that is not registered yet."""

    home: Paths
    bench: Bench
    mlflow: MlflowStub
    store: subprocess.Popen[bytes]

    @property
    def session(self) -> Session:
        return self.bench.session

    def configure(self, text: str = CONFIG) -> None:
        path = self.home.compose / "projects" / f"{PROJECT}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def promote(self) -> int:
        """Register the trained model once more, as the new champion."""
        trained = self.bench.registry.version(PROJECT, 1)
        stored = self.bench.registry.runs[trained.run_id].model
        model = skops.io.loads(stored, trusted=skops.io.get_untrusted_types(data=stored))
        return self.mlflow.add_model(PROJECT, model, tags=trained.tags)

    def close_candles(self, minutes: int = 1) -> None:
        """Let candles close and store them, as the ingestor does."""
        self.bench.pass_minutes(minutes)
        self.bench.run(WorkflowKind.DATA, until_stage="load_candles")

    def newest_is_forecast(self, version: int = 1) -> bool:
        """Whether the newest closed candle has a forecast of this version."""
        newest = latest_forecasts(self.session, PROJECT, 1, version)
        closed_at = self.bench.market.now_at.replace(second=0)
        return bool(newest) and newest[0].candle_date_time_utc == closed_at - timedelta(minutes=1)


def market() -> FakeMarket:
    frame = synthetic_candles(4_000)
    return FakeMarket("KRW-BTC", 1, frame, ORIGIN + timedelta(minutes=2_500, seconds=5))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> FakeRegistry:
    """A registry with a model trained on the market of every test."""
    home = Paths(tmp_path_factory.mktemp("trained") / "home")
    home.create()
    with open_store(home) as session:
        bench = Bench(home, settings_with(), market(), FakeRegistry(), session)
        bench.run(WorkflowKind.DATA)
        bench.run(WorkflowKind.TRAIN)
    return bench.registry


@pytest.fixture
def place(home: Paths, trained: FakeRegistry) -> Iterator[Place]:
    with MlflowStub() as mlflow, running_service(home) as (store, session):
        generate_missing(home)
        announce(home, "mlflow", mlflow.port)
        bench = Bench(home, settings_with(), market(), trained, session)
        bench.run(WorkflowKind.DATA)
        made = Place(home, bench, mlflow, store)
        made.configure()
        yield made


@contextmanager
def forecaster(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Run the process; on leaving it is gone."""
    environment = {**os.environ, "APPLIANCE_HOME": str(place.home.home)}
    environment["APPLIANCE__SOURCE__KIND"] = "upbit"
    log = (place.home.logs / "forecaster.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance.forecaster"],
        cwd=SOURCE_ROOT,
        env=environment,
        stderr=log,
    )
    try:
        wait_until(lambda: report(place) is not None, 60, "the forecaster does not answer")
        yield process
    finally:
        log.close()
        if process.poll() is None:
            process.kill()
        process.wait(10)


def report(place: Place) -> ForecasterReport | None:
    try:
        return ask_report(place.home)
    except ForecasterUnavailable:
        return None


def project(place: Place) -> LiveProject | None:
    told = report(place)
    return told.projects[0] if told and told.projects else None


def wait_for_state(place: Place, state: LiveState) -> LiveProject:
    def found() -> LiveProject | None:
        live = project(place)
        return live if live is not None and live.state is state else None

    live = wait_until(found, 60, f"not {state}: {project(place)}")
    assert live is not None
    return live


def wait_for_forecast(place: Place, version: int = 1) -> None:
    wait_until(lambda: place.newest_is_forecast(version), 60, f"no forecast: {report(place)}")


def test_each_closed_candle_is_forecast_and_the_workflows_find_nothing_missing(
    place: Place,
) -> None:
    place.promote()
    with forecaster(place) as process:
        wait_for_state(place, LiveState.FORECASTING)
        for _ in range(3):
            place.close_candles()
            wait_for_forecast(place)
        took = wait_until(lambda: (project(place) or NOBODY).timing, 10, "no timing")
        assert took is not None
        assert took.seen_at <= took.prepared_at <= took.made_at <= took.stored_at
        place.close_candles(4)
        wait_for_forecast(place)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not place.home.forecaster_socket.exists()
    assert place.bench.run(WorkflowKind.DATA).outputs["prepare_features"]["written"] == 0
    outputs = place.bench.run(WorkflowKind.INFERENCE).outputs
    assert outputs["forecast_candles"]["forecasts"] == 0


def test_a_missing_password_of_the_registry_is_said_and_waited_for(place: Place) -> None:
    (place.home.secrets / Secret.MLFLOW_PASSWORD.value).unlink()
    place.promote()
    with forecaster(place) as process:
        wait_until(
            lambda: "mlflow_password" in registry_message(place), 60, "the secret is not named"
        )
        assert process.poll() is None
        generate_missing(place.home)
        wait_for_state(place, LiveState.FORECASTING)


def registry_message(place: Place) -> str:
    told = report(place)
    return told.registry_message if told else ""


def test_without_a_champion_it_waits_and_says_so_then_follows_the_promotions(place: Place) -> None:
    with forecaster(place):
        wait_until(lambda: place.mlflow.requests, 60, "the registry was not asked")
        wait_until(lambda: "no champion" in (project(place) or NOBODY).message, 60, "not said")
        assert (project(place) or NOBODY).state is LiveState.WAITING
        assert count_forecasts(place.session, PROJECT) == 0
        place.promote()
        wait_for_forecast(place, 1)
        place.promote()
        wait_for_forecast(place, 2)


def test_with_the_registry_down_the_last_model_goes_on_also_after_a_kill(place: Place) -> None:
    place.promote()
    with forecaster(place) as process:
        wait_for_state(place, LiveState.FORECASTING)
        place.mlflow.failures = list(AWAY)
        wait_until(lambda: (report(place) or EMPTY).registry_message, 30, "loss not noticed")
        place.close_candles()
        wait_for_forecast(place)
        process.kill()
        process.wait(10)
    place.close_candles(3)
    with forecaster(place):
        live = wait_for_state(place, LiveState.FORECASTING)
        assert live.model_version == 1
        wait_for_forecast(place)
        lost = wait_until(lambda: report(place), 5)
        assert lost is not None and "503" in lost.registry_message
        assert lost.registry_lost_at is not None
        place.mlflow.failures = []
        wait_until(lambda: not (report(place) or EMPTY).registry_message, 30, "return not noticed")


def test_a_champion_that_cannot_be_loaded_is_said_and_the_old_one_goes_on(place: Place) -> None:
    place.promote()
    with forecaster(place):
        wait_for_state(place, LiveState.FORECASTING)
        place.mlflow.add_model(PROJECT, Path("/foreign"))
        wait_until(lambda: "not trusted" in (project(place) or NOBODY).message, 30, "not said")
        place.close_candles()
        wait_for_forecast(place, 1)


def test_a_champion_that_is_not_what_was_registered_gives_way_to_the_previous_one(
    place: Place,
) -> None:
    place.promote()
    with forecaster(place):
        wait_for_state(place, LiveState.FORECASTING)
        place.mlflow.failures = list(AWAY)  # nobody reads between promotion and proof
        second = place.promote()
        run_id = place.mlflow.versions[PROJECT][-1]["run_id"]
        record_proof(place.session, ModelProof(PROJECT, run_id, "0" * 64))
        place.mlflow.failures = []

        def has_returned() -> bool:
            return place.mlflow.moved[PROJECT] == {"champion": "1"}

        wait_until(has_returned, 30, f"not returned: {place.mlflow.moved}")
        place.close_candles()
        wait_for_forecast(place, 1)
        told = read_events(place.session, kinds=[EventKind.MODEL_REFUSED, EventKind.ROLLED_BACK])
    assert [event.kind for event in told] == [EventKind.MODEL_REFUSED, EventKind.ROLLED_BACK]
    assert all(f"version {second}" in event.summary for event in told)


def test_a_restarted_store_is_found_again(place: Place) -> None:
    place.promote()
    with forecaster(place):
        wait_for_state(place, LiveState.FORECASTING)
        place.store.kill()
        place.store.wait(10)
        wait_for_state(place, LiveState.FAILING)
        again = spawn_service(place.home)
        try:
            place.bench.session = connect(place.home)
            place.close_candles()
            wait_for_forecast(place)
            wait_for_state(place, LiveState.FORECASTING)
        finally:
            place.bench.session.close()
            again.terminate()
            again.wait(20)


def test_projects_follow_the_configuration(place: Place) -> None:
    place.promote()
    with forecaster(place):
        wait_for_state(place, LiveState.FORECASTING)
        place.configure("enabled = false\n")
        wait_until(lambda: not (report(place) or FULL).projects, 15, "still followed")
        place.configure("enabled = maybe\n")
        wait_until(lambda: (report(place) or EMPTY).config_message, 15, "broken file not said")
        place.configure()
        wait_for_state(place, LiveState.FORECASTING)
        assert (report(place) or FULL).config_message == ""
        place.close_candles()
        wait_for_forecast(place)


def test_a_version_for_another_configuration_is_not_used(place: Place) -> None:
    place.promote()
    place.configure(CONFIG.replace("horizon = 5", "horizon = 7"))
    with forecaster(place):

        def told() -> Any:
            live = project(place)
            return live is not None and "no production model" in live.message

        wait_until(told, 60, "not said")
        assert count_forecasts(place.session, PROJECT) == 0


EMPTY = ForecasterReport(0)
NOBODY = LiveProject("", "", 1, LiveState.WAITING, ORIGIN)
FULL = ForecasterReport(0, (NOBODY,), config_message="?")
