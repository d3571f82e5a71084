"""From single probes to an observed state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appliance.domain.service import ServiceState
from appliance.supervisor.health import Health
from appliance.supervisor.heartbeats import judge_heartbeat
from appliance.supervisor.spec import Probe, ProbeTiming, ProcessFacts

TIMING = ProbeTiming(failures=3, unhealthy_limit=60, start_limit=150)
GOOD, BAD = Probe(is_ready=True, evidence="answers"), Probe(is_ready=False, evidence="silent")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def after(*probes: Probe, step: float = 1.0) -> Health:
    health = Health(started=0.0)
    for number, probe in enumerate(probes, start=1):
        health = health.observe(probe, number * step, TIMING)
    return health


def test_failures_before_the_first_success_are_starting() -> None:
    assert after(BAD, BAD, BAD, BAD).state is ServiceState.STARTING


def test_a_ready_service_stays_ready_until_enough_failures_in_a_row() -> None:
    assert after(GOOD, BAD, BAD).state is ServiceState.READY
    assert after(GOOD, BAD, BAD, GOOD, BAD, BAD).state is ServiceState.READY
    assert after(GOOD, BAD, BAD, BAD).state is ServiceState.UNHEALTHY


def test_certain_evidence_needs_no_second_look() -> None:
    stopped = Probe(is_ready=False, evidence="stopped", is_certain=True)
    assert after(GOOD, stopped).state is ServiceState.UNHEALTHY
    assert after(stopped).state is ServiceState.STARTING


def test_the_time_of_readiness_ends_with_the_first_failed_look() -> None:
    assert after(GOOD, GOOD, GOOD, BAD, BAD).ready_for(60) == 3


def test_a_slow_machine_makes_limits_longer_and_looks_no_rarer() -> None:
    slow = TIMING.stretched(2.0)
    assert (slow.timeout, slow.unhealthy_limit) == (2 * TIMING.timeout, 120)
    assert (slow.ready, slow.failures) == (TIMING.ready, TIMING.failures)


def test_an_unhealthy_service_recovers_at_once() -> None:
    assert after(GOOD, BAD, BAD, BAD, GOOD).state is ServiceState.READY


def test_a_slow_start_is_ended_after_its_limit() -> None:
    health = after(BAD)
    assert health.verdict(150, TIMING) == ""
    assert "not ready 150 s after its start: silent" in health.verdict(151, TIMING)


def test_a_long_unhealthiness_is_ended_after_its_limit() -> None:
    health = after(GOOD, BAD, BAD, BAD)
    assert health.verdict(61, TIMING) == ""
    assert "unhealthy for 60 s: silent" in health.verdict(63, TIMING)


def test_what_nobody_can_look_at_is_unknown_and_not_held_against_it() -> None:
    health = after(GOOD, BAD, BAD, BAD).excuse("the witness is down", 50)
    assert health.state is ServiceState.UNKNOWN
    assert health.verdict(1000, TIMING) == ""
    assert health.observe(BAD, 51, TIMING).verdict(100, TIMING) == ""
    assert health.observe(GOOD, 51, TIMING).state is ServiceState.READY


def test_the_start_limit_counts_from_when_somebody_can_look() -> None:
    health = Health(started=0.0).excuse("the witness is down", 140)
    assert health.state is ServiceState.STARTING
    assert health.verdict(200, TIMING) == ""
    assert health.verdict(291, TIMING)


@pytest.mark.parametrize(
    ("beat_at", "is_ready", "evidence"),
    [
        (None, False, "no heartbeat since its start"),
        (NOON - timedelta(seconds=30), False, "no heartbeat since its start"),
        (NOON + timedelta(seconds=5), False, "last heartbeat 55 s ago"),
        (NOON + timedelta(seconds=55), True, "fresh"),
    ],
)
def test_a_heartbeat_counts_when_fresh_and_of_this_process(
    beat_at: datetime | None, is_ready: bool, evidence: str
) -> None:
    process = ProcessFacts(pid=1, started_at=NOON)
    probe = judge_heartbeat(beat_at, process, NOON + timedelta(seconds=60), 20)
    assert probe.is_ready is is_ready
    assert evidence in probe.evidence


def test_a_heartbeat_may_be_older_on_a_slow_machine() -> None:
    beat_at, now = NOON + timedelta(seconds=5), NOON + timedelta(seconds=25)
    on_time = judge_heartbeat(beat_at, ProcessFacts(1, NOON), now, 9)
    assert (on_time.is_ready, on_time.is_certain) == (False, True)
    assert judge_heartbeat(beat_at, ProcessFacts(1, NOON, slowness=3.0), now, 9).is_ready
