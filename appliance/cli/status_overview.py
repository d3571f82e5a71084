"""`appliance status` of many markets and projects: what needs the operator, counts of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.cli.output import age, counted, emit, emit_table, percent
from appliance.control.needs import (
    WORDS,
    Need,
    count_needs,
    market_need,
    markets_by_need,
    problem_counts,
    projects_by_need,
)
from appliance.control.problem_groups import group_problems, named

if TYPE_CHECKING:
    from appliance.control.api import ApplianceStatus, ProjectStatus

MOST_MARKETS = 6
MOST_PROJECTS = 3
"""Up to these the status shows each in full."""
_SHOWN_MARKETS = 5
_SHOWN_PROJECTS = 8


def has_many(status: ApplianceStatus) -> bool:
    """Whether there is more than one reads at a glance."""
    return len(status.markets) > MOST_MARKETS or len(status.projects) > MOST_PROJECTS


def print_overview(status: ApplianceStatus) -> None:
    """Print services, markets and projects as counts and those that need a look."""
    _print_services(status)
    emit("")
    _print_markets(status)
    if status.projects or status.disabled:
        emit("")
        _print_projects(status)


def print_problems(status: ApplianceStatus) -> None:
    """Print what needs the operator; problems of one cause are one."""
    groups = group_problems(status.problems)
    for group in groups:
        emit("")
        emit(f"problem   {group.message} (since {age(group.since_at, status.at)})")
        emit(f"  next:   {group.hint}")
    if not all(group.is_single for group in groups):
        emit("")
        emit("each problem in full: appliance status --all")


def _print_services(status: ApplianceStatus) -> None:
    troubled = [service for service in status.services if not service.is_ready]
    ready = len(status.services) - len(troubled)
    emit(f"services  {ready} of {len(status.services)} ready")
    if troubled:
        emit_table(
            ("SERVICE", "STATE", "SINCE", "RESTARTS", "REASON"),
            [
                (s.name, s.observed, age(s.since_at, status.at), s.restarts, s.reason)
                for s in troubled
            ],
        )


def _print_markets(status: ApplianceStatus) -> None:
    counts = count_needs(status.markets)
    words = ", ".join(f"{number:,} {WORDS[need]}" for need, number in counts.items())
    emit(f"markets   {len(status.markets):,}: {words or 'none is ingested'}")
    needy = [m for m in markets_by_need(status.markets) if market_need(m) is not Need.NONE]
    if needy:
        emit_table(
            ("MARKET", "NEEDS", "LAG", "GAPS", "CANDLES", "STATE"),
            [
                (
                    f"{m.market} {m.unit}m",
                    WORDS[market_need(m)],
                    "-" if m.lag_seconds is None else f"{m.lag_seconds:,.0f} s",
                    counted(m.gaps),
                    counted(m.stored_candles),
                    m.ingestion.state if m.ingestion else "unknown",
                )
                for m in needy[:_SHOWN_MARKETS]
            ],
        )
    if len(needy) > _SHOWN_MARKETS:
        emit(f"{len(needy) - _SHOWN_MARKETS:,} more need a look: appliance status --all")


def _print_projects(status: ApplianceStatus) -> None:
    counts = problem_counts(status)
    troubled = sum(bool(number) for number in counts.values())
    emit(f"projects  {len(status.projects)}: {troubled} with problems")
    shown = projects_by_need(status)[:_SHOWN_PROJECTS]
    emit_table(
        ("PROJECT", "PROBLEMS", "MODEL", "SKILL", "DRIFT", "FORECASTS", "LAST RUNS"),
        [_project_row(project, counts[project.name]) for project in shown],
    )
    if (more := len(status.projects) - len(shown)) > 0:
        emit(f"{more} more: appliance status --all")
    if status.disabled:
        emit(f"disabled  {named(status.disabled)}: appliance project enable NAME")


def _project_row(project: ProjectStatus, problems: int) -> tuple[object, ...]:
    champion, live = project.champion, project.performance
    model = f"v{champion.version}" if champion else "none" if project.are_models_known else "?"
    runs = [w.last_run for w in project.workflows if w.last_run is not None]
    failed = sum(run.has_failed for run in runs)
    return (
        project.name,
        problems,
        model,
        percent(live.skill_ewma) if live else "-",
        project.drift.verdict if project.drift else "-",
        counted(project.forecast_count),
        f"{failed} failed" if failed else "-" if not runs else "ok",
    )
