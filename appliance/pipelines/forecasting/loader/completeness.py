"""Refuses windows of candles that the ledger does not show to be complete."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance import zone
from appliance.errors import UnrepairedGap
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from store.coverage import gaps, proven_from
from store.session import Session


def require_complete(
    session: Session, spec: ForecastSpec, start_at: datetime, end_at: datetime
) -> None:
    """Check the candles that rows of [start_at, end_at] were computed from, lookback included.

    What lies before the first proven instant is no gap: history begins there.

    Raises:
        UnrepairedGap: more than `quality.max_missing_candles` of them are unknown; retried, as the ingestor
            repairs gaps by itself.
    """
    width = timedelta(minutes=spec.unit)
    begins_at = proven_from(session, spec.market, spec.unit) or start_at
    first_at = max(begins_at, start_at - spec.features.lookback(spec.unit) * width)
    unknown = gaps(session, spec.market, spec.unit, first_at, end_at + width)
    missing = sum((gap.end_at - gap.start_at) // width for gap in unknown)
    if missing <= spec.quality.max_missing_candles:
        return
    gap = unknown[0]
    raise UnrepairedGap(
        f"{spec.market} {spec.unit}m has {missing:,} unknown candles in the window from "
        f"{zone.utc_span(first_at, end_at)}, the first gap from "
        f"{zone.utc_span(gap.start_at, gap.end_at)}; "
        f"allowed are {spec.quality.max_missing_candles:,}",
        hint=f"the ingestor repairs it by itself; by hand: appliance backfill {spec.market} "
        f"--unit {spec.unit} --from {zone.utc_argument(gap.start_at)} --to {zone.utc_argument(gap.end_at)}; "
        "or allow it with quality.max_missing_candles in the project's config",
        market=spec.market,
        unit=spec.unit,
    )
