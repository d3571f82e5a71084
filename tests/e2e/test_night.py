"""A night on a market that changes: what the appliance does by itself, what its console answers, and
what its flight recorder shows of it afterwards.

The tests share one appliance and run in the order in which they stand: each is an hour of the night.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from appliance import clock
from appliance.config.ports import service_url
from appliance.config.secret import Secret, read_secret, write_secret
from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.recording.replay import ReplayRecording
from appliance.domain.event import Event, EventKind
from appliance.domain.workflow import RunState, WorkflowKind
from tests.e2e.conftest import Running, new_home
from tests.e2e.console import Shown, compare, look
from tests.stubs.slack import SlackStub
from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
COMMAND = (sys.executable, "-m", "appliance")
SIZES = ((80, 24), (120, 40))
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


@dataclass
class Night:
    """The appliance, the messages that it sent, and what its screens showed at some instants."""

    running: Running
    slack: SlackStub
    seen: list[Shown] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def status(self) -> ApplianceStatus:
        return self.running.control.status()

    @property
    def project(self) -> ProjectStatus:
        return self.status.projects[0]

    def look(self) -> None:
        """Remember what every screen shows now."""
        self.seen += asyncio.run(look(self.running.control))

    def simulate(self, path: str, **body: object) -> None:
        """Let something happen to the simulated market."""
        httpx.post(
            f"{service_url(self.running.paths, 'simulator')}/sim/{path}",
            json=body,
            headers={
                "Authorization": f"Bearer {read_secret(self.running.paths, Secret.SIMULATOR_TOKEN)}"
            },
            trust_env=False,
        ).raise_for_status()

    def ask(self, question: str, *keys: str, answers: tuple[str, ...]) -> None:
        """Ask by keyboard at each size; every word of the answers is on the screen, or the test fails."""
        for columns, rows in SIZES:
            with Terminal(COMMAND, self.running.environment, columns, rows) as terminal:
                terminal.wait_for("Services", "champion", "Quit", seconds=30)
                began = clock.monotonic()
                terminal.press(*keys)
                screen = terminal.wait_for(*answers)
                self.keep(question, keys, clock.monotonic() - began, screen)

    def keep(self, question: str, keys: tuple[str, ...], seconds: float, screen: str) -> None:
        """Keep how a question was answered, to be read after the night."""
        self.asked.append(f"{question}: {' '.join(keys)}, {seconds:.1f} s\n{screen}")

    def events(self, kind: EventKind) -> list[Event]:
        return [e for e in self.running.control.events(limit=1000) if e.kind is kind]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """An appliance whose market runs at sixty times the speed, with a production model."""
    appliance = new_home(tmp_path_factory.mktemp("night") / "home", COMPOSE)
    with SlackStub() as slack:
        write_secret(appliance.paths, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
        try:
            done = appliance.cli("up")
            assert done.returncode == 0, done.stderr
            made = Night(appliance, slack)
            wait_until(lambda: made.project.champion, 400, "a first champion")
            wait_until(lambda: made.project.drift, 240, "a first drift report")
            made.look()
            yield made
            (tmp_path_factory.getbasetemp() / "night.txt").write_text("\n".join(made.asked))
        finally:
            assert appliance.cli("down").returncode == 0


@needs_tmux
def test_three_keys_lead_to_the_failing_line(night: Night) -> None:
    for _ in SIZES:
        failed = night.running.cli("run", "inference", "--param", "model_version=999")
        assert failed.returncode == 1
    night.ask(
        "the failing task's log line", "!", "Enter", "Enter",
        answers=("forecast_candles", "999"),
    )  # fmt: skip
    night.look()


@needs_tmux
def test_one_key_shows_the_candles_that_are_missing(night: Night) -> None:
    night.simulate("fault", kind="outage", seconds=7200)
    wait_until(lambda: [p for p in night.status.problems if p.code == "source.unreachable"], 60)
    night.ask(
        "which candles are missing", "d",
        answers=("1 gap", "open end", "waits for the sou"),
    )  # fmt: skip


def test_a_regime_shift_leads_to_a_retrain_and_one_message(night: Night) -> None:
    control = night.running.control

    def retrains() -> list[Event]:
        decided = night.events(EventKind.RETRAIN_DECIDED)
        return [event for event in decided if event.details["decision"] == "retrain"]

    assert retrains() == []
    night.simulate("shift", volatility=5.0, volume=6.0, drift=-4.0)
    decided = wait_until(retrains, 480, "a retrain is decided")[0]
    assert decided.actor == "monitoring_wf"
    assert decided.details["code"] == "trigger"
    assert decided.details["reasons"]
    night.look()

    def retrained() -> bool:
        runs = control.dag_runs(PROJECT, WorkflowKind.TRAIN)
        return any(r.run_id.startswith("retrain__") and r.state is RunState.SUCCESS for r in runs)

    wait_until(retrained, 240, "the train workflow has run")
    night.look()

    def messages() -> list[str]:
        return [text for text in night.slack.messages if "Retraining" in text]

    wait_until(
        lambda: len(messages()) == len(retrains()), 60, "Slack is told once of every retrain"
    )


@needs_tmux
def test_three_keys_say_why_the_model_is_worse(night: Night) -> None:
    wait_until(lambda: [p for p in night.status.problems if p.code == "model.loss"], 240)
    night.ask(
        "why is the model worse", "Tab", "Enter",
        answers=("is worse than at its training", "live loss", "expected", "σ away"),
    )  # fmt: skip
    night.look()


@needs_tmux
def test_one_key_sets_the_challenger_beside_the_champion(night: Night) -> None:
    night.ask(
        "challenger against champion", "C",
        answers=("skill/EWMA", "on the same", "training took"),
    )  # fmt: skip
    night.look()


@needs_tmux
def test_three_keys_roll_back_and_say_whether_it_worked(night: Night) -> None:
    champion = night.project.champion
    assert champion is not None
    other = next(m.version for m in night.running.control.models(PROJECT) if not m.is_champion)
    for columns, rows in SIZES:
        done = night.running.cli("models", "promote", str(other), "-y")
        assert done.returncode == 0, done.stderr
        with Terminal(COMMAND, night.running.environment, columns, rows) as terminal:
            terminal.wait_for(f"v{other} champion", "Quit", seconds=30)
            night.look()
            began = clock.monotonic()
            terminal.press("b")
            terminal.wait_for(f"Type {champion.version} and press enter")
            terminal.press(str(champion.version), "Enter")
            screen = terminal.wait_for(f"v{champion.version} champion", "in production")
            keys = ("b", str(champion.version), "Enter")
            night.keep("roll back; did it work", keys, clock.monotonic() - began, screen)
    night.look()


@needs_tmux
def test_two_keys_list_the_last_twelve_hours_and_who_did_it(night: Night) -> None:
    night.ask(
        "the last twelve hours", "E", "E",
        answers=("since=12h", "rolled back", "by root on"),
    )  # fmt: skip


def test_a_killed_service_is_back_before_the_morning(night: Night) -> None:
    mlflow = next(service for service in night.status.services if service.name == "mlflow")
    assert mlflow.pid is not None
    os.kill(mlflow.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = next(service for service in night.status.services if service.name == "mlflow")
        return now.is_ready and now.restarts > mlflow.restarts

    night.look()
    wait_until(is_back, 120, "mlflow is back")
    night.look()


def test_the_recording_shows_every_screen_as_it_was(night: Night) -> None:
    """Only the chart of the market may differ, in a few looks: a minute passes here each second, and the
    console puts the chart together of ticks and of candles that it reads a moment later.
    """
    looks = [each for each in night.seen if each.screen == "dashboard"]
    assert len(looks) >= 10
    recording = ReplayRecording(night.running.paths.recording, "")
    different = asyncio.run(compare(recording, night.seen))
    charts = [each for each in different if (each.screen, each.panel) == ("dashboard", "market")]
    others = [each for each in different if each not in charts]
    assert not others, "\n\n".join(each.words for each in others)
    assert len(charts) <= len(looks) / 2, "\n\n".join(each.words for each in charts)
