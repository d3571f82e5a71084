"""Looking: status, logs, events."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from appliance import clock, zone
from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import (
    age,
    counted,
    emit,
    emit_json,
    emit_line,
    emit_table,
    lasted,
    narrate,
    narrate_error,
    percent,
    share,
)
from appliance.config.arguments import MOMENT, SECONDS, TEXT
from appliance.errors import ApplianceNotRunning

if TYPE_CHECKING:
    from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus
    from appliance.domain.event import Event
    from appliance.domain.event_filter import EventFilter
    from appliance.domain.workflow import WorkflowStatus

_SEVERITIES = ("info", "warning", "error")


@click.command("status")
@session.json_option
@click.option("--check", is_flag=True, help="Exit 4 unless every service is ready and no problem.")
@click.option("--all", "show_all", is_flag=True, help="Every market, project and problem in full.")
@click.option(
    "--watch",
    type=SECONDS,
    is_flag=False,
    flag_value=2,
    metavar="[SECONDS]",
    help="Show it again every so many seconds, 2 if not said; with --json a line each.",
)
def status_command(as_json: bool, check: bool, show_all: bool, watch: int | None) -> int:
    """Show services, markets, workflows and models; of many, those that need a look."""
    if watch is None:
        return _show_status(as_json=as_json, check=check, show_all=show_all)
    if check:
        raise click.UsageError("--check looks once; leave out --watch")
    from appliance.cli.watching import watching

    watching(watch, lambda: _watched_status(as_json=as_json, show_all=show_all))
    return ExitCode.DONE


def _watched_status(*, as_json: bool, show_all: bool) -> None:
    status = session.control().status()
    if as_json:
        emit_line(status)
    else:
        emit(zone.stamp_with_name(status.at))
        _print_status(status, show_all=show_all)


def _show_status(*, as_json: bool, check: bool, show_all: bool) -> int:
    try:
        status = session.control().status()
    except ApplianceNotRunning as error:
        return _show_last_status(error, as_json=as_json, show_all=show_all)
    if as_json:
        emit_json(status)
    else:
        _print_status(status, show_all=show_all)
    return ExitCode.UNHEALTHY if check and not status.is_healthy else ExitCode.DONE


def _show_last_status(error: ApplianceNotRunning, *, as_json: bool, show_all: bool) -> int:
    """Show what the supervisor wrote down last, when it lives and does not answer."""
    from appliance.config.last_status import read_last_status
    from appliance.control.decode import decode_result

    last = read_last_status(session.paths()) if session.is_supervised() else None
    if last is None:
        raise error
    status: ApplianceStatus = decode_result("status", last.content)
    narrate_error(error)
    narrate(f"this was its status {age(status.at, clock.now())} ago:")
    if as_json:
        emit_json(status)
    else:
        _print_status(status, show_all=show_all)
    return ExitCode.TRY_AGAIN


def _print_status(status: ApplianceStatus, *, show_all: bool) -> None:
    from appliance.cli.status_overview import has_many, print_overview, print_problems

    emit(f"source    {status.source.label}")
    emit(f"home      {status.home}")
    emit(f"airflow   {status.airflow_url}   mlflow {status.mlflow_url}")
    emit("")
    if has_many(status) and not show_all:
        print_overview(status)
    else:
        _print_parts(status)
    if show_all:
        for problem in status.problems:
            emit("")
            emit(f"problem   {problem.message} (since {age(problem.since_at, status.at)})")
            emit(f"  next:   {problem.hint}")
    else:
        print_problems(status)
    for part, reason in (status.stale or {}).items():
        read_at = (status.read_at or {}).get(part)
        as_of = f"as of {age(read_at, status.at)} ago" if read_at else "not known"
        emit(f"stale     {part}, {as_of}: {reason}")


def _print_parts(status: ApplianceStatus) -> None:
    emit_table(
        ("SERVICE", "STATE", "SINCE", "RESTARTS", "REASON"),
        [
            (s.name, s.observed, age(s.since_at, status.at), s.restarts, s.reason)
            for s in status.services
        ],
    )
    for market in status.markets:
        emit("")
        _print_market(market)
    for project in status.projects:
        emit("")
        _print_project(project, status)
    for name in status.disabled:
        emit("")
        _print_disabled(name)


def _print_market(market: MarketStatus) -> None:
    price = f"{market.live.candle.close:,.8g}" if market.live else "-"
    lag = lasted(market.lag_seconds)
    state = market.ingestion.state if market.ingestion else "unknown"
    emit(
        f"market    {market.market} {market.unit}m: {price}, {counted(market.stored_candles)} candles, "
        f"{counted(market.gaps)} gaps, lag {lag}, {state}"
    )
    if market.ingestion and market.ingestion.message:
        emit(f"          {market.ingestion.message}")


def _print_disabled(name: str) -> None:
    emit(f"project   {name} is disabled: nothing runs for it; appliance project enable {name}")


def _last_state(workflow: WorkflowStatus) -> str:
    if workflow.last_run is None:
        return "never" if workflow.is_known else "unknown"
    return "ended" if workflow.last_run.was_ended else workflow.last_run.state


def _print_project(project: ProjectStatus, status: ApplianceStatus) -> None:
    emit(f"project   {project.name} ({project.market} {project.unit}m, {project.horizon} ahead)")
    emit_table(
        ("WORKFLOW", "LAST RUN", "AGO", "LASTED", "NEXT RUN"),
        [
            (
                w.kind,
                _last_state(w),
                age(w.last_run.ended_at or w.last_run.started_at, status.at) if w.last_run else "-",
                lasted(w.last_run.duration if w.last_run else None),
                w.next_run_at or w.schedule or "-",
            )
            for w in project.workflows
        ],
    )
    champion = project.champion
    if champion is None and project.held:
        emit(f"model     none in production: version {project.newest_version} is held for a person")
    elif champion is None:
        emit(f"model     {'none in production yet' if project.are_models_known else 'unknown'}")
    else:
        limit = timedelta(hours=project.model_max_age_hours)
        is_stale = bool(limit) and status.at - champion.created_at > limit
        emit(
            f"model     version {champion.version}, {age(champion.created_at, status.at)} old"
            f"{f' (stale: its life is {limit.days} days)' if is_stale else ''}, "
            f"skill {percent(champion.metrics.get('skill_ewma'))} against EWMA, "
            f"{percent(champion.metrics.get('skill_static'))} against static quantiles"
        )
    live = project.performance
    if live is not None:
        emit(
            f"measured  {live.rows} outcomes ({live.live_rows} forecast live, {live.filled_rows} filled"
            f" later): skill {_judged(live.skill_ewma)} against EWMA, "
            f"{share(live.coverage, 0)} inside the 80 % interval"
        )
    drift = project.drift
    nothing = "not measured yet" if project.are_rows_known else "unknown"
    emit(
        f"drift     features {drift.verdict}, loss {drift.loss.verdict if drift.loss else 'not measured'}"
        f" against version {drift.model_version}"
        if drift
        else f"drift     {nothing}"
    )
    emit(f"forecasts {counted(project.forecast_count)} stored")


@click.command("events")
@click.argument("terms", type=TEXT, nargs=-1, metavar="[TERM]...")
@session.json_option
@session.limit_option(30, 10_000)
@click.option("-f", "--follow", is_flag=True, help="Go on printing new events.")
@click.option("--kind", type=TEXT, multiple=True, help="Only kinds with this in their name.")
@session.projects_option
@click.option(
    "--severity",
    type=click.Choice(_SEVERITIES),
    default=_SEVERITIES[0],
    help="Only events that want at least this much attention.",
)
@click.option("--actor", type=TEXT, default=None, help="Only by whom or through what: kim, pts/3.")
@click.option("--text", type=TEXT, default=None, help="Only those whose words contain this.")
@click.option(
    "--since", type=MOMENT, default=None, help="From this time on: 12h ago, 02:13, or ISO."
)
@click.option("--until", type=MOMENT, default=None, help="Before this time.")
@click.option(
    "--before",
    type=click.IntRange(0),
    default=0,
    metavar="ID",
    help="Before this event: pages back.",
)
def events_command(
    terms: tuple[str, ...],
    as_json: bool,
    limit: int,
    follow: bool,
    kind: tuple[str, ...],
    project: str | None,
    severity: str,
    actor: str | None,
    text: str | None,
    since: datetime | None,
    until: datetime | None,
    before: int,
) -> None:
    """Show what happened and who did it: decisions, state changes, alerts; the newest last.

    TERMs are those of the console's filter line: kind=promoted actor=kim since=12h gap !service.
    With -f and --json each event is a line.
    """
    from store.events import find_events, next_events

    named = {"project": project, "actor": actor, "text": text, "since": since, "until": until}
    options = [f"kind={','.join(kind)}", f"severity={severity}"]
    options += [f"{name}={value}" for name, value in named.items() if value]
    wanted = _wanted([*terms, *options])
    if follow and before:
        raise click.UsageError("--before pages back; leave out --follow")

    def show(found: list[Event]) -> None:
        for event in found:
            emit_line(event) if as_json else emit(_words_of(event))

    with session.open_store() as store:
        found = find_events(store, wanted, limit=limit, before_id=before)
        if as_json and not follow:
            emit_json(found)
            return
        show(found)
        newest = found[-1].id if found else 0
        while follow:
            time.sleep(1)
            found = next_events(store, wanted, newest, limit=1000)
            show(found)
            newest = found[-1].id if found else newest
        if len(found) == limit:
            narrate(
                f"the newest {limit}; those before: --before {found[0].id}; more: -n {10 * limit}"
            )


def _wanted(terms: list[str]) -> EventFilter:
    from appliance.config.event_query import parse_event_terms

    try:
        query = parse_event_terms(terms, clock.now())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if query.at is not None:
        raise click.UsageError("at= is of the console; here --until T shows what was before T")
    return query.wanted


def _words_of(event: Event) -> str:
    when = zone.stamp_with_name(event.at)
    return f"{when}  {event.severity:7}  {event.kind:20}  {event.summary} [{event.done_by}]"


def _judged(skill: float | None) -> str:
    return "cannot be judged (no price moved)" if skill is None else percent(skill)
