"""When a service that died is started again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.supervisor.restart_policy import Death, RestartHistory, RestartPolicy, decide

POLICY = RestartPolicy(first_delay=0.5, longest_delay=30, budget=8, window=600, stable=180)


def deaths(
    count: int, seconds_apart: float, ready_for: float = 0.0, *, by_itself: bool = True
) -> list[float | None]:
    """Delays decided for deaths at a steady pace."""
    history, delays = RestartHistory(), []
    for number in range(count):
        decision = decide(
            POLICY,
            history,
            name="mlflow",
            cause="exited with code 1",
            now=number * seconds_apart,
            ready_for=ready_for,
            by_itself=by_itself,
        )
        history = decision.history
        delays.append(decision.delay)
    return delays


def test_delays_double_up_to_the_longest() -> None:
    assert deaths(8, 1.0) == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_the_death_after_the_budget_is_the_last() -> None:
    assert deaths(9, 1.0)[-1] is None


def test_deaths_outside_the_window_do_not_count() -> None:
    assert deaths(30, 601.0) == [0.5] * 30


def test_a_stable_time_of_readiness_resets_delay_and_budget() -> None:
    assert deaths(30, 1.0, ready_for=180.0) == [0.5] * 30


def test_a_service_that_is_killed_whenever_it_serves_has_a_larger_budget_than_one_that_crashes() -> (
    None
):
    assert deaths(9, 1.0, ready_for=2.0)[-1] is None
    killed = deaths(31, 1.0, ready_for=2.0, by_itself=False)
    assert killed[29] == 30
    assert killed[30] is None


def test_the_delay_begins_anew_with_a_service_that_had_settled() -> None:
    assert deaths(10, 20.0, ready_for=15.0, by_itself=False) == [0.5] * 10


def test_giving_up_says_the_cause_and_the_next_step() -> None:
    history = RestartHistory(tuple(Death(float(n)) for n in range(8)))
    reason = decide(POLICY, history, name="mlflow", cause="exited with code 1", now=9.0).reason
    assert "exited with code 1" in reason
    assert "`appliance logs mlflow`, then `appliance restart mlflow`" in reason


@given(st.lists(st.floats(min_value=0, max_value=10_000), max_size=60))
def test_never_more_restarts_in_a_window_than_the_budget(instants: list[float]) -> None:
    history, restarts = RestartHistory(), list[float]()
    for now in sorted(instants):
        decision = decide(POLICY, history, name="x", cause="died", now=now)
        history = decision.history
        if decision.delay is not None:
            restarts.append(now)
        recent = [at for at in restarts if now - at <= POLICY.window]
        assert len(recent) <= POLICY.budget
