"""Pictures of every screen and main state at both sizes; `--snapshot-update` accepts changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from appliance.domain.service import ServiceState
from appliance.tui.app import ApplianceApp
from appliance.tui.preferences import Preferences
from appliance.tui.widgets.panel import Panel
from tests import builders, fleet
from tests.fakes.control import FakeControl
from tests.tui.conftest import FrozenClock, loaded, until

SIZES = [(80, 24), (120, 40)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[int]], Awaitable[None]]


def after_loading(*keys: str, panel: str = "", rows: int = 1) -> Before:
    """Return a step that loads the dashboard, presses keys and waits for what is read then."""

    async def before(pilot: Pilot[int]) -> None:
        await loaded(pilot)
        await pilot.press(*keys)
        if panel:
            shown = lambda: pilot.app.screen.query(f"#{panel}").results(Panel)  # noqa: E731
            await until(pilot, lambda: any(len(found.view.rows) >= rows for found in shown()))
        verdicts = list(pilot.app.screen.query("#pair-verdict").results(Static))
        await until(pilot, lambda: all("is read" not in str(text.render()) for text in verdicts))
        await pilot.pause(0.1)

    return before


def troubled() -> FakeControl:
    """Return an appliance with two problems, three services down and a broken DAG file."""
    services = list(builders.services())
    services[2] = builders.service("mlflow", ServiceState.BACKING_OFF, "exited with status 1", 3)
    services[4] = builders.service("airflow-scheduler", ServiceState.GIVEN_UP, "5 restarts", 5)
    services[5] = builders.service("airflow-dag-processor", ServiceState.WAITING, "scheduler")
    data, train, *rest = builders.workflows()
    flows = (data, replace(train, import_error="SyntaxError: line 12"), *rest)
    return FakeControl(
        builders.status(
            services=tuple(services),
            problems=(builders.problem(1), builders.problem(2)),
            projects=(builders.project(workflows=flows),),
            source=builders.UPBIT,
        )
    )


def empty() -> FakeControl:
    """Return an appliance that has just been installed."""
    starting = tuple(
        builders.service(known.name, ServiceState.STARTING, "no socket yet")
        for known in builders.services()
    )
    project = builders.project(
        workflows=(), champion=None, drift=None, forecast=None, performance=None,
        newest_version=None, previous_champion=None, challenger=None,
    )  # fmt: skip
    market = builders.market(live=None, lag_seconds=None, stored_candles=0)
    control = FakeControl(
        builders.status(services=starting, projects=(project,), markets=(market,))
    )
    control.closed, control.known_events = [], []
    return control


@pytest.mark.parametrize("size", SIZES)
def test_dashboard(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = ApplianceApp(FakeControl())
    assert snap_compare(app, terminal_size=size, run_before=after_loading())


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_in_trouble(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(ApplianceApp(troubled()), terminal_size=size, run_before=after_loading())


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_empty(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(ApplianceApp(empty()), terminal_size=size, run_before=after_loading())


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_cut_off(
    snap_compare: Compare,
    size: tuple[int, int],
    frozen: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("appliance.tui.coordinators.RETRY_SECONDS", (60.0,))
    control = FakeControl()
    app = ApplianceApp(control)

    async def before(pilot: Pilot[int]) -> None:
        await loaded(pilot)
        frozen.advance(34)
        control.lose()
        await until(pilot, lambda: not app.board.is_connected)
        await pilot.pause(0.1)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("keys", "panel", "rows"),
    [
        (("l",), "log", 20),
        (("m",), "models", 5),
        (("t", "j"), "tasks", 5),
        (("question_mark",), "page", 20),
        (("w",), "choices", 4),
        (("p",), "choices", 4),
        (("d",), "coverage", 6),
        (("v",), "features", 8),
        (("C",), "scores", 8),
        (("h",), "values", 3),
        (("h", "2"), "values", 3),
        (("E",), "events", 9),
        (("E", "slash", *"actor=kim"), "events", 3),
        (("shift+tab", "G", "enter"), "page", 6),
        (("tab", "tab", "enter"), "feature", 20),
        (("b",), "", 0),
        (("s", "enter"), "", 0),
    ],
    ids=[
        "logs",
        "models",
        "runs",
        "help",
        "run",
        "promote",
        "data",
        "monitoring",
        "compare",
        "history",
        "history-lines",
        "events",
        "events-filtered",
        "why",
        "feature",
        "rollback",
        "restart",
    ],
)
def test_screen(
    snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...], panel: str, rows: int
) -> None:
    before = after_loading(*keys, panel=panel, rows=rows)
    assert snap_compare(ApplianceApp(FakeControl()), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("keys", "panel"), [((), ""), (("exclamation_mark",), "cause")], ids=["dashboard", "problems"]
)
def test_many_markets(
    snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...], panel: str
) -> None:
    app = ApplianceApp(FakeControl(fleet.status()))
    assert snap_compare(app, terminal_size=size, run_before=after_loading(*keys, panel=panel))


@pytest.mark.parametrize("size", [(60, 20), (200, 60)], ids=["60x20", "200x60"])
@pytest.mark.parametrize(
    ("keys", "panel", "rows"),
    [((), "", 0), (("m",), "models", 5), (("b",), "", 0)],
    ids=["dashboard", "models", "rollback"],
)
def test_the_smallest_and_a_large_terminal(
    snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...], panel: str, rows: int
) -> None:
    before = after_loading(*keys, panel=panel, rows=rows)
    assert snap_compare(ApplianceApp(FakeControl()), terminal_size=size, run_before=before)


@pytest.mark.parametrize("theme", ["day", "contrast", "16"])
def test_theme(snap_compare: Compare, theme: str) -> None:
    app = ApplianceApp(FakeControl(), Preferences(theme=theme))
    assert snap_compare(app, terminal_size=(80, 24), run_before=after_loading())


def test_command_line(snap_compare: Compare) -> None:
    before = after_loading("colon", *"logs", "space", *"a")
    assert snap_compare(ApplianceApp(FakeControl()), terminal_size=(80, 24), run_before=before)
