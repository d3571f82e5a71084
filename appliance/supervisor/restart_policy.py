"""When a service that died is started again, and when no more. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Back-off inside a budget.

    The delay begins at `first_delay` seconds and doubles to `longest_delay`; `budget` restarts are
    allowed within `window` seconds; after `stable` seconds of readiness the delay and the budget
    begin anew.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    budget: int = 8
    window: float = 600.0
    stable: float = 180.0


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """Instants (monotonic seconds) of the deaths that still count, oldest first."""

    deaths: tuple[float, ...] = ()


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
) -> Decision:
    """Return what follows the death of service `name` at `now`.

    Args:
        policy: back-off and budget.
        history: earlier deaths.
        name: the service, for the words.
        cause: what killed it, in words.
        now: monotonic seconds.
        ready_for: seconds for which it had been ready before.
    """
    earlier = () if ready_for >= policy.stable else history.deaths
    deaths = (*(death for death in earlier if now - death <= policy.window), now)
    recorded = RestartHistory(deaths)
    if len(deaths) > policy.budget:
        return Decision(recorded, None, _given_up(policy, name, cause))
    delay = min(policy.first_delay * 2 ** (len(deaths) - 1), policy.longest_delay)
    reason = f"{cause}; restart {len(deaths)} of {policy.budget} in {delay:g} s"
    return Decision(recorded, delay, reason)


def _given_up(policy: RestartPolicy, name: str, cause: str) -> str:
    return (
        f"{cause}; given up after {policy.budget} restarts in {policy.window / 60:g} min; "
        f"see `appliance logs {name}`, then `appliance restart {name}`"
    )
