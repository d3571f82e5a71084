"""Inference workflow: forecasts of new candles, outcomes of matured ones."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from appliance import clock
from appliance.domain.forecast import Forecast, Quantiles
from appliance.domain.model_version import ModelVersion
from appliance.errors import ConfigError
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.crypto_forecast.configs.forecast_spec import ForecastSpec
from appliance.pipelines.crypto_forecast.loader.completeness import require_complete
from appliance.pipelines.crypto_forecast.loader.feature_loader import load_rows
from appliance.pipelines.crypto_forecast.loader.model_loader import load_forecaster
from appliance.pipelines.crypto_forecast.preprocessor.transformation import TIME
from appliance.pipelines.crypto_forecast.utils.serving import serves, unseen_from
from store import forecasts as store
from store.coverage import watermark
from store.features import newest_feature_at

Matrix = NDArray[np.float64]


def forecast_candles(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Forecast every recent prepared row that the production model has not forecast yet.

    Rows that the model was trained on are never forecast. Parameter `model_version=N` forecasts
    with that version instead.

    Returns:
        forecasts: how many were stored; model_version: 0 without a model; note: what is missing.

    Raises:
        ModelNotFound: no such version.
        ConfigError: the version asked for does not serve this config.
        UnrepairedGap: candles that the rows rest on are unknown.
    """
    spec = context.spec
    version = _choose_version(context)
    if version is None:
        return {"forecasts": 0, "model_version": 0, "note": "no production model yet"}
    missing = _missing(context, version)
    made = 0
    if missing:
        require_complete(context.session, spec, missing[0], missing[-1])
        rows = load_rows(context.session, context.project, spec, start_at=missing[0])
        rows = rows[rows[TIME].isin(missing)]
        model = load_forecaster(context.models, context.project, version.version)
        made = store.insert_forecasts(
            context.session,
            _forecasts(
                context,
                version.version,
                [at.to_pydatetime() for at in rows[TIME]],
                rows["close"].to_numpy(np.float64),
                (model.predict(rows), model.predict_static(rows), model.predict_ewma(rows)),
            ),
        )
    return {"forecasts": made, "model_version": version.version, "note": ""}


def join_outcomes(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Give matured forecasts their outcome; nothing matures beyond what is proven.

    Returns:
        joined: how many forecasts got one.
    """
    spec = context.spec
    proven_at = watermark(context.session, spec.market, spec.unit)
    if proven_at is None:
        return {"joined": 0}
    return {"joined": store.join_outcomes(context.session, context.project, proven_at)}


def _choose_version(context: StageContext[ForecastSpec]) -> ModelVersion | None:
    asked = context.integer_param("model_version")
    if asked is None:
        champion = context.champion()
        return champion if champion is not None and serves(champion, context.spec) else None
    version = context.models.version(context.project, asked)
    if not serves(version, context.spec):
        spec = context.spec
        raise ConfigError(
            f"version {asked} does not forecast {spec.market} {spec.unit}m, {spec.horizon} ahead,"
            " from the features of the current config",
            hint="choose another version, or train one: appliance run train",
        )
    return version


def _missing(context: StageContext[ForecastSpec], version: ModelVersion) -> list[datetime]:
    spec, session = context.spec, context.session
    newest_at = newest_feature_at(session, context.project, spec.market, spec.unit)
    if newest_at is None:
        return []
    recent_at = newest_at - timedelta(minutes=spec.unit * (spec.catch_up_rows - 1))
    return store.unforecast_candles(
        session,
        context.project,
        spec.market,
        spec.unit,
        spec.horizon,
        version.version,
        max(recent_at, unseen_from(version, spec)),
    )


def _forecasts(
    context: StageContext[ForecastSpec],
    version: int,
    times: list[datetime],
    closes: NDArray[np.float64],
    quantiles: tuple[Matrix, Matrix, Matrix],
) -> list[Forecast]:
    spec, made_at = context.spec, clock.now()
    ahead = timedelta(minutes=spec.unit * spec.horizon)
    own, static, ewma = ([Quantiles(*row) for row in matrix.tolist()] for matrix in quantiles)
    return [
        Forecast(
            project=context.project,
            market=spec.market,
            unit=spec.unit,
            candle_date_time_utc=at,
            horizon=spec.horizon,
            target_at=at + ahead,
            model_version=version,
            base_price=float(closes[index]),
            quantiles=own[index],
            static=static[index],
            ewma=ewma[index],
            made_at=made_at,
        )
        for index, at in enumerate(times)
    ]
