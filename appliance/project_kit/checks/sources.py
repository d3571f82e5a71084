"""Checks of files, names and imports; they run nothing of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from appliance.domain.workflow import WorkflowKind, dag_id
from appliance.errors import ConfigError
from appliance.pipelines.spec import SHARED, project_names
from appliance.project_kit.checks.subject import Subject, imported_modules, parsed
from appliance.project_kit.finding import Finding
from appliance.project_kit.naming import require_usable_name

REQUIRED = (
    *("__init__.py", "run.py", "configs/__init__.py", "core/stages.py", "core/recipe.py"),
    *(f"core/{step}.py" for step in ("load", "preprocess", "train", "evaluate", "inference")),
    *("core/monitor.py", "loader/__init__.py", "trainer/__init__.py", "evaluator/__init__.py"),
    *(
        f"preprocessor/{step}.py"
        for step in ("data_preparation", "preprocess", "feature_engineering", "transformation")
    ),
    "utils/load_spec_from_config.py",
)
"""What the guidelines name, in a project's folder."""

_PICKLE = frozenset({"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"})
_OWNED = {
    "airflow": "stages know nothing of Airflow: dags/ and pipelines/airflow_task.py do",
    "duckdb": "read and write through the functions of store/",
    "mlflow": "log through context.registry, take models from context.models",
}
_DAG_IMPORTS = frozenset(
    {
        "__future__",
        "airflow.sdk",
        "appliance.domain.workflow",
        "appliance.pipelines.airflow_task",
    }
)


def check_layout(subject: Subject) -> Iterator[Finding]:
    """The name, and the files that the guidelines name, all of them Python."""
    try:
        require_usable_name(subject.project, subject.root)
    except ConfigError as error:
        yield Finding("layout", error.message, "rename the folder and what carries its name")
    for relative in REQUIRED:
        if not (subject.package / relative).is_file():
            yield Finding(
                "layout",
                f"{subject.project}/{relative} is missing",
                f"add it; `{relative}` of appliance/pipelines/template/ shows what belongs there",
            )
    for path in sorted(subject.package.rglob("*.py")):
        if parsed(path) is None:
            yield Finding(
                "layout", f"{subject.named(path)} is not valid Python", "correct its syntax"
            )
    configuration = subject.root / "compose" / "projects" / f"{subject.project}.toml"
    if not configuration.is_file():
        yield Finding(
            "layout",
            f"compose/projects/{configuration.name} is missing: the appliance does not know the project",
            'add it with config = "<name of a file in configs/>"',
        )


def check_core(subject: Subject) -> Iterator[Finding]:
    """Task code is functions with unique names."""
    seen: dict[str, str] = {}
    for path, tree in subject.sources("core"):
        where = subject.named(path)
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                yield Finding(
                    "core",
                    f"{where}, line {node.lineno}: class {node.name}",
                    "make its stages functions; a class that is no task belongs into another folder",
                )
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                if node.name in seen:
                    yield Finding(
                        "core",
                        f"{where}: the function {node.name} is also in {seen[node.name]}",
                        "give each task's function a name of its own",
                    )
                seen[node.name] = where


def check_imports(subject: Subject) -> Iterator[Finding]:
    """Nothing of another project, nothing that belongs to an adapter, no pickle."""
    others = ({*project_names()} | SHARED) - {subject.project, "forecasting"}
    for path, tree in subject.sources():
        for module, line in imported_modules(tree):
            where = f"{subject.named(path)}, line {line}: imports {module}"
            parts = module.split(".")
            if parts[:2] == ["appliance", "pipelines"] and set(parts[2:3]) & others:
                yield Finding(
                    "imports",
                    where,
                    "projects stand alone: copy it, or move it to appliance/pipelines/forecasting/",
                )
            elif parts[0] in _PICKLE:
                yield Finding(
                    "artifact", where, "models are kept with skops; loading a pickle runs its code"
                )
            elif parts[0] in _OWNED:
                yield Finding("imports", where, _OWNED[parts[0]])


def check_dags(subject: Subject) -> Iterator[Finding]:
    """Four thin files, each with the one DAG that it is named after."""
    for kind in WorkflowKind:
        name = dag_id(subject.project, kind)
        path = subject.root / "dags" / f"{name}.py"
        if not path.is_file():
            yield Finding(
                "dags",
                f"dags/{path.name} is missing: Airflow has no {kind.value} workflow of the project",
                f"add it after dags/crypto_forecast_{kind.value}_wf.py",
            )
            continue
        tree = parsed(path)
        if tree is None:
            yield Finding("dags", f"dags/{path.name} is not valid Python", "correct its syntax")
            continue
        yield from _dag_findings(tree, name, subject.project)


def _dag_findings(tree: ast.Module, name: str, project: str) -> Iterator[Finding]:
    where = f"dags/{name}.py"
    called = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "DAG"
    ]
    ids = [_constant(call.args[0]) if call.args else "" for call in called]
    if ids != [name]:
        found = ", ".join(ids) or "none"
        yield Finding("dags", f"{where} defines the DAG {found}", f'call it "{name}", and only it')
    project_set = [
        _constant(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["PROJECT"]
    ]
    if project_set != [project]:
        yield Finding("dags", f"{where} is not of {project}", f'set PROJECT = "{project}"')
    for module, line in imported_modules(tree):
        if module not in _DAG_IMPORTS:
            yield Finding(
                "dags",
                f"{where}, line {line}: imports {module}; it would be loaded at every parse",
                "keep DAG files thin: put the work into a stage in core/",
            )


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)
