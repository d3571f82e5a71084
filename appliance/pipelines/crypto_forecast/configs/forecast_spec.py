"""The fields of a config, with their meaning; a config file overrides what differs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from appliance.config.settings import Market, Timeframe
from appliance.pipelines.spec import ProjectSpec, SpecSection

Rows = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class FeatureSpec(SpecSection):
    """How candles become features; all lengths in candles unless said otherwise."""

    half_lives: Annotated[tuple[Rows, ...], Field(min_length=2)] = (15, 60, 240)
    """Half-lives of the exponential averages, ascending: volatilities, ranges and volumes."""
    scale_half_life: Rows = 60
    """Half-life of the volatility that scales returns, forecasts and the EWMA benchmark."""
    return_lags: Annotated[tuple[Rows, ...], Field(min_length=1)] = (1, 3, 5, 15, 60)
    """Look-backs of the past returns."""
    lags: tuple[Rows, ...] = ()
    """How many candles ago moves and volumes become features of their own."""
    seasons: tuple[tuple[Rows, Rows], ...] = ()
    """Pairs of a period and a number of cycles: how volatile the coming `season_span` candles were then."""
    season_span: Rows = 1
    """Candles after a row that its seasons look at, in the cycles before; the horizon, as a rule."""
    cross_markets: tuple[Market, ...] = ()
    """Further markets whose candles give features; they must be in `ingest.markets`."""
    cross_timeframes: tuple[Timeframe, ...] = ()
    """Wider timeframes in minutes, aggregated from the own candles; only closed ones count."""
    cross_half_lives: Annotated[tuple[Rows, ...], Field(min_length=1)] = (2, 6)
    """Half-lives over candles of the wider timeframes."""
    truncation: Annotated[int, Field(ge=2, le=20)] = 4
    """An average looks back this many half-lives; the same for a row whenever it is computed."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if list(self.half_lives) != sorted(set(self.half_lives)):
            raise ValueError(f"half_lives must ascend, not {self.half_lives}")
        if any(period < self.season_span for period, _ in self.seasons):
            raise ValueError("season_span must not be longer than a season's period")
        return self

    def lookback(self, unit: int) -> int:
        """Return how many candles of `unit` minutes before a row its features depend on."""
        longest = max(*self.half_lives, self.scale_half_life) * self.truncation
        bars = max(self.cross_half_lives) * self.truncation + 3
        wider = max((bars * width // unit for width in self.cross_timeframes), default=0)
        season = max((period * cycles for period, cycles in self.seasons), default=0)
        return max(longest, *self.return_lags, *self.lags, season, wider) + 1


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
    l2_regularization: Annotated[float, Field(ge=0.0)] = 1.0
    """Pull of leaf values towards zero."""
    linear_penalty: Annotated[float, Field(ge=0.0)] = 0.1
    """Pull of the linear quantiles towards those of the scaled return, per row."""
    calibration_fraction: Annotated[float, Field(ge=0.05, le=0.5)] = 0.25
    """Newest part of the training rows that calibrates the quantiles; learnt from only afterwards."""
    random_state: int = 7
    """Same rows, same model."""


class EvaluationSpec(SpecSection):
    """Walk-forward evaluation and comparison."""

    folds: Annotated[int, Field(ge=2, le=20)] = 3
    """Test folds, oldest to newest."""
    test_fraction: Annotated[float, Field(ge=0.1, le=0.8)] = 0.4
    """Newest part of the rows that the folds cover."""
    purge: Rows = 15
    """Rows left out between training and test rows; at least the horizon."""
    embargo: Annotated[int, Field(ge=0)] = 15
    """Further rows left out after the purge."""
    comparison_rows: Rows = 1_440
    """Newest rows that no model is trained on: champion and challenger meet there."""
    gate_alpha: Fraction = 0.05
    """How often equal models may ever be told apart by the promotion gate, in each direction."""
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
    psi_warning: float = 0.1
    """Population stability index worth a warning."""
    psi_drifted: float = 0.25
    """Population stability index of a drifted feature."""
    statistics: Annotated[tuple[Literal["psi", "ks", "wasserstein"], ...], Field(min_length=1)] = (
        "psi",
        "ks",
        "wasserstein",
    )
    """What counts for a drift verdict; all of them are reported."""
    alpha: Fraction = 0.01
    """False-discovery rate of the Kolmogorov-Smirnov tests over all features."""
    persistence: Annotated[int, Field(ge=1, le=20)] = 3
    """Windows in a row that must exceed."""
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
    cooldown_minutes: Annotated[int, Field(ge=0)] = 60
    """Minutes between a training and an automatic one."""


class QualitySpec(SpecSection):
    """When prepared rows are usable."""

    max_age_candles: Rows = 10
    """Newest row older than this many candles is a warning."""
    max_missing_candles: Annotated[int, Field(ge=0)] = 0
    """Unknown candles that a window of training or inference may have; with more it is refused."""
    max_gap_fraction: Fraction = 0.2
    """More of the window than this in gaps is unusable."""
    max_price_jump: Annotated[float, Field(gt=0.0)] = 0.1
    """A log return between neighbours beyond this is a warning."""


class ForecastSpec(ProjectSpec):
    """A config of this project."""

    quantiles: tuple[Fraction, Fraction, Fraction] = (0.1, 0.5, 0.9)
    """Lower, median and upper quantile of the log return."""
    training_rows: Annotated[int, Field(ge=500)] = 20_000
    """Newest prepared rows that a training looks at."""
    min_rows: Annotated[int, Field(ge=500)] = 3_000
    """Prepared rows below which training is refused."""
    catch_up_rows: Rows = 1_440
    """Newest rows that the production model forecasts when it has not yet, unless trained on them."""
    features: FeatureSpec = FeatureSpec()
    learner: LearnerSpec = LearnerSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    monitoring: MonitoringSpec = MonitoringSpec()
    retrain: RetrainSpec = RetrainSpec()
    quality: QualitySpec = QualitySpec()

    @model_validator(mode="after")
    def _has_other_series(self) -> Self:
        wider = self.features.cross_timeframes
        if any(width <= self.unit or width % self.unit for width in wider):
            raise ValueError(
                f"features.cross_timeframes must be multiples of the unit {self.unit}, not {wider}"
            )
        if self.market in self.features.cross_markets:
            raise ValueError(f"features.cross_markets must not name {self.market} itself")
        return self
