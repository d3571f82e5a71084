"""Checks of how a project hangs together: configs, stages, DAG files, the cost of an import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance.config.settings import ProjectSettings
from appliance.domain.workflow import WorkflowKind, dag_id
from appliance.errors import ConfigError
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.spec import ProjectSpec, describe_project, project_module
from appliance.pipelines.workflow import find_workflow, live_stages
from appliance.project_kit.checks.subject import Subject, parsed
from appliance.project_kit.finding import Finding

HEAVY = ("pandas", "numpy", "sklearn", "scipy", "mlflow", "pyarrow", "duckdb", "matplotlib")
_IMPORT_SECONDS = 120


def registered(subject: Subject) -> dict[str, type[ProjectSpec]]:
    """Return a project's configs by name; raises `ConfigError` when it cannot be imported."""
    found = project_module(subject.project, "utils.load_spec_from_config").CONFIGS
    return dict(found)


def check_configs(subject: Subject) -> Iterator[Finding]:
    """Every config class is registered under its file's name, and every config can be built."""
    load = "utils/load_spec_from_config.py"
    configs = registered(subject)
    for path, _ in subject.sources("configs"):
        if path.stem == "__init__":
            continue
        module = project_module(subject.project, f"configs.{path.stem}")
        for value in vars(module).values():
            if not _is_config(value, module.__name__) or configs.get(path.stem) is value:
                continue
            yield Finding(
                "configs",
                f"{value.__name__} in configs/{path.name} is not registered",
                f'add "{path.stem}": {value.__name__} to CONFIGS in {load}',
            )
    for name, config in configs.items():
        if not (subject.package / "configs" / f"{name}.py").is_file():
            yield Finding(
                "configs",
                f"CONFIGS has {name!r}, but there is no configs/{name}.py",
                "register a config under the name of its file: run.py and compose/ ask for that",
            )
        if not issubclass(config, ForecastSpec):
            yield Finding(
                "configs",
                f"{config.__name__} is no ForecastSpec",
                "derive it from the spec in configs/, which derives from ForecastSpec",
            )
    chosen = subject.settings.projects.get(subject.project, ProjectSettings())
    for name in {*configs, chosen.config or next(iter(configs), "")} - {""}:
        yield from _build(subject, name, chosen)


def _is_config(value: object, module: str) -> bool:
    """Whether a module's attribute is a config of its own that names all that a config must."""
    return (
        isinstance(value, type)
        and issubclass(value, ProjectSpec)
        and value.__module__ == module
        and not any(field.is_required() for field in value.model_fields.values())
    )


def _build(subject: Subject, name: str, chosen: ProjectSettings) -> Iterator[Finding]:
    overrides = chosen.overrides if name == chosen.config else {}
    settings = subject.settings.model_copy(
        update={"projects": {subject.project: ProjectSettings(config=name, overrides=overrides)}}
    )
    try:
        describe_project(settings, subject.project)
    except ConfigError as error:
        yield Finding("configs", f"config {name}: {error.message}", error.hint)


def check_stages(subject: Subject) -> Iterator[Finding]:
    """Four workflows of functions that exist, and DAG files with the same stages in the same order."""
    project = subject.project
    own = project_module(project, "utils.load_spec_from_config").PROJECT
    if own != project:
        yield Finding(
            "stages",
            f"utils/load_spec_from_config.py says PROJECT = {own!r}",
            f"set it to {project!r}: run.py would write into the tables of {own}",
        )
    for kind in WorkflowKind:
        stages = find_workflow(project, kind).stages
        yield from _missing(project, stages)
        tree = parsed(subject.root / "dags" / f"{dag_id(project, kind)}.py")
        names = [stage.name for stage in stages]
        if tree is not None and (ran := _stage_tasks(tree)) != names:
            yield Finding(
                "stages",
                f"dags/{dag_id(project, kind)}.py runs {', '.join(ran) or 'no stage'}; core/stages.py has"
                f" {', '.join(names)}",
                "list the same stages in both, in the same order",
            )
    yield from _missing(project, live_stages(project))


def _missing(project: str, stages: tuple[object, ...]) -> Iterator[Finding]:
    for stage in stages:
        name, module = getattr(stage, "name", ""), getattr(stage, "module", "")
        if not callable(getattr(project_module(project, f"core.{module}"), name, None)):
            yield Finding(
                "stages",
                f"core/stages.py names {name} in core/{module}.py, where it is not",
                f"define it there: def {name}(context) -> dict",
            )


def _stage_tasks(tree: ast.Module) -> list[str]:
    """Return the stages that a DAG file makes tasks of, in its order."""
    return [
        str(node.args[1].value)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assign)
        for node in [statement.value]
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "stage_task"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
    ]


def check_light_import(subject: Subject) -> Iterator[Finding]:
    """What DAG files, `appliance status` and the dashboard import is light."""
    package = f"appliance.pipelines.{subject.project}"
    code = (
        "import sys, appliance.pipelines\n"
        f"appliance.pipelines.__path__.append({str(subject.package.parent)!r})\n"
        f"import {package}.utils.load_spec_from_config, {package}.core.stages\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=_IMPORT_SECONDS,
    )
    for name in done.stdout.split():
        yield Finding(
            "light import",
            f"its configs or core/stages.py load {name}, at every parse of a DAG file and every status",
            "import it inside functions, or under `if TYPE_CHECKING:`",
        )
