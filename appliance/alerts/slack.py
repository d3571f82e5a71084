"""Delivery to Slack: an incoming webhook, or a bot token and a channel.

Neither the webhook's URL nor the token ever gets into an error or a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import httpx

from appliance.alerts.render import TEST_TEXT
from appliance.config import outbound
from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.errors import AlertDeliveryError, ConfigError

_TIMEOUT = httpx.Timeout(5.0)


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
        answer = _post(self.target, self.url, {"text": text})
        if answer.status_code != 200 or answer.text.strip() != "ok":
            raise _refused(self.target, answer, _first_line(answer.text))


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
        message = {"channel": self.channel, "text": text, "unfurl_links": False}
        url = f"{self.base_url.rstrip('/')}/chat.postMessage"
        answer = _post(self.target, url, message, {"Authorization": f"Bearer {self.token}"})
        try:
            told = answer.json()
        except ValueError:
            told = None
        if not isinstance(told, dict) or told.get("ok") is not True:
            words = told.get("error") if isinstance(told, dict) else _first_line(answer.text)
            raise _refused(self.target, answer, str(words or ""))


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


def _post(
    target: str, url: str, message: dict[str, object], headers: dict[str, str] | None = None
) -> httpx.Response:
    try:
        with outbound.http_client(url, _TIMEOUT, headers) as client:
            return client.post(url, json=message)
    except ConfigError as error:
        raise _undelivered(target, error.message) from None
    except httpx.TransportError as error:
        raise _undelivered(target, outbound.explain(url, error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _undelivered(target, type(error).__name__) from None


def _refused(target: str, answer: httpx.Response, words: str) -> AlertDeliveryError:
    reason = f"HTTP {answer.status_code} {words}".strip()
    return _undelivered(target, reason, _retry_after(answer.headers.get("Retry-After")))


def _undelivered(target: str, reason: str, retry_after: float | None = None) -> AlertDeliveryError:
    return AlertDeliveryError(
        f"{target} did not take the message: {reason}",
        hint="check the webhook URL or bot token and the network; it is tried again by itself",
        retry_after=retry_after,
    )


def _retry_after(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:100] if text.strip() else ""
