"""The command line of a project's `run.py`: a config's stages in this process."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence

from appliance.config.enabling import disabled_project
from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings, load_settings
from appliance.config.whoami import local_origin
from appliance.domain.origin import Through
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import ApplianceError, ConfigError, TransientError
from appliance.pipelines.spec import ProjectSpec, describe_project
from appliance.pipelines.workflow import (
    check_parameters,
    find_stage,
    find_workflow,
    parameters_of,
    run_in_process,
)
from appliance.terminal import guard

DONE, FAILED, USAGE, TRY_AGAIN = 0, 1, 2, 3


def main(project: str, arguments: Sequence[str] | None = None) -> int:
    """Run all workflows of a config, one workflow, or the one a stage belongs to up to that stage.

    Returns:
        The exit code: 0 done, 1 failed, 2 usage or configuration, 3 try again.
    """
    parser = argparse.ArgumentParser(prog=f"python -m appliance.pipelines.{project}.run")
    parser.add_argument("config", help="name of a file in configs/, without .py")
    parser.add_argument("--workflow", choices=[kind.value for kind in WorkflowKind])
    parser.add_argument("--stage", default="", help="stop after this stage of its workflow")
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE")
    parsed = parser.parse_args(arguments)
    guard()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        params = dict(_pair(text) for text in parsed.param)
        kinds = _kinds(project, parsed.workflow, parsed.stage)
        _run(project, parsed.config, _taken_by(project, kinds, params), parsed.stage)
    except ApplianceError as error:
        sys.stderr.write(f"error: {error.message}\n  next: {error.hint or 'see above'}\n")
        if isinstance(error, ConfigError):
            return USAGE
        return TRY_AGAIN if isinstance(error, TransientError) else FAILED
    return DONE


def _taken_by(
    project: str, kinds: list[WorkflowKind], params: dict[str, str]
) -> dict[WorkflowKind, dict[str, str]]:
    """Return of each workflow the parameters that it takes; one that none takes is refused."""
    check_parameters(project, kinds, params)
    return {
        kind: {name: params[name] for name in parameters_of(project, kind) if name in params}
        for kind in kinds
    }


def _run(project: str, config: str, asked: dict[WorkflowKind, dict[str, str]], stage: str) -> None:
    paths = Paths.from_environment()
    configured = load_settings(paths)
    if not configured.projects.get(project, ProjectSettings()).enabled:
        raise disabled_project(project)
    settings = _choose(configured, project, config)
    is_configured = _spec(settings, project) == _spec(configured, project)
    if not is_configured:
        sys.stderr.write(f"{config} is not the configured config: production stays as it is\n")
    paths.create()
    for kind, params in asked.items():
        result = run_in_process(
            paths,
            settings,
            project,
            kind,
            params,
            _report,
            until_stage=stage,
            cause=local_origin(Through.COMMAND),
            is_configured=is_configured,
        )
        sys.stdout.write(json.dumps({kind.value: result.outputs}) + "\n")


def _choose(settings: Settings, project: str, config: str) -> Settings:
    chosen = settings.projects.get(project, ProjectSettings())
    named = chosen.model_copy(update={"config": config})
    settings = settings.model_copy(update={"projects": {**settings.projects, project: named}})
    describe_project(settings, project)
    return settings


def _spec(settings: Settings, project: str) -> ProjectSpec | None:
    """Return a project's config, None where the one that is configured cannot be used."""
    try:
        return describe_project(settings, project)
    except ConfigError:
        return None


def _kinds(project: str, workflow: str | None, stage: str) -> list[WorkflowKind]:
    if stage:
        return [find_stage(project, stage)[0]]
    if workflow:
        return [find_workflow(project, WorkflowKind(workflow)).kind]
    return list(WorkflowKind)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"--param takes KEY=VALUE, not {text!r}", hint="--param full=true")
    return key, value


def _report(stage: str, state: RunState, seconds: float | None) -> None:
    took = "" if seconds is None else f" {seconds:.1f} s"
    sys.stderr.write(f"{stage:24} {state.value}{took}\n")
