"""The health of production and of alerts, said by the running whole: never green while ill.

The tests share one appliance and run in the order in which they stand.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from appliance.cli.exit_code import ExitCode
from appliance.config.ports import service_url
from appliance.config.secret import Secret, write_secret
from appliance.control.api import Problem
from appliance.domain.drift import DriftVerdict
from appliance.registry.credentials import HomeCredentials
from store.drift import latest_report, write_report
from store.open import open_store
from store.performance import latest_performance, write_performance
from tests.e2e.conftest import Running, new_home
from tests.stubs.http_server import Reply, Request
from tests.stubs.slack import SlackStub
from tests.terminal import Terminal, needs_tmux
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PROJECT = "crypto_forecast"
COMPOSE = """
[source]
kind = "simulator"
[ingest]
history_candles = 5000
timeframes = [1]
[airflow]
port = 0
[mlflow]
port = 0
"""
LOGIN_PAGE = Reply(200, "<html><body>Sign in</body></html>", {"Content-Type": "text/html"})
REVOKED = Reply(404, "no_service", {"Content-Type": "text/plain"})
AHEAD = timedelta(hours=1)
"""So far after now is what a test stores: no run measures anything newer meanwhile."""


class WebServer(SlackStub):
    """Answers as `reply` says, as Slack does when it is None."""

    def __init__(self) -> None:
        super().__init__()
        self.reply: Reply | None = None

    def answer(self, request: Request) -> Reply:
        return self.reply or super().answer(request)


@dataclass(frozen=True)
class Watched:
    """An appliance, and the address that it takes for Slack's."""

    running: Running
    slack: WebServer

    def problem(self, code: str) -> Problem | None:
        return next((p for p in self.running.control.status().problems if p.code == code), None)

    def use_webhook(self, number: int) -> None:
        """Point the appliance to another webhook of the same server, which it tries at once."""
        url = f"{self.slack.url}/webhook/T000/B00{number}/secret"
        write_secret(self.running.paths, Secret.SLACK_WEBHOOK_URL, url)

    def require_not_healthy(self, *words: str) -> None:
        """Check that command and screen say the words, and neither says healthy."""
        done = self.running.cli("status", "--check")
        assert done.returncode == ExitCode.UNHEALTHY, done.stdout
        assert all(each in done.stdout for each in words), done.stdout
        command = (sys.executable, "-m", "appliance")
        with Terminal(command, self.running.environment, 120, 40) as terminal:
            screen = terminal.wait_for("APPLIANCE", "problem")
            assert "● healthy" not in screen
            terminal.press("!")
            terminal.wait_for(*(word for each in words for word in each.split()[:3]))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    appliance = new_home(tmp_path_factory.mktemp("health") / "home", COMPOSE)
    with WebServer() as slack:
        watched = Watched(appliance, slack)
        slack.reply = LOGIN_PAGE
        watched.use_webhook(1)
        try:
            done = appliance.cli("up")
            assert done.returncode == 0, done.stderr
            yield watched
        finally:
            assert appliance.cli("down").returncode == 0


def test_a_first_start_is_not_healthy_and_says_what_it_waits_for(watched: Watched) -> None:
    found = wait_until(lambda: watched.problem("model.first_training"), 20, "it says so")
    assert "no production model yet" in found.message
    assert watched.running.cli("status", "--check").returncode == ExitCode.UNHEALTHY
    control = watched.running.control
    wait_until(lambda: control.status().projects[0].champion, 400, "a first champion")
    wait_until(lambda: not watched.problem("model.first_training"), 20, "it is over")


def test_a_login_page_is_no_delivery(watched: Watched) -> None:
    done = watched.running.cli("alerts", "test")
    assert done.returncode == ExitCode.TRY_AGAIN
    assert "Sign in" in done.stderr

    def waiting() -> list[dict[str, object]]:
        alerts: list[dict[str, object]] = watched.running.json("alerts")
        return [alert for alert in alerts if alert["last_error"]]

    assert wait_until(waiting, 60, "the promotion's message waits")[0]["sent_at"] is None
    assert watched.slack.requests and not watched.slack.messages


@needs_tmux
def test_a_revoked_webhook_is_a_problem_on_every_screen(watched: Watched) -> None:
    watched.slack.reply = REVOKED
    watched.use_webhook(2)
    wait_until(lambda: watched.problem("slack.refused"), 30, "the refusal is a problem")
    done = watched.running.cli("alerts", "test")
    assert done.returncode == ExitCode.FAILED
    assert "no_service" in done.stderr
    watched.require_not_healthy("Slack has taken nothing since")


def test_a_failure_alert_carries_error_task_and_run_once_slack_takes_it(watched: Watched) -> None:
    failed = watched.running.cli("run", "inference", "--param", "model_version=999")
    assert failed.returncode == ExitCode.FAILED
    watched.slack.reply = None
    watched.use_webhook(3)
    wait_until(lambda: not watched.problem("slack.refused"), 30, "acceptance ends the problem")

    def alert() -> str:
        messages = watched.slack.messages
        return next((text for text in messages if "Workflow failed" in text), "")

    text = wait_until(alert, 60, "the failure is told")
    assert "999" in text and "task_failure" not in text
    assert "Task forecast_candles of run " in text
    assert any("Promoted" in text for text in watched.slack.messages), "what waited came too"
    assert watched.running.cli("alerts", "test").returncode == ExitCode.DONE
    assert watched.running.cli("run", "inference").returncode == ExitCode.DONE


@needs_tmux
def test_a_frozen_store_is_named_and_not_the_ingestor(watched: Watched) -> None:
    control = watched.running.control
    store = next(s for s in control.status().services if s.name == "store")
    assert store.pid is not None
    command = (sys.executable, "-m", "appliance")
    with Terminal(command, watched.running.environment, 120, 40) as terminal:
        terminal.wait_for("APPLIANCE", "champion")
        os.kill(store.pid, signal.SIGSTOP)
        try:
            found = wait_until(lambda: watched.problem("service.silent"), 10, "it is named")
            status = control.status()
            told = watched.running.cli("status", "--check")
            assert "● healthy" not in terminal.wait_for("store does not answer", seconds=10)
        finally:
            with suppress(ProcessLookupError):  # it may have been replaced
                os.kill(store.pid, signal.SIGCONT)
    assert found.subject == "store"
    assert not status.is_healthy
    victims = ("ingest.", "data.", "source.")
    assert not [p for p in status.problems if p.code.startswith(victims)]
    assert told.returncode == ExitCode.UNHEALTHY
    assert "store does not answer" in told.stdout
    wait_until(lambda: not watched.problem("service.silent"), 60, "the store serves again")


@needs_tmux
def test_a_coverage_outside_its_band_is_a_problem_everywhere(watched: Watched) -> None:
    with open_store(watched.running.paths) as session:
        measured = wait_until(lambda: latest_performance(session, PROJECT), 120, "outcomes")
        at = measured.computed_at + AHEAD
        ill = replace(measured, coverage=0.66, rows=6_000, live_rows=6_000, computed_at=at)
        write_performance(session, ill)
        wait_until(
            lambda: "66 %" in (p.message if (p := watched.problem("model.coverage")) else ""),
            20,
            "coverage is a problem",
        )
        watched.require_not_healthy("66 % of 6,000 outcomes")
        well = replace(ill, coverage=0.8, computed_at=at + AHEAD)
        write_performance(session, well)
    wait_until(lambda: not watched.problem("model.coverage"), 20, "it is over")
    wait_until(
        lambda: any("lay inside version" in text for text in watched.slack.messages),
        30,
        "and Slack is told",
    )


@needs_tmux
def test_a_loss_beyond_its_limit_is_a_problem_everywhere(watched: Watched) -> None:
    with open_store(watched.running.paths) as session:
        report = wait_until(lambda: latest_report(session, PROJECT), 120, "a drift report")
        assert report.loss is not None
        at = report.computed_at + AHEAD
        beyond = replace(
            report.loss, verdict=DriftVerdict.DRIFTED, relative=9.0, relative_high=1.5, why=""
        )
        write_report(session, replace(report, loss=beyond, computed_at=at))
        wait_until(lambda: watched.problem("model.loss"), 20, "the loss is a problem")
        watched.require_not_healthy("loss has left its band")
        write_report(session, replace(report, computed_at=at + AHEAD))
    wait_until(lambda: not watched.problem("model.loss"), 20, "it is over")


@needs_tmux
def test_a_champion_that_was_deleted_in_mlflow_is_missed_everywhere(watched: Watched) -> None:
    champion = watched.running.control.status().projects[0].champion
    assert champion is not None
    httpx.request(
        "DELETE",
        f"{service_url(watched.running.paths, 'mlflow')}/api/2.0/mlflow/registered-models/alias",
        json={"name": PROJECT, "alias": "champion"},
        auth=HomeCredentials(watched.running.paths),
        trust_env=False,
    ).raise_for_status()
    wait_until(
        lambda: watched.problem("model.no_champion") or watched.problem("model.first_training"),
        30,
        "the champion is missed",
    )
    watched.require_not_healthy("no production model")
