"""What the console's screens show, now or as of a recorded instant, panel by panel."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import ndiff

from textual.pilot import Pilot

from appliance import clock, zone
from appliance.control.api import Control
from appliance.control.past import Recording
from appliance.tui.app import ApplianceApp
from appliance.tui.widgets.panel import Panel
from tests.tui.conftest import until

SCREENS: Mapping[str, str] = {
    "dashboard": "H",
    "data": "d",
    "events": "E",
    "models": "m",
    "monitoring": "v",
    "charts": "h",
    "runs": "t",
    "problems": "exclamation_mark",
}
"""Key of each screen."""
_SIZE = (120, 40)
_PAST_SIZE = (120, 42)
"""A line more for the words that it is the past, so that panels are as high as they were."""
_STEP, _FINE_STEP = timedelta(seconds=0.5), timedelta(seconds=0.1)
_LOADING = ("loading", "counting …")
_SECONDS_OLD = re.compile(r"\b\d+ s\b")

Panels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a screen showed at an instant: lines by panel."""

    screen: str
    at: datetime
    panels: Panels


@dataclass(frozen=True, slots=True)
class Difference:
    """A panel that no recorded instant shows as it was; `words` has it beside the nearest."""

    screen: str
    panel: str
    words: str


def panels_of(app: ApplianceApp) -> Panels:
    """Return title, heading and lines of each panel; an age below a minute counts as any other."""
    return {
        str(panel.id): tuple(
            _SECONDS_OLD.sub("# s", text.plain)
            for text in (
                panel.view.title,
                panel.view.footnote,
                *([panel.view.heading] if panel.view.heading else ()),
                *(row.text for row in panel.view.rows[: panel.size.height]),
            )
        )
        for panel in app.screen.query(Panel)
        if panel.display
    }


@asynccontextmanager
async def console(
    control: Control | None,
    recording: Recording | None = None,
    start_at: datetime | None = None,
    size: tuple[int, int] = _SIZE,
) -> AsyncIterator[Pilot[int]]:
    """Run a console without a terminal on an appliance or on a recording alone."""
    zone.use(UTC)
    app = ApplianceApp(control, recording=recording, start_at=start_at)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.board.events.at and app.board.candles.at, "the dashboard")
        yield pilot


async def look(control: Control) -> list[Shown]:
    """Go through every screen of a running appliance and return what each shows."""
    seen = []
    async with console(control) as pilot:
        for screen in SCREENS:
            if screen == "problems" and not _has_problems(_app(pilot)):
                continue  # the key says that there is none, and opens nothing
            panels = await _visit(pilot, screen)
            seen.append(Shown(screen, clock.now(), panels))
    return seen


async def compare(recording: Recording, seen: Sequence[Shown]) -> list[Difference]:
    """Return the panels that no recorded instant shows as they were.

    A screen reads its panels apart from each other and some seconds after they change, and so does the
    recorder: each panel is looked for among the instants around that of the screen.
    """
    different: list[Difference] = []
    async with console(None, recording, min(each.at for each in seen), _PAST_SIZE) as pilot:
        for each in seen:
            await _visit(pilot, each.screen)
            different += await _missing(pilot, each)
    return different


async def _missing(pilot: Pilot[int], shown: Shown) -> list[Difference]:
    missing = dict(shown.panels)
    nearest: dict[str, list[str]] = {}
    for at in _instants(shown.at):
        await _go_to(pilot, at)
        recorded = panels_of(_app(pilot))
        for name, lines in list(missing.items()):
            found = recorded.get(name, ())
            if found == lines:
                del missing[name]
            lines_apart = list(ndiff(lines, found))
            if name not in nearest or len(lines_apart) < len(nearest[name]):
                nearest[name] = lines_apart
        if not missing:
            break
    return [
        Difference(
            shown.screen,
            name,
            "\n".join([f"{shown.screen}, {name} at {shown.at:%H:%M:%S}:", *nearest[name]]),
        )
        for name in missing
    ]


def _instants(around: datetime) -> list[datetime]:
    """Return the instants to look at, the nearest first."""
    near = [_FINE_STEP * number for number in range(-15, 6)]
    far = [_STEP * number for number in range(-30, 5)]
    return [around + apart for apart in sorted({*near, *far}, key=abs)]


async def _go_to(pilot: Pilot[int], at: datetime) -> None:
    app = _app(pilot)
    app.go_to(at)
    await until(pilot, lambda: app.board.past and app.board.past.at == at, f"as of {at}")
    await until(pilot, lambda: _is_loaded(app), "loaded")


async def _visit(pilot: Pilot[int], screen: str) -> Panels:
    app = _app(pilot)
    await pilot.press("H")
    await until(pilot, lambda: len(app.screen_stack) == 1, "the dashboard")
    if screen != "dashboard":
        await pilot.press(SCREENS[screen])
        await until(pilot, lambda: len(app.screen_stack) == 2, screen)
    await until(pilot, lambda: _is_loaded(app), f"{screen} is loaded")
    await pilot.pause(0.05)  # a scroll bar that has come or gone is made room for
    return panels_of(app)


def _has_problems(app: ApplianceApp) -> bool:
    status = app.board.status.value
    return bool(status and status.problems)


def _is_loaded(app: ApplianceApp) -> bool:
    texts = [line for lines in panels_of(app).values() for line in lines]
    return bool(texts) and not any(word in text for word in _LOADING for text in texts)


def _app(pilot: Pilot[int]) -> ApplianceApp:
    assert isinstance(pilot.app, ApplianceApp)
    return pilot.app
