"""A comparison of two versions that gets no new outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance import zone
from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings

_LEAST = timedelta(hours=6)
_CANDLES = 6
"""Candles after the horizon within which both versions' outcomes are looked at."""


def find_comparison_starved(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find running comparisons whose evidence has not been looked at for hours."""
    for project in status.projects:
        width = timedelta(minutes=project.unit)
        limit = max(_LEAST, (project.horizon + _CANDLES) * width)
        for trial in project.trials:
            looked_at = trial.changed_at or trial.started_at
            if status.at - looked_at > limit:
                yield Finding(
                    "comparison.starved",
                    f"{project.name}.{trial.champion}.{trial.challenger}",
                    f"{project.name}: the {trial.purpose} of version {trial.challenger} against"
                    f" {trial.champion} has had no new outcomes since {zone.utc_text(looked_at)}",
                    "the inference workflow makes its forecasts, monitoring its verdict:"
                    f" appliance run inference --project {project.name}",
                    since_at=looked_at,
                )
