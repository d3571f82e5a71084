"""A market that changes is noticed, retrained for and reported, with nobody touching anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.config.ports import service_url
from appliance.config.secret import Secret, read_secret, write_secret
from appliance.domain.event import Event, EventKind
from appliance.domain.workflow import RunState, WorkflowKind
from tests.e2e.conftest import Running, new_home
from tests.stubs.slack import SlackStub
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
COMPOSE = """
[source]
kind = "simulator"
[simulator]
speed = 60.0
[ingest]
history_candles = 6000
[airflow]
port = 0
[mlflow]
port = 0
[projects.crypto_forecast.overrides.retrain]
cooldown_minutes = 0
[projects.crypto_forecast.overrides.monitoring]
window_rows = 240
persistence = 2
"""


@pytest.fixture
def slack() -> Iterator[SlackStub]:
    with SlackStub() as stub:
        yield stub


@pytest.fixture
def fast(tmp_path: Path, slack: SlackStub) -> Iterator[Running]:
    """An appliance whose market runs at sixty times the speed, with a production model."""
    appliance = new_home(tmp_path / "home", COMPOSE)
    write_secret(appliance.paths, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    try:
        done = appliance.cli("up")
        assert done.returncode == 0, done.stderr
        yield appliance
    finally:
        assert appliance.cli("down").returncode == 0


def test_a_regime_shift_leads_to_a_retrain_and_one_message(fast: Running, slack: SlackStub) -> None:
    control = fast.control
    wait_until(lambda: control.status().projects[0].champion, 400, "a first champion")
    wait_until(lambda: control.status().projects[0].drift, 240, "a first drift report")

    def retrains() -> list[Event]:
        return [
            event
            for event in control.events(limit=1000)
            if event.kind is EventKind.RETRAIN_DECIDED and event.details["decision"] == "retrain"
        ]

    assert retrains() == []
    httpx.post(
        f"{service_url(fast.paths, 'simulator')}/sim/shift",
        json={"volatility": 5.0, "volume": 6.0},
        headers={"Authorization": f"Bearer {read_secret(fast.paths, Secret.SIMULATOR_TOKEN)}"},
        trust_env=False,
    ).raise_for_status()
    decided = wait_until(retrains, 480, "a retrain is decided")[0]
    assert decided.actor == "monitoring_wf"
    assert decided.details["code"] == "trigger"
    assert decided.details["reasons"]

    def retrained() -> bool:
        runs = control.dag_runs(PROJECT, WorkflowKind.TRAIN)
        return any(r.run_id.startswith("retrain__") and r.state is RunState.SUCCESS for r in runs)

    wait_until(retrained, 240, "the train workflow has run")

    def messages() -> list[str]:
        return [text for text in slack.messages if "Retraining" in text]

    wait_until(
        lambda: len(messages()) == len(retrains()), 60, "Slack is told once of every retrain"
    )
