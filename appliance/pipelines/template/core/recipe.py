"""What this project makes its own of the shared workflows."""

from __future__ import annotations

from appliance.pipelines.forecasting.recipe import Recipe
from appliance.pipelines.template.configs.template_spec import (
    TemplateSpec,
)
from appliance.pipelines.template.evaluator.metrics import (
    own_metrics,
)
from appliance.pipelines.template.loader.candle_loader import (
    load_window,
)
from appliance.pipelines.template.preprocessor.feature_engineering import (
    CALENDAR,
    feature_names,
)
from appliance.pipelines.template.preprocessor.transformation import (
    compute_rows,
)
from appliance.pipelines.template.trainer.training import (
    new_model,
)

RECIPE: Recipe[TemplateSpec] = Recipe(
    feature_names=lambda spec: feature_names(spec.features),
    load_window=load_window,
    compute_rows=compute_rows,
    new_model=new_model,
    own_metrics=own_metrics,
    unwatched=CALENDAR,
)
