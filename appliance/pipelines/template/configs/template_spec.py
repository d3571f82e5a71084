"""What the configs of this project have besides those of every forecasting project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from appliance.pipelines.forecasting.forecast_spec import FeatureSection, ForecastSpec, Rows

if TYPE_CHECKING:
    from appliance.pipelines.forecasting.recipe import Recipe

TRUNCATION = 4
"""An average looks back this many half-lives; the same for a row whenever it is computed."""


class FeatureSpec(FeatureSection):
    """How candles become features; all lengths in candles."""

    half_lives: Annotated[tuple[Rows, ...], Field(min_length=1)] = (15, 60, 240)
    """Half-lives of the exponential averages of volatility and volume."""
    scale_half_life: Rows = 60
    """Half-life of the volatility that scales returns and forecasts."""
    return_lags: Annotated[tuple[Rows, ...], Field(min_length=1)] = (1, 5, 15)
    """Look-backs of the past returns."""

    def lookback(self, unit: int) -> int:
        """Return how many candles of `unit` minutes, the row's own included, a row depends on."""
        averages = TRUNCATION * max(*self.half_lives, self.scale_half_life)
        return max(averages, *self.return_lags) + 1


class TemplateSpec(ForecastSpec):
    """A config of this project."""

    features: FeatureSpec = FeatureSpec()

    @property
    def recipe(self) -> Recipe[TemplateSpec]:
        """The functions in this folder that make features and a model."""
        from appliance.pipelines.template.core.recipe import RECIPE

        return RECIPE
