"""How much slower than a quiet machine this one is."""

from __future__ import annotations

import pytest

from appliance.supervisor.slowness import LONGEST, Slowness


def after(*runnable: int, cores: int = 2, late: float = 0.0) -> float:
    slowness = Slowness(cores)
    for count in runnable:
        slowness.note(count, late)
    return slowness.factor


def test_a_quiet_machine_is_not_slow() -> None:
    assert after() == after(0, 1, 2, 0) == 1.0


def test_demand_beyond_the_cores_counts_once_it_lasts() -> None:
    assert after(6) == 1.0
    assert after(*[6] * 20) == pytest.approx(3.0, abs=0.1)
    assert after(*[6] * 20, *[0] * 10) == 1.0


def test_it_is_limited() -> None:
    assert after(*[100] * 60) == LONGEST


def test_a_supervisor_that_is_late_itself_makes_patient() -> None:
    assert after(1, late=1.5) == 2.5
    assert after(1, late=60) == LONGEST
