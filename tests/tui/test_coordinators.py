"""The threads behind the screens: coalescing, reconnecting, keeping what is known."""

from __future__ import annotations

import pytest
from textual.message import Message

from appliance.control.api import StreamMessage
from appliance.errors import StoreUnavailable
from appliance.tui import coordinators
from appliance.tui.coordinators import HistoryCoordinator, StreamCoordinator, merged, update_of
from appliance.tui.messages import HistoryRead, StreamAdvanced
from appliance.tui.state import Board, Failure, Reading, with_events
from tests import builders
from tests.builders import NOW
from tests.fakes.control import FakeControl
from tests.waiting import wait_until


class Inbox:
    """Collects posted messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def post(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def updates(self) -> list:  # type: ignore[type-arg]
        return [m.update for m in self.messages if isinstance(m, StreamAdvanced)]


def test_a_burst_becomes_one_message_that_loses_nothing(control: FakeControl) -> None:
    inbox = Inbox()
    coordinator = StreamCoordinator(control, inbox.post)
    coordinator.start()
    wait_until(inbox.updates, message="the first snapshot")
    lives = [builders.live(control.closed) for _ in range(40)]
    for live in lives:
        control.push(StreamMessage(live=live))
    wait_until(
        lambda: sum(len(u.live) for u in inbox.updates()) == 40, message="all forming candles"
    )
    coordinator.stop()
    assert len(inbox.updates()) <= 4


def test_a_lost_supervisor_is_reported_and_found_again(
    control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinators, "RETRY_SECONDS", (0.01, 0.02))
    inbox = Inbox()
    coordinator = StreamCoordinator(control, inbox.post)
    coordinator.start()
    wait_until(inbox.updates)
    control.lose()
    lost = wait_until(lambda: [u for u in inbox.updates() if u.failure], message="the failure")
    assert lost[0].failure.code == "appliance.not_running"
    assert "appliance up" in lost[0].failure.hint
    control.restore()
    wait_until(lambda: inbox.updates()[-1].status is not None, message="the snapshot again")
    coordinator.stop()
    assert control.connections >= 2


def test_an_unexpected_error_is_reported_like_any_other(control: FakeControl) -> None:
    control.stream = lambda: iter([1])  # type: ignore[assignment, method-assign]
    inbox = Inbox()
    coordinator = StreamCoordinator(control, inbox.post)
    coordinator.start()
    failed = wait_until(lambda: [u for u in inbox.updates() if u.failure])
    coordinator.stop()
    assert failed[0].failure.code == "tui.unexpected"


def test_a_failure_keeps_what_came_before_it() -> None:
    live = builders.live(builders.candles())
    older = update_of(StreamMessage(live=live))
    newer = coordinators.StreamUpdate(failure=Failure("x", "", "c", NOW))
    both = merged(older, newer)
    assert both.live == (live,)
    assert both.failure is not None


def test_history_parts_fail_one_by_one(control: FakeControl) -> None:
    control.failures["forecasts"] = StoreUnavailable("the store is locked", hint="wait")
    inbox = Inbox()
    coordinator = HistoryCoordinator(control, inbox.post)
    coordinator.start()
    coordinator.request("crypto_forecast", ("KRW-BTC", 1))
    wait_until(lambda: inbox.messages)
    coordinator.stop()
    (message,) = inbox.messages
    assert isinstance(message, HistoryRead)
    assert len(message.candles) == 180  # type: ignore[arg-type]
    assert isinstance(message.forecasts, Failure)
    assert message.forecasts.hint == "wait"


def test_an_event_seen_twice_is_kept_once_and_in_order() -> None:
    known = tuple(builders.events())
    board = with_events(Board(), known[5:], NOW)
    board = with_events(board, known[:7], NOW)
    assert [event.id for event in board.events.value or ()] == list(range(1, 13))


def test_the_first_failure_of_a_row_keeps_its_instant() -> None:
    first = Failure("a", "", "c", builders.ago(seconds=60))
    reading: Reading[int] = Reading(1, NOW).failed(first).failed(Failure("b", "", "c", NOW))
    assert reading.value == 1
    assert reading.failure is not None
    assert reading.failure.message == "b"
    assert reading.failure.since_at == first.since_at
