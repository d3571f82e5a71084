"""The dashboard under an operator's keys: commands asserted first, then what the screen says."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from appliance.control.api import StreamMessage
from appliance.domain.workflow import WorkflowKind
from appliance.errors import AirflowUnavailable, StoreUnavailable
from appliance.tui import run_tui
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.dashboard import Dashboard
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.modals import ConfirmModal, PickSeveralModal, ReadModal
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.runs import RunsPage
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.builders import KIM
from tests.fakes.control import FakeControl
from tests.tui.conftest import FrozenClock, loaded, until

SIZES = [(80, 24), (120, 40)]


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


def content(app: ApplianceApp, name: str) -> str:
    return "\n".join(row.text.plain for row in panel(app, name).view.rows)


def toasts(app: ApplianceApp) -> str:
    return "\n".join(f"{toast.title}: {toast.message}" for toast in app._notifications)


@pytest.mark.parametrize("size", SIZES)
async def test_every_panel_is_visible_with_its_data(
    app: ApplianceApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await loaded(pilot)
        for name in ("market", "workflows", "events", "services", "model", "drift"):
            shown = panel(app, name)
            assert shown.region.height >= 4, name
            assert app.screen.region.contains_region(shown.region), name
        assert len(panel(app, "services").view.rows) == 8
        assert panel(app, "services").max_scroll_y == 0
        assert panel(app, "workflows").max_scroll_y == 0
        assert panel(app, "model").max_scroll_y == 0


async def test_two_problems_leave_every_panel_on_an_80x24_screen(control: FakeControl) -> None:
    problems = (builders.problem(1), builders.problem(2))
    control.snapshot = builders.status(problems=problems)
    app = ApplianceApp(control, origin=KIM)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        for name in ("market", "workflows", "events", "services", "model", "drift"):
            assert panel(app, name).region.height >= 3, name
            assert app.screen.region.contains_region(panel(app, name).region), name


async def test_retrain_runs_at_once_and_says_the_run_id(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("r")
        await until(pilot, lambda: control.commands)
        expected = ("run_workflow", "crypto_forecast", WorkflowKind.TRAIN, {}, "kim")
        assert control.commands == [expected]
        await until(pilot, lambda: "train run manual__" in toasts(app))


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_shows_the_second_project_on_every_screen(
    control: FakeControl, size: tuple[int, int]
) -> None:
    champion = builders.model_version(3, "champion")
    second = replace(builders.project(champion=champion), name="second")
    control.snapshot = builders.status(projects=(builders.project(), second))
    app = ApplianceApp(control, origin=KIM)

    def top() -> str:
        return "\n".join(text.plain for text in app.screen.query_one("#top", Lines).lines)

    async with app.run_test(size=size) as pilot:
        await loaded(pilot)
        assert "crypto_forecast" in top()
        await pilot.press("n")
        await until(pilot, lambda: "v3 champion" in panel(app, "model").view.title.plain)
        assert "SIMULATOR" in top()
        assert panel(app, "workflows").view.title.plain.endswith("second")
        of_the_first = sum(e.project == "crypto_forecast" for e in control.known_events)
        named = sum("crypto_forecast" in line for line in content(app, "events").splitlines())
        assert named == of_the_first > 0
        for key, page in (("m", ModelsPage), ("t", RunsPage)):
            await pilot.press(key)
            await until(pilot, lambda page=page: isinstance(app.screen, page))
            assert "second" in top()
            await pilot.press("escape")
        await pilot.press("r")
        await until(pilot, lambda: control.commands)
        assert control.commands == [("run_workflow", "second", WorkflowKind.TRAIN, {}, "kim")]
        await pilot.press("n")
        await until(pilot, lambda: "v12 champion" in panel(app, "model").view.title.plain)


async def test_a_refused_command_shows_message_and_hint(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.failures["run_workflow"] = AirflowUnavailable(
        "Airflow does not answer", hint="wait 10 s"
    )
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "Airflow does not answer" in toasts(app))
        assert "→ wait 10 s" in toasts(app)


async def test_run_takes_workflow_and_parameters(app: ApplianceApp, control: FakeControl) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("w", "j", "j", "tab", *"rows=50", "enter")
        await until(pilot, lambda: control.commands)
        assert control.commands[0][2:4] == (WorkflowKind.INFERENCE, {"rows": "50"})


async def test_restart_proposes_the_chosen_service_and_asks(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("j", "j", "s")
        assert isinstance(app.screen, PickSeveralModal)
        assert panel(app, "choices").selected_key == "mlflow"
        await pilot.press("enter")
        assert isinstance(app.screen, ConfirmModal)
        await pilot.press("enter")  # no is the default
        assert isinstance(app.screen, Dashboard)
        assert control.commands == []
        await pilot.press("s", "enter", "y")
        await until(pilot, lambda: control.commands)
        assert control.commands == [("restart_service", "mlflow", "kim")]


async def test_enter_drills_from_workflow_to_run_to_task_to_log(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        panel(app, "workflows").focus()
        await pilot.press("j", "enter")
        assert isinstance(app.screen, RunsPage)
        assert app.screen.state.kind is WorkflowKind.TRAIN
        await until(pilot, lambda: panel(app, "tasks").selected_key == "load_candles")
        await pilot.press("j")  # the failed run
        await until(pilot, lambda: "failed" in content(app, "tasks"))
        await pilot.press("enter", "j", "j", "j", "enter")
        assert isinstance(app.screen, LogsPage)
        await until(pilot, lambda: "evaluate_model: step 39" in content(app, "log"))
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, Dashboard)


async def test_a_log_follows_filters_and_switches(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("l")
        await until(pilot, lambda: "n=59" in content(app, "log"))
        log = panel(app, "log")
        await until(pilot, lambda: log.scroll_offset.y == log.max_scroll_y > 0)
        await pilot.press("slash", *"error", "enter")
        await until(pilot, lambda: "n=41" in content(app, "log"))
        await until(pilot, lambda: "n=59" not in content(app, "log"))
        await pilot.press("escape")
        assert isinstance(app.screen, LogsPage)
        await until(pilot, lambda: "n=59" in content(app, "log"))
        await pilot.press("f")
        assert "held" in log.view.title.plain
        panel(app, "sources").focus()
        await pilot.press("j")
        await until(pilot, lambda: "postgres:" in content(app, "log"))


async def test_typing_a_filter_runs_no_action(app: ApplianceApp, control: FakeControl) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        panel(app, "events").focus()
        await pilot.press("slash", *"drift")
        assert control.commands == []
        assert len(panel(app, "events").view.rows) == 2
        await pilot.press("escape")
        assert len(panel(app, "events").view.rows) == 12


async def test_a_lost_connection_keeps_values_says_so_and_recovers(
    app: ApplianceApp, control: FakeControl, frozen: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.tui.coordinators.RETRY_SECONDS", (0.2, 0.2))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await loaded(pilot)
        frozen.advance(34)
        control.lose()
        await until(pilot, lambda: panel(app, "services").view.is_stale)
        assert len(panel(app, "services").view.rows) == 8
        notices = app.screen.query_one("#notices", Lines)
        assert "supervisor does not answer" in notices.lines[0].plain
        await pilot.press("r")
        assert control.commands == []
        assert "Retrain: not now: the supervisor does not answer" in toasts(app)
        control.restore()
        await until(pilot, lambda: not panel(app, "services").view.is_stale)
        assert not notices.display


async def test_nothing_blocks_while_the_supervisor_hangs(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        control.released.clear()
        await pilot.press("r", "question_mark")
        assert isinstance(app.screen, ReadModal)
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)
        control.released.set()


async def test_a_store_that_fails_leaves_the_rest_of_the_dashboard(control: FakeControl) -> None:
    control.failures["candles"] = StoreUnavailable("the store is locked", hint="`appliance doctor`")
    control.snapshot = builders.status(markets=())
    app = ApplianceApp(control, origin=KIM)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "the store is locked" in content(app, "market"))
        assert "→ `appliance doctor`" in content(app, "market")
        assert "ready" in content(app, "services")


async def test_a_changed_status_repaints_only_what_changed(
    app: ApplianceApp, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        refreshed: list[str] = []
        real = Panel.refresh

        def refresh(self: Panel, *regions: object, **options: object) -> Panel:
            refreshed.append(f"{self.id} {len(regions)}")
            return real(self, *regions, **options)  # type: ignore[arg-type]

        await pilot.pause(0.3)
        monkeypatch.setattr(Panel, "refresh", refresh)
        stored = replace(control.snapshot.services[0], reason="query 1.1 ms")
        services = (stored, *control.snapshot.services[1:])
        control.push(StreamMessage(status=replace(control.snapshot, services=services)))
        await until(pilot, lambda: "query 1.1 ms" in content(app, "services"))
        assert refreshed == ["services 1"]


async def test_a_new_event_and_a_new_price_arrive_by_themselves(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        event = replace(builders.events()[0], id=99, summary="v14 trained")
        live = builders.live(control.closed)
        moved = replace(live, candle=replace(live.candle, close=159_700_000.0))
        control.push(StreamMessage(event=event))
        control.push(StreamMessage(live=moved))
        await until(pilot, lambda: "v14 trained" in content(app, "events"))
        await until(pilot, lambda: "159,700,000" in panel(app, "market").view.title.plain)


async def test_zoom_gives_one_panel_the_screen_and_escape_returns(app: ApplianceApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        panel(app, "drift").focus()
        await pilot.press("z")
        assert app.screen.maximized is panel(app, "drift")
        await until(pilot, lambda: "how far" in str(panel(app, "drift").view.heading))
        await pilot.press("escape")
        assert app.screen.maximized is None


async def test_the_palette_lists_actions_and_runs_the_chosen_one(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("ctrl+p")
        await pilot.press(*"test alert")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: control.commands == [("test_alert", "kim")])


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_quit_leaves_everything_running(
    app: ApplianceApp, control: FakeControl, key: str
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press(key)
        await pilot.pause()
    assert control.commands == []


async def test_the_screen_says_what_it_needs_when_it_is_too_small(app: ApplianceApp) -> None:
    async with app.run_test(size=(50, 12)) as pilot:
        await loaded(pilot)
        assert "60x20" in str(app.screen.query_one("#top", Lines).lines[0])


def test_importing_the_tui_loads_no_heavy_library() -> None:
    code = (
        "import sys, appliance.tui, appliance.tui.app;"
        "heavy = {'pandas', 'sklearn', 'mlflow', 'duckdb', 'airflow', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_entry_point_does_not_load_textual() -> None:
    code = "import sys, appliance.tui; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_leaving_says_that_everything_keeps_running(
    control: FakeControl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ApplianceApp, "run", lambda _self: 0)
    assert run_tui(control) == 0
    assert "keeps running" in capsys.readouterr().out


def test_threads_of_the_dashboard_never_keep_the_process_alive() -> None:
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("tui-")]
    assert all(thread.daemon for thread in ours)


async def test_a_page_that_loses_its_widgets_at_the_end_is_not_drawn(
    app: ApplianceApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, drawn = builders.project().name, []

    def draw_again(_self: Lines) -> None:
        app.choose_project(name)
        drawn.append(name)

    monkeypatch.setattr(Lines, "on_unmount", draw_again, raising=False)
    async with app.run_test() as pilot:
        await loaded(pilot)
        await pilot.press("m")
    assert drawn
