"""The table of all versions and the detail of one."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from appliance.domain.model_version import ModelVersion
from appliance.tui.action_keys import key_of
from appliance.tui.presentation.formats import UNKNOWN, age, clip, count, fit, line, moment, percent
from appliance.tui.presentation.model import coverage_style
from appliance.tui.presentation.view import (
    Frame,
    PanelView,
    Row,
    SortValue,
    empty,
    failed,
    loading,
    title,
)
from appliance.tui.state import Failure

NAME = "Models"
_ROOMY = 100
_COLUMNS = (
    *("version", "alias", "trained", "vs EWMA", "vs static", "coverage"),
    *("pinball", "direction"),
)


@dataclass(frozen=True, slots=True)
class ModelsState:
    """Versions as last read, newest first; None while the first answer is awaited."""

    project: str
    models: tuple[ModelVersion, ...] | None = None
    failure: Failure | None = None


def present(state: ModelsState, frame: Frame) -> PanelView:
    """Return one row a version, newest first, with skill against both benchmarks."""
    if state.models is None:
        return (
            failed(NAME, frame, state.failure)
            if state.failure
            else loading(NAME, frame, "versions")
        )
    if not state.models:
        return empty(NAME, frame, "no version yet", f"{key_of('retrain')} trains the first one")
    rows = tuple(
        Row(str(m.version), _row(m, frame), _search_words(m), _sort_values(m)) for m in state.models
    )
    details = [(state.project, "muted"), (count(len(rows), "version"), "muted")]
    if state.failure:
        details.append(("old: the registry does not answer", "warning"))
    text = title(NAME, frame, *details)
    is_stale = state.failure is not None
    return PanelView(text, rows, _heading(frame), is_stale=is_stale, columns=_COLUMNS)


def _search_words(model: ModelVersion) -> str:
    return " ".join((f"v{model.version}", *model.aliases, *model.tags.values()))


def _sort_values(model: ModelVersion) -> tuple[SortValue, ...]:
    names = ("skill_ewma", "skill_static", "coverage", "pinball", "direction")
    figures = (model.metrics.get(name) for name in names)
    return (model.version, ", ".join(model.aliases) or None, model.created_at, *figures)


def _heading(frame: Frame) -> Text:
    more = f"{'direction':>11}{'RMSE':>11}{'MAE':>11}" if frame.width >= _ROOMY else ""
    return line(
        (f"  {'version':<8}{'alias':<12}{'trained':<12}{'vs EWMA':>9}{'vs static':>10}", "heading"),
        (f"{'coverage':>10}{'pinball':>10}{more}", "heading"),
    )


def _row(model: ModelVersion, frame: Frame) -> Text:
    metrics = model.metrics
    ewma = metrics.get("skill_ewma")
    coverage = metrics.get("coverage")
    glyph = ("★ ", "model") if model.is_champion else ("  ", "plain")
    texts = [
        glyph,
        (f"{'v' + str(model.version):<8}", "model" if model.is_champion else "plain"),
        (fit(_standing(model), 11) + " ", "plain" if model.aliases else "faint"),
        (f"{age(model.created_at, frame.now):<12}", "muted"),
        (f"{percent(ewma, signed=True):>9}", skill_style(ewma)),
        (
            f"{percent(metrics.get('skill_static'), signed=True):>10}",
            skill_style(metrics.get("skill_static")),
        ),
        (f"{percent(coverage):>10}", coverage_style(coverage)),
        (f"{loss(metrics.get('pinball')):>10}", "muted"),
    ]
    if frame.width >= _ROOMY:
        texts.append((f"{percent(metrics.get('direction')):>11}", "muted"))
        texts += [(f"{loss(metrics.get(name)):>11}", "muted") for name in ("rmse", "mae")]
    return line(*texts)


def _standing(model: ModelVersion) -> str:
    """Return a version's aliases, or that it cannot be loaded any more."""
    return ", ".join(model.aliases) or (UNKNOWN if model.has_files else "no files")


def skill_style(skill: float | None) -> str:
    """Return the style of a skill: above zero beats the benchmark."""
    return "muted" if skill is None else "good" if skill > 0 else "bad"


def loss(value: float | None) -> str:
    """Return a loss of log returns in basis points, so that digits are worth reading."""
    return UNKNOWN if value is None else f"{value * 1e4:.2f} bp"


def detail(model: ModelVersion | None, frame: Frame) -> PanelView:
    """Return everything recorded about one version."""
    if model is None:
        return empty("Version", frame, "no version chosen", "j and k choose one")
    aliases = ", ".join(model.aliases) or "no alias"
    facts = [
        (
            "trained",
            f"{moment(model.created_at, frame.now)}, {age(model.created_at, frame.now)}",
        ),
        *_promotion(model, frame),
        ("MLflow run", model.run_id),
        *sorted(model.tags.items()),
        *((name, f"{value:.6g}") for name, value in sorted(model.metrics.items())),
    ]
    width = max(len(name) for name, _ in facts) + 2
    rows = tuple(
        Row(
            "",
            line((f"{name:<{width}}", "muted"), (clip(str(value), frame.width - width), "plain")),
        )
        for name, value in facts
    )
    return PanelView(title(f"v{model.version}", frame, (aliases, "model")), rows)


def _promotion(model: ModelVersion, frame: Frame) -> list[tuple[str, str]]:
    known = model.promoted
    if known is None:
        return []
    when = f"{moment(known.at, frame.now)}, {age(known.at, frame.now)}"
    return [("promoted", f"{when} by {known.done_by}")]


def comparison(model: ModelVersion, champion: ModelVersion | None, width: int) -> list[Text]:
    """Return a version's training metrics beside the champion's, for the dialogs."""
    other = champion if champion and champion.version != model.version else None
    names = (
        ("skill vs EWMA", "skill_ewma"),
        ("skill vs static", "skill_static"),
        ("coverage (80 %)", "coverage"),
    )
    current = f"{'v' + str(other.version) + ' now':>12}" if other else ""
    lines = [line((f"{'':<18}{'v' + str(model.version):>10}{current}"[:width], "heading"))]
    for name, key in names:
        value, old = model.metrics.get(key), other.metrics.get(key) if other else None
        is_signed = key.startswith("skill")
        text = line((f"{name:<18}", "plain"), (f"{percent(value, signed=is_signed):>10}", "strong"))
        lines.append(
            text.append(f"{percent(old, signed=is_signed):>12}", "muted") if other else text
        )
    return lines
