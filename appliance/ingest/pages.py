"""Pages of history, newest first, several requests in flight.

A page's `to` is computed before the page ahead of it has arrived: one page of intervals back, or as many as
pages of this market have spanned lately. Where minutes without a trade make pages overlap, the rows
already passed on are left out; where a page reaches less far back than expected, the interval up to
the next one is asked for before anything older is passed on. So pages leave in order and touch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from appliance.domain.candle import RawCandle
from appliance.ingest.intake import Intake

_IN_FLIGHT = 8  # the limit of 10 requests a second is reached up to replies that take 0.8 s
_SPANS = 8


@dataclass(frozen=True, slots=True)
class Page:
    """Every candle of [start_at, end_at), newest first."""

    rows: list[RawCandle]
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class _Asked:
    to: datetime
    reply: Future[list[RawCandle]]


class PagesBack:
    """An iterator over pages from `end_at` back to `start_at`, or to the first candle there is.

    Args:
        intake: what to fetch.
        end_at: exclusive end of the first page, a candle boundary.
        start_at: where to stop; None for no bound.
        is_wanted: told how many pages are under way, says whether to ask for one more.
    """

    def __init__(
        self,
        intake: Intake,
        end_at: datetime,
        start_at: datetime | None,
        is_wanted: Callable[[int], bool],
    ) -> None:
        self._intake = intake
        self._start_at = start_at
        self._is_wanted = is_wanted
        self._is_ended = False
        self._asked: deque[_Asked] = deque()
        self._spans = deque([intake.page_size * intake.width], maxlen=_SPANS)
        self._pool = ThreadPoolExecutor(_IN_FLIGHT + 2, "backfill-page")
        self.reached_at = end_at
        self.requests = 0
        self.is_exhausted = False

    def __iter__(self) -> Generator[Page, None, None]:
        """Yield pages until the start, the first candle, or until no more are wanted.

        Raises:
            ExchangeRejected, ExchangeUnavailable: the pages before stay valid.
        """
        try:
            while self._ask_ahead():
                page = self._next_page()
                if page is not None:
                    yield page
        finally:
            self._is_ended = True
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask_ahead(self) -> bool:
        """Keep requests in flight; return whether there is a page to wait for."""
        if self.is_exhausted or not self._is_before_start(self.reached_at):
            return False
        if self._asked and self._asked[0].to < self.reached_at:
            self._asked.appendleft(self._ask(self.reached_at))
        while len(self._asked) < _IN_FLIGHT and self._is_wanted(len(self._asked)):
            to = self.reached_at
            if self._asked:
                to = min(to, self._asked[-1].to - min(self._spans))
            if not self._is_before_start(to):
                break
            self._asked.append(self._ask(to))
        return bool(self._asked)

    def _is_before_start(self, to: datetime) -> bool:
        return self._start_at is None or to > self._start_at

    def _ask(self, to: datetime) -> _Asked:
        self.requests += 1
        return _Asked(to, self._pool.submit(self._fetch, to))

    def _fetch(self, to: datetime) -> list[RawCandle]:
        return [] if self._is_ended else self._intake.page(to, self._intake.page_size, is_bulk=True)

    def _next_page(self) -> Page | None:
        """Wait for the foremost page; None when it has nothing older than the one before it."""
        asked = self._asked.popleft()
        rows = asked.reply.result()
        end_at = self.reached_at
        older = [row for row in rows if row.opens_at < end_at]
        if not older:
            self.is_exhausted = len(rows) < self._intake.page_size or asked.to <= end_at
            return None
        first_at = older[-1].opens_at
        if len(rows) == self._intake.page_size:
            self._spans.append(max(asked.to - first_at, self._intake.width))
        if self._start_at is not None and first_at < self._start_at:
            first_at = self._start_at
            older = [row for row in older if row.opens_at >= first_at]
        self.reached_at = first_at
        return Page(older, first_at, end_at)
