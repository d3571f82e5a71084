"""Alerts reach Slack once, survive its failures, and never give a secret away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from appliance.alerts.outbox import AlertDispatcher
from appliance.alerts.slack import send_test_message, sender_of
from appliance.cli.exit_code import ExitCode, exit_code_of
from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.settings import Settings, SlackSettings
from appliance.control.checks.slack_taken import find_slack_taken
from appliance.control.health import Surroundings
from appliance.domain.event import Event, EventKind
from appliance.errors import AlertDeliveryError, AlertRefused, AlertUndelivered, ConfigError
from store import open_store
from store.alerts import waiting
from store.events import append_event, read_events
from store.session import Session
from tests.builders import status
from tests.stubs.http_server import Reply
from tests.stubs.slack import SlackStub

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def slack() -> Iterator[SlackStub]:
    with SlackStub() as stub:
        yield stub


@pytest.fixture
def session(home: Paths) -> Iterator[Session]:
    with open_store(home) as opened:
        yield opened


def dispatcher(home: Paths, settings: Settings | None = None) -> AlertDispatcher:
    known = settings or Settings()
    return AlertDispatcher(lambda: sender_of(known, home), home.alert_position_file)


def promoted(version: int = 2) -> Event:
    return Event(EventKind.PROMOTED, f"version {version} promoted", "operator", NOW, project="shop")


def test_an_event_becomes_one_message(home: Paths, session: Session, slack: SlackStub) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted())
    alerts = dispatcher(home)
    assert alerts.step(session, NOW) == 1
    assert alerts.step(session, NOW) == 0
    assert dispatcher(home).step(session, NOW) == 0, "a restarted dispatcher sends it again"
    assert len(slack.messages) == 1
    assert "version 2 promoted" in slack.messages[0]


def test_a_position_that_was_lost_repeats_nothing(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted())
    dispatcher(home).step(session, NOW)
    home.alert_position_file.unlink()
    dispatcher(home).step(session, NOW)
    assert len(slack.messages) == 1


def test_a_store_that_was_reset_is_looked_at_from_its_beginning(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    home.alert_position_file.write_text("5000\n")
    append_event(session, promoted())
    assert dispatcher(home).step(session, NOW) == 1


def test_a_failing_slack_is_tried_again_later_and_loses_nothing(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    alerts = dispatcher(home)
    for version in (1, 2):
        append_event(session, promoted(version))
    slack.failures = [Reply(503, "down")]
    assert alerts.step(session, NOW) == 0
    assert len(slack.requests) == 1, "a second message was tried although Slack is down"
    assert alerts.step(session, NOW + timedelta(seconds=1)) == 0, "the others wait for the oldest"
    assert len(slack.requests) == 1
    assert alerts.step(session, NOW + timedelta(minutes=1)) == 2
    assert sorted(text.splitlines()[1] for text in slack.messages) == [
        "version 1 promoted",
        "version 2 promoted",
    ]


def test_slack_decides_how_long_to_wait(home: Paths, session: Session, slack: SlackStub) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted())
    slack.failures = [Reply(429, "slow down", {"Retry-After": "300"})]
    alerts = dispatcher(home)
    alerts.step(session, NOW)
    assert alerts.step(session, NOW + timedelta(seconds=299)) == 0
    assert len(slack.requests) == 1
    assert alerts.step(session, NOW + timedelta(seconds=300)) == 1


def test_without_slack_nothing_is_enqueued_and_old_events_stay_unsent(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    append_event(session, promoted(1))
    alerts = dispatcher(home)
    alerts.step(session, NOW)
    assert waiting(session, 1) == []
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted(2))
    assert alerts.step(session, NOW) == 1
    assert "version 2" in slack.messages[0]


def test_delivery_and_first_failure_are_events(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted())
    slack.failures = [Reply(500, "x"), Reply(500, "x")]
    alerts = dispatcher(home)
    for minutes in (0, 10, 30):
        alerts.step(session, NOW + timedelta(minutes=minutes))
    kinds = [event.kind for event in read_events(session)]
    assert kinds == [EventKind.PROMOTED, EventKind.ALERT_FAILED, EventKind.ALERT_SENT]


def test_a_bot_token_posts_to_its_channel(home: Paths, slack: SlackStub) -> None:
    write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb-very-secret")
    settings = Settings(slack=SlackSettings(channel="#ops", base_url=f"{slack.url}/api"))
    assert "#ops" in send_test_message(settings, home)
    assert slack.requests[0].path == "/api/chat.postMessage"


def test_a_bot_token_without_a_channel_says_what_to_set(home: Paths) -> None:
    write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb-very-secret")
    with pytest.raises(ConfigError) as raised:
        send_test_message(Settings(), home)
    assert "channel" in raised.value.hint


def test_a_test_message_without_slack_says_how_to_set_it_up(home: Paths) -> None:
    with pytest.raises(ConfigError) as raised:
        send_test_message(Settings(), home)
    assert "slack_webhook_url" in raised.value.hint


ANSWERS = {
    "page": Reply(200, "<html><body>Sign in to this network</body></html>"),
    "no_service_200": Reply(200, "no_service"),
    "false": Reply(200, {"ok": False, "error": "invalid_auth"}),
    "empty": Reply(200, ""),
    "no_service": Reply(404, "no_service"),
    "gone": Reply(410, "channel_is_archived"),
    "forbidden": Reply(403, "invalid_token"),
    "busy": Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}),
    "date": Reply(429, "", {"Retry-After": "Wed, 25 Nov 2026 23:59:00 GMT"}),
    "down": Reply(500, ""),
}
REFUSED_BY_WEBHOOK = {"no_service_200", "no_service", "gone", "forbidden"}
REFUSED_TO_BOT = {"false"}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("way", ["webhook", "bot"])
def test_only_slack_s_own_acceptance_is_delivery(
    home: Paths, session: Session, slack: SlackStub, answer: str, way: str
) -> None:
    settings = Settings(slack=SlackSettings(channel="#ops", base_url=f"{slack.url}/api"))
    if way == "webhook":
        write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    else:
        write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb-very-secret")
    refused = REFUSED_BY_WEBHOOK if way == "webhook" else REFUSED_TO_BOT
    slack.failures = [ANSWERS[answer]] * 2
    kind = AlertRefused if answer in refused else AlertUndelivered
    with pytest.raises(kind) as raised:
        send_test_message(settings, home)
    assert exit_code_of(raised.value) != ExitCode.DONE
    append_event(session, promoted())
    alerts = dispatcher(home, settings)
    assert alerts.step(session, NOW) == 0
    assert alerts.trouble is not None
    assert alerts.trouble.is_refusal == (answer in refused)
    assert "very-secret" not in alerts.trouble.reason
    assert [alert.sent_at for alert in waiting(session, 9)] == [None]


def test_a_revoked_webhook_is_a_problem_at_once_and_until_another_one_is_taken(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    minutes = 24 * 60
    for version in (1, 2, 3):
        append_event(session, promoted(version))
    slack.failures = [Reply(404, "no_service")] * minutes
    alerts = dispatcher(home)
    for minute in range(minutes):
        alerts.step(session, NOW + timedelta(minutes=minute))
    assert len(slack.requests) < minutes / 13, "refusals are tried less and less often"
    (finding,) = find_slack_taken(status(), Surroundings(1, slack_trouble=alerts.trouble))
    assert finding.grace == timedelta(0)
    assert finding.message.startswith("Slack has taken nothing since 2026-03-01 12:00 UTC, because")
    assert "no_service" in finding.message
    slack.failures = []
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url + "-new")
    assert alerts.step(session, NOW + timedelta(minutes=minutes)) == 3
    assert alerts.trouble is None


def test_a_restarted_dispatcher_still_knows_that_nothing_was_taken(
    home: Paths, session: Session, slack: SlackStub
) -> None:
    write_secret(home, Secret.SLACK_WEBHOOK_URL, slack.webhook_url)
    append_event(session, promoted())
    slack.failures = [Reply(503, "down")]
    dispatcher(home).step(session, NOW)
    again = dispatcher(home)
    assert again.step(session, NOW + timedelta(seconds=1)) == 0
    assert again.trouble is not None and "503" in again.trouble.reason
    assert again.step(session, NOW + timedelta(minutes=1)) == 1
    assert again.trouble is None


@pytest.mark.parametrize("is_there", [True, False])
def test_no_error_and_no_log_shows_a_secret(
    home: Paths, caplog: pytest.LogCaptureFixture, is_there: bool
) -> None:
    caplog.set_level("DEBUG")
    with SlackStub() as stub:
        stub.failures = [Reply(403, "invalid_token")] * 2
        url, base = stub.webhook_url, f"{stub.url}/api"
        if is_there:
            shown = _failures(home, url, base)
    if not is_there:
        shown = _failures(home, url, base)
    assert "very-secret" not in shown + caplog.text


def _failures(home: Paths, url: str, base: str) -> str:
    shown = ""
    settings = Settings(slack=SlackSettings(channel="#ops", base_url=base))
    write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb-very-secret")
    for webhook in ("", url):
        write_secret(home, Secret.SLACK_WEBHOOK_URL, webhook)
        sender = sender_of(settings, home)
        assert sender is not None
        with pytest.raises(AlertDeliveryError) as raised:
            sender.send("hello")
        shown += f"{raised.value} {raised.value.hint} {raised.value.fields} {sender!r}"
        shown += f"{raised.value.__cause__!r}"
    return shown
