"""Keys one after the other: each is handed on once what the one before it has opened can take it.

Textual hands a key on without waiting for what it does. Of keys that arrive at once, over a slow line or by a
macro, the second would reach what the first has just left, or what is not put together yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from textual import on
from textual.app import App
from textual.events import Event, Key
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

_MOST_SECONDS = 1.0
"""How long a key holds up the next one."""
_LOOK_SECONDS = 0.002


class KeyHandled(Message):
    """The key that was handed on has done what it does."""


class KeysInOrder(App[int]):
    """An application that takes keys as they were typed, however fast they come."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting_keys: deque[Key] = deque()
        self._handling: asyncio.Task[None] | None = None  # nobody else keeps a running task

    async def on_event(self, event: Event) -> None:
        """Take a key in; everything else goes its way."""
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._waiting_keys.append(event)
        if len(self._waiting_keys) == 1:
            await self._hand_on()

    @on(KeyHandled)
    async def _hand_on_next(self) -> None:
        self._waiting_keys.popleft()
        if self._waiting_keys:
            await self._hand_on()

    async def _hand_on(self) -> None:
        screen, taker = self.screen, self.focused or self.screen
        await super().on_event(self._waiting_keys[0])
        way = [pump for pump in taker.ancestors_with_self if isinstance(pump, Widget)]
        self._handling = asyncio.create_task(self._tell_when_handled(screen, way))

    async def _tell_when_handled(self, screen: Screen[Any], way: Sequence[Widget]) -> None:
        """Follow the key up from what had the focus, until another screen is on top or it comes here."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._handled(screen, way), _MOST_SECONDS)
        self.post_message(KeyHandled())

    async def _handled(self, screen: Screen[Any], way: Sequence[Widget]) -> None:
        for widget in way:
            await self._passes(widget, screen)
        await _until(lambda: self.screen.is_mounted)

    async def _passes(self, widget: Widget, screen: Screen[Any]) -> None:
        is_through = asyncio.Event()
        widget.call_later(is_through.set)
        await _until(lambda: is_through.is_set() or self.screen is not screen)


async def _until(condition: Callable[[], bool]) -> None:
    """Look again and again: a widget that is taken away meanwhile tells nobody."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(_LOOK_SECONDS)
