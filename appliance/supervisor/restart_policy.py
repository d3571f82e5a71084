"""When a service that died is started again, and when no more. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Back-off inside two budgets.

    The delay begins at `first_delay` seconds and doubles to `longest_delay` with each death in a
    row before `settled` seconds of readiness. A service that crashes again and again is given up
    after `budget` restarts within `window` seconds; one that serves whenever it is let, and is
    killed or hangs, after `most`. After `stable` seconds of readiness everything begins anew.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    budget: int = 8
    most: int = 30
    window: float = 600.0
    settled: float = 10.0
    stable: float = 180.0


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a process at `at` (monotonic seconds), ready for `ready_for` seconds before.

    `is_crash`: it never became ready, or ended by itself before it had settled.
    """

    at: float
    ready_for: float = 0.0
    is_crash: bool = True


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """The deaths that still count, oldest first."""

    deaths: tuple[Death, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows a death: a restart after `delay` seconds, or none when `delay` is None."""

    history: RestartHistory
    delay: float | None
    reason: str


def decide(
    policy: RestartPolicy,
    history: RestartHistory,
    *,
    name: str,
    cause: str,
    now: float,
    ready_for: float = 0.0,
    by_itself: bool = True,
) -> Decision:
    """Return what follows the death of service `name` at `now`.

    Args:
        policy: back-off and budgets.
        history: earlier deaths.
        name: the service, for the words.
        cause: what killed it, in words.
        now: monotonic seconds.
        ready_for: seconds for which it had been ready before.
        by_itself: whether the process ended itself; False when a signal ended it.
    """
    earlier = () if ready_for >= policy.stable else history.deaths
    kept = tuple(death for death in earlier if now - death.at <= policy.window)
    is_crash = not ready_for or (by_itself and ready_for < policy.settled)
    deaths = (*kept, Death(now, ready_for, is_crash))
    recorded = RestartHistory(deaths)
    crashes = _newest(deaths, lambda death: death.is_crash)
    count, budget = (crashes, policy.budget) if is_crash else (len(deaths), policy.most)
    if count > budget or len(deaths) > policy.most:
        return Decision(recorded, None, _given_up(policy, count - 1, name, cause))
    unsettled = _newest(deaths, lambda death: death.ready_for < policy.settled)
    delay = min(policy.first_delay * 2 ** max(unsettled - 1, 0), policy.longest_delay)
    return Decision(recorded, delay, f"{cause}; restart {count} of {budget} in {delay:g} s")


def _newest(deaths: tuple[Death, ...], belongs: Callable[[Death], bool]) -> int:
    """Return how many of the newest deaths in a row belong."""
    return len(tuple(itertools.takewhile(belongs, reversed(deaths))))


def _given_up(policy: RestartPolicy, restarts: int, name: str, cause: str) -> str:
    return (
        f"{cause}; given up after {restarts} restarts in {policy.window / 60:g} min; "
        f"see `appliance logs {name}`, then `appliance restart {name}`"
    )
