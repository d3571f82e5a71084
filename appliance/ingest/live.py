"""The ingestor: stream for the forming candle, REST for closed ones, status rows for everybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from appliance import clock
from appliance.config.settings import Settings
from appliance.domain.event import Event, EventKind
from appliance.errors import StoreUnavailable, UpbitError, UpbitRejected
from appliance.ingest.backfill import BackfillProgress, fill_history
from appliance.ingest.feed import Feed
from appliance.ingest.feed_state import FeedState
from appliance.ingest.reconcile import SyncResult, catch_up, catch_up_quietly, repair_gaps
from appliance.ingest.schedule import close_trigger
from appliance.ingest.store_gate import StoreGate
from appliance.upbit.client import UpbitClient
from appliance.upbit.source import Source
from appliance.upbit.websocket import CandleStream, StreamState, StreamStatus
from store import Session
from store.events import append_event
from store.live import write_ingestion, write_live
from store.source import claim_source, source_id

T = TypeVar("T")
STATUS_SECONDS = 2.0
LIVE_SECONDS = 1.0
STORE_RETRY_SECONDS = 1.0
REJECTED_RETRY_SECONDS = 300.0
_LONGEST_RETRY_SECONDS = 30.0
_CONFIRM_AGAIN_SECONDS = 0.5
_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Ends a backfill when the ingestor is asked to end."""


class Ingestor:
    """All feeds of a home.

    Args:
        gate: way to the store.
        client: REST client.
        source: where candles come from.
        settings: markets, timeframes and history.
    """

    def __init__(
        self, gate: StoreGate, client: UpbitClient, source: Source, settings: Settings
    ) -> None:
        self._gate = gate
        self._client = client
        self._source = source
        self._history = settings.ingest.history_candles
        self._speed = settings.simulator.speed if source.is_simulated else 1.0
        self._markets = settings.ingest.markets
        self._units = settings.ingest.timeframes
        self._is_stopping = False
        self._preparations: set[asyncio.Task[None]] = set()
        self.feeds: dict[tuple[str, int], FeedState] = {
            (market, unit): FeedState(market, unit)
            for market in self._markets
            for unit in self._units
        }
        self._confirmations = ThreadPoolExecutor(4, "confirm")
        self._backfills = ThreadPoolExecutor(2, "backfill")
        self._writes = ThreadPoolExecutor(1, "write")
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    async def run(self) -> None:
        """Ingest until cancelled.

        Raises:
            ConfigError: the store belongs to another source.
        """
        self._scheduler.start()
        try:
            await self._through_store(self._writes, self._claim)
            async with asyncio.TaskGroup() as group:
                for loop in self._loops():
                    group.create_task(loop)
        finally:
            self._is_stopping = True
            self._scheduler.shutdown(wait=False)
            for pool in (self._confirmations, self._backfills, self._writes):
                pool.shutdown(wait=False, cancel_futures=True)

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        follow = [self._follow(state) for state in self.feeds.values()]
        return [self._stream(), self._write_status(), self._write_prices(), *follow]

    def _claim(self, session: Session) -> None:
        is_first = source_id(session) is None
        claim_source(session, self._source.source_id)
        if is_first:
            summary = f"candles come from {self._source.label} ({self._source.rest_url})"
            details: dict[str, object] = {"source_id": self._source.source_id}
            append_event(
                session,
                Event(EventKind.SOURCE_CHOSEN, summary, "ingestor", clock.now(), details=details),
            )

    async def _follow(self, state: FeedState) -> None:
        """Keep one feed up to date for ever; failures are shown, retried, and touch no other feed."""
        failures = 0
        is_prepared = False
        since_at: datetime | None = None
        while True:
            state.wanted.clear()
            try:
                await self._confirm(state, is_routine=is_prepared and not failures)
                if not is_prepared:
                    is_prepared = True
                    self._schedule(state)
                    self._preparations.add(asyncio.create_task(self._prepare(state)))
            except UpbitRejected as error:
                state.is_rejected = True
                await self._report(state, f"{error.message}; {error.hint}", REJECTED_RETRY_SECONDS)
                continue
            except UpbitError as error:
                state.is_rejected = False
                since_at = since_at or clock.now()
                failures += 1
                wait = min(_LONGEST_RETRY_SECONDS, 2.0 ** min(failures - 1, 5))
                message = (
                    f"no candles since {since_at:%H:%M:%S} UTC: {error.message}; next try in "
                    f"{wait:.0f} s, what is missing is fetched when it answers"
                )
                await self._report(state, message, wait)
                continue
            if state.rest_message:
                _log.warning("feed recovered market=%s unit=%d", state.market, state.unit)
            failures, since_at, state.rest_message = 0, None, ""
            await self._wait_for_close(state)

    async def _report(self, state: FeedState, message: str, wait: float) -> None:
        if not state.rest_message:
            _log.warning("feed broke market=%s unit=%d: %s", state.market, state.unit, message)
        state.rest_message = message
        await asyncio.sleep(wait)

    async def _wait_for_close(self, state: FeedState) -> None:
        """Wait until a candle has closed; ask again soon while REST lags behind the stream."""
        timeout = _CONFIRM_AGAIN_SECONDS if state.is_behind else None
        try:
            await asyncio.wait_for(state.wanted.wait(), timeout)
        except TimeoutError:
            return

    async def _confirm(self, state: FeedState, is_routine: bool) -> None:
        """Store what has closed; after a start or a failure what is missing counts as a gap."""

        def work(session: Session) -> SyncResult:
            feed = self._feed(session, state)
            return catch_up_quietly(feed) if is_routine else catch_up(feed)

        result = await self._through_store(self._confirmations, work)
        state.watermark_at = result.watermark_at

    async def _prepare(self, state: FeedState) -> None:
        """Repair gaps and fill history beside the live candles; retried until it is done."""

        def show(progress: BackfillProgress) -> None:
            if self._is_stopping:
                raise Stopped
            state.backfill_message = str(progress)

        def work(session: Session) -> None:
            feed = self._feed(session, state)
            repair_gaps(feed)
            fill_history(feed, self._history, show)

        while True:
            try:
                await self._through_store(self._backfills, work)
            except UpbitError as error:
                _log.warning("backfill of %s interrupted: %s", state.key, error.message)
                await asyncio.sleep(_LONGEST_RETRY_SECONDS / 3)
                continue
            finally:
                state.backfill_message = ""
            return

    def _schedule(self, state: FeedState) -> None:
        self._scheduler.add_job(
            state.wanted.set,
            close_trigger(state.unit, self._speed, self._client.exchange_now(), clock.now()),
            id=state.key,
            replace_existing=True,
            coalesce=True,
            misfire_grace_time=30,
        )

    async def _stream(self) -> None:
        stream = CandleStream(
            self._source.websocket_url, self._markets, self._units, self._take_stream_status
        )
        async for live in stream.candles():
            state = self.feeds.get((live.candle.market, live.candle.unit))
            if state is not None and state.take_tick(live):
                state.wanted.set()

    def _take_stream_status(self, status: StreamStatus) -> None:
        if status.state is not StreamState.SILENT:
            _log.info("stream %s: %s", status.state.value, status.message)
        for state in self.feeds.values():
            if status.market and (status.market, status.unit) != (state.market, state.unit):
                continue
            is_connected = status.state is StreamState.CONNECTED
            state.is_streaming = is_connected
            state.stream_message = "" if is_connected else status.message

    async def _write_status(self) -> None:
        def work(session: Session) -> None:
            now = clock.now()
            for state in self.feeds.values():
                write_ingestion(session, state.status(now))

        while True:
            await self._through_store(self._writes, work)
            await asyncio.sleep(STATUS_SECONDS)

    async def _write_prices(self) -> None:
        while True:
            for state in self.feeds.values():
                if state.live is not None and state.is_live_unsaved:
                    live, state.is_live_unsaved = state.live, False
                    await self._through_store(self._writes, partial(write_live, live=live))
            await asyncio.sleep(LIVE_SECONDS)

    async def _through_store(self, pool: ThreadPoolExecutor, work: Callable[[Session], T]) -> T:
        """Run `work` in a thread with the store's session, again and again while there is none."""

        def attempt() -> T:
            with self._gate.use() as session:
                return work(session)

        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, attempt)
            except StoreUnavailable:
                await asyncio.sleep(STORE_RETRY_SECONDS)

    def _feed(self, session: Session, state: FeedState) -> Feed:
        return Feed(session, self._client, state.market, state.unit, self._source.source_id)
