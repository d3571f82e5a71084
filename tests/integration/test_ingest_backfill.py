"""Backfills with several requests in flight: in order, without a hole, resumable at any point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from appliance.config.paths import Paths
from appliance.domain.candle import RawCandle
from appliance.domain.coverage import GapCause, ProofMethod
from appliance.domain.event import EventKind
from appliance.errors import ExchangeUnavailable, StoreUnavailable
from appliance.ingest.backfill import fill_history
from appliance.ingest.fill_range import RangeProgress, fill_range
from appliance.ingest.intake import Intake
from appliance.ingest.pages import PagesBack
from appliance.ingest.reconcile import confirm
from store import open_store
from store.candles import StoredCandles, count_candles, read_candles
from store.coverage import gaps, prove_span, summarise
from store.events import read_events
from tests.simulator_fixtures import NOON, UNLIMITED, fault, running_simulator, upbit_client

CLOSED_AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BUSY, QUIET = "KRW-BTC", "KRW-ICX"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator() as running:
        yield running


@pytest.fixture
def feed(url: str, home: Paths, tmp_path: Path) -> Iterator[Intake]:
    with upbit_client(url, tmp_path) as client, open_store(home) as session:
        yield Intake(session, client, BUSY, 1, "simulator:seed=7")


def one_by_one(feed: Intake, start_at: datetime, end_at: datetime) -> list[RawCandle]:
    """Return what the exchange has in a range, page after page."""
    rows: list[RawCandle] = []
    while end_at > start_at:
        page = feed.page(end_at, 200)
        rows += [row for row in page if row.opens_at >= start_at]
        end_at = page[-1].opens_at
    return rows


def stored_times(feed: Intake) -> list[datetime]:
    table = read_candles(feed.session, feed.market, feed.unit)
    return [row["candle_date_time_utc"] for row in table.to_pylist()]


def test_pages_of_a_quiet_market_leave_in_order_touch_and_miss_nothing(feed: Intake) -> None:
    quiet = replace(feed, market=QUIET)
    start_at = CLOSED_AT - timedelta(days=9)
    pages = PagesBack(quiet, CLOSED_AT, start_at, lambda _in_flight: True)
    reached_at, rows = CLOSED_AT, []
    for page in pages:
        assert page.end_at == reached_at
        assert all(page.start_at <= row.opens_at < page.end_at for row in page.rows)
        reached_at = page.start_at
        rows += page.rows
    assert reached_at == start_at
    assert rows == one_by_one(quiet, start_at, CLOSED_AT)
    assert pages.requests < 2 * len(rows) / 200 + 12


def test_pages_after_one_that_could_not_be_stored_are_not_stored_either(
    feed: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm(feed, GapCause.RESTART)
    before = count_candles(feed.session, BUSY, 1)
    real, calls = Intake.keep, iter(range(10))

    def refused_once(
        feed: Intake,
        candles: Sequence[RawCandle],
        proven: Sequence[tuple[datetime, datetime]],
        method: ProofMethod,
    ) -> StoredCandles:
        if next(calls) == 0:
            raise StoreUnavailable("the disk is full")
        return real(feed, candles, proven, method)

    with monkeypatch.context() as patched:
        patched.setattr(Intake, "keep", refused_once)
        with pytest.raises(StoreUnavailable):
            fill_history(feed, 3000, lambda _progress: None)
    assert count_candles(feed.session, BUSY, 1) == before
    fill_history(feed, 3000, lambda _progress: None)
    assert count_candles(feed.session, BUSY, 1) >= 3000
    assert gaps(feed.session, BUSY, 1) == []


def test_a_range_is_filled_exactly_and_only_once(feed: Intake, url: str) -> None:
    start_at, end_at = CLOSED_AT - 1500 * MINUTE, CLOSED_AT - 300 * MINUTE
    seen: list[RangeProgress] = []
    result = fill_range(feed, start_at, end_at, seen.append)
    assert stored_times(feed) == [r.opens_at for r in one_by_one(feed, start_at, end_at)][::-1]
    assert gaps(feed.session, BUSY, 1, start_at, end_at) == []
    assert (seen[-1].done, seen[-1].wanted, result.inserted) == (
        1200,
        1200,
        len(stored_times(feed)),
    )
    before = httpx.get(f"{url}/sim").json()["requests"]["taken"]
    assert fill_range(feed, start_at, end_at, seen.append).fetched == 0
    assert httpx.get(f"{url}/sim").json()["requests"]["taken"] == before
    assert len(read_events(feed.session, kinds=[EventKind.BACKFILLED])) == 1


def test_the_forming_candle_is_never_part_of_a_range(feed: Intake) -> None:
    result = fill_range(feed, CLOSED_AT - 10 * MINUTE, None, lambda _progress: None)
    assert result.end_at == CLOSED_AT
    assert max(stored_times(feed)) == CLOSED_AT - MINUTE


def test_only_what_is_unproven_of_a_range_is_fetched(feed: Intake) -> None:
    fill_range(feed, CLOSED_AT - 900 * MINUTE, CLOSED_AT - 600 * MINUTE, lambda _progress: None)
    seen: list[RangeProgress] = []
    fill_range(feed, CLOSED_AT - 1500 * MINUTE, None, seen.append)
    assert seen[-1].wanted == 1200
    assert gaps(feed.session, BUSY, 1) == []
    summary = summarise(feed.session, BUSY, 1)
    assert summary is not None
    assert (summary.expected, summary.missing) == (1500, 0)


def test_what_arrived_before_a_failure_stays_and_the_next_run_fetches_the_rest(
    feed: Intake, url: str
) -> None:
    start_at = CLOSED_AT - 6000 * MINUTE

    def fail_later(progress: RangeProgress) -> None:
        if progress.done == 1000:
            fault(url, kind="html", count=1)

    with pytest.raises(ExchangeUnavailable):
        fill_range(feed, start_at, None, fail_later)
    (rest,) = gaps(feed.session, BUSY, 1, start_at, CLOSED_AT)
    assert rest.start_at == start_at
    assert rest.end_at <= CLOSED_AT - 1000 * MINUTE
    fill_range(feed, start_at, None, lambda _progress: None)
    assert stored_times(feed) == [r.opens_at for r in one_by_one(feed, start_at, CLOSED_AT)][::-1]


def test_a_range_before_the_listing_ends_where_the_exchange_s_history_begins(
    home: Paths, tmp_path: Path
) -> None:
    listed = replace(UNLIMITED, start_at=datetime(2017, 9, 25, 12, 0, 30, tzinfo=UTC))
    with (
        running_simulator(listed) as url,
        upbit_client(url, tmp_path) as client,
        open_store(home) as session,
    ):
        feed = Intake(session, client, BUSY, 1, "simulator:seed=7")
        result = fill_range(feed, datetime(2017, 9, 1, tzinfo=UTC), None, lambda _progress: None)
        assert result.first_at is not None
        assert result.first_at == min(stored_times(feed))
        summary = summarise(session, BUSY, 1)
        assert summary is not None
        assert summary.start_at == result.first_at


def test_a_summary_says_what_each_interval_is(feed: Intake) -> None:
    quiet = replace(feed, market=QUIET)
    assert summarise(feed.session, QUIET, 1) is None
    hole_at = CLOSED_AT - 500 * MINUTE
    fill_range(quiet, hole_at, None, lambda _progress: None)
    prove_span(
        feed.session,
        QUIET,
        1,
        hole_at - 70 * MINUTE,
        hole_at - 50 * MINUTE,
        ProofMethod.BACKFILL,
        NOON,
    )
    summary = summarise(feed.session, QUIET, 1)
    assert summary is not None
    assert summary.candles == count_candles(feed.session, QUIET, 1)
    assert (summary.expected, summary.missing) == (570, 50)
    assert summary.no_trade == 570 - 50 - summary.candles
    assert summary.watermark_at == hole_at - 50 * MINUTE
    assert summary.end_at == CLOSED_AT
