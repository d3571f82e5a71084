"""The conformance kit: whether a project keeps the rules that the appliance relies on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from appliance.config.paths import SOURCE_ROOT
from appliance.config.settings import ProjectSettings, Settings
from appliance.errors import ApplianceError
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.spec import project_folder, project_module
from appliance.project_kit.checks import sources, wiring
from appliance.project_kit.checks.subject import Subject
from appliance.project_kit.finding import Finding, Report

Progress = Callable[[str], None]
"""Told the name of each check before it runs."""

SOURCE_CHECKS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "layout": sources.check_layout,
    "core": sources.check_core,
    "imports": sources.check_imports,
    "dags": sources.check_dags,
}
"""Of the files alone; they always run."""

WIRING_CHECKS: dict[str, Callable[[Subject], Iterator[Finding]]] = {
    "configs": wiring.check_configs,
    "stages": wiring.check_stages,
    "light import": wiring.check_light_import,
}
"""They import the project."""

FEATURE_CHECKS = ("schema", "look-ahead", "parity", "determinism")
MODEL_CHECKS = ("budget", "forecasts", "artifact", "drift")
"""They run each config's recipe on candles of the simulator."""


def check_project(
    project: str,
    settings: Settings,
    root: Path = SOURCE_ROOT,
    progress: Progress = lambda name: None,
) -> Report:
    """Run every check; what cannot run because an earlier one failed is skipped.

    Args:
        project: its name.
        settings: the configuration, for the project's config and overrides.
        root: the source tree with dags/ and compose/.
        progress: told what is being checked.

    Raises:
        ConfigError: there is no such project; the hint names the nearest.
    """
    subject = Subject(project, project_folder(project), root, settings)
    ran: list[str] = []
    findings: list[Finding] = []
    for checks in (SOURCE_CHECKS, WIRING_CHECKS):
        for name, check in checks.items():
            progress(name)
            ran.append(name)
            findings += _guarded(name, subject, check)
        if any(finding.check in ("layout", "configs") for finding in findings):
            break
    else:
        for name, spec in _specs(subject).items():
            findings += _behaviour(subject, name, spec, ran, progress)
    known = (*SOURCE_CHECKS, *WIRING_CHECKS, *FEATURE_CHECKS, *MODEL_CHECKS)
    skipped = tuple(name for name in known if name not in ran)
    return Report(project, tuple(dict.fromkeys(ran)), skipped, tuple(dict.fromkeys(findings)))


def _specs(subject: Subject) -> dict[str, ForecastSpec]:
    """Return every config, the chosen one with its overrides."""
    load = project_module(subject.project, "utils.load_spec_from_config").load_spec_from_config
    configs = wiring.registered(subject)
    chosen = subject.settings.projects.get(subject.project, ProjectSettings())
    active = chosen.config or next(iter(configs))
    return {
        name: cast("ForecastSpec", load(name, chosen.overrides if name == active else {}))
        for name in configs
    }


def _behaviour(
    subject: Subject, config: str, spec: ForecastSpec, ran: list[str], progress: Progress
) -> Iterator[Finding]:
    """Check what one config's recipe does; without sound features no model is trained."""
    from appliance.project_kit.checks import features, model

    progress(f"features of {config}")
    found: list[Finding] = []
    sample: list[features.FeatureSample] = []

    def look(name: str, check: Callable[[], Iterator[Finding]]) -> None:
        ran.append(name)
        found.extend(_guarded(name, subject, lambda _: check()))

    def prepare() -> Iterator[Finding]:
        sample.append(features.sample_features(config, spec))
        yield from features.check_schema(sample[0])

    look("schema", prepare)
    if not found:
        look("look-ahead", lambda: features.check_look_ahead(sample[0]))
        look("parity", lambda: features.check_parity(sample[0]))
        look("determinism", lambda: features.check_determinism(sample[0]))
    if not found:
        progress(f"model of {config}")
        trained: list[model.TrainedSample] = []

        def train() -> Iterator[Finding]:
            trained.append(model.train_sample(config, spec))
            yield from model.check_budget(trained[0])

        look("budget", train)
        if trained:
            look("forecasts", lambda: model.check_forecasts(trained[0]))
            look("artifact", lambda: model.check_artifact(trained[0]))
            look("drift", lambda: model.check_drift(trained[0]))
    yield from found


def _guarded(
    name: str, subject: Subject, check: Callable[[Subject], Iterator[Finding]]
) -> list[Finding]:
    """Return a check's findings; whatever the project's own code raises is one."""
    found: list[Finding] = []
    try:
        found.extend(check(subject))
    except ApplianceError as error:
        found.append(Finding(name, error.message, error.hint or "correct it and check again"))
    except Exception as error:  # the project's own code may raise anything
        found.append(_raised(name, subject, error))
    return found


def _raised(name: str, subject: Subject, error: Exception) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(subject.package)]
    place = ""
    if own:
        place = f" in {subject.named(Path(own[-1].filename))}, line {own[-1].lineno}"
    return Finding(
        name,
        f"{type(error).__name__}{place}: {error}",
        "correct it; the check could not go on",
    )
