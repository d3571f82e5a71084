"""Pictures of every screen and main state at both sizes; `--snapshot-update` accepts changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from appliance.domain.service import ServiceState
from appliance.tui.app import ApplianceApp
from appliance.tui.widgets.panel import Panel
from tests import builders
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
        "rollback",
        "restart",
    ],
)
def test_screen(
    snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...], panel: str, rows: int
) -> None:
    before = after_loading(*keys, panel=panel, rows=rows)
    assert snap_compare(ApplianceApp(FakeControl()), terminal_size=size, run_before=before)
