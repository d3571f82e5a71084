"""The data screen: coverage, gaps and work on history, from the keyboard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from textual.widgets import Input

from appliance import zone
from appliance.control.api import StreamMessage
from appliance.domain.history_job import CoverageCell, HistoryKind, JobState
from appliance.errors import ConfigError, StoreUnavailable
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation import coverage
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.data import DataPage
from appliance.tui.screens.modals import ReadModal
from appliance.tui.screens.ranges import RangeModal, parse_range
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

SIZES = [(80, 24), (120, 40)]
FRAME = Frame(76, 20, builders.NOW)


@pytest.fixture
def control() -> FakeControl:
    """An appliance with twenty markets, the first one with two gaps and a backfill under way."""
    gaps = (builders.gap(), builders.gap(builders.ago(minutes=9, seconds=31), 2, "restart"))
    fake = FakeControl()
    fake.known_coverage = builders.coverage(*gaps)
    first, *others = builders.markets(20)
    first = replace(first, gaps=2, coverage=fake.known_coverage)
    fake.snapshot = builders.status(markets=(first, *others), jobs=(builders.job(),))
    return fake


def text(app: ApplianceApp, name: str) -> str:
    panel = app.screen.query_one(f"#{name}", Panel)
    return "\n".join(row.text.plain for row in panel.view.rows)


async def opened(app: ApplianceApp, pilot: object) -> None:
    await loaded(pilot)  # type: ignore[arg-type]
    await pilot.press("d")  # type: ignore[attr-defined]
    await until(pilot, lambda: isinstance(app.screen, DataPage))  # type: ignore[arg-type]
    await until(pilot, lambda: "expected" in text(app, "coverage"))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_everything_known_of_a_market_is_on_the_screen(
    app: ApplianceApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        for name in ("feeds", "coverage", "gaps", "jobs"):
            panel = app.screen.query_one(f"#{name}", Panel)
            assert app.screen.region.contains_region(panel.region), name
            widths = [row.text.cell_len for row in panel.view.rows]
            assert max(widths) <= panel.scrollable_content_region.width, name
        shown = text(app, "coverage")
        for words in ("86,400 expected", "no trade 0.25 %", "repaired 0.05 %", "gap 0.01 %"):
            assert words in shown
        assert "watermark 13:10:00  last audit 10 h ago" in shown
        assert all(glyph in shown for glyph in "█▓░✖◆·")
        assert "outage" in text(app, "gaps")
        assert "40 % of 43,200, 1,898 candles/s, 31 s left" in text(app, "jobs")


async def test_enter_on_a_gap_says_what_it_is_and_what_happens_next(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        app.screen.query_one("#gaps", Panel).focus()
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, ReadModal))
        await until(pilot, lambda: "cause: outage" in text(app, "page"))
        assert "being repaired" in text(app, "page")


async def test_repair_and_audit_start_at_once_for_the_market_under_the_cursor(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("j", "e", "a")
        await until(pilot, lambda: len(control.commands) == 2)
        feed = ("KRW-ETH", 1, None, None, "kim")
        assert set(control.commands) == {
            ("start_history", kind, *feed) for kind in (HistoryKind.REPAIR, HistoryKind.AUDIT)
        }


async def test_a_backfill_asks_for_its_range_and_refuses_a_wrong_one(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, RangeModal))
        await pilot.press(*"yesterday", "enter")
        await until(pilot, lambda: "2026-03-01" in str(app.screen.query_one("#wrong").render()))
        assert control.commands == []
        app.screen.query_one("#from", Input).value = "2026-01-01"
        await pilot.press("tab", *"2026-02-01T09:30", "enter")
        await until(pilot, lambda: control.commands)
        start_at, end_at = (zone.aware(datetime(2026, *at)) for at in ((1, 1), (2, 1, 9, 30)))
        work = ("start_history", HistoryKind.BACKFILL, "KRW-BTC", 1, start_at, end_at, "kim")
        assert control.commands == [work]


async def test_a_running_job_is_cancelled_after_a_question(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        app.screen.query_one("#jobs", Panel).focus()
        await pilot.press("enter", "y")
        await until(pilot, lambda: control.commands == [("cancel_history", 1, "kim")])
        done = builders.job(state=JobState.DONE, message="43,200 candles received, 43,200 new")
        control.push(StreamMessage(status=replace(control.snapshot, jobs=(done,))))
        await until(pilot, lambda: "✔ backfill KRW-BTC 1m  43,200 candles" in text(app, "jobs"))


async def test_a_store_that_does_not_answer_keeps_the_old_values_dimmed(
    app: ApplianceApp, control: FakeControl
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        control.failures["coverage"] = StoreUnavailable("the store does not answer")
        await pilot.press("minus")
        coverage_panel = app.screen.query_one("#coverage", Panel)
        await until(pilot, lambda: coverage_panel.view.is_stale)
        assert "86,400 expected" in text(app, "coverage")


def test_a_share_is_0_or_100_only_when_it_is_exactly_that() -> None:
    shares = [coverage.share(part, 1_000_000) for part in (0, 1, 999_999, 1_000_000)]
    assert shares == ["0 %", "0.01 %", "99.99 %", "100 %"]
    assert coverage.share(0, 0) == "–"


@pytest.mark.parametrize(
    ("counts", "glyph"),
    [
        ((0, 0, 0, 0), "·"),
        ((60, 0, 0, 0), "█"),
        ((50, 10, 0, 0), "▓"),
        ((30, 30, 0, 0), "▒"),
        ((0, 60, 0, 0), "░"),
        ((50, 0, 10, 0), "◆"),
        ((59, 0, 0, 1), "✖"),
    ],
)
def test_a_cell_shows_the_worst_that_is_in_it(
    counts: tuple[int, int, int, int], glyph: str
) -> None:
    cell = CoverageCell(builders.NOW - timedelta(hours=1), builders.NOW, *counts)
    assert coverage.cell_glyph(cell)[0] == glyph


def test_trouble_is_told_with_since_and_next_step() -> None:
    known = builders.market()
    assert known.ingestion is not None
    row = replace(
        known.ingestion,
        state="blocked",
        message="418: the exchange refuses this host",
        since_at=builders.ago(minutes=2),
        next_step="asks again at 14:05:00 KST",
    )
    lines = coverage.feed_words(replace(known, ingestion=row), FRAME)
    assert [line.plain for line in lines] == [
        "✖ blocked since 14:00:31",
        "  418: the exchange refuses this host",
        "  → asks again at 14:05:00 KST",
    ]


def test_a_range_without_an_end_reaches_until_now() -> None:
    assert parse_range(" 2026-01-01T09:00+09:00 ", "") == (datetime(2026, 1, 1, tzinfo=UTC), None)
    with pytest.raises(ConfigError, match="not after"):
        parse_range("2026-01-02", "2026-01-01")
