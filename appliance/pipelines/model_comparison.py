"""Compares two registered versions of a project, by what is on record of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, cast

from appliance import clock
from appliance.config.settings import Settings
from appliance.domain.model_comparison import (
    ModelComparison,
    RegimeLosses,
    RowScores,
    SameRows,
    TrainingFacts,
)
from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, RegistryError, TransientError
from appliance.pipelines.forecasting.evaluator.comparison import Comparison, compare_pairs
from appliance.pipelines.forecasting.trained_window import TRAIN_SECONDS, unseen_from
from appliance.pipelines.spec import describe_project
from store.session import Session
from store.trials import pair_trials, paired_losses, paired_scores

if TYPE_CHECKING:
    from appliance.pipelines.forecasting.forecast_spec import ForecastSpec

_SERVED = ("market", "unit", "horizon")
_PACE = timedelta(hours=6)
"""The present pace of common rows is that of this long."""


class VersionRecords(Protocol):
    """The registry, or the REST client of its server."""

    def version(self, project: str, number: int) -> ModelVersion:
        """Return one version; raises `ModelNotFound`."""
        ...

    def params(self, run_id: str) -> dict[str, str]:
        """Return the parameters of a run by name; empty for one that is gone."""
        ...

    def model_bytes(self, project: str, number: int) -> int | None:
        """Return how large a version's model is, None where that is not recorded."""
        ...


def gate_alpha(settings: Settings, project: str) -> float:
    """Return the error rate of a project's gate; raises `ConfigError` where it is not configured."""
    return cast("ForecastSpec", describe_project(settings, project)).evaluation.gate_alpha


def compare_versions(
    session: Session, registry: VersionRecords, project: str, first: int, second: int, alpha: float
) -> ModelComparison:
    """Return two versions beside each other, `first` the one that the second is measured by.

    `alpha` is the gate's error rate.

    Raises:
        ModelNotFound: no such version.
        RegistryUnavailable, StoreUnavailable: MLflow or the store does not answer.
    """
    one, two = registry.version(project, first), registry.version(project, second)
    parameters = registry.params(one.run_id), registry.params(two.run_id)
    same_rows, why_not = _on_same_rows(session, alpha, one, two)
    return ModelComparison(
        project=project,
        first=one,
        second=two,
        metrics={
            name: (one.metrics.get(name), two.metrics.get(name))
            for name in sorted({*one.metrics, *two.metrics})
            if not name.startswith("fold_")
        },
        differing={**_differing(*parameters), **_differing_features(one, two)},
        same_rows=same_rows,
        why_not=why_not,
        trials=tuple(pair_trials(session, project, first, second)),
        trainings=(_facts(registry, one), _facts(registry, two)),
    )


def _facts(registry: VersionRecords, version: ModelVersion) -> TrainingFacts:
    try:
        seconds = float(version.tags.get(TRAIN_SECONDS, ""))
    except ValueError:
        seconds = None
    try:
        size = registry.model_bytes(version.name, version.version) if version.has_files else None
    except RegistryError as error:
        if isinstance(error, TransientError):
            raise
        size = None
    return TrainingFacts(seconds, size)


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {
        name: (first.get(name, ""), second.get(name, ""))
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    }


def _differing_features(first: ModelVersion, second: ModelVersion) -> dict[str, tuple[str, str]]:
    """Return under `features only here` those that one has and the other does not."""
    one, two = (each.tags.get("feature_names", "").split(",") for each in (first, second))
    own = _listed_beyond(one, two), _listed_beyond(two, one)
    return {"features only here": own} if any(own) else {}


def _listed_beyond(names: Sequence[str], others: Sequence[str]) -> str:
    return ", ".join(name for name in names if name not in others)


def _on_same_rows(
    session: Session, alpha: float, first: ModelVersion, second: ModelVersion
) -> tuple[SameRows | None, str]:
    """Return the losses on common rows, or why there are none."""
    if any(first.tags.get(name) != second.tags.get(name) for name in _SERVED):
        return None, "they forecast different things"
    try:
        unit, horizon = int(first.tags["unit"]), int(first.tags["horizon"])
        from_at = max(unseen_from(first, unit, horizon), unseen_from(second, unit, horizon))
    except (KeyError, ValueError):
        return None, "one does not say what it forecasts"
    except ModelNotFound as error:
        return None, error.message
    numbers = first.version, second.version
    pairs = paired_losses(session, first.name, *numbers, unit, horizon, from_at)
    compared = compare_pairs(pairs, horizon, alpha)
    if compared is None:
        return None, "no candle that both forecast and neither was trained on has an outcome yet"
    now_at = clock.now()
    found = paired_scores(session, first.name, *numbers, unit, horizon, from_at, now_at - _PACE)
    return _same_rows(compared, found, now_at), ""


def _same_rows(compared: Comparison, found: Mapping[str, object], now_at: datetime) -> SameRows:
    verdict = compared.verdict
    groups = () if verdict.is_void else verdict.groups
    needed = verdict.rows_needed
    return SameRows(
        start_at=datetime.fromisoformat(compared.start_at),
        end_at=datetime.fromisoformat(compared.end_at),
        rows=verdict.rows,
        live_rows=compared.live_rows,
        first=_scores(found, "first"),
        second=_scores(found, "second"),
        words=compared.words,
        verdict=verdict.verdict.value,
        rows_missing=0
        if verdict.is_settled
        else None
        if needed is None
        else max(needed - verdict.rows, 0),
        rows_per_hour=_pace(found, now_at),
        regimes=tuple(
            RegimeLosses(group.name, group.rows, group.improvement, group.is_harmed)
            for group in groups
        ),
        is_void=verdict.is_void,
    )


def _scores(found: Mapping[str, object], which: str) -> RowScores:
    loss, ewma, static, coverage = (
        float(str(found[f"{which}_{name}"])) for name in ("loss", "ewma", "static", "coverage")
    )
    return RowScores(loss, _skill(loss, ewma), _skill(loss, static), coverage)


def _skill(loss: float, benchmark: float) -> float | None:
    return 1.0 - loss / benchmark if benchmark > 0.0 else None


def _pace(found: Mapping[str, object], now_at: datetime) -> float | None:
    """Return how many live rows an hour got their outcome lately."""
    first_at, recent = found["first_live_at"], int(str(found["recent"]))
    if not isinstance(first_at, datetime):
        return None
    lasted = min(now_at - first_at, _PACE)
    return recent / max(lasted / timedelta(hours=1), 1.0 / 12.0)
