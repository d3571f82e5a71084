"""The live loss beside what it was at training, and the loss that forecasts let one expect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from appliance import clock
from appliance.domain.drift import LossReport, RegimeLoss
from appliance.domain.forecast import Forecast
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import LossEstimate
from appliance.drift.loss_reference import LiveLosses, LossReference, judge_loss
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.evaluator.comparison import regimes
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.quality import NO_WIDTH
from store.forecasts import latest_forecasts, read_outcomes
from store.retrains import read_estimates, reconcile_estimates, write_estimate

Context = StageContext[ForecastSpec]
Vector = NDArray[np.float64]


def live_outcomes(context: Context, version: int) -> tuple[pa.Table, int, int]:
    """Return the newest outcomes to judge by, and how many of the newest are live and filled later.

    Where the live ones are enough (`monitoring.min_rows`) they alone are returned.
    """
    spec = context.spec.monitoring
    newest = read_outcomes(
        context.session, context.project, model_version=version, limit=spec.performance_rows
    )
    live = newest.filter(newest.column("is_live"))
    chosen = live if live.num_rows >= spec.min_rows else newest
    return chosen, live.num_rows, newest.num_rows - live.num_rows


def report_loss(
    context: Context, champion: ModelVersion, profile: Mapping[str, Any] | None
) -> LossReport | None:
    """Judge the champion's live loss; None when its profile does not say what the loss was at training.

    Also writes down what the forecasts that have not matured let one expect, and reconciles earlier
    estimates with the losses that came.
    """
    stored = (profile or {}).get("loss")
    if not isinstance(stored, dict):
        return None
    reference = LossReference.from_json(stored)
    outcomes, _, _ = live_outcomes(context, champion.version)
    coming = _coming(context, champion.version, outcomes)
    reconcile_estimates(context.session, context.project, champion.version)
    estimates = read_estimates(context.session, context.project, champion.version)
    _estimate(context, champion.version, reference, coming, estimates)
    known = [
        (each.expected, each.realised)
        for each in estimates
        if each.realised is not None and math.isfinite(each.expected)
    ]
    live = LiveLosses(
        losses=outcomes.column("pinball").to_numpy(),
        ewma_widths=_width(outcomes, "ewma_"),
        coming_widths=np.array([_own_width(each) for each in coming]),
        tracked=np.array(known, dtype=np.float64),
    )
    judged = judge_loss(reference, live, context.spec.monitoring.min_rows)
    return replace(judged, regimes=regime_losses(live.losses, live.ewma_widths))


def regime_losses(losses: Vector, widths: Vector) -> tuple[RegimeLoss, ...]:
    """Return the loss over the EWMA width in calm, normal and turbulent rows; rows without width left out."""
    is_wide = widths > NO_WIDTH
    losses, widths = losses[is_wide], widths[is_wide]
    if not widths.size:
        return ()
    return tuple(
        RegimeLoss(name, int(rows.sum()), float((losses[rows] / widths[rows]).mean()))
        for name, rows in regimes(widths).items()
        if rows.any()
    )


def _coming(context: Context, version: int, outcomes: pa.Table) -> list[Forecast]:
    """Return the newest forecasts without an outcome, ascending."""
    newest = latest_forecasts(context.session, context.project, context.spec.horizon, version)
    if not outcomes.num_rows:
        return newest
    matured_at = outcomes.column("candle_date_time_utc")[-1].as_py()
    return [each for each in newest if each.candle_date_time_utc > matured_at]


def _estimate(
    context: Context,
    version: int,
    reference: LossReference,
    coming: list[Forecast],
    estimates: list[LossEstimate],
) -> None:
    covered_at = estimates[-1].window_end_at if estimates else None
    new = [each for each in coming if covered_at is None or each.candle_date_time_utc > covered_at]
    if not new or not math.isfinite(reference.per_width):
        return
    expected = reference.per_width * float(np.mean([_own_width(each) for each in new]))
    estimate = LossEstimate(
        project=context.project,
        model_version=version,
        window_start_at=new[0].candle_date_time_utc,
        window_end_at=new[-1].candle_date_time_utc,
        rows=len(new),
        expected=expected,
        realised=None,
        estimated_at=clock.now(),
    )
    write_estimate(context.session, estimate)


def _own_width(forecast: Forecast) -> float:
    return forecast.quantiles.upper - forecast.quantiles.lower


def _width(outcomes: pa.Table, prefix: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    upper, lower = (outcomes.column(prefix + name).to_numpy() for name in ("upper", "lower"))
    return np.asarray(upper - lower, dtype=np.float64)
