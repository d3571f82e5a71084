"""The list of projects, enabled and disabled."""

from __future__ import annotations

from appliance.tui.presentation.formats import line
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
