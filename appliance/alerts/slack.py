"""Delivery to Slack: an incoming webhook, or a bot token and a channel.

Neither the webhook's URL nor the token ever gets into an error or a log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Protocol

from appliance.alerts.render import TEST_TEXT
from appliance.config import outbound
from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.errors import AlertDeliveryError, AlertRefused, AlertUndelivered, ConfigError

_TIMEOUT_SECONDS = 5
_GONE = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_REFUSALS = frozenset(
    {
        *("account_inactive", "action_prohibited", "channel_is_archived", "channel_not_found"),
        *("invalid_auth", "invalid_token", "is_archived", "missing_scope", "no_active_hooks"),
        *("no_permission", "no_service", "no_service_id", "no_team", "not_authed"),
        *("not_allowed_token_type", "not_in_channel", "org_login_required", "team_disabled"),
        *("posting_to_general_channel_denied", "restricted_action", "team_not_found"),
        *("token_expired", "token_revoked", "user_not_found"),
    }
)
"""Answers after which only another webhook, token or channel helps (docs.slack.dev: incoming webhooks,
chat.postMessage)."""


class Sender(Protocol):
    """Hands one message over."""

    @property
    def target(self) -> str:
        """Where messages go, in words."""
        ...

    def send(self, text: str) -> None:
        """Deliver a message; raises `AlertDeliveryError`."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """An incoming webhook; the channel belongs to it."""

    url: str = field(repr=False)

    @property
    def target(self) -> str:
        """Where messages go, in words."""
        return "Slack's incoming webhook"

    def send(self, text: str) -> None:
        """Deliver a message; raises `AlertDeliveryError`."""
        from slack_sdk.webhook import WebhookClient

        with _translated(self.target, self.url):
            client = WebhookClient(self.url, **_options(self.url))
            answer = client.send(text=text)
        status, body = answer.status_code, answer.body.strip()
        if status == HTTPStatus.OK and body == "ok":
            return
        reason = f"HTTP {status} {_first_line(body)}".strip()
        if status in _GONE or body in _REFUSALS:
            raise _refused(self.target, reason)
        if status == HTTPStatus.OK:
            reason = f"it answered {_first_line(body) or 'nothing'!r}, and not ok as Slack does"
        raise _undelivered(self.target, reason, _retry_after(answer.headers))


@dataclass(frozen=True, slots=True)
class BotSender:
    """The Web API with a bot token."""

    token: str = field(repr=False)
    channel: str
    base_url: str

    @property
    def target(self) -> str:
        """Where messages go, in words."""
        return f"Slack channel {self.channel}"

    def send(self, text: str) -> None:
        """Deliver a message; raises `AlertDeliveryError`."""
        from slack_sdk.web import WebClient

        url = f"{self.base_url.rstrip('/')}/"
        with _translated(self.target, url):
            client = WebClient(self.token, base_url=url, **_options(url))
            answer = client.chat_postMessage(channel=self.channel, text=text, unfurl_links=False)
        if answer.get("ok") is not True:
            raise _undelivered(self.target, "it answered, and not ok as Slack does")


def sender_of(settings: Settings, paths: Paths) -> Sender | None:
    """Return the configured way to Slack, None when none is.

    Raises:
        ConfigError: a bot token without a channel, or a secret readable by others.
    """
    url = read_secret(paths, Secret.SLACK_WEBHOOK_URL)
    if url:
        return WebhookSender(url)
    token = read_secret(paths, Secret.SLACK_BOT_TOKEN)
    if not token:
        return None
    if not settings.slack.channel:
        raise ConfigError(
            "slack_bot_token is set but slack.channel is not",
            code="slack.no_channel",
            hint=f"set channel under [slack] in {paths.compose / 'appliance.toml'}",
        )
    return BotSender(token, settings.slack.channel, settings.slack.base_url)


def send_test_message(settings: Settings, paths: Paths) -> str:
    """Send a test message past the outbox and return where it went.

    Raises:
        ConfigError: Slack is not configured.
        AlertDeliveryError: it could not be handed over.
    """
    sender = sender_of(settings, paths)
    if sender is None:
        raise ConfigError(
            "Slack is not configured",
            code="slack.not_configured",
            hint=f"write the webhook's URL into {paths.secrets / Secret.SLACK_WEBHOOK_URL.value}"
            " (mode 600)",
        )
    sender.send(TEST_TEXT)
    return sender.target


def _options(url: str) -> dict[str, Any]:
    """Return the arguments of both of the SDK's clients; it would log URLs and bodies."""
    return {
        **outbound.slack_options(url),
        "timeout": _TIMEOUT_SECONDS,
        "logger": logging.Logger("slack", logging.CRITICAL + 1),
        "retry_handlers": [],
    }


@contextmanager
def _translated(target: str, url: str) -> Iterator[None]:
    from slack_sdk.errors import SlackApiError, SlackClientError

    try:
        yield
    except ConfigError as error:
        raise _undelivered(target, error.message) from None
    except SlackApiError as error:
        raise _of_answer(target, error.response) from None
    except OSError as error:
        raise _undelivered(target, outbound.explain(url, error)) from None
    except (SlackClientError, HTTPException, ValueError) as error:
        raise _undelivered(target, type(error).__name__) from None


def _of_answer(target: str, answer: Any) -> AlertDeliveryError:
    """Return the error of an answer that is not `ok`; one that is no JSON comes as a plain mapping."""
    if isinstance(answer, Mapping):
        words = _first_line(str(answer.get("body", "")))
        reason = f"HTTP {answer.get('status')}: it answered {words!r}, and no JSON as Slack does"
        return _undelivered(target, reason, _retry_after(answer.get("headers") or {}))
    code = str(answer.get("error") or "")
    if code in _REFUSALS:
        return _refused(target, code)
    return _undelivered(target, code or f"HTTP {answer.status_code}", _retry_after(answer.headers))


def _refused(target: str, reason: str) -> AlertRefused:
    return AlertRefused(
        f"{target} refuses every message: {reason}",
        hint="make a new webhook or token in Slack, write it into the secret,"
        " then: appliance alerts test",
    )


def _undelivered(target: str, reason: str, retry_after: float | None = None) -> AlertDeliveryError:
    return AlertUndelivered(
        f"{target} did not take the message: {reason}",
        hint="check the webhook URL or bot token and the network; it is tried again by itself",
        retry_after=retry_after,
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = next((headers[name] for name in headers if name.lower() == "retry-after"), None)
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:100] if text.strip() else ""
