"""Where the dashboard has what, so that a picture of it can be told to be old."""

from __future__ import annotations

from appliance.tui.actions import ACTIONS
from appliance.tui.app import ApplianceApp
from appliance.tui.widgets.panel import Panel

LAYOUT = "<!-- layout {} -->"
"""What a picture ends with."""


def layout_of(app: ApplianceApp) -> dict[str, list[object]]:
    """Return each panel with its column and width, from the top, and the keys of the footer.

    Heights are left out: they follow what there is to show.
    """
    panels = sorted(app.screen.query(Panel), key=lambda panel: (panel.region.x, panel.region.y))
    places = [[panel.id, panel.region.x, panel.region.width] for panel in panels if panel.display]
    return {
        "panels": places,
        "keys": [[known.key, known.label] for known in ACTIONS if known.label],
    }
