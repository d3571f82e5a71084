"""What a registered version says about itself in its tags, and whether it fits a config."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec

WINDOW_START = "window_start_at"
WINDOW_END = "window_end_at"
HELD_OUT_END = "held_out_end_at"


def identity_tags(spec: ForecastSpec) -> dict[str, str]:
    """Return the tags that a version must carry to serve `spec`."""
    return {
        "market": spec.market,
        "unit": str(spec.unit),
        "horizon": str(spec.horizon),
        "features": spec.features.model_dump_json(),
        "feature_names": ",".join(spec.recipe.feature_names(spec)),
    }


def serves(version: ModelVersion, spec: ForecastSpec) -> bool:
    """Whether a version forecasts what `spec` asks for, from the features that `spec` prepares."""
    wanted = identity_tags(spec)
    return all(version.tags.get(name) == value for name, value in wanted.items())


def trained_until(version: ModelVersion) -> datetime:
    """Return the opening time of the newest row that the version learnt or was calibrated from.

    Raises:
        ModelNotFound: the version does not say; it was not registered by the train workflow.
    """
    return _instant(version, WINDOW_END)


def evaluated_until(version: ModelVersion) -> datetime:
    """Return the opening time of the newest row its training looked at, those kept back included.

    Raises:
        ModelNotFound: the version does not say; it was not registered by the train workflow.
    """
    return _instant(version, HELD_OUT_END)


def _instant(version: ModelVersion, tag: str) -> datetime:
    try:
        return datetime.fromisoformat(version.tags[tag])
    except (KeyError, ValueError) as error:
        raise ModelNotFound(
            f"{version.name} version {version.version} does not say which rows it was trained on",
            hint="promote a version that the train workflow registered",
        ) from error


def unseen_from(version: ModelVersion, spec: ForecastSpec) -> datetime:
    """Return the opening time of the first row whose outcome no training row's outcome overlaps."""
    return trained_until(version) + timedelta(minutes=spec.unit * (spec.horizon + 1))
