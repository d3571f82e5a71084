"""Why: one way from anything that is not well to its explanation."""

from __future__ import annotations

from appliance.domain.drift import DriftScore, DriftVerdict
from appliance.domain.workflow import DagRun, RunState, TaskInstance, WorkflowKind
from appliance.tui.presentation.drift import speak
from appliance.tui.presentation.evidence import FeatureOf, TaskLogOf
from appliance.tui.presentation.explanation import Explanation, Step
from appliance.tui.presentation.formats import count


def explain_run(project: str, kind: WorkflowKind, run: DagRun) -> Explanation:
    """Return where a run failed, and what comes of it."""
    failed = failed_task(run)
    where = f" in {failed.task_id}, try {failed.try_number}" if failed else ""
    blocked = sum(task.state is RunState.UPSTREAM_FAILED for task in run.tasks)
    rests_on = [f"run {run.run_id}: {run.state.value}"]
    if blocked:
        rests_on.append(f"{count(blocked, 'task')} after it not run")
    return Explanation(
        what=f"{project}: the {kind.value} run failed{where}",
        meaning="What comes after the task was not done. The next run tries again.",
        steps=(Step("run the workflow again", "run"), Step("the line under the cursor says why")),
        since_at=(failed.ended_at if failed else None) or run.ended_at,
        rests_on=tuple(rests_on),
        evidence=TaskLogOf(project, kind, run.run_id, failed.task_id if failed else ""),
        name="workflow.failed",
        style="bad",
    )


def failed_task(run: DagRun) -> TaskInstance | None:
    """Return the task at which a run failed: the first of those that failed by themselves."""
    return next((task for task in run.tasks if task.state is RunState.FAILED), None)


def explain_feature(score: DriftScore) -> Explanation:
    """Return how far a feature has moved and what that is worth, in words."""
    is_well = score.verdict in {DriftVerdict.STABLE, DriftVerdict.INSUFFICIENT}
    steps = (
        Step("nothing to do: a stable market does this")
        if is_well
        else Step("what was decided about it is on the monitoring screen", "monitoring"),
    )
    effect = (
        ()
        if score.effect is None
        else (f"the part of the loss that hangs on it, times its distance: {score.effect:.2%}",)
    )
    return Explanation(
        what=f"{score.feature}: {speak(score)}",
        meaning="Drift alone is no error: the market moves. It matters when the loss moves with it.",
        steps=steps,
        rests_on=(f"{score.rows:,} rows of the current window", *effect),
        evidence=FeatureOf(score.feature),
        name=score.verdict.value,
        style="plain" if is_well else "warning",
    )
