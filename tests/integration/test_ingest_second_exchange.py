"""A second exchange is one package and one entry: the real ingestor feeds the real store from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from appliance.config.exchanges import EXCHANGES, ExchangeEntry
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.errors import ConfigError
from appliance.exchange.source import open_source, resolve_source
from appliance.ingest.live import Ingestor
from appliance.ingest.store_gate import StoreGate
from store import Session
from store.candles import count_candles, read_candles
from store.coverage import gaps, watermark
from store.live import read_ingestion, read_live
from store.source import source_id
from tests.fakes.tiny_exchange import CANDLES, NOW, running_exchange
from tests.store_process import running_service
from tests.waiting import wait_until


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the exchange, which is entered into the table."""
    with running_exchange() as url:
        entry = ExchangeEntry("Tiny", "tests.fakes.tiny_exchange", url, "ws://127.0.0.1:9")
        monkeypatch.setitem(EXCHANGES, "tiny", entry)
        yield url


def configured(**ingest: object) -> Settings:
    return Settings.model_validate({"source": {"kind": "tiny"}, "ingest": ingest})


def test_one_entry_feeds_the_store(home: Paths, tiny: str) -> None:
    settings = configured(markets=["KRW-BTC", "KRW-NOPE"], history_candles=200)
    source = resolve_source(settings, home)
    assert (source.rest_url, source.label) == (tiny, "Tiny")
    with running_service(home) as (_, session):
        asyncio.run(_ingest_until_complete(settings, home, session))
        assert source_id(session) == "tiny"
        closed_at = NOW.replace(second=0)
        assert watermark(session, "KRW-BTC", 1) == closed_at
        assert gaps(session, "KRW-BTC", 1) == []
        (newest,) = read_candles(
            session, "KRW-BTC", 1, closed_at - timedelta(minutes=1), closed_at
        ).to_pylist()
        price = 1000.0 + (closed_at.timestamp() // 60 - 1) % 7
        assert (newest["open"], newest["close"], newest["volume"]) == (price, price + 1, 3.0)
        states = {row.market: row.state for row in read_ingestion(session)}
        assert states["KRW-NOPE"] == "rejected"


async def _ingest_until_complete(settings: Settings, home: Paths, session: Session) -> None:
    source = resolve_source(settings, home)
    with open_source(source, settings, home) as client:
        running = asyncio.create_task(
            Ingestor(StoreGate(home), client, source, settings, home).run()
        )

        def is_complete() -> bool:
            states = {row.market: row.state for row in read_ingestion(session)}
            has_price = any(row.candle.market == "KRW-BTC" for row in read_live(session))
            stored = count_candles(session, "KRW-BTC", 1)
            return 200 <= stored < CANDLES and has_price and states.get("KRW-NOPE") == "rejected"

        try:
            await asyncio.to_thread(wait_until, is_complete, 30, "nothing of it is stored")
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def test_a_timeframe_that_it_lacks_is_named_with_those_it_has(home: Paths, tiny: str) -> None:
    with pytest.raises(ConfigError, match="Tiny has no candles of 3 minutes") as refused:
        resolve_source(configured(timeframes=[3]), home)
    assert "1, 5" in refused.value.hint
