"""Walk-forward evaluation: learn the past, score what follows, move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from appliance.errors import InsufficientData
from appliance.pipelines.forecasting.evaluator.scores import Scores, score
from appliance.pipelines.forecasting.forecast_spec import EvaluationSpec
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.trainer.quantile_forecaster import QuantileForecaster

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
FoldReport = Callable[[int, int, Scores], None]


@dataclass(frozen=True, slots=True)
class Fold:
    """Train on [0, train_stop), test on [test_start, test_stop), by position."""

    train_stop: int
    test_start: int
    test_stop: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All folds' test rows put together in time order, and the scores of each fold and of all."""

    times: pd.DatetimeIndex
    outcomes: Vector
    forecast: Matrix
    static: Matrix
    ewma: Matrix
    folds: tuple[Scores, ...]
    overall: Scores


def split_folds(rows: int, spec: EvaluationSpec, horizon: int) -> Iterator[Fold]:
    """Yield expanding-window folds over the newest `test_fraction` of the rows.

    The rows between training and test (purge, at least the horizon, plus embargo) keep overlapping
    outcomes apart (Lopez de Prado, Advances in Financial Machine Learning, 2018, ch. 7).

    Raises:
        InsufficientData: too few rows to train the first fold.
    """
    apart = max(spec.purge, horizon) + spec.embargo
    edges = np.linspace(rows * (1.0 - spec.test_fraction), rows, spec.folds + 1).astype(int)
    if edges[0] - apart < 2 * apart or edges[1] - edges[0] < 1:
        raise InsufficientData(
            f"{rows} labelled rows are too few for {spec.folds} folds {apart} rows apart",
            hint="wait for more candles, or lower evaluation.folds",
        )
    for start, stop in pairwise(edges.tolist()):
        yield Fold(start - apart, start, stop)


def evaluate_walk_forward(
    rows: LabelledRows,
    new_model: Callable[[], QuantileForecaster],
    spec: EvaluationSpec,
    horizon: int,
    report: FoldReport | None = None,
) -> Evaluation:
    """Train a fresh model per fold and score it on the fold's test rows.

    `report` is told each fold's number, the number of folds, and the fold's scores.
    """
    tested: list[LabelledRows] = []
    parts: list[tuple[Matrix, Matrix, Matrix]] = []
    folds: list[Scores] = []
    levels = new_model().quantiles
    for fold in split_folds(len(rows), spec, horizon):
        train, test = rows.slice(0, fold.train_stop), rows.slice(fold.test_start, fold.test_stop)
        model = new_model().fit(train.features, train.returns, train.realised)
        x = test.features
        tested.append(test)
        parts.append((model.predict(x), model.predict_static(x), model.predict_ewma(x)))
        folds.append(score(test.returns, *parts[-1], levels))
        if report is not None:
            report(len(folds), spec.folds, folds[-1])
    outcomes = np.concatenate([test.returns for test in tested])
    forecast, static, ewma = (np.vstack([part[i] for part in parts]) for i in range(3))
    return Evaluation(
        times=pd.DatetimeIndex(np.concatenate([test.times for test in tested])),
        outcomes=outcomes,
        forecast=forecast,
        static=static,
        ewma=ewma,
        folds=tuple(folds),
        overall=score(outcomes, forecast, static, ewma, levels),
    )
