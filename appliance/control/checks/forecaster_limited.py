"""The live path goes on with less than it should have, or does not go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from appliance import zone
from appliance.control.api import ApplianceStatus
from appliance.control.health import Finding, Surroundings
from appliance.forecaster_api.wire import ForecasterReport, LiveProject, LiveState

_GRACE = timedelta(seconds=15)  # MLflow's own restart takes less than that


def find_forecaster_limited(_: ApplianceStatus, surroundings: Surroundings) -> Iterator[Finding]:
    """Find what the forecaster itself says is wrong."""
    report = surroundings.forecaster
    if report is None:
        return
    for project in report.projects:
        yield from _of_project(report, project)
    if report.config_message:
        yield Finding(
            "live.config",
            "",
            f"live forecasts go on with the configuration before: {report.config_message}",
            "correct it: appliance config check",
        )


def _of_project(report: ForecasterReport, project: LiveProject) -> Iterator[Finding]:
    name, version = project.project, project.model_version
    if project.state is LiveState.FAILING:
        message = f"{name}: no live forecasts since {zone.utc_text(project.since_at, seconds=True)}"
        hint = project.next_step or "appliance logs forecaster"
        text = f"{message}, the workflow makes them later: {project.message}"
        yield Finding("live.failing", name, text, hint, _GRACE)
    elif project.state is LiveState.FORECASTING and project.message:
        message = f"{name} goes on with version {version}: {project.message}"
        yield Finding("live.model", name, message, project.next_step, _GRACE)
    elif project.state is LiveState.FORECASTING and report.registry_lost_at is not None:
        since = f"{zone.utc_text(report.registry_lost_at, seconds=True)}"
        message = (
            f"{name} goes on with its last good model, version {version}: the registry has "
            f"been away since {since} ({report.registry_message})"
        )
        hint = "forecasts are not interrupted; look at it: appliance logs mlflow"
        yield Finding("live.registry", name, message, hint, _GRACE)
