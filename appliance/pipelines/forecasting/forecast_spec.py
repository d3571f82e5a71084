"""The fields of a config, with their meaning; a config file overrides what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from appliance.config.settings import Market
from appliance.pipelines.spec import ProjectSpec, SpecSection

if TYPE_CHECKING:
    from appliance.pipelines.forecasting.recipe import Recipe

Rows = Annotated[int, Field(ge=1, le=10_000_000)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class FeatureSection(SpecSection):
    """What is known of any project's features; a project adds the fields of its own."""

    cross_markets: tuple[Market, ...] = ()
    """Further markets whose candles give features; they must be in `ingest.markets`."""

    def lookback(self, unit: int) -> int:
        """Return how many candles of `unit` minutes, the row's own included, a row depends on."""
        raise NotImplementedError


class LearnerSpec(SpecSection):
    """Which learner, and its parameters; see `QuantileForecaster`."""

    kind: Literal["gradient_boosting", "linear", "lightgbm", "blend"] = "gradient_boosting"
    """`blend` is the mean of the linear and the boosted quantiles; `lightgbm` is an optional extra.

    Lines follow the calendar beyond what they have seen: give `linear` and `blend` some weeks of rows.
    """
    scale_iter: Annotated[int, Field(ge=1, le=2000)] = 80
    """Trees of the volatility regression."""
    scale_leaf_nodes: Annotated[int, Field(ge=2, le=255)] = 8
    """Leaves per such tree."""
    scale_leaf_rows: Rows = 200
    """Rows per such leaf."""
    quantile_iter: Annotated[int, Field(ge=1, le=2000)] = 30
    """Trees per quantile; a return says little, so few and small ones."""
    quantile_leaf_nodes: Annotated[int, Field(ge=2, le=255)] = 4
    """Leaves per such tree."""
    quantile_leaf_rows: Rows = 400
    """Rows per such leaf."""
    learning_rate: Fraction = 0.05
    """Shrinkage."""
    l2_regularization: Annotated[float, Field(ge=0.0, le=1e9)] = 1.0
    """Pull of leaf values towards zero."""
    linear_penalty: Annotated[float, Field(ge=0.0, le=1e9)] = 0.1
    """Pull of the linear quantiles towards those of the scaled return, per row."""
    calibration_fraction: Annotated[float, Field(ge=0.05, le=0.5)] = 0.25
    """Newest part of the training rows that calibrates the quantiles; learnt from only afterwards."""
    random_state: Annotated[int, Field(ge=0, lt=2**32)] = 7
    """Same rows, same model."""


class SearchSpec(SpecSection):
    """Search for the learner's parameters before a training."""

    seconds: Annotated[int, Field(ge=0, le=604_800)] = 0
    """Time budget; 0 is no search. A trial that has begun is finished."""
    folds: Annotated[int, Field(ge=2, le=10)] = 2
    """Walk-forward folds of a trial, on rows older than those that the model is evaluated on."""
    renew_rows: Annotated[int, Field(ge=100, le=10_000_000)] = 20_160
    """New rows after which there is a new search; until then trainings take what was found."""


class EvaluationSpec(SpecSection):
    """Walk-forward evaluation and comparison."""

    folds: Annotated[int, Field(ge=2, le=20)] = 3
    """Test folds, oldest to newest."""
    test_fraction: Annotated[float, Field(ge=0.1, le=0.8)] = 0.4
    """Newest part of the rows that the folds cover."""
    purge: Rows = 15
    """Rows left out between training and test rows; at least the horizon."""
    embargo: Annotated[int, Field(ge=0, le=10_000_000)] = 15
    """Further rows left out after the purge."""
    comparison_rows: Rows = 1_440
    """Newest rows that no model is trained on: champion and challenger meet there."""
    gate_alpha: Fraction = 0.05
    """How often equal models may ever be told apart by the promotion gate, in each direction."""
    gate_live_rows: Annotated[int, Field(ge=0, le=1_000_000)] = 72
    """Rows that both models must have forecast before the outcome was known, and on which the challenger's
    loss is lower too, before it is promoted by itself; rows filled in later argue, and do not decide."""
    most_skill_gain: Fraction = 0.1
    """Skill over EWMA beyond the best that the config ever had by more than this is held for a person."""
    first_model_most_skill: Fraction = 0.3
    """A config's first model whose skill over both benchmarks is more than this is held for a person:
    knowing the coming hour's volatility in advance gives 0.08 over EWMA."""
    trial_rows: Rows = 20_160
    """Compared rows after which a challenger that is neither better nor worse is given up."""
    probation_rows: Rows = 5_760
    """Compared rows that a new champion is held against the one it deposed."""
    max_challengers: Annotated[int, Field(ge=1, le=10)] = 3
    """Challengers compared at a time; one more ends the comparison with the weakest evidence."""


class MonitoringSpec(SpecSection):
    """Realised performance and drift."""

    performance_rows: Rows = 1_440
    """Newest matured forecasts that realised performance is measured over."""
    window_rows: Rows = 720
    """Newest feature rows that are compared with the reference profile."""
    min_rows: Rows = 120
    """Rows below which nothing is said about drift or performance."""
    min_new_outcomes: Rows = 30
    """Matured forecasts between two monitoring runs."""
    psi_warning: Annotated[float, Field(gt=0.0, le=100.0)] = 0.1
    """Population stability index worth a warning."""
    psi_drifted: Annotated[float, Field(gt=0.0, le=100.0)] = 0.25
    """Population stability index of a drifted feature."""
    statistics: Annotated[tuple[Literal["psi", "ks", "wasserstein"], ...], Field(min_length=1)] = (
        "psi",
        "ks",
        "wasserstein",
    )
    """What counts for a drift verdict; all of them are reported."""
    alpha: Fraction = 0.01
    """False-discovery rate over all features."""
    missing_drifted: Fraction = 0.1
    """Fraction of candles without a value, beyond that of any window at training, that is drift."""
    outside_drifted: Fraction = 0.5
    """Fraction of rows beyond one end of what the model was trained on that is drift."""
    persistence: Annotated[int, Field(ge=1, le=20)] = 3
    """Windows, half a window apart, in which a feature must exceed."""
    min_performance_rows: Rows = 720
    """Matured forecasts below which realised performance asks for nothing."""
    max_skill_drop: Fraction = 0.05
    """Realised skill over EWMA below the trained one by more than this asks for a retrain."""
    max_coverage_error: Fraction = 0.12
    """Realised coverage further than this from 80 % asks for a retrain."""


class RetrainSpec(SpecSection):
    """When a retrain may happen at all."""

    min_new_rows: Rows = 120
    """New feature rows since the newest model's data ended."""
    per_day: Rows = 6
    """Trainings in 24 hours, whoever asked for them; only automatic ones are held back."""
    cooldown_minutes: Annotated[int, Field(ge=0, le=525_600)] = 60
    """Minutes between a training and an automatic one."""


class QualitySpec(SpecSection):
    """When prepared rows are usable."""

    max_age_candles: Rows = 10
    """Newest row older than this many candles is a warning."""
    max_missing_candles: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Unknown candles that a window of training or inference may have; with more it is refused."""
    max_gap_fraction: Fraction = 0.2
    """More of the window than this in gaps is unusable."""
    max_price_jump: Annotated[float, Field(gt=0.0, le=100.0)] = 0.1
    """A log return between neighbours beyond this is a warning."""
    max_idle_fraction: Fraction = 0.5
    """More of the window's intervals than this without a trade is a warning."""
    max_still_fraction: Fraction = 0.8
    """More of the window's intervals than this in which the price did not move is a warning."""


class ForecastSpec(ProjectSpec):
    """A config of a project that forecasts the quantiles of a return `horizon` candles ahead."""

    quantiles: tuple[Fraction, Fraction, Fraction] = (0.1, 0.5, 0.9)
    """Lower, median and upper quantile of the log return."""
    training_rows: Annotated[int, Field(ge=500, le=10_000_000)] = 20_000
    """Newest prepared rows that a training looks at."""
    min_rows: Annotated[int, Field(ge=500, le=10_000_000)] = 3_000
    """Prepared rows below which training is refused."""
    catch_up_rows: Rows = 1_440
    """Newest rows that the production model forecasts when it has not yet, unless trained on them."""
    features: FeatureSection
    learner: LearnerSpec = LearnerSpec()
    search: SearchSpec = SearchSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    retrain: RetrainSpec = RetrainSpec()
    quality: QualitySpec = QualitySpec()

    @property
    def recipe(self) -> Recipe[Any]:
        """The project's own functions: how candles become features, and features a model."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _has_ascending_quantiles(self) -> Self:
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ValueError(f"quantiles must ascend, not {self.quantiles}")
        return self

    @model_validator(mode="after")
    def _has_rows_enough(self) -> Self:
        if self.min_rows > self.training_rows:
            raise ValueError(
                f"min_rows {self.min_rows} must not be more than training_rows {self.training_rows}"
            )
        return self

    @model_validator(mode="after")
    def _has_other_markets(self) -> Self:
        if self.market in self.features.cross_markets:
            raise ValueError(f"features.cross_markets must not name {self.market} itself")
        return self
