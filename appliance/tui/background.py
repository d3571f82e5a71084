"""One call of the control protocol on a thread of its own, answered by one message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from appliance.tui.coordinators import failure_of
from appliance.tui.state import Failure

T = TypeVar("T")


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
