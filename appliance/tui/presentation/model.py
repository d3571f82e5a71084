"""The card of the production model: every number with its benchmark."""

from __future__ import annotations

import math

from rich.text import Text

from appliance.control.api import ProjectStatus
from appliance.domain.forecast import Forecast, Performance
from appliance.domain.model_version import ModelVersion
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.formats import (
    UNKNOWN,
    clip,
    count,
    line,
    percent,
    price,
    rough_span,
    short_span,
)
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    absent,
    old_note,
    stale_note,
    title,
    words,
)
from appliance.tui.state import Board

NAME = "Model"
TARGET_COVERAGE = 0.8
"""The interval runs from the 0.1 to the 0.9 quantile."""
_TALL = 8


def present(board: Board, frame: Frame) -> PanelView:
    """Return the production model with version, age, skill, coverage and newest forecast."""
    if board.status.value is None:
        return absent(NAME, frame, board.status, "the production model")
    project = board.project
    if project is None or project.champion is None:
        return _none_yet(board, frame)
    champion = project.champion
    stale = old_note(board.status, frame.now) or stale_note(board, "models", frame.now)
    details = [(f"v{champion.version} champion", "model"), _age(project, champion, frame, stale)]
    rows = tuple(Row("", text) for text in _lines(project, champion, frame))
    return PanelView(
        title(NAME, frame, *details), rows, _heading(project.performance), is_stale=bool(stale)
    )


def _age(project: ProjectStatus, champion: ModelVersion, frame: Frame, old: str) -> tuple[str, str]:
    """Return how old the model is, loudly when it has outlived its configured life."""
    seconds = (frame.now - champion.created_at).total_seconds()
    is_stale = 0 < project.model_max_age_hours * 3600 < seconds
    made = f"{short_span(seconds)} old"
    return (f"▲ stale, {made}", "warning") if is_stale and not old else (old or made, "muted")


def _none_yet(board: Board, frame: Frame) -> PanelView:
    reason = board.stale_reason("models")
    if reason:
        return words(NAME, frame, ("✖ the registry does not answer", "bad"), (reason, "muted"))
    project = board.project
    if project is not None and project.held:
        return words(
            NAME,
            frame,
            (f"▲ v{project.newest_version} is held for you", "warning"),
            (project.held, "plain"),
            (f"{key_of('promote')} promotes it, {key_of('reject')} rejects it", "accent"),
        )
    return words(
        NAME,
        frame,
        ("○ no model in production yet", "plain"),
        ("the first train run registers one and puts it into production", "muted"),
        (f"{key_of('retrain')} trains now", "accent"),
    )


def _heading(performance: Performance | None) -> Text:
    measured = "live" if performance is None or performance.is_live else "filled"
    return line((f"{'':<12}{measured:>8}{'training':>10}{'target':>8}", "heading"))


def _lines(project: ProjectStatus, champion: ModelVersion, frame: Frame) -> list[Text]:
    live = project.performance
    is_live = live is not None and live.model_version == champion.version
    ewma = live.skill_ewma if live and is_live else None
    static = live.skill_static if live and is_live else None
    coverage = live.coverage if live and is_live else None
    metrics = champion.metrics
    unjudged = line(("skill cannot be judged: no price moved", "warning"))
    lines = [
        *([unjudged] if live and is_live and live.skill_ewma is None else []),
        _skill("skill/EWMA", ewma, metrics.get("skill_ewma")),
        _skill("skill/static", static, metrics.get("skill_static")),
        _coverage(coverage, metrics.get("coverage")),
        forecast_line(project.forecast, frame.width),
    ]
    return lines + _more(project, champion, frame)


def _skill(name: str, live: float | None, training: float | None) -> Text:
    """Return a row of skill; above zero the model beats the benchmark."""
    style = "muted" if live is None else "good" if live > 0 else "bad"
    return line(
        (f"{name:<12}", "plain"),
        (f"{percent(live, signed=True):>8}", style),
        (f"{percent(training, signed=True):>10}", "muted"),
        (f"{'> 0 %':>8}", "muted"),
    )


def _coverage(live: float | None, training: float | None) -> Text:
    style = coverage_style(live)
    return line(
        (f"{'coverage':<12}", "plain"),
        (f"{percent(live):>8}", style),
        (f"{percent(training):>10}", "muted"),
        (f"{percent(TARGET_COVERAGE, 0):>8}", "muted"),
    )


def coverage_style(coverage: float | None) -> str:
    """Return the style of an observed coverage by its distance from the target."""
    if coverage is None:
        return "muted"
    distance = abs(coverage - TARGET_COVERAGE)
    return "good" if distance <= 0.05 else "warning" if distance <= 0.1 else "bad"


def forecast_line(forecast: Forecast | None, width: int) -> Text:
    """Return the newest forecast as a return interval with its horizon."""
    if forecast is None:
        return line(("no forecast yet", "muted"))
    ahead = rough_span(forecast.horizon * forecast.unit * 60)
    quantiles = forecast.quantiles
    interval = (
        f"{percent(quantiles.lower, 2, signed=True)} … {percent(quantiles.upper, 2, signed=True)}"
    )
    text = clip(f"{'in ' + ahead:<12}", width)
    return line((text, "plain"), (clip(f" {interval}", width - 12), "model"))


def _more(project: ProjectStatus, champion: ModelVersion, frame: Frame) -> list[Text]:
    """Return what a tall card adds: evidence behind the numbers and the neighbours."""
    if frame.height < _TALL:
        return []
    performance = project.performance
    rows = performance.rows if performance else 0
    evidence = _evidence(performance) if performance and rows else "no forecast has matured yet"
    made = f" · {project.forecast_count:,} made" if project.forecast_count else ""
    return [
        line((clip(price_interval(project.forecast), frame.width), "muted")),
        line((clip(f"{evidence}{made}" if rows else evidence, frame.width), "muted")),
        line((clip(neighbours(project), frame.width), "muted")),
    ]


def _evidence(performance: Performance) -> str:
    """Say what the figures rest on: forecasts made before their outcome was known, or also later."""
    if performance.is_live:
        return f"over {count(performance.rows, 'live outcome')}"
    return f"over {performance.live_rows:,} live and {performance.filled_rows:,} filled-in outcomes"


def price_interval(forecast: Forecast | None) -> str:
    """Return the newest forecast's interval in prices."""
    if forecast is None:
        return f"80 % interval {UNKNOWN}"
    ends = [
        price(at_price(forecast, q)) for q in (forecast.quantiles.lower, forecast.quantiles.upper)
    ]
    return f"80 %: {ends[0]} … {ends[1]}"


def at_price(forecast: Forecast, log_return: float) -> float:
    """Return the price that a log return from the forecast's base price leads to."""
    return forecast.base_price * math.exp(log_return)


def neighbours(project: ProjectStatus) -> str:
    """Return which versions stand beside the champion."""
    previous = f"rollback → v{project.previous_champion}" if project.previous_champion else ""
    challenger = f"challenger v{project.challenger}" if project.challenger else ""
    newest = f"newest v{project.newest_version}" if project.newest_version else ""
    return " · ".join(part for part in (previous, challenger, newest) if part)
