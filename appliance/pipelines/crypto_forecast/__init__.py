"""The first project and the template of the next: quantile forecasts of a market's return."""
