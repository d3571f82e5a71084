"""The list of projects, enabled and disabled."""

from __future__ import annotations

from functools import partial

from rich.text import Text

from appliance.control.api import ProjectStatus
from appliance.control.needs import problem_counts, projects_by_need
from appliance.tui.presentation.formats import count, fit, line
from appliance.tui.presentation.view import Frame, PanelView, Row
from appliance.tui.state import Board


def present(board: Board, frame: Frame) -> PanelView:
    """Return one row a project; enter changes between enabled and disabled."""
    del frame
    status = board.status.value
    enabled = [project.name for project in status.projects] if status else []
    disabled = status.disabled if status else ()
    rows = [Row(n, line(("● ", "good"), (n, "strong"), ("  enabled", "muted"))) for n in enabled]
    rows += [
        Row(n, line(("○ ", "muted"), (n, "plain"), ("  disabled", "warning"))) for n in disabled
    ]
    return PanelView(line(), tuple(rows))


def present_choices(board: Board, frame: Frame) -> PanelView:
    """Return the enabled projects to look at, those with problems first: market, model, problems."""
    status = board.status.value
    if status is None:
        return PanelView(line(), ())
    counts = problem_counts(status)
    shown = board.project.name if board.project else ""
    rows = tuple(
        Row(project.name, partial(_choice, project, counts[project.name], shown, frame))
        for project in projects_by_need(status)
    )
    return PanelView(line(), rows)


def _choice(project: ProjectStatus, problems: int, shown: str, frame: Frame) -> Text:
    model = f"v{project.champion.version}" if project.champion else "no model"
    names = max(min(frame.width - 42, 40), 12)
    return line(
        ("▸ " if project.name == shown else "  ", "accent"),
        (fit(project.name, names), "strong"),
        (f" {project.market + ' ' + str(project.unit) + 'm':<16}", "muted"),
        (f"{model:<10}", "model" if project.champion else "muted"),
        (f"▲ {count(problems, 'problem')}", "warning") if problems else ("● well", "good"),
    )
