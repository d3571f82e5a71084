"""What a registered version says about itself in its tags, and whether it fits a config."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.row_digest import row_digest
from store.features import has_equal_rows

WINDOW_START = "window_start_at"
WINDOW_END = "window_end_at"
HELD_OUT_END = "held_out_end_at"
ROW_DIGEST = "row_digest"
"""Which code and parameters made the rows of the training; versions of earlier releases do not say."""


def identity_tags(spec: ForecastSpec) -> dict[str, str]:
    """Return the tags that a version must carry to serve `spec`."""
    return {
        "market": spec.market,
        "unit": str(spec.unit),
        "horizon": str(spec.horizon),
        "features": spec.features.model_dump_json(),
        "feature_names": ",".join(spec.recipe.feature_names(spec)),
    }


def serves(context: StageContext[ForecastSpec], version: ModelVersion) -> bool:
    """Whether a version forecasts what the config asks for, and learnt from rows as its code makes them.

    Rows of other code count as the same once they were found to be.
    """
    if not is_of_config(version, context.spec):
        return False
    made_by, learnt = row_digest(context.spec), learnt_from(version)
    if learnt == made_by:
        return True
    return has_equal_rows(context.session, context.project, made_by, learnt)


def is_of_config(version: ModelVersion, spec: ForecastSpec) -> bool:
    """Whether a version forecasts what `spec` asks for, whatever code made the rows of its training."""
    wanted = identity_tags(spec)
    return all(version.tags.get(name) == value for name, value in wanted.items())


def learnt_from(version: ModelVersion) -> str:
    """Return the digest of the rows that a version learnt from, "" when it does not say."""
    return version.tags.get(ROW_DIGEST, "")


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
