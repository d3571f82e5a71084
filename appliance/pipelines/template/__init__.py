"""A project that forecasts the quantiles of a market's return; yours to change."""
