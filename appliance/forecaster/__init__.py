"""The forecaster: a process that keeps every project's champion warm and forecasts at each close."""
