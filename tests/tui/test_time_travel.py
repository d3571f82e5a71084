"""Going to another time and back: what the screens show, which keys act, what stays current."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from appliance.control.api import StreamMessage
from appliance.control.recording.replay import ReplayRecording
from appliance.tui.app import ApplianceApp
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.when import WhenModal
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.fakes.control import FakeControl
from tests.recorded import FIRST, SECOND, THIRD, three_moments
from tests.tui.conftest import loaded, until

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def recording(tmp_path: Path) -> ReplayRecording:
    """A good, a troubled and a mended appliance."""
    three_moments(tmp_path)
    return ReplayRecording(tmp_path, "")


@pytest.fixture
def travelling(control: FakeControl, recording: ReplayRecording) -> ApplianceApp:
    """The application on the running appliance with its recording."""
    return ApplianceApp(control, recording=recording)


def notices(app: ApplianceApp) -> str:
    return str(app.screen.query_one("#notices", Lines).render())


def top(app: ApplianceApp) -> str:
    return str(app.screen.query_one("#top", Lines).render())


def told(app: ApplianceApp) -> str:
    return " ".join(notice.message for notice in app._notifications)


async def go(pilot: Pilot[int], app: ApplianceApp, text: str) -> None:
    await pilot.press("T")
    await until(pilot, lambda: isinstance(app.screen, WhenModal))
    app.screen.query_one("#when", Input).value = text
    await pilot.press("enter")


async def test_another_time_is_shown_loudly_and_backspace_returns(
    travelling: ApplianceApp,
) -> None:
    app = travelling
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await go(pilot, app, "-15m")
        await until(pilot, lambda: app.board.past)
        await until(pilot, lambda: "PAST" in notices(app))
        assert "2026-03-14 13:47:31 KST" in notices(app)
        assert "15 min ago" in notices(app)
        assert "13:47:31" in top(app)
        assert app.board.status.value is not None
        assert app.board.status.value.problems
        await pilot.press("backspace")
        await until(pilot, lambda: not app.board.past)
        await until(pilot, lambda: "PAST" not in notices(app))
        assert "14:02:31" in top(app)


async def test_what_happens_meanwhile_is_there_after_the_return(
    travelling: ApplianceApp, control: FakeControl
) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "-25m")
        await until(pilot, lambda: app.board.past)
        control.push(StreamMessage(status=builders.status(problems=(builders.problem(2),))))
        present = lambda: app.traveller.present  # noqa: E731
        await until(pilot, lambda: present() and present().status.value.problems)
        shown = app.board.status.value
        assert shown is not None
        assert not shown.problems
        await pilot.press("backspace")
        await until(pilot, lambda: not app.board.past)
        assert app.board.status.value is not None
        assert app.board.status.value.problems


async def test_keys_step_through_changes_and_events(travelling: ApplianceApp) -> None:
    app = travelling

    def shown(at: object) -> bool:
        return app.board.past is not None and app.board.past.at == at

    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "-12m")
        await until(pilot, lambda: app.board.past)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: shown(SECOND))
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: shown(THIRD))
        await pilot.press("left_parenthesis")
        await until(pilot, lambda: shown(SECOND))
        await pilot.press("left_parenthesis")
        await until(pilot, lambda: "nothing further is recorded" in told(app))
        assert shown(SECOND)


async def test_a_time_before_the_recording_shows_its_beginning_and_says_so(
    travelling: ApplianceApp,
) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "-3d")
        await until(pilot, lambda: app.board.past)
        assert app.board.past is not None
        assert app.board.past.at == FIRST
        await until(pilot, lambda: "the recording begins at 2026-03-14 13:32:31 KST" in told(app))


async def test_space_plays_and_stops_at_the_end(travelling: ApplianceApp) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "-21m")
        await until(pilot, lambda: app.board.past)
        await pilot.press(*["right_curly_bracket"] * 5)
        await until(pilot, lambda: "‖ 1200x" in notices(app))
        end = app.board.past
        assert end is not None
        await pilot.press("space")
        await until(pilot, lambda: app.board.past and app.board.past.at == end.last_at)
        await until(pilot, lambda: app.board.past and not app.board.past.is_playing)


async def test_keys_that_act_say_why_not(travelling: ApplianceApp, control: FakeControl) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "-15m")
        await until(pilot, lambda: app.board.past)
        await pilot.press("r")
        await until(pilot, lambda: "nothing in it can be changed" in told(app))
        assert control.commands == []


async def test_on_an_event_the_key_goes_to_when_it_happened(travelling: ApplianceApp) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        panel = app.screen.query_one("#events", Panel)
        panel.focus()
        await pilot.pause()
        event = next(e for e in builders.events() if str(e.id) == panel.selected_key)
        await pilot.press("T")
        await until(pilot, lambda: app.board.past)
        assert app.board.past is not None
        assert app.board.past.at == event.at


async def test_an_open_page_shows_the_other_time_too(travelling: ApplianceApp) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, ModelsPage))
        page = app.screen
        assert isinstance(page, ModelsPage)
        await until(pilot, lambda: page.state.models)
        await go(pilot, app, "-15m")
        await until(pilot, lambda: app.board.past)
        await until(pilot, lambda: page.state.failure)
        assert page.state.models is None
        await pilot.press("backspace")
        await until(pilot, lambda: page.state.models)


async def test_a_time_that_is_none_is_asked_again(travelling: ApplianceApp) -> None:
    app = travelling
    async with app.run_test() as pilot:
        await loaded(pilot)
        await go(pilot, app, "half past two")
        await pilot.pause()
        assert isinstance(app.screen, WhenModal)
        assert "02:13" in str(app.screen.query_one("#wrong").render())  # type: ignore[attr-defined]


async def test_a_file_is_shown_without_any_appliance(recording: ReplayRecording) -> None:
    app = ApplianceApp(None, recording=recording, start_at=SECOND)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.board.past)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, ModelsPage))
        await pilot.press("backspace")
        _, last_at = recording.span()
        await until(pilot, lambda: app.board.past and app.board.past.at == last_at)


@pytest.mark.parametrize("size", SIZES)
def test_picture(snap_compare: object, recording: ReplayRecording, size: tuple[int, int]) -> None:
    app = ApplianceApp(None, recording=recording, start_at=SECOND)

    async def before(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: app.board.past)
        await until(pilot, lambda: "PAST" in notices(app))
        await pilot.pause(0.1)

    assert snap_compare(app, terminal_size=size, run_before=before)  # type: ignore[operator]
