"""Inference workflow: forecasts of new candles, outcomes of matured ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from appliance import clock
from appliance.domain.forecast import Forecast, Quantiles
from appliance.domain.model_version import ModelVersion
from appliance.errors import ConfigError, ModelRefused, UnrepairedGap
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.core.registry_changes import note_changes
from appliance.pipelines.forecasting.core.trials import (
    follow_champion,
    serving_version,
    twin_of,
)
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.completeness import require_complete
from appliance.pipelines.forecasting.loader.feature_loader import load_rows, newest_row_at
from appliance.pipelines.forecasting.loader.model_loader import load_forecaster
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.row_digest import row_digest
from appliance.pipelines.forecasting.serving import serves
from appliance.pipelines.forecasting.trained_window import unseen_from
from store import forecasts as store
from store.coverage import watermark

Matrix = NDArray[np.float64]


def forecast_candles(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Forecast every recent prepared row that the production model has not forecast yet.

    Rows that the model was trained on are never forecast. Parameter `model_version=N` forecasts
    with that version instead.

    Off the live path also every older row is forecast that an outage left without a production
    forecast, and every version forecasts in the shadow whose evidence counts: challengers, the
    champion deposed last, the frozen twin. While the registry is away the last champion goes on alone.

    Returns:
        forecasts: how many were stored; model_version: 0 without a model; shadows: how many forecasts
        of other versions were stored; note: what is missing.

    Raises:
        ModelNotFound: no such version.
        ConfigError: the version asked for does not serve this config.
        UnrepairedGap: candles that the rows rest on are unknown.
    """
    if context.resources.warm_models is None:
        note_changes(context)
    version = _choose_version(context)
    if version is None:
        return {"forecasts": 0, "model_version": 0, "shadows": 0, "note": "no production model yet"}
    is_asked = context.integer_param("model_version") is not None
    made = forecast_version(context, version, _recent_at(context), is_production=not is_asked)
    shadows, note = 0, ""
    if not is_asked and context.resources.warm_models is None:
        made += _forecast_unserved(context, version)
        if context.is_registry_away:
            note = "the registry is away: its last champion goes on, without shadows"
        else:
            shadows = _forecast_shadows(context, version)
    return {"forecasts": made, "model_version": version.version, "shadows": shadows, "note": note}


def forecast_version(
    context: StageContext[ForecastSpec],
    version: ModelVersion,
    since_at: datetime,
    *,
    is_production: bool = False,
    at_least: int = 1,
) -> int:
    """Forecast the prepared rows from `since_at` on that a version was not trained on and has not forecast.

    Nothing is done, and no model loaded, while fewer than `at_least` rows are missing.

    Returns:
        How many forecasts were stored.

    Raises:
        UnrepairedGap: candles that the rows rest on are unknown.
    """
    spec, session, project = context.spec, context.session, context.project
    first_at = max(since_at, unseen_from(version, spec.unit, spec.horizon))
    missing = store.unforecast_candles(
        session,
        project,
        spec.market,
        spec.unit,
        spec.horizon,
        version.version,
        first_at,
        row_digest(spec),
    )
    if len(missing) < at_least:
        return 0
    return _forecast_rows(context, version, missing, is_production=is_production)


def _forecast_unserved(context: StageContext[ForecastSpec], version: ModelVersion) -> int:
    """Forecast what an outage has left out, however long ago; what lies beside a gap waits for its repair."""
    spec = context.spec
    missing = store.unserved_candles(
        context.session,
        context.project,
        spec.market,
        spec.unit,
        spec.horizon,
        version.version,
        unseen_from(version, spec.unit, spec.horizon),
        row_digest(spec),
    )
    if not missing:
        return 0
    with suppress(UnrepairedGap):
        return _forecast_rows(context, version, missing, is_production=True)
    return 0


def _forecast_rows(
    context: StageContext[ForecastSpec],
    version: ModelVersion,
    missing: list[datetime],
    *,
    is_production: bool,
) -> int:
    """Forecast the named rows, ascending; returns how many forecasts were stored."""
    spec, session, project = context.spec, context.session, context.project
    require_complete(session, spec, missing[0], missing[-1])
    rows = load_rows(session, project, spec, start_at=missing[0])
    rows = rows[rows[TIME].isin(missing)]
    model = load_forecaster(context.models, project, version.version)
    made = _forecasts(
        context,
        version.version,
        [at.to_pydatetime() for at in rows[TIME]],
        rows["close"].to_numpy(np.float64),
        (model.predict(rows), model.predict_static(rows), model.predict_ewma(rows)),
    )
    return store.insert_forecasts(
        session, [replace(each, is_production=is_production) for each in made]
    )


def _forecast_shadows(context: StageContext[ForecastSpec], champion: ModelVersion) -> int:
    """Forecast with the other versions, some rows at a time: soon enough to precede their outcomes."""
    patience = max(1, context.spec.horizon // 3)
    since = {trial.challenger: trial.from_at for trial in follow_champion(context, champion)}
    twin = twin_of(context, champion)
    since[twin] = min(since.get(twin, _recent_at(context)), _recent_at(context))
    since.pop(champion.version, None)
    made = 0
    for number, since_at in since.items():
        version = serving_version(context, number)
        if version is None:
            continue
        # They wait for the repair, and a refused one ends its trial at the next run.
        with suppress(UnrepairedGap, ModelRefused):
            made += forecast_version(context, version, since_at, at_least=patience)
    return made


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
        return champion if champion is not None and serves(context, champion) else None
    version = context.registry.version(context.project, asked)
    if not serves(context, version):
        spec = context.spec
        raise ConfigError(
            f"version {asked} does not forecast {spec.market} {spec.unit}m, {spec.horizon} ahead,"
            " from the features of the current config",
            hint="choose another version, or train one: appliance run train",
        )
    return version


def _recent_at(context: StageContext[ForecastSpec]) -> datetime:
    spec = context.spec
    newest_at = newest_row_at(context.session, context.project, spec)
    return (newest_at or clock.now()) - timedelta(minutes=spec.unit * (spec.catch_up_rows - 1))


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
