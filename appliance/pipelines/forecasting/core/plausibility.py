"""Whether a model's skill can be believed, or has to be looked at by a person first."""

from __future__ import annotations

import math

from appliance.domain.model_version import ModelVersion
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.serving import is_of_config, serves
from appliance.registry.aliases import HELD, REJECTED, STATE


def doubt_about(context: StageContext[ForecastSpec], version: ModelVersion) -> str:
    """Return in words why a person has to look at a version's skill, "" when it can be believed.

    It is compared with the best that the config ever had; a config's first version with a bound of its own.
    A skill that could not be judged gives no reason to doubt.
    """
    evaluation = context.spec.evaluation
    skill = version.metrics.get("skill_ewma", math.nan)
    before = [
        other.metrics["skill_ewma"]
        for other in context.registry.versions(context.project)
        if other.version != version.version
        and "skill_ewma" in other.metrics
        and other.tags.get(STATE) not in (HELD, REJECTED)
        and is_of_config(other, context.spec)
    ]
    if before and skill - max(before) > evaluation.most_skill_gain:
        never = f"where this config never had more than {100 * max(before):+.1f} %"
        return f"skill {100 * skill:+.1f} % over EWMA, {never}; look for a leak"
    least = min(skill, version.metrics.get("skill_static", math.nan))
    if not before and least > evaluation.first_model_most_skill:
        most = f"more than {100 * evaluation.first_model_most_skill:.0f} % over both benchmarks"
        return f"skill {100 * least:+.1f} %, {most} by a first model; look for a leak"
    return ""


def is_first_model_held(context: StageContext[ForecastSpec]) -> bool:
    """Whether the newest version that could serve the config waits for a person, or was rejected by one.

    The same code and rows would only make the same model again.
    """
    for version in context.registry.versions(context.project):
        if serves(context, version):
            return version.tags.get(STATE) in (HELD, REJECTED)
    return False
