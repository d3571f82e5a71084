"""Runs the checks and remembers since when each problem has been there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance.alerts.outbox import SlackTrouble
from appliance.control.api import ApplianceStatus, Problem
from appliance.domain.event import Event, EventKind, Severity
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
    slack_trouble: SlackTrouble | None = None
    """Why Slack takes no message, None when it does."""
    forecaster: ForecasterReport | None = None
    """What the forecaster says, None while it does not answer."""
    recorder_trouble: str = ""
    """Why nothing is recorded, "" while it is."""
    features: Mapping[str, str] = field(default_factory=dict)
    """Project -> the features that its config asks for, as its versions' tag says them."""


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


_ANNOUNCED = (
    "model.coverage",
    "model.loss",
    "model.stale",
    "model.no_champion",
    "model.other_config",
    "forecast.stale",
    "live.failing",
    "comparison.starved",
    "retrain.parked",
    "workflow.paused",
)
"""Codes whose beginning is an event and so an alert: production is not what it is said to be."""


class Announcements:
    """Turns each beginning of a problem of a model into one event."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def of(self, problems: Iterable[Problem], status: ApplianceStatus) -> list[Event]:
        """Return the events of the problems that are new; one that is over is forgotten."""
        current = {(p.code, p.subject): p for p in problems if p.code in _ANNOUNCED}
        new = [problem for key, problem in current.items() if key not in self._known]
        self._known = set(current)
        names = [project.name for project in status.projects]
        return [
            Event(
                EventKind.PROBLEM_FOUND,
                problem.message,
                "supervisor",
                status.at,
                Severity.WARNING,
                project=next((n for n in names if n == problem.subject.split(".")[0]), ""),
                details={"code": problem.code, "subject": problem.subject, "hint": problem.hint},
            )
            for problem in new
        ]


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
                finding.code,
                finding.message,
                finding.hint,
                finding.since_at or self._since[key],
                finding.subject,
            )
            for key, finding in found.items()
            if now_at - self._since[key] >= finding.grace
        )


def run_checks(
    checks: Sequence[Check], status: ApplianceStatus, surroundings: Surroundings
) -> list[Finding]:
    """Return what all checks find, without what only follows from something else that was found.

    Of a project whose configuration cannot be used nothing is known that a check could judge.
    """
    usable = replace(status, projects=tuple(each for each in status.projects if each.unit))
    found = [finding for check in checks for finding in check(usable, surroundings)]
    roots = {
        (finding.subject, code)
        for finding in found
        if finding.code in _ROOTS
        for code in _FOLLOWS.get(finding.subject, ())
    }
    silent = {finding.subject for finding in found if finding.code == "service.silent"}
    return [finding for finding in found if not _is_victim(finding, roots, silent)]


_ROOTS = frozenset({"service.given_up", "service.unhealthy", "service.silent"})
_OF_AIRFLOW = ("workflow.", "task.", "dag.")
_FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "store": (
        "ingest.",
        "source.",
        "stream.",
        "data.",
        "forecast.",
        "live.",
        "model.",
        "retrain.",
        "comparison.",
    ),
    "mlflow": ("model.", "live."),
    "ingestor": ("ingest.", "source.", "stream."),
    "forecaster": ("forecast.", "live."),
    "postgres": _OF_AIRFLOW,
    "airflow-api-server": _OF_AIRFLOW,
    "airflow-scheduler": ("task.",),
}
"""Service -> beginnings of the codes that mean nothing while it does not serve."""


def _is_victim(
    finding: Finding, roots: Collection[tuple[str, str]], silent: Collection[str]
) -> bool:
    if finding.code in _ROOTS:
        return finding.code == "service.unhealthy" and finding.subject in silent
    return any(finding.code.startswith(code) for _, code in roots)
