"""The production model's intervals hold too few or too many outcomes, or its loss has left its band."""

from __future__ import annotations

import math
from collections.abc import Iterator

from appliance.control.api import ApplianceStatus, ProjectStatus
from appliance.control.health import Finding, Surroundings
from appliance.domain.drift import DriftVerdict

TARGET_COVERAGE = 0.8
_LEAST_BAND = 0.05
_DEVIATIONS = 3.0
_LEAST_ROWS = 20


def find_model_unwell(status: ApplianceStatus, _: Surroundings) -> Iterator[Finding]:
    """Find production models whose coverage or loss is not what it was at training."""
    for project in status.projects:
        if project.champion is not None:
            yield from _coverage(project, project.champion.version)
            yield from _loss(project, project.champion.version)


def coverage_band(rows: int, horizon: int) -> float | None:
    """Return how far the share of outcomes inside may lie from the target, None with too few rows.

    Three standard deviations of a share of independent outcomes: forecasts whose horizons overlap
    count as one; never less than five percentage points.
    """
    independent = rows / horizon
    if independent < _LEAST_ROWS:
        return None
    deviation = math.sqrt(TARGET_COVERAGE * (1.0 - TARGET_COVERAGE) / independent)
    return max(_LEAST_BAND, _DEVIATIONS * deviation)


def _coverage(project: ProjectStatus, version: int) -> Iterator[Finding]:
    measured = project.performance
    if measured is None or measured.model_version != version:
        return
    band = coverage_band(measured.rows, project.horizon)
    if band is None or abs(measured.coverage - TARGET_COVERAGE) <= band:
        return
    yield Finding(
        "model.coverage",
        project.name,
        f"{project.name}: {100 * measured.coverage:.0f} % of {measured.rows:,} outcomes lay inside version"
        f" {version}'s interval ({measured.live_rows:,} forecast live),"
        f" {100 * TARGET_COVERAGE:.0f} ± {100 * band:.0f} % were expected",
        _next_step(project),
    )


def _loss(project: ProjectStatus, version: int) -> Iterator[Finding]:
    report = project.drift
    if report is None or report.model_version != version or report.loss is None:
        return
    if report.loss.why:
        yield Finding(
            "model.unjudged",
            project.name,
            f"{project.name}: version {version}'s loss cannot be judged: {report.loss.why}",
            f"look at the market: appliance candles; train anew once it moves: appliance run train"
            f" --project {project.name}",
        )
    if report.loss.verdict is not DriftVerdict.DRIFTED:
        return
    yield Finding(
        "model.loss",
        project.name,
        f"{project.name}: version {version}'s loss has left its band over {report.loss.rows:,} outcomes:"
        f" {_measures(project)}",
        _next_step(project),
    )


def _measures(project: ProjectStatus) -> str:
    loss = project.drift.loss if project.drift else None
    if loss is None:
        return ""
    measured = (
        ("of the EWMA width", loss.relative, loss.relative_high),
        ("Page-Hinkley", loss.page_hinkley, loss.page_hinkley_limit),
    )
    return ", ".join(
        f"{name} {value:.3g}, limit {limit:.3g}"
        for name, value, limit in measured
        if value is not None and limit is not None
    )


def _next_step(project: ProjectStatus) -> str:
    return (
        f"what is decided: appliance drift --project {project.name}; train now: appliance run train"
        f" --project {project.name}"
    )
