"""Prepared rows for training, comparison and forecasts."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from appliance.errors import InsufficientData
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import (
    LabelledRows,
    label_rows,
    to_frame,
)
from store.features import read_features
from store.session import Session


def load_rows(
    session: Session,
    project: str,
    spec: ForecastSpec,
    start_at: datetime | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Return prepared rows from `start_at` on, the newest `limit` of them, ascending."""
    table = read_features(session, project, spec.market, spec.unit, start_at=start_at, limit=limit)
    return to_frame(table)


def load_labelled_span(
    session: Session, project: str, spec: ForecastSpec, start_at: datetime, end_at: datetime | None
) -> LabelledRows | None:
    """Return the labelled rows that open in [start_at, end_at], None when there is none.

    The rows of a training are read again by the window that it noted.
    """
    rows = load_rows(session, project, spec, start_at=start_at)
    if rows.empty:
        return None
    labelled = label_rows(rows, spec.unit, spec.horizon)
    count = len(labelled)
    if end_at is not None:
        count = int(labelled.times.searchsorted(pd.Timestamp(end_at), side="right"))
    return labelled.slice(0, count) if count else None


def load_labelled(session: Session, project: str, spec: ForecastSpec) -> LabelledRows:
    """Return the newest `training_rows` prepared rows whose outcome is known.

    Raises:
        InsufficientData: fewer than `min_rows`.
    """
    rows = load_rows(session, project, spec, limit=spec.training_rows + spec.horizon)
    labelled = label_rows(rows, spec.unit, spec.horizon) if len(rows) else None
    count = len(labelled) if labelled is not None else 0
    if labelled is None or count < spec.min_rows:
        raise InsufficientData(
            f"{count} prepared rows with an outcome, a training needs {spec.min_rows}",
            hint="more arrive by themselves; `appliance status` shows the backfill",
            project=project,
        )
    return labelled
