"""The DAG files: thin, light to parse, and what Airflow makes of them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config.enabling import enable_project
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.domain.workflow import WorkflowKind, dag_id
from appliance.pipelines.workflow import find_workflow

PROJECT = "crypto_forecast"
FOLDER = SOURCE_ROOT / "dags"
FILES = sorted(FOLDER.glob("*.py"))
HEAVY = ("pandas", "sklearn", "scipy", "mlflow", "matplotlib", "duckdb", "pyarrow", "numpy")

PARSE = f"""
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder={str(FOLDER)!r})
heavy = [name for name in {HEAVY!r} if name in sys.modules]
dags = {{}}
for dag in bag.dags.values():
    dags[dag.dag_id] = {{
        "file": Path(dag.fileloc).stem,
        "order": [task.task_id for task in dag.topological_sort()],
        "schedule": getattr(dag.timetable, "expression", type(dag.timetable).__name__),
        "catchup": dag.catchup,
        "runs": dag.max_active_runs,
        "retries": sorted({{task.retries for task in dag.tasks}}),
        "callback": bool(dag.on_failure_callback),
        "outlets": {{task.task_id: [o.name for o in task.outlets] for task in dag.tasks if task.outlets}},
    }}
print("RESULT" + json.dumps({{"errors": bag.import_errors, "heavy": heavy, "dags": dags}}))
"""

SKIP = f"""
from airflow.sdk.exceptions import AirflowSkipException
from appliance.pipelines.airflow_task import _run_stage
try:
    _run_stage({PROJECT!r}, "train_model", {{}})
except AirflowSkipException as skipped:
    print("RESULT" + str(skipped))
"""


def test_every_workflow_has_its_file() -> None:
    assert {path.stem for path in FILES} >= {dag_id(PROJECT, kind) for kind in WorkflowKind}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_thin(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    assert ast.get_docstring(tree)
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= {
        "__future__",
        "airflow.sdk",
        "appliance.domain.workflow",
        "appliance.pipelines.airflow_task",
    }
    defined = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert defined == []


@pytest.mark.parametrize("kind", list(WorkflowKind))
def test_a_dag_file_names_its_dag_and_its_stages_in_order(kind: WorkflowKind) -> None:
    path = FOLDER / f"{dag_id(PROJECT, kind)}.py"
    texts = [
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    ]
    assert dag_id(PROJECT, kind) in texts
    stages = [stage.name for stage in find_workflow(PROJECT, kind).stages]
    assert [text for text in dict.fromkeys(texts) if text in stages] == stages


def result_of(program: str, folder: Path) -> str:
    """Run a program that uses Airflow in a process of its own; return what it printed after RESULT."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=SOURCE_ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.rpartition("RESULT")[2].strip()


@pytest.mark.long
def test_a_task_of_a_disabled_project_is_skipped(home: Paths, tmp_path: Path) -> None:
    enable_project(home, PROJECT, is_enabled=False)
    assert result_of(SKIP, tmp_path) == f"project {PROJECT} is disabled"


@pytest.mark.long
def test_airflow_parses_all_of_them_without_anything_heavy(home: Paths, tmp_path: Path) -> None:
    result = json.loads(result_of(PARSE, tmp_path))
    assert result["errors"] == {}
    assert result["heavy"] == []
    for kind in WorkflowKind:
        dag = result["dags"][dag_id(PROJECT, kind)]
        stages = [stage.name for stage in find_workflow(PROJECT, kind).stages]
        assert [task for task in dag["order"] if task in stages] == stages
        assert set(dag["order"]) - set(stages) <= {"request_training"}
        assert (dag["file"], dag["catchup"], dag["runs"]) == (dag_id(PROJECT, kind), False, 1)
        assert (dag["retries"], dag["callback"]) == ([4], True)
    schedules = [result["dags"][dag_id(PROJECT, kind)]["schedule"] for kind in WorkflowKind]
    assert schedules == ["*/2 * * * *", "17 3 * * 1", *["AssetTriggeredTimetable"] * 2]
    data = result["dags"][dag_id(PROJECT, WorkflowKind.DATA)]
    assert data["outlets"] == {"check_quality": ["crypto_forecast_features"]}
    inference = result["dags"][dag_id(PROJECT, WorkflowKind.INFERENCE)]
    assert inference["outlets"] == {"measure_performance": ["crypto_forecast_performance"]}
