"""Data workflow: prepared rows from candles, and whether they can be trusted."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from appliance import clock, zone
from appliance.domain.event import EventKind, Severity
from appliance.errors import DataQualityError
from appliance.pipelines.context import Json, StageContext, StageSkipped
from appliance.pipelines.forecasting.core.first_model import (
    UNSERVED,
    missing_reason,
    newest_move,
)
from appliance.pipelines.forecasting.core.plausibility import is_first_model_held
from appliance.pipelines.forecasting.core.registry_changes import is_champion_doubted
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import known_until
from appliance.pipelines.forecasting.loader.feature_loader import (
    load_rows,
    newest_row_at,
    oldest_row_at,
    store_rows,
)
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.preprocessor.quality import (
    MarketActivity,
    Quality,
    QualityReport,
    judge_quality,
)
from appliance.pipelines.forecasting.preprocessor.soundness import ABSOLUTE, RELATIVE
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.serving import is_usable
from appliance.pipelines.progress import tell
from store.candles import count_between
from store.events import read_events
from store.features import note_equal_rows
from store.forecasts import latest_forecasts

OVERLAP = 3
"""Newest rows computed again each time: the exchange corrects its newest candles."""


LEAST_COMPARED = 500
"""Rows of the same candles below which those of changed code are not said to be the same."""

UNSERVED_ROWS = 5
"""Newest rows without a forecast after which it is asked whether a model serves the config at all."""

REPAIR_MEMORY = timedelta(minutes=10)
"""Rows around a gap are computed again for this long after its repair."""


def prepare_features(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Compute the rows that are missing in the training window and store them.

    New candles add rows at the end, a backfill adds older ones. Each row is the same whether
    computed alone or with all others. Code or parameters that have changed make all of them anew, beside
    those that were; parameter `full=true` computes the whole window again.

    Returns:
        written: new or changed rows; older: those of them before the newest row so far.

    Raises:
        StageSkipped: there are no candles yet.
    """
    spec, session = context.spec, context.session
    end_at = known_until(session, spec)
    if end_at is None:
        markets = ", ".join((spec.market, *spec.features.cross_markets))
        raise StageSkipped(f"not all of {markets} have {spec.unit}-minute candles yet")
    width = timedelta(minutes=spec.unit)
    window_at = end_at - (spec.training_rows + spec.horizon) * width
    newest_at = newest_row_at(session, context.project, spec)
    is_full = newest_at is None or context.params.get("full", "").lower() == "true"
    if newest_at is None or is_full:
        tell(f"making all rows from {zone.utc_text(window_at)} on, digest {row_digest(spec)}")
        written = _compute(context, window_at, end_at)
        _compare_with_earlier(context)
        return {"written": written, "older": 0}
    older = _compute_older(context, window_at)
    older += _compute_repaired(context, window_at, newest_at)
    first_at = max(newest_at - OVERLAP * width, window_at)
    return {"written": older + _compute(context, first_at, end_at), "older": older}


def prepare_newest(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Compute the rows after the newest one, as `prepare_features` does; older ones are left to it.

    Returns:
        written: new or changed rows.

    Raises:
        StageSkipped: there are no candles or no rows of this config yet.
    """
    spec, session = context.spec, context.session
    end_at = known_until(session, spec)
    newest_at = newest_row_at(session, context.project, spec)
    if end_at is None or newest_at is None:
        raise StageSkipped("the data workflow has prepared no rows yet")
    width = timedelta(minutes=spec.unit)
    window_at = end_at - (spec.training_rows + spec.horizon) * width
    return {"written": _compute(context, max(newest_at - OVERLAP * width, window_at), end_at)}


def check_quality(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Judge the newest rows; record the verdict when it changed; ask for the first training.

    Returns:
        verdict, rows, findings; request: set when there is no model yet but enough rows.

    Raises:
        StageSkipped: there are no prepared rows yet.
        DataQualityError: the rows are unusable.
    """
    spec = context.spec
    rows = load_rows(context.session, context.project, spec, limit=spec.monitoring.window_rows)
    if rows.empty:
        raise StageSkipped(
            f"no prepared rows yet: a row needs {spec.features.lookback(spec.unit)} candles before it"
        )
    told = context.result_of("load_candles", "exchange_at")
    now_at = datetime.fromisoformat(told) if isinstance(told, str) else clock.now()
    report = judge_quality(rows, spec.unit, now_at, spec.quality, _activity(context, rows))
    _record_change(context, report)
    if report.verdict is Quality.UNUSABLE:
        raise DataQualityError(
            report.summary,
            hint="look at the candles (`appliance candles`), then `appliance run data --param full=true`",
            project=context.project,
        )
    return {
        "verdict": report.verdict.value,
        "rows": report.rows,
        "findings": dict(report.findings),
        "request": _first_training(context),
    }


def _compute(context: StageContext[ForecastSpec], first_at: datetime, end_at: datetime) -> int:
    spec = context.spec
    window = spec.recipe.load_window(context.session, spec, first_at, end_at)
    if window is None:
        return 0
    rows = spec.recipe.compute_rows(window, spec)
    rows = rows[rows[TIME] >= first_at]
    if rows.empty:
        return 0
    return store_rows(context.session, context.project, spec, rows)


def _compare_with_earlier(context: StageContext[ForecastSpec]) -> None:
    """Find out whether changed code makes the same rows, so that models of the earlier ones go on."""
    spec, digest = context.spec, row_digest(context.spec)
    compared = note_equal_rows(
        context.session,
        context.project,
        spec.market,
        spec.unit,
        digest,
        clock.now(),
        least=LEAST_COMPARED,
        relative=RELATIVE,
        absolute=ABSOLUTE,
    )
    for earlier, (rows, differing) in compared.items():
        words = "the same as" if not differing else f"{differing:,} of them other than"
        tell(f"{rows:,} rows compared: {words} those of digest {earlier or 'not noted'}")


def _compute_older(context: StageContext[ForecastSpec], window_at: datetime) -> int:
    spec = context.spec
    oldest_at = oldest_row_at(context.session, context.project, spec)
    if oldest_at is None or oldest_at <= window_at + timedelta(minutes=spec.unit * OVERLAP):
        return 0
    return _compute(context, window_at, oldest_at)


def _compute_repaired(
    context: StageContext[ForecastSpec], window_at: datetime, newest_at: datetime
) -> int:
    spec, written = context.spec, 0
    since_at = clock.now() - REPAIR_MEMORY
    sources = {(market, spec.unit) for market in (spec.market, *spec.features.cross_markets)}
    for event in read_events(context.session, limit=20, kinds=[EventKind.GAP_REPAIRED]):
        found = event.details
        if event.at < since_at or (found.get("market"), found.get("unit")) not in sources:
            continue
        start_at, end_at = (datetime.fromisoformat(str(found[k])) for k in ("start_at", "end_at"))
        reach_at = end_at + timedelta(minutes=spec.unit * spec.features.lookback(spec.unit))
        first_at, last_at = max(start_at, window_at), min(reach_at, newest_at)
        if first_at < last_at:
            written += _compute(context, first_at, last_at)
    return written


def _activity(context: StageContext[ForecastSpec], rows: pd.DataFrame) -> MarketActivity:
    spec, width = context.spec, timedelta(minutes=context.spec.unit)
    start_at, end_at = rows[TIME].iloc[0].to_pydatetime(), rows[TIME].iloc[-1].to_pydatetime()
    traded = count_between(context.session, spec.market, spec.unit, start_at, end_at + width)
    made = latest_forecasts(context.session, context.project, len(rows))
    return MarketActivity(
        idle=max(0.0, 1.0 - traded / len(rows)),
        widths=np.array([each.quantiles.upper - each.quantiles.lower for each in made]),
    )


def _record_change(context: StageContext[ForecastSpec], report: QualityReport) -> None:
    earlier = read_events(
        context.session, limit=1, kinds=[EventKind.QUALITY_CHECKED], project=context.project
    )
    codes = sorted(report.findings)
    if earlier and earlier[-1].details.get("codes") == codes:
        return
    severity = {
        Quality.GOOD: Severity.INFO,
        Quality.WARNING: Severity.WARNING,
        Quality.UNUSABLE: Severity.ERROR,
    }[report.verdict]
    context.record(
        EventKind.QUALITY_CHECKED,
        report.summary,
        {
            "verdict": report.verdict.value,
            "codes": codes,
            "findings": report.findings,
            "rows": report.rows,
            "jump_at": report.jump_at.isoformat() if report.jump_at else None,
        },
        severity,
    )


def _first_training(context: StageContext[ForecastSpec]) -> Json:
    """Ask for a training when no model can serve this config and there are enough rows.

    While a backfill still adds older rows, a model of the same code waits for a person, or as long as
    the price has never moved, it waits. The
    request's id names what is to be served and the newest promotion, so that a changed config, changed
    code or a champion that is gone asks at once, and changes every ten minutes, so that a failed first
    training is tried again.
    """
    spec = context.spec
    if _is_served(context) and not is_champion_doubted(context):
        return None
    rows = load_rows(context.session, context.project, spec, limit=spec.min_rows + spec.horizon)
    is_growing = bool(context.result_of("prepare_features", "older"))
    if len(rows) < spec.min_rows + spec.horizon or is_growing or rows["close"].nunique() < 2:
        return None
    champion = context.champion()
    if champion is not None and is_usable(context, champion):
        return None
    if context.is_registry_away:
        return None
    if is_first_model_held(context) and not is_champion_doubted(context):
        return None
    now_at = clock.now()
    bucket = f"{now_at:%Y-%m-%dT%H}:{now_at.minute // 10}0"
    served = f"{spec.market}_{spec.unit}_{spec.horizon}_{row_digest(spec)[:8]}"
    return {
        "workflow": "train",
        "id": f"first__{served}_{newest_move(context)}__{bucket}",
        "reason": missing_reason(context) if champion is None else UNSERVED,
    }


def _is_served(context: StageContext[ForecastSpec]) -> bool:
    """Whether the newest rows have forecasts of this config; the registry need not be asked then."""
    spec = context.spec
    newest = latest_forecasts(context.session, context.project, 1)
    row_at = newest_row_at(context.session, context.project, spec)
    if not newest or row_at is None:
        return False
    made = newest[0]
    is_of_config = (made.market, made.unit, made.horizon) == (spec.market, spec.unit, spec.horizon)
    late = (row_at - made.candle_date_time_utc) / timedelta(minutes=spec.unit)
    return is_of_config and late <= UNSERVED_ROWS
