"""Trains a registered version again on its recorded window and compares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import cast

import numpy as np

from appliance.domain.reproduction import MetricDifference, Reproduction
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.core.evaluate import evaluate_training, evaluation_metrics
from appliance.pipelines.forecasting.core.recorded import load_split
from appliance.pipelines.forecasting.evaluator.holdout import score_held_out
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.model_loader import load_forecaster
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster
from appliance.pipelines.forecasting.trainer.record import (
    CODE,
    CONFIG,
    DATA_WINDOW,
    ENVIRONMENT,
)
from appliance.pipelines.forecasting.trainer.training import Split, content_hash, fit_model
from appliance.pipelines.progress import tell
from appliance.pipelines.provenance import code_version, differences, environment

TOLERANCE = 1e-9
"""Relative to a metric, or in log return: what another number of cores may do to a sum."""


def reproduce_model(context: StageContext[ForecastSpec], number: int) -> Reproduction:
    """Fit and evaluate again as version `number` was, and compare rows, predictions and metrics.

    The rows are those of its window that the code makes now.

    Raises:
        ModelNotFound: no such version, or it does not say how it was trained.
        DataQualityError: its rows are no longer stored.
    """
    registry, project = context.registry, context.project
    version = registry.version(project, number)
    spec = type(context.spec).model_validate(registry.document(version.run_id, CONFIG))
    window = cast("dict[str, str]", registry.document(version.run_id, DATA_WINDOW))
    start_at, end_at, held_out_end_at = (
        datetime.fromisoformat(window[name]) for name in ("start_at", "end_at", "held_out_end_at")
    )
    made_by = row_digest(spec)
    split = load_split(context.session, project, spec, start_at, held_out_end_at, made_by)
    tell(f"fitting version {number} again on {len(split.training):,} rows")
    again = fit_model(split.training, spec)
    recorded = load_forecaster(registry, project, number)
    metrics = _metrics(again, split, spec)
    return Reproduction(
        project=project,
        version=number,
        start_at=start_at,
        end_at=end_at,
        rows=len(split.training),
        has_same_rows=content_hash(split.training) == window["sha256"],
        row_digest=window.get("row_digest", ""),
        current_row_digest=made_by,
        largest_difference=_largest_difference(recorded, again, split),
        metrics=len(version.metrics.keys() & metrics.keys()),
        differing_metrics=compare_metrics(version.metrics, metrics),
        code=_changes(context, version.run_id, CODE, code_version(project)),
        packages=_changes(context, version.run_id, ENVIRONMENT, environment()),
        tolerance=TOLERANCE,
    )


def compare_metrics(
    recorded: Mapping[str, float], again: Mapping[str, float]
) -> tuple[MetricDifference, ...]:
    """Return the metrics of both that differ by more than `TOLERANCE`."""
    return tuple(
        MetricDifference(name, recorded[name], again[name])
        for name in sorted(recorded.keys() & again.keys())
        if not math.isclose(recorded[name], again[name], rel_tol=TOLERANCE, abs_tol=0.0)
    )


def _metrics(model: QuantileForecaster, split: Split, spec: ForecastSpec) -> dict[str, float]:
    held_out = score_held_out(model, split.comparison, spec).scores
    return {
        **{f"holdout_{name}": value for name, value in held_out.metrics().items()},
        **evaluation_metrics(evaluate_training(split.training, spec), spec),
    }


def _largest_difference(
    recorded: QuantileForecaster, again: QuantileForecaster, split: Split
) -> float:
    differences_of = (
        np.abs(recorded.predict(rows.features) - again.predict(rows.features)).max()
        for rows in (split.training, split.comparison)
    )
    return float(max(differences_of))


def _changes(
    context: StageContext[ForecastSpec], run_id: str, document: str, current: dict[str, str]
) -> dict[str, str]:
    recorded = cast("dict[str, str]", context.registry.document(run_id, document))
    return differences(recorded, current)
