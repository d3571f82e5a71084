"""What the actions about markets do: which one the chart shows, and work on its history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from appliance import zone
from appliance.domain.feed import Feed
from appliance.domain.history_job import HistoryJob, HistoryKind
from appliance.tui.background import perform
from appliance.tui.presentation import feeds
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.screens.data import DataPage
from appliance.tui.screens.modals import PickModal
from appliance.tui.screens.ranges import Range, RangeModal
from appliance.tui.several import cancel_job
from appliance.tui.undo import Undo

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


def choose_market(app: ApplianceApp) -> None:
    """Ask which market and timeframe the chart shows."""

    def chosen(key: str | None) -> None:
        if key:
            app.choose_feed(feeds.feed_of(key))

    def view(frame: Frame) -> PanelView:
        return feeds.present_choices(app.board, frame)

    known, shown = app.board.feeds, app.board.feed
    cursor = known.index(shown) if shown in known else 0
    app.push_screen(PickModal("Chart of which market?", view, cursor), chosen)


def step_market(app: ApplianceApp, step: int) -> None:
    """Show the market `step` further in the list, keeping the timeframe where there is one."""
    shown = app.board.feed
    if shown is None:
        return
    markets = list(dict.fromkeys(market for market, _ in app.board.feeds))
    at = markets.index(shown[0]) if shown[0] in markets else -step
    market = markets[(at + step) % len(markets)]
    own = [feed for feed in app.board.feeds if feed[0] == market]
    app.choose_feed(next((feed for feed in own if feed[1] == shown[1]), own[0]))


def next_timeframe(app: ApplianceApp) -> None:
    """Show the market's next timeframe."""
    shown = app.board.feed
    own: list[Feed] = [feed for feed in app.board.feeds if shown and feed[0] == shown[0]]
    if shown in own:
        app.choose_feed(own[(own.index(shown) + 1) % len(own)])


def show_data(app: ApplianceApp) -> None:
    """Open the data screen on the chart's market."""
    if not isinstance(app.screen, DataPage):
        app.push_screen(DataPage(app.board.feed))


def subject(app: ApplianceApp) -> Feed | None:
    """Return the feed that work on history is about: the data screen's, otherwise the chart's."""
    page = app.screen
    return page.state.feed if isinstance(page, DataPage) else app.board.feed


def start_history(
    app: ApplianceApp,
    feed: Feed,
    kind: HistoryKind,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
) -> None:
    """Start a job on a feed's history."""
    call = partial(app.control.start_history, kind, *feed, app.origin, start_at, end_at)
    words = f"{feeds.feed_name(feed)}: progress is in the data screen (d)"
    perform(app, f"{kind.value} started", call, lambda _: words, partial(_cancelling, feed))


def _cancelling(feed: Feed, job: object) -> Undo | None:
    """Return what takes back the start of a job: it asks, then cancels it."""
    if not isinstance(job, HistoryJob):
        return None
    name = f"{job.kind} of {feeds.feed_name(feed)}"
    return Undo(f"cancels the {name}", partial(cancel_job, job_id=job.id, name=name))


def backfill(app: ApplianceApp) -> None:
    """Ask for a range and load it; the gap under the cursor is proposed."""
    feed, page = subject(app), app.screen
    if feed is None:
        return
    gap = page.gap if isinstance(page, DataPage) else None
    bounds = [zone.typed(at) for at in (gap.start_at, gap.end_at)] if gap else ["", ""]

    def chosen(answer: Range | None) -> None:
        if answer is not None:
            start_history(app, feed, HistoryKind.BACKFILL, *answer)

    app.push_screen(RangeModal(f"Backfill {feeds.feed_name(feed)}", *bounds), chosen)


def work(app: ApplianceApp, kind: HistoryKind) -> None:
    """Repair or audit the chosen feed."""
    feed = subject(app)
    if feed is not None:
        start_history(app, feed, kind)


FEED_OPERATIONS: dict[str, Callable[[ApplianceApp], None]] = {
    "data": show_data,
    "backfill": backfill,
    "repair": partial(work, kind=HistoryKind.REPAIR),
    "audit": partial(work, kind=HistoryKind.AUDIT),
    "market": choose_market,
    "next_market": partial(step_market, step=1),
    "previous_market": partial(step_market, step=-1),
    "timeframe": next_timeframe,
}
"""Action id to operation."""
