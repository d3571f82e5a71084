"""The conformance kit: whether a project keeps the rules that the appliance relies on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from appliance.config.paths import SOURCE_ROOT
from appliance.config.settings import ProjectSettings, Settings
from appliance.errors import ApplianceError
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.spec import project_folder, project_module
from appliance.project_kit.checks import sources, wiring
from appliance.project_kit.checks.subject import Subject
from appliance.project_kit.finding import Finding, Report

T = TypeVar("T")
Progress = Callable[[str], None]
"""Told what is about to be checked."""

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
"""They import the project; not while its layout is broken."""

BEHAVIOUR_CHECKS = (
    *("schema", "look-ahead", "parity", "determinism"),
    *("budget", "forecasts", "artifact", "drift"),
)
"""They run each config's recipe on candles of the simulator; not while it cannot be loaded."""


def check_project(
    project: str,
    settings: Settings,
    root: Path = SOURCE_ROOT,
    progress: Progress = lambda what: None,
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
    inspection = _Inspection(subject)
    for group, barrier in ((SOURCE_CHECKS, "layout"), (WIRING_CHECKS, "configs")):
        for name, check in group.items():
            progress(name)
            inspection.look(name, partial(check, subject))
        if inspection.has_found(barrier):
            break
    else:
        for config, spec in (inspection.attempt("configs", partial(_specs, subject)) or {}).items():
            progress(f"what config {config} does")
            _inspect_behaviour(inspection, config, spec)
    return inspection.report()


@dataclass(slots=True)
class _Inspection:
    """What has been checked so far; whatever the project's own code raises is a finding."""

    subject: Subject
    ran: dict[str, None] = field(default_factory=dict)
    findings: dict[Finding, None] = field(default_factory=dict)

    def look(self, check: str, find: Callable[[], Iterator[Finding]]) -> bool:
        """Run a check; whether it has found nothing."""
        found = self.attempt(check, lambda: list(find()))
        self.findings |= dict.fromkeys(found or ())
        return found == []

    def attempt(self, check: str, make: Callable[[], T]) -> T | None:
        """Return what `make` makes, None when it raises."""
        self.ran[check] = None
        try:
            return make()
        except ApplianceError as error:
            finding = Finding(check, error.message, error.hint or "correct it and check again")
        except Exception as error:  # the project's own code may raise anything
            finding = _raised(check, self.subject, error)
        self.findings[finding] = None
        return None

    def has_found(self, check: str) -> bool:
        """Whether a check has found something."""
        return any(finding.check == check for finding in self.findings)

    def report(self) -> Report:
        """Return everything that was found."""
        known = (*SOURCE_CHECKS, *WIRING_CHECKS, *BEHAVIOUR_CHECKS)
        skipped = tuple(name for name in known if name not in self.ran)
        return Report(self.subject.project, tuple(self.ran), skipped, tuple(self.findings))


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


def _inspect_behaviour(inspection: _Inspection, config: str, spec: ForecastSpec) -> None:
    """Check what a config's recipe does; without sound features no model is trained."""
    from appliance.project_kit.checks import features, model

    sample = inspection.attempt("schema", lambda: features.sample_features(config, spec))
    if sample is None or not inspection.look("schema", partial(features.check_schema, sample)):
        return
    are_sound = [
        inspection.look("look-ahead", partial(features.check_look_ahead, sample)),
        inspection.look("parity", partial(features.check_parity, sample)),
        inspection.look("determinism", partial(features.check_determinism, sample)),
    ]
    if not all(are_sound):
        return
    trained = inspection.attempt("budget", lambda: model.train_sample(config, spec))
    if trained is not None:
        inspection.look("budget", partial(model.check_budget, trained))
        inspection.look("forecasts", partial(model.check_forecasts, trained))
        inspection.look("artifact", partial(model.check_artifact, trained))
        inspection.look("drift", partial(model.check_drift, trained))


def _raised(check: str, subject: Subject, error: Exception) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(subject.package)]
    place = ""
    if own:
        place = f" in {subject.named(Path(own[-1].filename))}, line {own[-1].lineno}"
    message = f"{type(error).__name__}{place}: {error}"
    return Finding(check, message, "correct it; the check could not go on")
