"""Which events are worth a message, and how it reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.alerts.outbox import retry_wait
from appliance.alerts.policy import QUIET_PERIOD, alert_for
from appliance.domain.event import Event, EventKind, Severity

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def event(kind: EventKind, *, at: datetime = AT, event_id: int = 7, **details: object) -> Event:
    return Event(
        kind, "because <of> this & that", "t", at, project="shop", details=details, id=event_id
    )


@pytest.mark.parametrize(
    "kind",
    [
        EventKind.WORKFLOW_FAILED,
        EventKind.PROMOTED,
        EventKind.ROLLED_BACK,
        EventKind.SERVICE_GIVEN_UP,
    ],
)
def test_a_message_has_project_reason_and_next_step(kind: EventKind) -> None:
    draft = alert_for(event(kind, workflow="train", service="mlflow"))
    assert draft is not None
    assert "shop" in draft.text
    assert "because &lt;of&gt; this &amp; that" in draft.text
    assert "`appliance " in draft.text
    assert len(draft.text.splitlines()) == 3


def test_a_better_challenger_is_reported_only_where_the_operator_is_to_decide() -> None:
    draft = alert_for(event(EventKind.GATE_VERDICT, suggests=True, challenger=13))
    assert draft is not None
    assert "`appliance models promote 13" in draft.text
    assert alert_for(event(EventKind.GATE_VERDICT, suggests=False, challenger=13)) is None


def test_a_held_model_is_reported_with_both_decisions() -> None:
    draft = alert_for(event(EventKind.MODEL_HELD, version=1))
    assert draft is not None
    assert "`appliance models promote 1" in draft.text
    assert "`appliance models reject 1" in draft.text


def test_a_retrain_is_reported_and_a_skip_is_not() -> None:
    assert alert_for(event(EventKind.RETRAIN_DECIDED, decision="retrain"))
    assert alert_for(event(EventKind.RETRAIN_DECIDED, decision="skip")) is None


@pytest.mark.parametrize("kind", [EventKind.TRAINED, EventKind.SERVICE_STATE, EventKind.ALERT_SENT])
def test_everyday_events_are_not_reported(kind: EventKind) -> None:
    assert alert_for(event(kind)) is None


def test_the_same_event_has_the_same_key_and_others_have_others() -> None:
    first = alert_for(event(EventKind.PROMOTED, event_id=1))
    again = alert_for(event(EventKind.PROMOTED, event_id=1))
    other = alert_for(event(EventKind.PROMOTED, event_id=2))
    assert first and again and other
    assert first.key == again.key != other.key


def test_a_workflow_that_keeps_failing_is_reported_once_per_period() -> None:
    def key(minutes: int, workflow: str = "data") -> str:
        at = AT + timedelta(minutes=minutes)
        draft = alert_for(
            event(EventKind.WORKFLOW_FAILED, at=at, event_id=minutes, workflow=workflow)
        )
        assert draft
        return draft.key

    assert key(0) == key(1) == key(29)
    assert key(0) != key(int(QUIET_PERIOD.total_seconds() // 60))
    assert key(0) != key(0, "train")


def test_a_long_reason_is_cut() -> None:
    draft = alert_for(Event(EventKind.WORKFLOW_FAILED, "x" * 5000, "t", AT))
    assert draft is not None
    assert len(draft.text) < 1000


def test_waits_double_up_to_a_quarter_of_an_hour_and_respect_slack() -> None:
    assert retry_wait(0) < retry_wait(1) < retry_wait(2)
    assert retry_wait(50) == timedelta(minutes=15)
    assert retry_wait(0, 120.0) == timedelta(seconds=120)


def test_a_failure_names_the_error_the_task_and_the_run() -> None:
    failed = Event(
        EventKind.WORKFLOW_FAILED,
        "shop_train_wf failed in train_model: data.gap: 3 candles are unknown",
        "train_wf",
        AT,
        project="shop",
        details={"workflow": "train", "task": "train_model", "run_id": "manual__1"},
    )
    draft = alert_for(failed)
    assert draft is not None
    assert "data.gap: 3 candles are unknown" in draft.text
    assert "Task train_model of run manual__1" in draft.text


def test_what_was_changed_in_mlflow_is_reported_and_its_return_is_not() -> None:
    changed = Event(EventKind.REGISTRY_CHANGED, "it was deleted", "t", AT, Severity.WARNING)
    draft = alert_for(changed)
    assert draft is not None
    assert "`appliance models`" in draft.text
    assert alert_for(replace(changed, severity=Severity.INFO)) is None
