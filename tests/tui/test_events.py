"""The events screen: what the filter wants, back to the beginning, following or standing still."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from textual.pilot import Pilot

from appliance.control.api import StreamMessage
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin, Through
from appliance.errors import StoreUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation import events as details
from appliance.tui.presentation.view import Frame
from appliance.tui.screens import events as screen
from appliance.tui.screens.events import EventsPage
from appliance.tui.screens.modals import ReadModal
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.builders import KIM
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

SIZES = [(80, 24), (120, 40)]
MANY = 1_000


def many(control: FakeControl, number: int = MANY) -> None:
    """Fill the store: a service event a minute, every hundredth a promotion by kim."""
    control.known_events = [
        Event(
            EventKind.PROMOTED if index % 100 == 0 else EventKind.SERVICE_STATE,
            f"event {index}",
            "kim" if index % 100 == 0 else "supervisor",
            builders.NOW - timedelta(minutes=number - index),
            Severity.WARNING if index % 50 == 0 else Severity.INFO,
            id=index + 1,
            origin=KIM if index % 100 == 0 else None,
        )
        for index in range(number)
    ]


def listed(app: ApplianceApp) -> list[str]:
    return [row.text.plain for row in app.screen.query_one("#events", Panel).view.rows]


def about(app: ApplianceApp) -> str:
    return "\n".join(text.plain for text in app.screen.query_one("#about", Lines).lines)


def under_cursor(app: ApplianceApp) -> str:
    panel = app.screen.query_one("#events", Panel)
    return panel.view.rows[panel.cursor].text.plain


async def opened(pilot: Pilot[int], app: ApplianceApp) -> EventsPage:
    """Open the events screen and return it."""
    await loaded(pilot)
    await pilot.press("E")
    assert isinstance(app.screen, EventsPage)
    return app.screen


@pytest.mark.parametrize("size", SIZES)
async def test_three_keys_tell_the_last_twelve_hours_and_who_did_it(
    app: ApplianceApp, control: FakeControl, size: tuple[int, int]
) -> None:
    many(control)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "1,000 events" in about(app))
        await pilot.press("E")
        await until(pilot, lambda: "720 events" in about(app))
        assert "by   supervisor 713   kim 7" in about(app)
        assert "/since=12h" in app.screen.query_one("#events", Panel).view.title.plain
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReadModal))


async def test_a_line_filters_by_kind_actor_time_and_text(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("E", "slash")
        assert "kind=promoted" in about(app)
        await pilot.press(*"actor=pts/3 -900")
        await until(pilot, lambda: sum("event" in row for row in listed(app)) == 9)
        await pilot.press("enter")
        await until(pilot, lambda: "9 events" in about(app))
        assert not any("event 900" in row for row in listed(app))
        assert all("kim on pts/3" in row for row in listed(app) if "event" in row[:40])
        await pilot.press("escape")
        await until(pilot, lambda: "1,000 events" in about(app))


async def test_a_term_that_cannot_be_is_explained_and_the_list_stays(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot, app)
        await until(pilot, lambda: "1,000 events" in about(app))
        before = listed(app)
        page.search("since=noon")
        await until(pilot, lambda: "since must be" in about(app))
        assert listed(app) == before


async def test_the_list_reaches_back_to_the_beginning_page_by_page(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(pilot, app)
        await until(pilot, lambda: len(page.state.events) == screen.PAGE)
        for _ in range(12):
            await pilot.press(*["pagedown"] * 3)
            await until(pilot, lambda: not page._is_reading)
        await until(pilot, lambda: page.state.reaches_beginning)
        assert len(page.state.events) == MANY
        await pilot.press("G")
        assert "the beginning" in under_cursor(app)
        assert any("Friday 2026-03-13, yesterday" in row for row in listed(app))


async def test_one_key_goes_to_the_beginning_and_one_back_to_the_newest(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(pilot, app)
        await until(pilot, lambda: page.state.is_read)
        await pilot.press("G")
        await until(pilot, lambda: page.state.events[0].id == 1)
        assert "newer events are above" in listed(app)[0]
        await until(pilot, lambda: "the beginning" in under_cursor(app))
        await pilot.press("f")
        await until(pilot, lambda: page.state.events[-1].id == MANY)
        assert page.state.is_following and "event 999" in under_cursor(app)


async def test_a_time_is_gone_to_with_what_was_before_and_after_it(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("E", "slash", *"at=02:13", "enter")
        await until(pilot, lambda: "02:12:31" in under_cursor(app))
        page = app.screen
        assert isinstance(page, EventsPage)
        assert not page.state.is_following
        await pilot.press("k")
        assert "02:13:31" in under_cursor(app)
        for _ in range(8):
            await pilot.press(*["pageup"] * 3)
            await until(pilot, lambda: not page._is_reading)
        await until(pilot, lambda: page.state.reaches_end)
        assert page.state.events[-1].id == MANY


async def test_new_events_are_followed_or_counted_while_the_list_stands_still(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control, 300)
    new = replace(control.known_events[-1], summary="the newest", at=builders.NOW, id=301)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: "300 events" in about(app))
        control.push(StreamMessage(event=new))
        await until(pilot, lambda: "the newest" in under_cursor(app))
        await pilot.press("j")
        stays = under_cursor(app)
        control.push(StreamMessage(event=replace(new, id=302)))
        control.push(StreamMessage(event=replace(new, id=303)))
        title = lambda: app.screen.query_one("#events", Panel).view.title.plain  # noqa: E731
        await until(pilot, lambda: "2 new: f" in title())
        assert under_cursor(app) == stays
        await pilot.press("f")
        await until(pilot, lambda: "following" in title())


async def test_the_command_line_opens_events_with_a_filter(
    app: ApplianceApp, control: FakeControl
) -> None:
    many(control)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("colon", *"events kind=promoted since=12h", "enter")
        await until(pilot, lambda: isinstance(app.screen, EventsPage) and "7 events" in about(app))


async def test_a_store_that_is_away_is_said_and_the_list_stays(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.failures["find_events"] = StoreUnavailable("the store restarts", hint="wait")
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: any("the store restarts" in row for row in listed(app)))


def test_an_event_says_who_did_it_and_who_asked_for_that() -> None:
    run = Origin("train_wf", Through.WORKFLOW, run_id="manual__7", cause=KIM)
    event = Event(EventKind.PROMOTED, "v2", "kim", builders.ago(minutes=3), origin=run)
    text = "\n".join(row.plain for row in details.describe(event, Frame(80, 20, builders.NOW)))
    assert "when      2026-03-14 13:59:31 KST, 3 min ago" in text
    assert "who       train run manual__7" in text
    assert "asked by  kim on pts/3 of vm1 from 10.0.0.5 (console)" in text
