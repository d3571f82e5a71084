"""Stores what arrives, in order, while more is being fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

from appliance.domain.coverage import ProofMethod
from appliance.ingest.intake import Intake
from appliance.ingest.pages import Page, PagesBack

_MOST_UNSTORED = 6_400  # with more candles than this fetching waits for the store


class Keeper:
    """Stores and proves pages in a thread, in the order given; pages that wait go in one batch."""

    def __init__(self, intake: Intake, method: ProofMethod) -> None:
        self._intake = intake
        self._method = method
        self._waiting: deque[Page] = deque()
        self._writes: deque[Future[None]] = deque()
        self._has_failed = False
        self._thread = ThreadPoolExecutor(1, "backfill-store")
        self._handed = 0  # changed by the caller only
        self._stored = 0  # changed by the thread only
        self.inserted = 0

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.shutdown(wait=True)

    @property
    def handed(self) -> int:
        """Candles handed over."""
        return self._handed

    @property
    def unstored(self) -> int:
        """Candles handed over that are not stored and proven yet."""
        return self._handed - self._stored

    def keep(self, page: Page) -> None:
        """Hand over a page; waits while too many are not stored yet.

        Raises:
            StoreError: an earlier page could not be stored; nothing after it was.
        """
        self._handed += len(page.rows)
        self._waiting.append(page)
        self._writes.append(self._thread.submit(self._store_waiting))
        while self._writes and (self.unstored > _MOST_UNSTORED or self._writes[0].done()):
            self._writes.popleft().result()

    def flush(self) -> None:
        """Wait until everything is stored and proven.

        Raises:
            StoreError: a page could not be stored; nothing after it was.
        """
        while self._writes:
            self._writes.popleft().result()

    def _store_waiting(self) -> None:
        pages = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not pages or self._has_failed:
            return
        self._has_failed = True
        rows = [row for page in pages for row in page.rows]
        self.inserted += self._intake.keep(rows, _spans(pages), self._method).inserted
        self._stored += len(rows)
        self._has_failed = False


def _spans(pages: Sequence[Page]) -> list[tuple[datetime, datetime]]:
    """Return what pages prove, newest first; pages that touch make one span."""
    spans: list[tuple[datetime, datetime]] = []
    for page in pages:
        if spans and spans[-1][0] == page.end_at:
            spans[-1] = (page.start_at, spans[-1][1])
        else:
            spans.append((page.start_at, page.end_at))
    return spans


def fill_span(
    keeper: Keeper,
    intake: Intake,
    start_at: datetime,
    end_at: datetime,
    on_page: Callable[[Page], None] = lambda _page: None,
) -> datetime | None:
    """Fetch [start_at, end_at), newest first; return where the exchange's history begins if after that.

    Raises:
        ExchangeRejected, ExchangeUnavailable, StoreError: pages before stay.
    """
    pages = PagesBack(intake, end_at, start_at, lambda _in_flight: True)
    with closing(iter(pages)) as ordered:
        for page in ordered:
            keeper.keep(page)
            on_page(page)
    return pages.reached_at if pages.is_exhausted and pages.reached_at > start_at else None
