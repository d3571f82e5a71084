"""Runs the checks and remembers since when each problem has been there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.control.api import ApplianceStatus, Problem
from appliance.domain.workflow import UnstartedTask
from appliance.forecaster_api.wire import ForecasterReport


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What checks may look at besides the status."""

    free_bytes: int
    project_errors: tuple[tuple[str, str, str], ...] = ()
    """Project, what is wrong with its configuration, next step."""
    dag_errors: tuple[tuple[str, str], ...] = ()
    """Name of a DAG file without `.py`, why Airflow cannot import it."""
    unstarted: tuple[UnstartedTask, ...] = ()
    """Tasks of the newest runs that could not start, or wait for it too long."""
    unstarted_cause: str = ""
    """What the scheduler's log says about it."""
    slack_error: tuple[str, str] = ("", "")
    """Why alerts cannot be sent as configured, next step; empty when they can."""
    forecaster: ForecasterReport | None = None
    """What the forecaster says, None while it does not answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition found now.

    `subject` tells findings of the same code apart (a service, a market); the problem is shown once
    it has been found for `grace` without a break. `since_at` is when it began where that is known better
    than from when it was first found.
    """

    code: str
    subject: str
    message: str
    hint: str
    grace: timedelta = timedelta(0)
    since_at: datetime | None = None


Check = Callable[[ApplianceStatus, Surroundings], Iterable[Finding]]


class ProblemLog:
    """Turns findings into problems with the instant at which each began."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], datetime] = {}

    def update(self, findings: Iterable[Finding], now_at: datetime) -> tuple[Problem, ...]:
        """Return the problems that last, in the order found; forget those that are over."""
        found = {(finding.code, finding.subject): finding for finding in findings}
        self._since = {key: self._since.get(key, now_at) for key in found}
        return tuple(
            Problem(
                finding.code, finding.message, finding.hint, finding.since_at or self._since[key]
            )
            for key, finding in found.items()
            if now_at - self._since[key] >= finding.grace
        )


def run_checks(
    checks: Sequence[Check], status: ApplianceStatus, surroundings: Surroundings
) -> Iterator[Finding]:
    """Yield what all checks find."""
    for check in checks:
        yield from check(status, surroundings)
