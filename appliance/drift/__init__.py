"""Drift scores: pure functions over arrays, reference profiles fixed when a model is trained."""
