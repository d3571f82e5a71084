"""Delivery to Slack: an incoming webhook, or a bot token and a channel.

Neither the webhook's URL nor the token ever gets into an error or a log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Protocol

from appliance.alerts.render import TEST_TEXT
from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.config.settings import Settings
from appliance.errors import AlertDeliveryError, ConfigError

_TIMEOUT_SECONDS = 5
_TRANSPORT_ERRORS = (OSError, ValueError)  # URLError, time-outs, a malformed URL


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
        from slack_sdk.errors import SlackClientError
        from slack_sdk.webhook import WebhookClient

        client = WebhookClient(
            self.url, timeout=_TIMEOUT_SECONDS, logger=_silent(), retry_handlers=[]
        )
        try:
            answer = client.send(text=text)
        except (*_TRANSPORT_ERRORS, SlackClientError) as error:
            raise _undelivered(self.target, type(error).__name__) from None
        if answer.status_code != 200:
            reason = f"HTTP {answer.status_code} {_first_line(answer.body)}"
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
        from slack_sdk.errors import SlackApiError, SlackClientError
        from slack_sdk.web import WebClient

        client = WebClient(
            self.token,
            base_url=f"{self.base_url.rstrip('/')}/",
            timeout=_TIMEOUT_SECONDS,
            logger=_silent(),
            retry_handlers=[],
        )
        try:
            client.chat_postMessage(channel=self.channel, text=text, unfurl_links=False)
        except SlackApiError as error:
            reason = str(error.response.get("error") or f"HTTP {error.response.status_code}")
            raise _undelivered(self.target, reason, _retry_after(error.response.headers)) from None
        except (*_TRANSPORT_ERRORS, SlackClientError) as error:
            raise _undelivered(self.target, type(error).__name__) from None


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


def _undelivered(target: str, reason: str, retry_after: float | None = None) -> AlertDeliveryError:
    return AlertDeliveryError(
        f"{target} did not take the message: {reason}",
        hint="check the webhook URL or bot token and the network; it is tried again by itself",
        retry_after=retry_after,
    )


def _retry_after(headers: object) -> float | None:
    value = headers.get("Retry-After") if hasattr(headers, "get") else None
    try:
        return float(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def _first_line(body: str | None) -> str:
    return (body or "").strip().splitlines()[0][:100] if (body or "").strip() else ""


def _silent() -> logging.Logger:
    """Return a logger that drops everything: the SDK logs URLs and bodies."""
    return logging.Logger("slack", logging.CRITICAL + 1)
