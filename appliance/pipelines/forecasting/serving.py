"""What a registered version says about itself in its tags, and whether it fits a config."""

from __future__ import annotations

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, RegistryError, TransientError
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.model_loader import load_forecaster
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.trained_window import trained_until
from store.features import has_equal_rows
from store.model_proofs import REGISTRY, is_refused

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
    return not why_not_serving(context, version)


def why_not_serving(context: StageContext[ForecastSpec], version: ModelVersion) -> str:
    """Return in words why a version cannot forecast what the config asks for, "" when it can."""
    if lack := lacks_tags(version, context.spec):
        return lack
    if not is_of_config(version, context.spec):
        return "serves another config"
    made_by, learnt = row_digest(context.spec), learnt_from(version)
    if learnt == made_by or has_equal_rows(context.session, context.project, made_by, learnt):
        return ""
    return "learnt from rows that other code made"


def lacks_tags(version: ModelVersion, spec: ForecastSpec) -> str:
    """Return in words what a version's tags no longer say, "" when they say all that is needed."""
    if any(name not in version.tags for name in identity_tags(spec)):
        return "does not say what it forecasts: tags of it are gone from MLflow"
    try:
        trained_until(version)
    except ModelNotFound:
        return "does not say which rows it was trained on: tags of it were changed in MLflow"
    return ""


def is_usable(context: StageContext[ForecastSpec], version: ModelVersion) -> bool:
    """Whether a version serves the config and, where its files were refused, can still be loaded."""
    if not serves(context, version):
        return False
    return not (
        is_refused(context.session, version, REGISTRY) and cannot_be_loaded(context, version)
    )


def cannot_be_loaded(context: StageContext[ForecastSpec], version: ModelVersion) -> str:
    """Return in words why a version's files cannot be used, from MLflow or a copy, "" when they can.

    Raises:
        RegistryUnavailable: the registry does not answer.
    """
    try:
        load_forecaster(context.models, context.project, version.version)
    except RegistryError as error:
        if isinstance(error, TransientError):
            raise
        return f"cannot be used: {error.message}"
    return ""


def is_of_config(version: ModelVersion, spec: ForecastSpec) -> bool:
    """Whether a version forecasts what `spec` asks for, whatever code made the rows of its training."""
    wanted = identity_tags(spec)
    return all(version.tags.get(name) == value for name, value in wanted.items())


def learnt_from(version: ModelVersion) -> str:
    """Return the digest of the rows that a version learnt from, "" when it does not say."""
    return version.tags.get(ROW_DIGEST, "")
