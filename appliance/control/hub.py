"""Hands every change to every subscriber: a snapshot first, then what is new, coalesced.

A slow subscriber never holds anybody up: it finds the newest status, the newest candle of each market
and at most the last thousand events when it comes back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from appliance import clock
from appliance.control.api import ApplianceStatus, StreamMessage
from appliance.domain.candle import LiveCandle
from appliance.domain.event import Event
from appliance.domain.feed import Feed

Take = Callable[[StreamMessage], None]

_EVENTS_KEPT = 1000
_LOOK_SECONDS = 15.0
"""A look at the status counts as attention for so long."""


class Subscription:
    """One subscriber's unread messages; safe to use from several threads."""

    def __init__(
        self,
        status: ApplianceStatus,
        wake: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        self._lock = threading.Lock()
        self._status: ApplianceStatus | None = status
        self._live: dict[Feed, LiveCandle] = {}
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.wake = wake
        self._leave = leave

    def drain(self) -> list[StreamMessage]:
        """Take what is unread: status, live candles, events oldest first; may be empty."""
        with self._lock:
            messages = [StreamMessage(status=self._status)] if self._status else []
            messages += [StreamMessage(live=live) for live in self._live.values()]
            messages += [StreamMessage(event=event) for event in self._events]
            self._status = None
            self._live.clear()
            self._events.clear()
        return messages

    def close(self) -> None:
        """Receive nothing more."""
        self._leave()

    def put(self, message: StreamMessage) -> None:
        """Add a message and wake the subscriber."""
        with self._lock:
            if message.status is not None:
                self._status = message.status
            if message.live is not None:
                candle = message.live.candle
                self._live[Feed(candle.market, candle.unit)] = message.live
            if message.event is not None:
                self._events.append(message.event)
        self.wake()


class Hub:
    """Keeps the newest status and publishes changes to all subscribers."""

    def __init__(self, status: ApplianceStatus) -> None:
        self._lock = threading.Lock()
        self._status = status
        self._subscriptions: list[Subscription] = []
        self._followers: list[Take] = []
        self._is_closed = False
        self._looked_at = float("-inf")
        self.on_attention: Callable[[], None] = lambda: None
        """Called, from any thread, when somebody begins to watch; must not block."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be published any more."""
        return self._is_closed

    @property
    def status(self) -> ApplianceStatus:
        """The newest status published."""
        return self._status

    @property
    def is_watched(self) -> bool:
        """Whether somebody subscribes or has asked for the status a moment ago."""
        return bool(self._subscriptions) or clock.monotonic() - self._looked_at < _LOOK_SECONDS

    def look(self) -> None:
        """Note that somebody has asked for the status."""
        was_watched, self._looked_at = self.is_watched, clock.monotonic()
        if not was_watched:
            self.on_attention()

    def publish(self, message: StreamMessage) -> None:
        """Hand a message to every subscriber."""
        with self._lock:
            if message.status is not None:
                self._status = message.status
            for subscription in self._subscriptions:
                subscription.put(message)
            for take in self._followers:
                take(message)

    def subscribe(self, wake: Callable[[], None]) -> Subscription:
        """Return a subscription that holds the newest status and misses nothing after it.

        Args:
            wake: called, from any thread, when there is something to drain; must not block.
        """
        self.look()
        with self._lock:
            subscription = Subscription(
                self._status,
                wake,
                leave=lambda: self._unsubscribe(subscription),
            )
            self._subscriptions.append(subscription)
            return subscription

    def follow(self, take: Take) -> Callable[[], None]:
        """Hand the newest status and then every message to `take`, none left out; return what ends that.

        Args:
            take: called from any thread, one call at a time; must not block.
        """
        with self._lock:
            take(StreamMessage(status=self._status))
            self._followers.append(take)
        return lambda: self._unfollow(take)

    def close(self) -> None:
        """Wake every subscriber for the last time."""
        with self._lock:
            self._is_closed = True
            for subscription in self._subscriptions:
                subscription.wake()

    def _unfollow(self, take: Take) -> None:
        with self._lock:
            if take in self._followers:
                self._followers.remove(take)

    def _unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
