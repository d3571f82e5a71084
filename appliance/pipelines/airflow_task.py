"""Stages as Airflow tasks; beside the DAG files the only module that imports Airflow.

Everything heavy is imported inside the tasks, so that a DAG file parses in a fraction of a second.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, CronTriggerTimetable, task
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    DownstreamTasksSkipped,
)

from appliance import zone
from appliance.config.instance_lock import is_stopping, was_stopped_since
from appliance.config.paths import Paths
from appliance.config.settings import ProjectSettings, Settings, load_settings
from appliance.domain.origin import (
    ORIGIN,
    Origin,
    Through,
    origin_to_json,
    run_cause,
)
from appliance.domain.workflow import WorkflowKind, dag_id
from appliance.errors import ApplianceError, ConfigError, TransientError
from appliance.pipelines.context import Json, Resources, StageContext, StageSkipped
from appliance.pipelines.spec import ProjectSpec, describe_project
from appliance.pipelines.task_log import logged_error
from appliance.pipelines.workflow import (
    execute_stage,
    find_stage,
    find_workflow,
    has_recorded_failure,
    record_failure,
    try_to_record_failure,
)

log = logging.getLogger(__name__)

# Only errors that pass by themselves are retried; together the delays outlast a restart of MLflow, a
# minute on a busy machine, and the first is short, because most are over at once.
RETRIES = 4
RETRY_DELAY = timedelta(seconds=5)
RETRY_BACKOFF = 2.0
MAX_RETRY_DELAY = timedelta(seconds=30)
_OWN_KEYS = frozenset({ORIGIN})
_KILLED = "the task ended without saying why: it was killed, or could not start"


def features_asset(project: str) -> Asset:
    """Return the asset that says: new prepared rows."""
    return Asset(f"{project}_features")


def performance_asset(project: str) -> Asset:
    """Return the asset that says: enough new outcomes."""
    return Asset(f"{project}_performance")


def data_schedule(project: str) -> CronTriggerTimetable:
    """Return a schedule at each candle's close, every two minutes for wider candles than one minute.

    The live path does not wait for it; a first model, late candles and repaired gaps do.
    """
    unit = describe_project(load_settings(Paths.from_environment()), project).unit
    return CronTriggerTimetable(f"{'*' if unit == 1 else '*/2'} * * * *", timezone="UTC")


def train_schedule(project: str) -> CronTriggerTimetable | None:
    """Return the config's own training schedule, None when it names none."""
    cron = describe_project(load_settings(Paths.from_environment()), project).train_schedule
    return CronTriggerTimetable(cron, timezone="UTC") if cron else None


def dag_arguments(project: str, kind: WorkflowKind) -> dict[str, Any]:
    """Return what all DAGs share: one run at a time, no catching up, failures recorded."""
    return {
        "catchup": False,
        "max_active_runs": 1,
        "tags": [project, kind.value],
        "on_failure_callback": record_dag_failure,
        "default_args": {
            "retries": RETRIES,
            "retry_delay": RETRY_DELAY,
            "retry_exponential_backoff": RETRY_BACKOFF,
            "max_retry_delay": MAX_RETRY_DELAY,
        },
    }


def stage_task(project: str, stage: str, *, outlets: Sequence[Asset] = (), gates: str = "") -> Any:
    """Return a task that runs one stage.

    Args:
        project: the project's name.
        stage: name of the stage's function, also the task's id.
        outlets: assets that a success updates; a skipped task updates none.
        gates: id of a downstream task that runs only when the stage's result holds a `request`.
    """

    @task(task_id=stage, outlets=list(outlets))
    def run(**context: Any) -> dict[str, Json]:
        result = _run_stage(project, stage, context)
        if gates and not result.get("request"):
            context["ti"].xcom_push(key="return_value", value=result)
            raise DownstreamTasksSkipped(tasks=[gates])  # type: ignore[no-untyped-call]
        return result

    return run()


def train_trigger(project: str, task_id: str, requested_by: str) -> TriggerDagRunOperator:
    """Return a task that starts the train workflow as the stage `requested_by` asked for.

    The run's id is the request's: asking twice for the same starts one run.
    """
    request = f"ti.xcom_pull(task_ids='{requested_by}')['request']"
    return TriggerDagRunOperator(
        task_id=task_id,
        trigger_dag_id=dag_id(project, WorkflowKind.TRAIN),
        trigger_run_id=f"{{{{ {request}['id'] }}}}",
        conf={
            "reason": f"{{{{ {request}['reason'] }}}}",
            ORIGIN: f"{{{{ ti.xcom_pull(task_ids='{requested_by}')['{ORIGIN}'] }}}}",
        },
        skip_when_already_exists=True,
        openlineage_inject_parent_info=False,
    )


def record_dag_failure(context: Mapping[str, Any]) -> None:
    """Append the event that a DAG run failed, unless its task has said why; Airflow calls this.

    A task that was killed says nothing: then the newest error of the run's logs does. A run that was on its
    way when the appliance was stopped has not failed: the appliance has ended it.
    """
    identity = context["dag"].dag_id
    project, _, kind = identity.removesuffix("_wf").rpartition("_")
    run_id, run = str(context.get("run_id", "")), context.get("dag_run")
    paths = Paths.from_environment()
    settings = load_settings(paths)
    if not _is_enabled(settings, project):
        return
    if was_stopped_since(paths, getattr(run, "start_date", None)):
        log.warning("run=%s of %s was ended with the appliance", run_id, identity)
        return
    stage = str(getattr(context.get("ti"), "task_id", ""))
    logged_by, reason = logged_error(paths, identity, run_id, stage)
    resources = Resources.of_home(paths, settings)
    try:
        if has_recorded_failure(resources, project, run_id, getattr(run, "start_date", None)):
            return
        record_failure(
            resources,
            project,
            WorkflowKind(kind),
            stage=stage or logged_by,
            run_id=run_id,
            reason=reason or _KILLED,
            origin=_origin(WorkflowKind(kind), run, run_id),
        )
    finally:
        resources.close()


def _run_stage(project: str, name: str, airflow: Mapping[str, Any]) -> dict[str, Json]:
    kind, stage = find_stage(project, name)
    paths = Paths.from_environment()
    settings = load_settings(paths)
    if not _is_enabled(settings, project):
        raise AirflowSkipException(f"project {project} is disabled")
    zone.use(zone.named(settings.display.timezone))  # of pages that go to MLflow
    resources = Resources.of_home(paths, settings)
    conf = {str(key): str(value) for key, value in (airflow["dag_run"].conf or {}).items()}
    run_id = str(airflow["run_id"])
    origin = _origin(kind, airflow["dag_run"], run_id)

    def record(reason: str) -> None:
        if cause := _ended_with(paths, project):
            log.warning("ended with %s: %s", cause, reason)
            return
        try_to_record_failure(
            resources, project, kind, stage=name, run_id=run_id, reason=reason, origin=origin
        )

    try:
        context: StageContext[ProjectSpec] = StageContext(
            project=project,
            kind=kind,
            spec=describe_project(settings, project),
            settings=settings,
            paths=paths,
            params={key: value for key, value in conf.items() if key not in _OWN_KEYS},
            origin=origin,
            run_id=run_id,
            upstream=_upstream(project, kind, name, airflow["ti"]),
            resources=resources,
        )
        result = execute_stage(stage, context)
        return {**result, ORIGIN: origin_to_json(origin)} if result.get("request") else result
    except StageSkipped as skipped:
        raise AirflowSkipException(str(skipped)) from skipped
    except ApplianceError as error:
        log.error("%s", describe(error))  # noqa: TRY400 - the runner logs the trace
        is_transient = isinstance(error, TransientError)
        if not is_transient or _is_last_try(airflow["ti"]):
            record(describe(error))
        if is_transient or is_stopping(paths):
            raise
        raise AirflowFailException(describe(error)) from error
    except Exception as error:
        if _is_last_try(airflow["ti"]):
            record(f"{type(error).__name__}: {error}")
        raise
    finally:
        resources.close()


def _origin(kind: WorkflowKind, run: Any, run_id: str) -> Origin:
    """Return what a run's events name: the run, and who asked for it, there or in Airflow's page."""
    cause = run_cause(getattr(run, "conf", None), getattr(run, "triggering_user_name", None))
    return Origin(f"{kind.value}_wf", Through.WORKFLOW, run_id=run_id, cause=cause)


def _is_last_try(instance: Any) -> bool:
    return bool(instance.try_number > instance.max_tries)


def _ended_with(paths: Paths, project: str) -> str:
    """Return with what a task ends that has not failed by itself, "" when it has."""
    if is_stopping(paths):
        return "the appliance"
    try:
        return "" if _is_enabled(load_settings(paths), project) else "the disabled project"
    except ConfigError:
        return ""


def _is_enabled(settings: Settings, project: str) -> bool:
    return settings.projects.get(project, ProjectSettings()).enabled


def describe(error: ApplianceError) -> str:
    """Return an error in one line: code, message, and what to do next."""
    hint = f" - {error.hint}" if error.hint else ""
    return f"{error.code}: {error.message}{hint}"


def _upstream(
    project: str, kind: WorkflowKind, name: str, instance: Any
) -> dict[str, dict[str, Json]]:
    results: dict[str, dict[str, Json]] = {}
    for stage in find_workflow(project, kind).stages:
        if stage.name == name:
            break
        results[stage.name] = instance.xcom_pull(task_ids=stage.name) or {}
    return results
