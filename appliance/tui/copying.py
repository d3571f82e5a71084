"""What `y` copies and `S` saves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from textual.widgets import Static

from appliance import clock
from appliance.errors import ConfigError
from appliance.tui.background import ask
from appliance.tui.messages import ActionFailed, ActionSucceeded
from appliance.tui.presentation.formats import clip, count
from appliance.tui.state import Failure
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from textual.screen import Screen

    from appliance.tui.app import ApplianceApp

PARTS = ("row", "id", "screen")
"""What `:copy` may name."""
_SHOWN = 44


def copy(app: ApplianceApp, part: str = "row") -> None:
    """Put the selected rows, their ids or the whole screen into the terminal's clipboard (OSC 52)."""
    text = screen_text(app) if part == "screen" else chosen_text(app.screen, part)
    if not text:
        app.notify("there is nothing to copy here", severity="warning")
        return
    app.copy_to_clipboard(text)
    lines = text.splitlines()
    words = (
        clip(lines[0], _SHOWN)
        if len(lines) == 1
        else f"{count(len(lines), 'line')} from the screen"
    )
    app.notify(f"{words}\nto the terminal's clipboard (OSC 52)", title="✔ Copied")


def chosen_text(screen: Screen[object], part: str = "row") -> str:
    """Return the rows that are selected or under the cursor, or their ids; where none can be, every line."""
    panel = screen.focused
    if not isinstance(panel, Panel):
        panel = next(iter(screen.query(Panel)), None)
    if panel is None:
        words = [str(static.render()) for static in screen.query(Static) if static.display]
        return "\n".join(words).strip()
    keys = panel.selected_keys
    if part == "id":
        return "\n".join(keys)
    chosen = [row for row in panel.view.rows if row.key in keys and row.key] or panel.view.rows
    return "\n".join(row.text.plain.removeprefix("✔ ").strip() for row in chosen)


def screen_text(app: ApplianceApp) -> str:
    """Return what the terminal shows, as lines of text."""
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), record=True, color_system=None
    )
    render = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    console.print(render)
    lines = console.export_text(styles=False).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def save(app: ApplianceApp) -> None:
    """Write the screen as text and SVG into the console's folder and name the files."""
    at, text, svg = clock.now(), screen_text(app), app.export_screenshot(title="appliance")
    name = type(app.screen).__name__.lower().removesuffix("page").removesuffix("modal")
    keeping = app.preferences.keeping

    def write() -> tuple[Path, Path]:
        try:
            return keeping.save_screen(name, at, text, svg)
        except OSError as error:
            raise ConfigError(
                f"the screen could not be saved: {error.strerror or error}",
                hint="check the home's disk and its owner",
            ) from error

    ask(app, write, _saved)


def _saved(found: tuple[Path, Path] | Failure) -> ActionSucceeded | ActionFailed:
    if isinstance(found, Failure):
        return ActionFailed("Save the screen", found)
    return ActionSucceeded("Saved", f"{found[0]}\nand {found[1].name} beside it")
