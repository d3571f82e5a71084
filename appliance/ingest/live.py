"""The ingestor: stream for the forming candle, REST for closed ones, status rows for everybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import Settings, load_settings
from appliance.config.watch import ConfigWatch
from appliance.domain.candle import IngestionState
from appliance.domain.event import Event, EventKind
from appliance.domain.feed import Feed
from appliance.errors import ConfigError
from appliance.exchange.port import Exchange, StreamState, StreamStatus
from appliance.exchange.source import Source, open_stream
from appliance.ingest.feed_state import FeedState, Trouble
from appliance.ingest.follower import Follower, Shared
from appliance.ingest.intake import floor_to
from appliance.ingest.price_poll import poll_prices
from appliance.ingest.schedule import audit_trigger, close_trigger
from appliance.ingest.store_gate import StoreGate
from store import Session
from store.events import append_event
from store.live import keep_only, write_ingestion, write_live
from store.source import claim_source, source_id

STATUS_SECONDS = 2.0
LIVE_SECONDS = 0.5
CONFIG_SECONDS = 1.0
EXPECTED_AFTER_SECONDS = 15.0  # longer than the second look that proves a candle's absence
_log = logging.getLogger(__name__)


class Ingestor:
    """All feeds of a home; they follow the configuration's files while it runs.

    Args:
        gate: way to the store.
        client: REST client.
        source: where candles come from.
        settings: markets, timeframes and history.
        paths: the home, whose configuration is watched.
    """

    def __init__(
        self,
        gate: StoreGate,
        client: Exchange,
        source: Source,
        settings: Settings,
        paths: Paths,
    ) -> None:
        self._client = client
        self._source = source
        self._settings = settings
        self._paths = paths
        self._watch = ConfigWatch(paths)
        self._config_trouble: Trouble | None = None
        self._shared = Shared(gate, client, source.source_id, settings.ingest.history_candles)
        self.feeds: dict[Feed, FeedState] = {}
        self._tasks: dict[Feed, asyncio.Task[None]] = {}
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._stream = open_stream(source, settings, paths, self._take_stream_status)

    async def run(self) -> None:
        """Ingest until cancelled.

        Raises:
            ConfigError: the store belongs to another source.
        """
        self._scheduler.start()
        shared = self._shared
        try:
            await shared.through_store(shared.writes, self._claim)
            async with asyncio.TaskGroup() as group:
                self._apply(group, _configured(self._settings))
                await shared.through_store(shared.writes, self._forget_others)
                for loop in self._loops(group):
                    group.create_task(loop)
        finally:
            self._scheduler.shutdown(wait=False)
            shared.close()

    def _loops(self, group: asyncio.TaskGroup) -> list[Coroutine[Any, Any, None]]:
        return [
            self._follow_stream(),
            self._write_status(),
            self._write_prices(),
            poll_prices(
                self.feeds, self._client, self._shared.confirmations, self._stream.quiet_seconds
            ),
            self._follow_config(group),
        ]

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

    def _forget_others(self, session: Session) -> None:
        keep_only(session, list(self.feeds))

    def _apply(self, group: asyncio.TaskGroup, wanted: Sequence[Feed]) -> None:
        """Start and end feeds so that exactly the wanted ones are followed."""
        for key in [key for key in self.feeds if key not in wanted]:
            self._tasks.pop(key).cancel()
            state = self.feeds.pop(key)
            for job in (state.key, f"audit {state.key}"):
                if self._scheduler.get_job(job):
                    self._scheduler.remove_job(job)
        for key in wanted:
            if key not in self.feeds:
                state = FeedState(*key)
                state.stream = self._connecting()
                self.feeds[key] = state
                self._tasks[key] = group.create_task(self._follow(state))

    async def _follow(self, state: FeedState) -> None:
        """Run a feed; once the exchange has answered, its clock tells when candles close."""
        follower = Follower(state, self._shared)
        async with asyncio.TaskGroup() as group:
            group.create_task(follower.run())
            await follower.ready.wait()
            self._schedule(state, follower)

    def _schedule(self, state: FeedState, follower: Follower) -> None:
        now, speed = self._client.exchange_now(), self._client.speed
        self._scheduler.add_job(
            state.wanted.set,
            close_trigger(state.unit, speed, now, clock.now()),
            id=state.key,
            replace_existing=True,
            coalesce=True,
            misfire_grace_time=30,
        )
        self._scheduler.add_job(
            follower.audit,
            audit_trigger(self._settings.ingest.audit_at, speed, now, clock.now()),
            id=f"audit {state.key}",
            replace_existing=True,
            coalesce=True,
            misfire_grace_time=None,
        )

    async def _follow_stream(self) -> None:
        async for live in self._stream.candles():
            state = self.feeds.get(Feed(live.candle.market, live.candle.unit))
            if state is not None and state.take_tick(live):
                state.wanted.set()

    def _take_stream_status(self, status: StreamStatus) -> None:
        if status.state is not StreamState.SILENT or not status.market:
            _log.info("stream %s: %s", status.state.value, status.message)
        for key, state in self.feeds.items():
            if not status.market or (status.market, status.unit) == key:
                _note_stream(state, status)

    def _connecting(self) -> Trouble:
        return Trouble(
            IngestionState.POLLING,
            "connecting to the stream",
            "candles and prices come by REST meanwhile",
            clock.now(),
        )

    async def _follow_config(self, group: asyncio.TaskGroup) -> None:
        """Take in changed configuration files; a broken one changes nothing but the status."""
        while True:
            await asyncio.sleep(CONFIG_SECONDS)
            if not self._watch.has_changed():
                continue
            try:
                settings = load_settings(self._paths)
            except ConfigError as error:
                _log.warning("configuration not taken in: %s; %s", error.message, error.hint)
                step = f"{error.hint}; until then the configuration before goes on"
                self._config_trouble = Trouble(
                    IngestionState.MISCONFIGURED, error.message, step, clock.now()
                )
                continue
            self._config_trouble = None
            await self._reconfigure(group, settings)

    async def _reconfigure(self, group: asyncio.TaskGroup, settings: Settings) -> None:
        before, after = set(self.feeds), _configured(settings)
        self._settings = settings
        self._shared.history_candles = settings.ingest.history_candles
        added, removed = [key for key in after if key not in before], before - set(after)
        if not added and not removed:
            return
        self._apply(group, after)
        await self._stream.subscribe(settings.ingest.markets, settings.ingest.timeframes)

        def record(session: Session) -> None:
            self._forget_others(session)
            for kind, feeds in (
                (EventKind.MARKET_ADDED, added),
                (EventKind.MARKET_REMOVED, removed),
            ):
                for market, unit in sorted(feeds):
                    append_event(session, _feed_event(kind, market, unit))

        await self._shared.through_store(self._shared.writes, record)

    async def _write_status(self) -> None:
        def work(session: Session) -> None:
            now = clock.now()
            rows = [state.status(now) for state in tuple(self.feeds.values())]
            if rows:
                write_ingestion(session, *rows)

        while True:
            self._expect()
            await self._shared.through_store(self._shared.writes, work)
            await asyncio.sleep(STATUS_SECONDS)

    def _expect(self) -> None:
        """Note up to where each feed should be proven by now, and what is wrong with all of them."""
        now = self._client.known_time()
        for state in self.feeds.values():
            state.config = self._config_trouble
            if now is not None:
                due_at = now - timedelta(seconds=EXPECTED_AFTER_SECONDS * self._client.speed)
                state.expected_until_at = floor_to(due_at, timedelta(minutes=state.unit))

    async def _write_prices(self) -> None:
        while True:
            unsaved = [state for state in self.feeds.values() if state.is_live_unsaved]
            fresh = [state.live for state in unsaved if state.live is not None]
            for state in unsaved:
                state.is_live_unsaved = False

            def work(session: Session, fresh: list[Any] = fresh) -> None:
                write_live(session, *fresh)

            if fresh:
                await self._shared.through_store(self._shared.writes, work)
            await asyncio.sleep(LIVE_SECONDS)


def _configured(settings: Settings) -> list[Feed]:
    ingest = settings.ingest
    return [Feed(market, unit) for market in ingest.markets for unit in ingest.timeframes]


def _note_stream(state: FeedState, status: StreamStatus) -> None:
    state.is_streaming = status.state is StreamState.CONNECTED
    if state.is_streaming:
        state.stream = None
        return
    is_silent = status.state is StreamState.SILENT
    kind = IngestionState.SILENT if is_silent else IngestionState.POLLING
    next_step = "candles and prices come by REST meanwhile; nothing to do"
    trouble = Trouble(kind, status.message, next_step, clock.now())
    same = state.stream is not None and state.stream.state is kind
    state.stream = (
        replace(trouble, since_at=state.stream.since_at) if same and state.stream else trouble
    )


def _feed_event(kind: EventKind, market: str, unit: int) -> Event:
    words = (
        "is ingested from now on"
        if kind is EventKind.MARKET_ADDED
        else ("is no longer ingested; its data stays")
    )
    details: dict[str, object] = {"market": market, "unit": unit}
    return Event(kind, f"{market} {unit}m {words}", "operator", clock.now(), details=details)
