"""Runs a config's stages in this process: `python -m appliance.pipelines.crypto_forecast.run CONFIG`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence

from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings, load_settings
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import ApplianceError, ConfigError, TransientError
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import (
    PROJECT,
    load_spec_from_config,
)
from appliance.pipelines.workflow import find_stage, find_workflow, run_in_process

DONE, FAILED, USAGE, TRY_AGAIN = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all workflows of a config, one workflow, or the one a stage belongs to up to that stage."""
    parser = argparse.ArgumentParser(prog=f"python -m appliance.pipelines.{PROJECT}.run")
    parser.add_argument("config", help="name of a file in configs/, without .py")
    parser.add_argument("--workflow", choices=[kind.value for kind in WorkflowKind])
    parser.add_argument("--stage", default="", help="stop after this stage of its workflow")
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE")
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        params = dict(_pair(text) for text in parsed.param)
        _run(parsed.config, _kinds(parsed.workflow, parsed.stage), parsed.stage, params)
    except ApplianceError as error:
        sys.stderr.write(f"error: {error.message}\n  next: {error.hint or 'see above'}\n")
        if isinstance(error, ConfigError):
            return USAGE
        return TRY_AGAIN if isinstance(error, TransientError) else FAILED
    return DONE


def _run(config: str, kinds: list[WorkflowKind], stage: str, params: dict[str, str]) -> None:
    paths = Paths.from_environment()
    settings = _choose(load_settings(paths), config)
    paths.create()
    for kind in kinds:
        result = run_in_process(paths, settings, PROJECT, kind, params, _report, until_stage=stage)
        sys.stdout.write(json.dumps({kind.value: result.outputs}) + "\n")


def _choose(settings: Settings, config: str) -> Settings:
    chosen = settings.projects.get(PROJECT, ProjectSettings())
    load_spec_from_config(config, chosen.overrides)
    project = chosen.model_copy(update={"config": config})
    return settings.model_copy(update={"projects": {**settings.projects, PROJECT: project}})


def _kinds(workflow: str | None, stage: str) -> list[WorkflowKind]:
    if stage:
        return [find_stage(PROJECT, stage)[0]]
    if workflow:
        return [find_workflow(PROJECT, WorkflowKind(workflow)).kind]
    return list(WorkflowKind)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"--param takes KEY=VALUE, not {text!r}", hint="--param full=true")
    return key, value


def _report(stage: str, state: RunState, seconds: float | None) -> None:
    took = "" if seconds is None else f" {seconds:.1f} s"
    sys.stderr.write(f"{stage:24} {state.value}{took}\n")


if __name__ == "__main__":
    sys.exit(main())
