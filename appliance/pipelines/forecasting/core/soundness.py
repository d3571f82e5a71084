"""Train workflow: whether the rows that a model is about to learn from are what they claim."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pandas as pd

from appliance import clock
from appliance.errors import DataQualityError, InsufficientData
from appliance.pipelines.context import Json, StageContext
from appliance.pipelines.forecasting.core.first_model import skip_once_served
from appliance.pipelines.forecasting.core.preprocess import prepare_features
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.loader.feature_loader import (
    load_rows,
    newest_row_at,
    store_rows,
)
from appliance.pipelines.forecasting.preprocessor import soundness
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.progress import tell

ROWS = 1_200
"""The newest stored rows that are judged."""
SECONDS = 60.0
"""The checks end within this time, or the rows count as not judged."""
_FEWEST_ROWS = 50

Check = Callable[[CandleWindow, pd.DataFrame, ForecastSpec], str]

_CHECKS: dict[str, tuple[Check, str]] = {
    "close": (lambda window, rows, _: soundness.own_close(window, rows), soundness.CLOSE_HINT),
    "determinism": (soundness.determinism, soundness.DETERMINISM_HINT),
    "look-ahead": (soundness.look_ahead, soundness.LOOK_AHEAD_HINT),
    "parity": (soundness.parity, soundness.PARITY_HINT),
}


def check_rows(context: StageContext[ForecastSpec]) -> dict[str, Json]:
    """Judge the newest stored rows; a model of rows that fail is neither trained nor registered.

    Rows that changed code or parameters ask for are made first, where the data workflow has not yet.
    The rows are computed again from the stored candles. What the candles no longer give, because the
    exchange has corrected one, is written anew first.

    Returns:
        rows: how many were judged; renewed: those written anew; seconds.

    Raises:
        StageSkipped: a first model was asked for, and there is one by now.
        InsufficientData: there are too few rows to judge yet.
        DataQualityError: a check has found something, or did not end in time; names row and values.
    """
    skip_once_served(context)
    spec, session, project = context.spec, context.session, context.project
    began = clock.monotonic()
    if newest_row_at(session, project, spec) is None:
        prepare_features(context)
    stored = load_rows(session, project, spec, limit=ROWS)
    if len(stored) < _FEWEST_ROWS:
        raise InsufficientData(
            f"{len(stored)} prepared rows, {_FEWEST_ROWS} are needed to judge them",
            hint="more arrive by themselves; `appliance status` shows the backfill",
            project=project,
        )
    tell(f"checking the newest {len(stored):,} rows: look-ahead, parity, determinism")
    first_at = stored[TIME].iloc[0].to_pydatetime()
    end_at = stored[TIME].iloc[-1].to_pydatetime() + timedelta(minutes=spec.unit)
    window = spec.recipe.load_window(session, spec, first_at, end_at)
    if window is None:
        raise InsufficientData(f"a market that {project} needs has no candles", project=project)
    rows = spec.recipe.compute_rows(window, spec)
    rows = rows[rows[TIME] >= first_at].reset_index(drop=True)
    if len(rows) < _FEWEST_ROWS:
        raise _refused(
            project,
            f"cannot be judged: computed again from the candles there are {len(rows)} of {len(stored)}",
            "the code that makes rows leaves out what it made before: compare it with the version before",
        )
    for name, (check, hint) in _CHECKS.items():
        found = check(window, rows, spec)
        if found:
            raise _refused(project, f"{name}: {found}", hint)
        if clock.monotonic() - began > SECONDS:
            raise _refused(
                project,
                f"cannot be judged: checking {len(rows)} rows takes more than {SECONDS:.0f} s",
                f"`appliance project check {project}` shows what features cost",
            )
    renewed = store_rows(session, project, spec, rows)
    seconds = round(clock.monotonic() - began, 2)
    return {"rows": len(rows), "renewed": renewed, "seconds": seconds}


def _refused(project: str, words: str, hint: str) -> DataQualityError:
    return DataQualityError(
        f"the prepared rows are not sound, nothing was trained or registered: {words}",
        code="data.unsound_rows",
        hint=hint,
        project=project,
    )
