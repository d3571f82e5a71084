"""One feed kept up to date: live candles first, then gaps, history and audits in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from appliance import clock
from appliance.domain.candle import IngestionState
from appliance.domain.coverage import GapCause
from appliance.errors import ExchangeError, ExchangeRejected, StoreError, StoreUnavailable
from appliance.exchange.port import Exchange
from appliance.ingest.audit import audit, due_window
from appliance.ingest.backfill import fill_history
from appliance.ingest.feed_state import FeedState, Trouble, rest_trouble
from appliance.ingest.intake import Intake
from appliance.ingest.reconcile import (
    OVERLAP_CANDLES,
    SECOND_LOOK_SECONDS,
    SyncResult,
    confirm,
    repair_gaps,
)
from appliance.ingest.store_gate import StoreGate
from store import Session

T = TypeVar("T")
STORE_RETRY_SECONDS = 1.0
REJECTED_RETRY_SECONDS = 300.0
_LONGEST_RETRY_SECONDS = 30.0
_CONFIRM_AGAIN_SECONDS = 0.5
_STILL_BEHIND_SECONDS = 5.0
_IMPATIENT_TRIES = 4
_RECHECK_EVERY = timedelta(hours=1)
_RECOVERABLE = {"store.disk_full", "store.broken", "store.io", "store.out_of_memory"}
_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Ends background work when the ingestor is asked to end, or the feed was removed."""


@dataclass(slots=True)
class Shared:
    """What all feeds of an ingestor share; `history_candles` follows the configuration."""

    gate: StoreGate
    client: Exchange
    source_id: str
    history_candles: int
    confirmations: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(4, "confirm")
    )
    background: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(2, "backfill")
    )
    writes: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "write"))

    def close(self) -> None:
        """Start no more work."""
        for pool in (self.confirmations, self.background, self.writes):
            pool.shutdown(wait=False, cancel_futures=True)

    async def through_store(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[Session], T],
        on_wait: Callable[[StoreError | None], None] = lambda _error: None,
    ) -> T:
        """Run `work` in a thread with the store's session, again and again while there is none.

        `on_wait` hears each error that time or the operator cures, and None when it is over.
        """

        def attempt() -> T:
            with self.gate.use() as session:
                return work(session)

        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(pool, attempt)
            except StoreError as error:
                if not isinstance(error, StoreUnavailable) and error.code not in _RECOVERABLE:
                    raise
                on_wait(error)
                await asyncio.sleep(STORE_RETRY_SECONDS)
            else:
                on_wait(None)
                return result


class Follower:
    """Follows one feed until it is cancelled; failures are shown, retried, and touch no other feed."""

    def __init__(self, state: FeedState, shared: Shared) -> None:
        self.state = state
        self._shared = shared
        self._is_stopping = False
        self._fill = asyncio.Event()
        self._audit_due = True  # whether it really is, the ledger says
        self._cause = GapCause.RESTART
        self._rechecked_at: datetime | None = None
        self._impatient = 0
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Confirm after every close, and fill in the background."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._confirm_for_ever())
                group.create_task(self._fill_for_ever())
        finally:
            self._is_stopping = True

    def audit(self) -> None:
        """Ask for an audit as soon as the background is free."""
        self._audit_due = True
        self._fill.set()

    async def _confirm_for_ever(self) -> None:
        state, failures = self.state, 0
        while True:
            state.wanted.clear()
            try:
                result = await self._confirm()
            except ExchangeError as error:
                failures += 1
                await self._suffer(error, failures)
                continue
            if state.rest is not None:
                _log.warning("feed recovered market=%s unit=%d", state.market, state.unit)
            failures, state.rest = 0, None
            if not self.ready.is_set() or result.has_gap:
                self._fill.set()
            self.ready.set()
            self._cause = GapCause.OUTAGE
            await self._wait_for_close()

    async def _confirm(self) -> SyncResult:
        state = self.state
        now = self._shared.client.known_time()
        is_recheck = (
            now is None
            or self._rechecked_at is None
            or abs(now - self._rechecked_at) >= _RECHECK_EVERY
        )
        overlap = self._shared.client.page_size if is_recheck else OVERLAP_CANDLES
        streamed, cause = tuple(state.streamed), self._cause

        def work(session: Session) -> SyncResult:
            return confirm(self._intake(session), cause, streamed, overlap)

        result = await self._shared.through_store(
            self._shared.confirmations, work, self._note_store
        )
        if is_recheck:
            self._rechecked_at = self._shared.client.known_time()
        state.watermark_at = result.watermark_at
        state.proven_until_at = result.proven_until_at
        state.look_again = result.look_again
        return result

    async def _suffer(self, error: ExchangeError, failures: int) -> None:
        """Show a failure and wait before the next try."""
        state = self.state
        wait = min(_LONGEST_RETRY_SECONDS, 2.0 ** min(failures - 1, 5))
        until_at = error.fields.get("until_at")
        if isinstance(error, ExchangeRejected):
            wait = REJECTED_RETRY_SECONDS
        elif isinstance(until_at, datetime):
            wait = max(1.0, (until_at - clock.now()).total_seconds() + 0.1)
        if state.rest is None:
            _log.warning(
                "feed broke market=%s unit=%d: %s", state.market, state.unit, error.message
            )
        since_at = state.rest.since_at if state.rest else clock.now()
        state.rest = rest_trouble(error, since_at, wait)
        await asyncio.sleep(wait)

    async def _wait_for_close(self) -> None:
        """Wait until a candle has closed; ask again soon while REST lags behind the stream."""
        state, timeout = self.state, None
        if state.is_behind:
            self._impatient += 1
            is_hasty = self._impatient <= _IMPATIENT_TRIES
            timeout = _CONFIRM_AGAIN_SECONDS if is_hasty else _STILL_BEHIND_SECONDS
        else:
            self._impatient = 0
            if state.look_again:
                timeout = SECOND_LOOK_SECONDS
        try:
            await asyncio.wait_for(state.wanted.wait(), timeout)
        except TimeoutError:
            return

    async def _fill_for_ever(self) -> None:
        """Repair gaps, fill history and audit whenever asked; retried until it is done."""
        while True:
            await self._fill.wait()
            self._fill.clear()
            try:
                await self._shared.through_store(
                    self._shared.background, self._fill_once, self._note_store
                )
            except ExchangeError as error:
                _log.warning("backfill of %s interrupted: %s", self.state.key, error.message)
                self._fill.set()
                await asyncio.sleep(_LONGEST_RETRY_SECONDS / 3)
            finally:
                self.state.show_backfill("", clock.now())

    def _fill_once(self, session: Session) -> None:
        def show(progress: object) -> None:
            if self._is_stopping:
                raise Stopped
            self.state.show_backfill(str(progress), clock.now())

        intake = self._intake(session)
        repair_gaps(intake, show)
        fill_history(intake, self._shared.history_candles, show)
        window = due_window(intake) if self._audit_due else None
        if window is not None:
            audit(intake, *window, show)
        self._audit_due = False

    def _note_store(self, error: StoreError | None) -> None:
        state = self.state
        if error is None:
            state.store = None
            return
        since_at = state.store.since_at if state.store else clock.now()
        next_step = error.hint or "tried again every second; nothing is lost"
        state.store = Trouble(IngestionState.STORE_DOWN, error.message, next_step, since_at)

    def _intake(self, session: Session) -> Intake:
        shared = self._shared
        return Intake(
            session,
            shared.client,
            self.state.market,
            self.state.unit,
            shared.source_id,
        )
