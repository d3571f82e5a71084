"""First stage of the data workflow: the market's candles into the store."""

from __future__ import annotations

from datetime import timedelta

from appliance import clock
from appliance.ingest.reconcile import SyncResult, bring_up_to_date, synchronise
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from store.live import read_ingestion
from store.source import claim_source

INGESTOR_SILENCE = timedelta(seconds=60)
"""Without a heartbeat for this long nobody else looks after history and gaps."""


def load_candles(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Store what the source has beyond the watermark; the ingestor does the same, both may.

    Where no ingestor looks after this market and timeframe, history and gaps are filled too.

    Returns:
        inserted, corrected: rows; exchange_at: the source's clock, ISO, for judging freshness.

    Raises:
        ConfigError: the store belongs to another source.
        ExchangeUnavailable: the source does not answer; retried.
        ExchangeRejected: the market does not exist.
    """
    source = context.resources.source
    claim_source(context.session, source.source_id)
    result = _synchronise(context) if _is_looked_after(context) else _bring_up_to_date(context)
    return {
        "inserted": result.inserted,
        "corrected": result.corrected,
        "exchange_at": source.client.exchange_now().isoformat(),
    }


def _is_looked_after(context: StageContext[ForecastSpec]) -> bool:
    spec, now_at = context.spec, clock.now()
    return any(
        (status.market, status.unit) == (spec.market, spec.unit)
        and now_at - status.heartbeat_at < INGESTOR_SILENCE
        for status in read_ingestion(context.session)
    )


def _synchronise(context: StageContext[ForecastSpec]) -> SyncResult:
    spec, source = context.spec, context.resources.source
    return synchronise(
        context.session, source.client, spec.market, spec.unit, source_id=source.source_id
    )


def _bring_up_to_date(context: StageContext[ForecastSpec]) -> SyncResult:
    spec, source = context.spec, context.resources.source
    return bring_up_to_date(
        context.session,
        source.client,
        spec.market,
        spec.unit,
        source_id=source.source_id,
        history_candles=context.settings.ingest.history_candles,
        origin=context.origin,
    )
