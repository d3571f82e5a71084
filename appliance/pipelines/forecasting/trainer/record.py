"""What a training notes about itself, so that it can be understood, compared and done again."""

from __future__ import annotations

from datetime import datetime

from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.trainer.training import Split, content_hash
from appliance.pipelines.provenance import code_version, environment
from appliance.registry.records import DatasetWindow

CONFIG, DATA_WINDOW, ENVIRONMENT, CODE = "config", "data_window", "environment", "code_version"
"""Names of the documents that doing a training again rests on."""
_TOLD_SECTIONS = ("features", "learner", "evaluation")


def dataset_window(rows: LabelledRows, spec: ForecastSpec) -> DatasetWindow:
    """Return the window of the training rows, with the digest of their content."""
    return DatasetWindow(
        market=spec.market,
        unit=spec.unit,
        start_at=_at(rows, 0),
        end_at=_at(rows, -1),
        rows=len(rows),
        sha256=content_hash(rows),
    )


def documents(
    project: str, spec: ForecastSpec, split: Split, window: DatasetWindow
) -> dict[str, object]:
    """Return the documents of a training, JSON-compatible, by name."""
    return {
        CONFIG: spec.model_dump(mode="json"),
        DATA_WINDOW: {
            "start_at": window.start_at.isoformat(),
            "end_at": window.end_at.isoformat(),
            "held_out_end_at": _at(split.comparison, -1).isoformat(),
            "rows": window.rows,
            "held_out_rows": len(split.comparison),
            "sha256": window.sha256,
            "row_digest": row_digest(spec),
        },
        "feature_schema": {"names": spec.recipe.feature_names(spec), "dtype": "float64"},
        ENVIRONMENT: environment(),
        CODE: code_version(project),
    }


def parameters(spec: ForecastSpec) -> dict[str, object]:
    """Return the parameters that tell two trainings apart, by dotted name."""
    sections = {
        f"{section}.{name}": value
        for section in _TOLD_SECTIONS
        for name, value in getattr(spec, section).model_dump().items()
    }
    return {
        "config": type(spec).__name__,
        "market": spec.market,
        "unit": spec.unit,
        "horizon": spec.horizon,
        "quantiles": ",".join(str(level) for level in spec.quantiles),
        "training_rows": spec.training_rows,
        **sections,
    }


def _at(rows: LabelledRows, position: int) -> datetime:
    instant: datetime = rows.times[position].to_pydatetime()
    return instant
