"""Workflows as data, and the runner that executes them in this process.

A project is a package under `appliance.pipelines` whose `core.stages` lists the stages of its four
workflows and whose `utils.load_spec_from_config` knows its configs. A stage is a function that
takes a `StageContext` and returns a JSON-compatible dict, which later stages of the run see.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin, Through
from appliance.domain.workflow import RunState, WorkflowKind, dag_id
from appliance.errors import ApplianceError, ConfigError
from appliance.pipelines.context import Json, Resources, StageContext, StageSkipped
from appliance.pipelines.spec import ProjectSpec, describe_project, project_module

log = logging.getLogger(__name__)

_LOOKED_AT = 50
"""The newest failures among which that of a run is looked for."""

StageFunction = Callable[[StageContext[ProjectSpec]], dict[str, Json]]
Report = Callable[[str, RunState, float | None], None]
"""Called with a stage's name, its state, and once it is final the seconds it has taken."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: the function `name` in the project's module `core.<module>`."""

    name: str
    module: str


@dataclass(frozen=True, slots=True)
class Workflow:
    """The stages of one kind, in order, and the parameters they take beside `PARAMETERS`: name -> meaning."""

    kind: WorkflowKind
    stages: tuple[Stage, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


PARAMETERS: Final[Mapping[WorkflowKind, Mapping[str, str]]] = {
    WorkflowKind.DATA: {"full": "true: prepare every row anew"},
    WorkflowKind.TRAIN: {"reason": "why, in words, for the run and its event"},
    WorkflowKind.INFERENCE: {"model_version": "forecast with this version instead of the champion"},
    WorkflowKind.MONITORING: {},
}
"""What a run of each kind may be asked for with, in every project: name -> meaning."""


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """What a run in this process did; `states` and `outputs` by stage name.

    `request` is the reason for which the run asks for a training, "" when it does not.
    """

    project: str
    kind: WorkflowKind
    states: dict[str, RunState] = field(default_factory=dict)
    outputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    request: str = ""


def find_workflow(project: str, kind: WorkflowKind) -> Workflow:
    """Return a project's workflow of one kind.

    Raises:
        ConfigError: no such project (the hint names the nearest), or it has no such workflow.
    """
    workflows = cast("tuple[Workflow, ...]", project_module(project, "core.stages").WORKFLOWS)
    for workflow in workflows:
        if workflow.kind is kind:
            return workflow
    raise ConfigError(
        f"project {project} has no {kind.value} workflow",
        code="config.no_workflow",
        hint=f"add it to WORKFLOWS in {project}/core/stages.py",
    )


def live_stages(project: str) -> tuple[Stage, ...]:
    """Return what a project does at each candle's close, () when it leaves that to its workflows.

    Raises:
        ConfigError: no such project; the hint names the nearest.
    """
    return tuple(getattr(project_module(project, "core.stages"), "LIVE", ()))


def find_stage(project: str, name: str) -> tuple[WorkflowKind, Stage]:
    """Return the stage called `name` and the kind of workflow it belongs to.

    Raises:
        ConfigError: the project has no such stage.
    """
    for kind in WorkflowKind:
        for stage in find_workflow(project, kind).stages:
            if stage.name == name:
                return kind, stage
    raise ConfigError(
        f"project {project} has no stage {name!r}", hint=f"see {project}/core/stages.py"
    )


def execute_stage(stage: Stage, context: StageContext[ProjectSpec]) -> dict[str, Json]:
    """Run one stage; the same call under Airflow and in process.

    Raises:
        StageSkipped: there is nothing to do; later stages of the run are skipped too.
        ApplianceError: it failed.
    """
    module = project_module(context.project, f"core.{stage.module}")
    return cast("StageFunction", getattr(module, stage.name))(context)


def run_in_process(
    paths: Paths,
    settings: Settings,
    project: str,
    kind: WorkflowKind,
    params: Mapping[str, str] | None = None,
    report: Report | None = None,
    *,
    until_stage: str = "",
    cause: Origin | None = None,
    resources: Resources | None = None,
    is_configured: bool = True,
) -> WorkflowResult:
    """Run a workflow's stages one after the other in this process.

    Args:
        paths: the home.
        settings: its configuration.
        project: a project's name.
        kind: which workflow.
        params: the run's parameters, as `dag_run.conf` under Airflow.
        report: told each stage's state as it changes.
        until_stage: leave out the stages after this one.
        cause: who asked, for the events.
        resources: store, registry and source to use; by default the home's own, closed at the end.
        is_configured: whether the settings name the home's own config of the project; a training of another
            one registers its model and leaves production as it is.

    Raises:
        ApplianceError: a stage failed; an event says so, later stages did not run. The error is
            the one that fails the task under Airflow, where transient ones are retried first.
    """
    spec = describe_project(settings, project)
    check_parameters(project, [kind], params or {})
    stages = _until(find_workflow(project, kind).stages, until_stage)
    result = WorkflowResult(project, kind)
    run_id = f"in-process__{clock.now().isoformat(timespec='seconds')}"
    own = Resources.of_home(paths, settings) if resources is None else resources
    context = StageContext(
        project=project,
        kind=kind,
        spec=spec,
        settings=settings,
        paths=paths,
        params=dict(params or {}),
        origin=Origin(f"{kind.value}_wf", Through.WORKFLOW, run_id=run_id, cause=cause),
        run_id=run_id,
        upstream=result.outputs,
        resources=own,
        is_configured=is_configured,
    )
    try:
        _run_stages(stages, context, result, report or _no_report)
    finally:
        if resources is None:
            own.close()
    return WorkflowResult(project, kind, result.states, result.outputs, _request(result))


def parameters_of(project: str, kind: WorkflowKind) -> dict[str, str]:
    """Return what a run of a project's workflow may be asked for with: name -> meaning."""
    return {**PARAMETERS[kind], **find_workflow(project, kind).parameters}


def check_parameters(project: str, kinds: Sequence[WorkflowKind], params: Iterable[str]) -> None:
    """Check that one of these workflows takes each of the parameters of these names.

    Raises:
        ConfigError: none takes one; the hint lists those that they take.
    """
    known = {name: text for kind in kinds for name, text in parameters_of(project, kind).items()}
    for name in params:
        if name not in known:
            workflows = ", ".join(kind.value for kind in kinds)
            listed = "; ".join(f"{each} ({meaning})" for each, meaning in known.items())
            raise ConfigError(
                f"{project} takes no parameter {name!r} for {workflows}",
                code="config.unknown_parameter",
                hint=f"it takes {listed or 'none'}",
            )


def record_failure(
    resources: Resources,
    project: str,
    kind: WorkflowKind,
    *,
    stage: str,
    run_id: str,
    reason: str,
    origin: Origin,
) -> None:
    """Append the event that a workflow failed; alerts are made from it."""
    from store.events import append_event

    event = Event(
        kind=EventKind.WORKFLOW_FAILED,
        summary=f"{dag_id(project, kind)} failed in {stage or 'a task'}: {reason}",
        actor=origin.root.name,
        at=clock.now(),
        severity=Severity.ERROR,
        project=project,
        details={"workflow": kind.value, "task": stage, "run_id": run_id, "reason": reason},
        origin=origin,
    )
    append_event(resources.session, event)


def try_to_record_failure(
    resources: Resources,
    project: str,
    kind: WorkflowKind,
    *,
    stage: str,
    run_id: str,
    reason: str,
    origin: Origin,
) -> None:
    """Append the event as `record_failure` does; a store that is away is logged, not raised."""
    try:
        record_failure(
            resources, project, kind, stage=stage, run_id=run_id, reason=reason, origin=origin
        )
    except ApplianceError as error:
        log.warning("the failure of %s could not be recorded: %s", stage, error)


def has_recorded_failure(
    resources: Resources, project: str, run_id: str, since_at: datetime | None
) -> bool:
    """Return whether an event since an instant says why a run has failed."""
    from store.events import read_events

    found = read_events(
        resources.session, kinds=[EventKind.WORKFLOW_FAILED], project=project, limit=_LOOKED_AT
    )
    return any(
        event.details.get("run_id") == run_id and (since_at is None or event.at >= since_at)
        for event in found
    )


def _until(stages: tuple[Stage, ...], last: str) -> tuple[Stage, ...]:
    names = [stage.name for stage in stages]
    return stages[: names.index(last) + 1] if last in names else stages


def _run_stages(
    stages: tuple[Stage, ...],
    context: StageContext[ProjectSpec],
    result: WorkflowResult,
    report: Report,
) -> None:
    is_skipping = False
    for stage in stages:
        began = clock.monotonic()
        state = RunState.SKIPPED
        if not is_skipping:
            report(stage.name, RunState.RUNNING, None)
            try:
                with _failure_recorded(stage, context, report, began):
                    result.outputs[stage.name] = execute_stage(stage, context)
                state = RunState.SUCCESS
            except StageSkipped as skipped:
                log.info("stage=%s skipped: %s", stage.name, skipped)
                is_skipping = True
        result.states[stage.name] = state
        report(stage.name, state, clock.monotonic() - began)


@contextmanager
def _failure_recorded(
    stage: Stage, context: StageContext[ProjectSpec], report: Report, began: float
) -> Iterator[None]:
    try:
        yield
    except StageSkipped:
        raise
    except BaseException as error:
        report(stage.name, RunState.FAILED, clock.monotonic() - began)
        try_to_record_failure(
            context.resources,
            context.project,
            context.kind,
            stage=stage.name,
            run_id=context.run_id,
            reason=str(error) or type(error).__name__,
            origin=context.origin,
        )
        raise


def _request(result: WorkflowResult) -> str:
    requests = [output.get("request") for output in result.outputs.values()]
    return next((str(r["reason"]) for r in requests if isinstance(r, dict)), "")


def _no_report(stage: str, state: RunState, seconds: float | None) -> None:
    log.info("stage=%s state=%s seconds=%s", stage, state, seconds)
