"""What the configs of this project have besides those of every forecasting project: its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from appliance.config.settings import Timeframe
from appliance.pipelines.forecasting.forecast_spec import FeatureSection, ForecastSpec, Rows

if TYPE_CHECKING:
    from appliance.pipelines.forecasting.recipe import Recipe


class FeatureSpec(FeatureSection):
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
        """Return how many candles of `unit` minutes, the row's own included, a row depends on."""
        longest = max(*self.half_lives, self.scale_half_life) * self.truncation
        bars = max(self.cross_half_lives) * self.truncation + 3
        wider = max((bars * width // unit for width in self.cross_timeframes), default=0)
        season = max((period * cycles for period, cycles in self.seasons), default=0)
        return max(longest, *self.return_lags, *self.lags, season, wider) + 1


class CryptoSpec(ForecastSpec):
    """A config of this project."""

    features: FeatureSpec = FeatureSpec()

    @property
    def recipe(self) -> Recipe[CryptoSpec]:
        """The functions in this folder that make features and a model."""
        from appliance.pipelines.crypto_forecast.core.recipe import RECIPE

        return RECIPE

    @model_validator(mode="after")
    def _has_wider_timeframes(self) -> Self:
        wider = self.features.cross_timeframes
        if any(width <= self.unit or width % self.unit for width in wider):
            raise ValueError(
                f"features.cross_timeframes must be multiples of the unit {self.unit}, not {wider}"
            )
        return self
