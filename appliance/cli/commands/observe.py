"""Looking: status, logs, events."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import (
    age,
    counted,
    emit,
    emit_json,
    emit_table,
    local_time,
    narrate,
    narrate_error,
    percent,
)
from appliance.config.arguments import TEXT, unknown
from appliance.errors import ApplianceNotRunning

if TYPE_CHECKING:
    from appliance.control.api import ApplianceStatus, MarketStatus, ProjectStatus


@click.command("status")
@session.json_option
@click.option("--check", is_flag=True, help="Exit 4 unless every service is ready and no problem.")
def status_command(as_json: bool, check: bool) -> int:
    """Show services, markets, workflows and models."""
    try:
        status = session.control().status()
    except ApplianceNotRunning as error:
        return _show_last_status(error, as_json=as_json)
    if as_json:
        emit_json(status)
    else:
        _print_status(status)
    return ExitCode.UNHEALTHY if check and not status.is_healthy else ExitCode.DONE


def _show_last_status(error: ApplianceNotRunning, *, as_json: bool) -> int:
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
        _print_status(status)
    return ExitCode.TRY_AGAIN


def _print_status(status: ApplianceStatus) -> None:
    emit(f"source    {status.source.label}")
    emit(f"home      {status.home}")
    emit(f"airflow   {status.airflow_url}   mlflow {status.mlflow_url}")
    emit("")
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
    for problem in status.problems:
        emit("")
        emit(f"problem   {problem.message} (since {age(problem.since_at, status.at)})")
        emit(f"  next:   {problem.hint}")
    for part, reason in (status.stale or {}).items():
        read_at = (status.read_at or {}).get(part)
        as_of = f"as of {age(read_at, status.at)} ago" if read_at else "not known"
        emit(f"stale     {part}, {as_of}: {reason}")


def _print_market(market: MarketStatus) -> None:
    price = f"{market.live.candle.close:,.8g}" if market.live else "-"
    lag = "-" if market.lag_seconds is None else f"{market.lag_seconds:.0f} s"
    state = market.ingestion.state if market.ingestion else "unknown"
    emit(
        f"market    {market.market} {market.unit}m: {price}, {counted(market.stored_candles)} candles, "
        f"{counted(market.gaps)} gaps, lag {lag}, {state}"
    )
    if market.ingestion and market.ingestion.message:
        emit(f"          {market.ingestion.message}")


def _print_disabled(name: str) -> None:
    emit(f"project   {name} is disabled: nothing runs for it; appliance project enable {name}")


def _print_project(project: ProjectStatus, status: ApplianceStatus) -> None:
    emit(f"project   {project.name} ({project.market} {project.unit}m, {project.horizon} ahead)")
    emit_table(
        ("WORKFLOW", "LAST RUN", "AGO", "SECONDS", "NEXT RUN"),
        [
            (
                w.kind,
                w.last_run.state if w.last_run else "never" if w.is_known else "unknown",
                age(w.last_run.ended_at or w.last_run.started_at, status.at) if w.last_run else "-",
                w.last_run.duration if w.last_run else None,
                local_time(w.next_run_at) if w.next_run_at else w.schedule or "-",
            )
            for w in project.workflows
        ],
    )
    champion = project.champion
    if champion is None:
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
            f"{live.coverage:.0%} inside the 80 % interval"
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
@session.json_option
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on printing new events.")
@click.option("--kind", type=TEXT, multiple=True, help="Only this kind, such as retrain.decided.")
@click.option("--project", type=TEXT, default=None, help="Only this project's.")
def events_command(
    as_json: bool, limit: int, follow: bool, kind: tuple[str, ...], project: str | None
) -> None:
    """Show what happened: decisions, state changes, alerts."""
    from appliance.domain.event import Event, EventKind
    from store import events

    known = [k.value for k in EventKind]
    for each in kind:
        if each not in known:
            raise unknown("event kind", each, known)
    kinds = [EventKind(k) for k in kind] or None

    def show(found: list[Event]) -> None:
        for event in found:
            actor = f"[{event.actor}]"
            emit(
                f"{local_time(event.at)}  {event.severity:7}  {event.kind:20}  {event.summary} {actor}"
            )

    with session.open_store() as store:
        found = events.read_events(store, limit=limit, kinds=kinds, project=project)
        if as_json:
            emit_json(found)
            return
        show(found)
        newest = found[-1].id if found else 0
        while follow:
            time.sleep(1)
            found = events.read_events(
                store, after_id=newest, limit=1000, kinds=kinds, project=project
            )
            show(found)
            newest = found[-1].id if found else newest


_LINE_CHARACTERS = 65_536


@click.command("logs")
@click.argument("service", type=TEXT, required=False)
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on printing new lines.")
def logs_command(service: str | None, lines: int, follow: bool) -> None:
    """Show a service's log; without a name, which logs there are."""
    from appliance.supervisor.log_file import read_tail

    folder = session.paths().logs
    logs = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if service is None:
        emit_table(
            ("SERVICE", "BYTES", "FILE"), [(n, p.stat().st_size, p) for n, p in logs.items()]
        )
        return
    if service not in logs:
        raise unknown("log of", service, list(logs))
    for line in read_tail(logs[service], lines):
        emit(line)
    if follow:
        _follow(logs[service])


def _judged(skill: float | None) -> str:
    return "cannot be judged (no price moved)" if skill is None else percent(skill)


def _follow(path: Path) -> None:
    """Print what is appended; begins again when the file was rotated."""
    position = path.stat().st_size
    while True:
        time.sleep(0.3)
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position = 0
        if size > position:
            with path.open(encoding="utf-8", errors="replace") as file:
                file.seek(position)
                while line := file.readline(_LINE_CHARACTERS):
                    emit(line.rstrip("\n"))
                position = file.tell()
