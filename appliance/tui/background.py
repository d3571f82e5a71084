"""One call of the control protocol on a thread of its own, answered by one message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from appliance import clock
from appliance.tui.action_keys import key_of
from appliance.tui.coordinators import failure_of
from appliance.tui.messages import ActionFailed, ActionSucceeded
from appliance.tui.state import Failure
from appliance.tui.undo import Undo

T = TypeVar("T")

LOCKED = "this console is read-only"


def ask(
    target: MessagePump,
    call: Callable[[], T],
    answer: Callable[[T | Failure], Message],
    *,
    of_shown_time: bool = True,
) -> None:
    """Run `call` off the event loop and post `answer(result or failure)` to `target`.

    A daemon thread: a call that hangs must not keep the terminal from the operator. An answer about a time
    that is shown no more (`of_shown_time`) is dropped. What is read of a recording is in memory: it is
    answered at once.
    """
    traveller = getattr(target.app, "traveller", None)
    shown = traveller.control if traveller else None

    def run() -> None:
        result: T | Failure
        try:
            result = call()
        except Exception as error:  # the thread's edge: the answer carries the failure
            result = failure_of(error)
        if not of_shown_time or traveller is None or traveller.control is shown:
            target.post_message(answer(result))

    if shown is not None:
        run()
        return
    threading.Thread(target=run, name="tui-call", daemon=True).start()


def in_background(call: Callable[[], object]) -> None:
    """Run something off the event loop whose end nobody waits for; what goes wrong is left at that."""

    def run() -> None:
        with suppress(OSError):
            call()

    threading.Thread(target=run, name="tui-later", daemon=True).start()


def now_of(widget: MessagePump) -> datetime:
    """Return the time that the application shows."""
    at: datetime = getattr(widget.app, "now", None) or clock.now()
    return at


def perform(
    target: MessagePump,
    name: str,
    call: Callable[[], object],
    describe: Callable[[object], str],
    undo: Callable[[object], Undo | None] = lambda _: None,
) -> None:
    """Run one command off the event loop; its end is a message and so a toast, which names what `U` undoes.

    A console that is locked changes nothing, whatever asks.
    """
    if getattr(target.app, "is_locked", False):
        failure = Failure(
            LOCKED, f"{key_of('read_only')} unlocks it", "console.locked", clock.now()
        )
        target.app.post_message(ActionFailed(name, failure))
        return

    def answer(result: object) -> ActionSucceeded | ActionFailed:
        if isinstance(result, Failure):
            return ActionFailed(name, result)
        return ActionSucceeded(name, describe(result), undo(result))

    ask(target, call, answer, of_shown_time=False)
