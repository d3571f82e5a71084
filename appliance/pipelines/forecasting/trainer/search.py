"""Search for the learner's parameters within a time budget; an interrupted one goes on where it was.

The search sees only rows older than every test row of the walk-forward evaluation, so that the skill
reported afterwards is not that of rows the parameters were chosen on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.state_file import set_aside
from appliance.pipelines.forecasting.evaluator.walk_forward import (
    evaluate_walk_forward,
    split_folds,
)
from appliance.pipelines.forecasting.forecast_spec import (
    EvaluationSpec,
    ForecastSpec,
    LearnerSpec,
)
from appliance.pipelines.forecasting.preprocessor.labels import LabelledRows
from appliance.pipelines.forecasting.trainer.training import new_model
from appliance.pipelines.progress import tell

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

_TREES: dict[str, tuple[float, float]] = {
    "scale_iter": (20, 300),
    "scale_leaf_nodes": (4, 32),
    "scale_leaf_rows": (30, 1_000),
    "quantile_iter": (5, 150),
    "quantile_leaf_nodes": (2, 16),
    "quantile_leaf_rows": (60, 2_000),
    "learning_rate": (0.02, 0.2),
    "l2_regularization": (0.1, 100.0),
}
_LINES: dict[str, tuple[float, float]] = {"linear_penalty": (0.001, 10.0)}
SPACES = {
    "gradient_boosting": _TREES,
    "lightgbm": _TREES,
    "linear": _LINES,
    "blend": {**_TREES, **_LINES},
}
"""Ranges by kind of learner, all on a logarithmic scale; whole numbers where both ends are."""
_STUDY, _SPENT = "learner", "seconds"


def search_learner(rows: LabelledRows, spec: ForecastSpec, folder: Path) -> LearnerSpec:
    """Return the best learner parameters found within `spec.search.seconds`; 0 leaves them as they are.

    The config's own parameters are the first trial: what is returned was never worse than they are on
    the rows searched on. A budget is for one window of `search.renew_rows` rows; once it is spent, later
    trainings of the same window take what was found.

    Args:
        rows: training rows.
        spec: config with the parameters to begin with.
        folder: the project's own, where searches are kept.
    """
    if not spec.search.seconds:
        return spec.learner
    study = _open_study(folder, _journal_name(rows, spec))
    known = len(_finished(study))
    left = spec.search.seconds - _spent(study)
    tell(f"searching learner parameters: {known} trials known, {max(left, 0.0):.0f} s left")
    if left > 0:
        _run(study, _before_tests(rows, spec), spec, left)
    best = study.best_trial
    own = _finished(study)[0].value or 1.0
    tell(
        f"best of {len(_finished(study))} trials: loss {100 * (best.value or 1.0):.2f} % of EWMA's,"
        f" {100 * own:.2f} % with the config's own parameters"
    )
    return spec.learner.model_copy(update=best.params)


def _run(study: Study, rows: LabelledRows, spec: ForecastSpec, seconds: float) -> None:
    if not _finished(study):
        study.enqueue_trial({name: getattr(spec.learner, name) for name in space_of(spec.learner)})

    def loss(trial: Trial) -> float:
        learner = spec.learner.model_copy(update=_suggest(trial, spec.learner))
        candidate = spec.model_copy(update={"learner": learner})
        scores = evaluate_walk_forward(
            rows, lambda: new_model(candidate), _inner_folds(spec), spec.horizon
        ).overall
        skill = scores.skill_ewma
        relative = 1.0 - skill if math.isfinite(skill) else 1.0
        tell(f"trial {trial.number + 1}: loss {100 * relative:.2f} % of EWMA's")
        return relative

    before, began = _spent(study), clock.monotonic()

    def note(study: Study, trial: FrozenTrial) -> None:
        del trial
        study.set_user_attr(_SPENT, before + clock.monotonic() - began)

    study.optimize(loss, timeout=seconds, callbacks=[note])
    # A trial may end a moment before the time is up, when no other begins.
    study.set_user_attr(_SPENT, max(before + seconds, _spent(study)))


def space_of(learner: LearnerSpec) -> dict[str, tuple[float, float]]:
    """Return the ranges to search, each widened to the config's own value; what is 0 stays 0."""
    own = {name: getattr(learner, name) for name in SPACES[learner.kind]}
    return {
        name: (min(low, own[name]), max(high, own[name]))
        for name, (low, high) in SPACES[learner.kind].items()
        if own[name] > 0
    }


def _suggest(trial: Trial, learner: LearnerSpec) -> dict[str, float]:
    return {
        name: trial.suggest_int(name, low, high, log=True)
        if isinstance(low, int) and isinstance(high, int)
        else trial.suggest_float(name, low, high, log=True)
        for name, (low, high) in space_of(learner).items()
    }


def _before_tests(rows: LabelledRows, spec: ForecastSpec) -> LabelledRows:
    first = next(split_folds(len(rows), spec.evaluation, spec.horizon))
    return rows.slice(0, first.train_stop)


def _inner_folds(spec: ForecastSpec) -> EvaluationSpec:
    return spec.evaluation.model_copy(update={"folds": spec.search.folds})


_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, IsADirectoryError)
"""What optuna raises about a journal that it did not write like this."""


def _open_study(folder: Path, name: str) -> Study:
    """Return the study kept under `name`, a new one when there is none or it is damaged."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.journal"
    for other in folder.glob("*.journal*"):
        if not other.name.startswith(path.name) and other.is_file():
            other.unlink()

    def opened() -> Study:
        storage = JournalStorage(JournalFileBackend(str(path), JournalFileOpenLock(str(path))))
        study = optuna.create_study(study_name=_STUDY, storage=storage, load_if_exists=True)
        study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
        for trial in study.get_trials(states=[TrialState.RUNNING]):  # of a killed process
            study.tell(trial.number, state=TrialState.FAIL)
        return study

    try:
        return opened()
    except _DAMAGE as error:
        set_aside(path, f"no search can be read from it ({error or type(error).__name__})")
        return opened()


def _journal_name(rows: LabelledRows, spec: ForecastSpec) -> str:
    """Return a name that is the same while the same is searched on about the same rows."""
    wanted = spec.model_dump(mode="json", exclude={"monitoring", "retrain", "quality", "search"})
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    width = timedelta(minutes=spec.unit)
    newest = int(rows.times[-1].timestamp() // width.total_seconds())
    return f"{digest}-{newest // spec.search.renew_rows}"


def _finished(study: Study) -> list[FrozenTrial]:
    return [trial for trial in study.trials if trial.value is not None]


def _spent(study: Study) -> float:
    return float(study.user_attrs.get(_SPENT, 0.0))
