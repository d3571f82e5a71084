"""Prepared rows for training, comparison and forecasts."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from appliance.errors import InsufficientData
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.preprocessor.labels import (
    LabelledRows,
    label_rows,
    to_arrow,
    to_frame,
)
from appliance.pipelines.forecasting.row_digest import row_digest
from store.features import (
    newest_feature_at,
    oldest_feature_at,
    read_features,
    write_features,
)
from store.session import Session


def load_rows(
    session: Session,
    project: str,
    spec: ForecastSpec,
    start_at: datetime | None = None,
    limit: int | None = None,
    digest: str | None = None,
) -> pd.DataFrame:
    """Return prepared rows from `start_at` on, the newest `limit` of them, ascending.

    They are those of one digest of code and parameters, by default of those that run now.
    """
    made_by = digest or row_digest(spec)
    return to_frame(
        read_features(session, project, spec.market, spec.unit, made_by, start_at, limit=limit)
    )


def store_rows(session: Session, project: str, spec: ForecastSpec, rows: pd.DataFrame) -> int:
    """Store rows that the config's code has just made; returns how many were new or changed."""
    return write_features(
        session, project, spec.market, spec.unit, row_digest(spec), to_arrow(rows)
    )


def newest_row_at(session: Session, project: str, spec: ForecastSpec) -> datetime | None:
    """Return the opening time of the newest row that the config's code has made."""
    return newest_feature_at(session, project, spec.market, spec.unit, row_digest(spec))


def oldest_row_at(session: Session, project: str, spec: ForecastSpec) -> datetime | None:
    """Return the opening time of the oldest row that the config's code has made."""
    return oldest_feature_at(session, project, spec.market, spec.unit, row_digest(spec))


def load_labelled_span(
    session: Session,
    project: str,
    spec: ForecastSpec,
    start_at: datetime,
    end_at: datetime | None,
    digest: str | None = None,
) -> LabelledRows | None:
    """Return the labelled rows of a digest that open in [start_at, end_at], None when there is none.

    The rows of a training are read again by the window and the digest that it noted.
    """
    rows = load_rows(session, project, spec, start_at=start_at, digest=digest)
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
