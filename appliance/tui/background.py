"""One call of the control protocol on a thread of its own, answered by one message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from appliance.tui.coordinators import failure_of
from appliance.tui.messages import ActionFailed, ActionSucceeded
from appliance.tui.state import Failure

T = TypeVar("T")

ACTOR = "operator"
"""Who events name as the cause of what is done here."""


def ask(
    target: MessagePump, call: Callable[[], T], answer: Callable[[T | Failure], Message]
) -> None:
    """Run `call` off the event loop and post `answer(result or failure)` to `target`.

    A daemon thread: a call that hangs must not keep the terminal from the operator.
    """

    def run() -> None:
        result: T | Failure
        try:
            result = call()
        except Exception as error:  # the thread's edge: the answer carries the failure
            result = failure_of(error)
        target.post_message(answer(result))

    threading.Thread(target=run, name="tui-call", daemon=True).start()


def perform(
    target: MessagePump, name: str, call: Callable[[], object], describe: Callable[[object], str]
) -> None:
    """Run one command off the event loop; its end is a message and so a toast."""

    def answer(result: object) -> ActionSucceeded | ActionFailed:
        if isinstance(result, Failure):
            return ActionFailed(name, result)
        return ActionSucceeded(name, describe(result))

    ask(target, call, answer)
