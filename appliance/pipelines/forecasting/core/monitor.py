"""Realised performance, and drift against what the model was trained on."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from appliance import clock
from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict
from appliance.domain.event import EventKind, Severity
from appliance.domain.forecast import Performance
from appliance.drift.profile import ReferenceProfile
from appliance.drift.report import (
    DriftThresholds,
    apart_positions,
    overall_verdict,
    score_features,
)
from appliance.pipelines.context import Json, StageContext, StageSkipped
from appliance.pipelines.forecasting.core.live_loss import live_outcomes, report_loss
from appliance.pipelines.forecasting.evaluator.effects import loss_effects
from appliance.pipelines.forecasting.evaluator.scores import skill
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec, MonitoringSpec
from appliance.pipelines.forecasting.loader.feature_loader import load_rows
from appliance.pipelines.forecasting.loader.market_loader import load_market_values
from appliance.pipelines.forecasting.loader.model_loader import load_forecaster
from appliance.pipelines.forecasting.loader.profile_loader import load_profile
from appliance.pipelines.forecasting.preprocessor.labels import TIME, label_rows
from appliance.pipelines.forecasting.serving import serves
from appliance.pipelines.forecasting.trained_window import unseen_from
from appliance.pipelines.forecasting.trainer.training import FORECAST_MEDIAN, FORECAST_WIDTH
from store.drift import latest_report, read_reports, write_report
from store.forecasts import latest_forecasts
from store.performance import write_performance


def measure_performance(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Measure the production model over its newest matured forecasts, those made live where enough.

    Returns:
        rows, live_rows, filled_rows (forecast after the outcome was known), pinball, skill_static,
        skill_ewma, coverage; new_outcomes since the last monitoring.

    Raises:
        StageSkipped: too few new outcomes for a monitoring run, or no model yet.
    """
    spec, project = context.spec, context.project
    version = _as_int(context.result_of("forecast_candles", "model_version"))
    if not version:
        raise StageSkipped("no production model yet")
    report = latest_report(context.session, project)
    is_first = report is None or report.model_version != version
    if not is_first and not context.result_of("join_outcomes", "joined"):
        raise StageSkipped("no new outcomes")
    outcomes, live, filled = live_outcomes(context, version)
    result: dict[str, Json] = {
        "rows": outcomes.num_rows,
        "live_rows": live,
        "filled_rows": filled,
        "model_version": version,
    }
    if outcomes.num_rows:
        performance = replace(
            _performance(context, version, outcomes), live_rows=live, filled_rows=filled
        )
        write_performance(context.session, performance)
        for name in ("pinball", "skill_static", "skill_ewma", "coverage"):
            result[name] = getattr(performance, name)
    new = _new_outcomes(outcomes, None if is_first or report is None else report.window_end_at)
    if context.params.get("model_version"):
        raise StageSkipped("forecasts of a chosen version are not monitored")
    if not is_first and new < spec.monitoring.min_new_outcomes:
        raise StageSkipped(
            f"{new} new outcomes, monitoring runs after {spec.monitoring.min_new_outcomes}"
        )
    return {**result, "new_outcomes": new}


def measure_drift(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Compare the newest rows with the production model's stored reference profile.

    Returns:
        verdict; model_version; rows; drifted: names of the features that have drifted.

    Raises:
        StageSkipped: there is no production model yet.
    """
    spec, session, project = context.spec, context.session, context.project
    champion = context.champion()
    if champion is None or not serves(context, champion):
        raise StageSkipped("no production model yet")
    profile = load_profile(session, lambda: context.registry, project, champion)
    reference = ReferenceProfile.from_json(profile) if profile is not None else None
    rows = load_rows(
        session,
        project,
        spec,
        start_at=unseen_from(champion, spec.unit, spec.horizon),
        limit=reference.window_rows if reference else spec.monitoring.window_rows,
    )
    previous = latest_report(session, project)
    thresholds = drift_thresholds(spec.monitoring)
    scores: tuple[DriftScore, ...] = ()
    if reference is not None and len(rows):
        current = _current_values(context, champion.version, rows)
        scores = score_features(reference, current, thresholds)
        scores = _with_effects(context, champion.version, rows, scores)
    now_at = clock.now()
    end_at = rows[TIME].iloc[-1].to_pydatetime() if len(rows) else now_at
    earlier = _earlier_windows(context, champion.version, end_at, len(rows))
    report = DriftReport(
        project=project,
        model_version=champion.version,
        verdict=overall_verdict(scores, earlier, thresholds),
        window_start_at=rows[TIME].iloc[0].to_pydatetime() if len(rows) else now_at,
        window_end_at=end_at,
        computed_at=now_at,
        scores=scores,
        loss=report_loss(context, champion, profile),
    )
    write_report(session, report)
    drifted = [s.feature for s in report.ranked if s.verdict is DriftVerdict.DRIFTED]
    _record_drift(context, report, previous, drifted)
    return {
        "verdict": report.verdict.value,
        "model_version": champion.version,
        "rows": len(rows),
        "drifted": list(drifted),
    }


def _earlier_windows(
    context: StageContext[ForecastSpec], version: int, end_at: datetime, rows: int
) -> list[tuple[DriftScore, ...]]:
    """Return the scores of the windows before, half a window of `rows` rows apart, newest last."""
    spec = context.spec.monitoring
    apart = timedelta(minutes=context.spec.unit * rows) / 2
    oldest_at = end_at - 2 * spec.persistence * apart
    reports = read_reports(context.session, context.project, version, oldest_at)
    ends = [report.window_end_at for report in reports]
    return [reports[i].scores for i in apart_positions(ends, end_at, apart, spec.persistence - 1)]


def _performance(
    context: StageContext[ForecastSpec], version: int, outcomes: pa.Table
) -> Performance:
    spec = context.spec
    frame = outcomes.to_pandas()
    loss = float(frame["pinball"].mean())
    realised, median = frame["realised_return"], frame["median"]
    moved = realised != 0.0
    has_moved = bool(moved.any())
    is_right = np.sign(realised[moved]) == np.sign(median[moved])
    return Performance(
        project=context.project,
        market=spec.market,
        unit=spec.unit,
        model_version=version,
        window_start_at=frame["candle_date_time_utc"].iloc[0].to_pydatetime(),
        window_end_at=frame["candle_date_time_utc"].iloc[-1].to_pydatetime(),
        rows=len(frame),
        pinball=loss,
        skill_static=_judged(
            skill(loss, float(frame["pinball_static"].mean()), has_moved=has_moved)
        ),
        skill_ewma=_judged(skill(loss, float(frame["pinball_ewma"].mean()), has_moved=has_moved)),
        coverage=float(frame["is_inside"].mean()),
        mae=float((realised - median).abs().mean()),
        direction=float(is_right.mean()) if has_moved else None,
        computed_at=clock.now(),
    )


def _judged(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _new_outcomes(outcomes: pa.Table, since_at: datetime | None) -> int:
    if since_at is None:
        return int(outcomes.num_rows)
    targets = outcomes.column("target_at").to_pandas()
    return int((targets > pd.Timestamp(since_at)).sum())


def _current_values(
    context: StageContext[ForecastSpec], version: int, rows: pd.DataFrame
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    grid = pd.date_range(
        rows[TIME].iloc[0], rows[TIME].iloc[-1], freq=f"{context.spec.unit}min", name=TIME
    )
    features = rows.set_index(TIME).reindex(grid).drop(columns="close")
    values = {str(name): features[name].to_numpy(np.float64) for name in features}
    newest = latest_forecasts(context.session, context.project, len(rows), version)
    first_at = rows[TIME].iloc[0]
    made = [forecast.quantiles for forecast in newest if forecast.candle_date_time_utc >= first_at]
    values[FORECAST_MEDIAN] = np.array([q.median for q in made], dtype=np.float64)
    values[FORECAST_WIDTH] = np.array([q.upper - q.lower for q in made], dtype=np.float64)
    return values | load_market_values(context.session, context.spec, grid)


def _with_effects(
    context: StageContext[ForecastSpec],
    version: int,
    rows: pd.DataFrame,
    scores: tuple[DriftScore, ...],
) -> tuple[DriftScore, ...]:
    """Say of each feature that has moved how much of the loss hangs on it."""
    calm = {DriftVerdict.STABLE, DriftVerdict.INSUFFICIENT}
    moved = [s.feature for s in scores if s.verdict not in calm and s.feature in rows.columns]
    labelled = label_rows(rows, context.spec.unit, context.spec.horizon)
    if not moved or len(labelled) < context.spec.monitoring.min_rows:
        return scores
    model = load_forecaster(context.models, context.project, version)
    effects = loss_effects(model, labelled, moved)
    return tuple(
        replace(s, effect=effects[s.feature] * (s.wasserstein or 0.0))
        if s.feature in effects
        else s
        for s in scores
    )


def drift_thresholds(spec: MonitoringSpec) -> DriftThresholds:
    """Return when a score is worth a word, as the config says."""
    return DriftThresholds(
        psi_warning=spec.psi_warning,
        psi_drifted=spec.psi_drifted,
        alpha=spec.alpha,
        min_rows=spec.min_rows,
        persistence=spec.persistence,
        statistics=frozenset(spec.statistics),
        missing_drifted=spec.missing_drifted,
        outside_drifted=spec.outside_drifted,
    )


def _record_drift(
    context: StageContext[ForecastSpec],
    report: DriftReport,
    previous: DriftReport | None,
    drifted: list[str],
) -> None:
    is_change = (
        previous is None
        or previous.verdict is not report.verdict
        or previous.model_version != report.model_version
    )
    if not is_change and report.verdict is not DriftVerdict.DRIFTED:
        return
    named = f" ({', '.join(drifted[:4])})" if drifted else ""
    worrying = {DriftVerdict.WARNING, DriftVerdict.DRIFTED}
    context.record(
        EventKind.DRIFT_VERDICT,
        f"drift against version {report.model_version}: {report.verdict.value}{named}",
        {
            "verdict": report.verdict.value,
            "model_version": report.model_version,
            "drifted": drifted,
            "rows": max((score.rows for score in report.scores), default=0),
            "loss": None if report.loss is None else report.loss.verdict.value,
            "psi": {score.feature: score.psi for score in report.scores},
        },
        Severity.WARNING if report.verdict in worrying else Severity.INFO,
    )


def _as_int(value: Json) -> int:
    return int(value) if isinstance(value, int | float | str) and value else 0
