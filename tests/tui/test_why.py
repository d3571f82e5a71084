"""Why: everything that is not well is explained in words and leads to its evidence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

import appliance.control.checks
from appliance.control.api import Problem
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.workflow import DagRun, RunState, WorkflowKind
from appliance.tui.actions import ACTIONS
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation import evidence
from appliance.tui.presentation.drift import speak
from appliance.tui.presentation.explanation import Explanation, explain_banner, explain_page
from appliance.tui.presentation.view import Frame
from appliance.tui.presentation.why import explain_run
from appliance.tui.presentation.why_events import explain_event
from appliance.tui.presentation.why_problems import RULES, explain_problem
from appliance.tui.screens.candles import CandlesPage
from appliance.tui.screens.data import DataPage
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.why import WhyModal, evidence_page
from appliance.tui.state import Board, Reading
from appliance.tui.widgets.bars import Lines
from appliance.tui.widgets.panel import Panel
from tests import builders
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until

FRAME = Frame(76, 20, builders.NOW)
CHECKS = Path(appliance.control.checks.__file__).parent


def codes_of_checks() -> set[str]:
    """Return every code that a check may find, read from the source."""
    return {code for file in CHECKS.glob("*.py") for code in _codes(ast.parse(file.read_text()))}


def _codes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in {"Finding", "Kind"}:
            assert isinstance(node, ast.Call)
            first = next((k.value for k in node.keywords if k.arg == "code"), node.args[0])
            for part in ast.walk(first):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def board(**changes: object) -> Board:
    return Board(status=Reading(builders.status(**changes), builders.NOW))


def words(explanation: Explanation) -> str:
    return "\n".join(line.plain for line in explain_page(explanation, FRAME))


def check_complete(explanation: Explanation) -> None:
    """What, since when, what it means and what to do are said, and every key named is one."""
    assert explanation.what
    assert explanation.meaning
    assert explanation.since_at is not None
    assert explanation.steps
    keys = {known.shown_key for known in ACTIONS}
    assert {step.key for step in explanation.steps if step.key} <= keys
    assert all(line.cell_len <= FRAME.width for line in explain_page(explanation, FRAME))
    assert explain_banner(explanation, FRAME)
    has_page = evidence_page(explanation, board()) is not None
    assert has_page is bool(evidence.describe_evidence(explanation.evidence))


@pytest.mark.parametrize("code", sorted(codes_of_checks()))
def test_every_problem_of_the_checks_is_explained(code: str) -> None:
    assert code in RULES, f"write a rule for {code} in presentation/why_problems.py"
    for subject in ("mlflow", "crypto_forecast", "crypto_forecast.train", "crypto_forecast.12.13"):
        problem = Problem(code, "it broke", "mend it", builders.ago(minutes=7), subject)
        check_complete(explain_problem(problem, board()))


def test_no_rule_is_left_over() -> None:
    assert set(RULES) == codes_of_checks()


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_is_explained(kind: EventKind) -> None:
    details: tuple[dict[str, object], ...] = (
        {},
        {"market": "KRW-BTC", "unit": 1, "start_at": "2026-03-14T04:00:00+00:00"},
        {"champion": 11, "version": 12, "workflow": "train", "run_id": "r", "drifted": ["x"]},
        {"code": "model.loss", "subject": "crypto_forecast", "hint": "look", "codes": ["gaps"]},
    )
    for each in details:
        event = Event(kind, "it happened", "kim", builders.NOW, Severity.ERROR, details=each)
        check_complete(explain_event(event, board()))
        check_complete(explain_event(event, Board()))


def test_a_failed_run_names_task_try_and_what_was_not_done() -> None:
    run = FakeControl().dag_run("crypto_forecast", WorkflowKind.TRAIN, failed_run().run_id)
    explanation = explain_run("crypto_forecast", WorkflowKind.TRAIN, run)
    check_complete(explanation)
    assert "evaluate_model, try 2" in explanation.what
    assert "1 task after it not run" in words(explanation)
    assert explanation.evidence == evidence.TaskLogOf(
        "crypto_forecast", WorkflowKind.TRAIN, run.run_id, "evaluate_model"
    )


def failed_run() -> DagRun:
    runs = FakeControl().dag_runs("crypto_forecast", WorkflowKind.TRAIN)
    return next(run for run in runs if run.state is RunState.FAILED)


def test_the_drift_of_a_feature_is_said_in_a_sentence() -> None:
    scores = {score.feature: score for score in builders.drift_report().scores}
    assert speak(scores["return_30"]) == (
        "0.1 σ away; a stable market does this 44 % of the time; usual"
    )
    assert speak(scores["volatility_30"]).endswith("< 0.1 % of the time; drifted")
    assert "too few to judge" in speak(scores["gap_minutes"])


# -- by keys


def rows(app: ApplianceApp, name: str) -> str:
    return "\n".join(row.text.plain for row in panel(app, name).view.rows)


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


def under_cursor(app: ApplianceApp, name: str) -> str:
    return panel(app, name).view.rows[panel(app, name).cursor].text.plain


async def open_event(pilot: Pilot[int], app: ApplianceApp, summary: str) -> WhyModal:
    """Put the cursor on an event of the dashboard and press enter."""
    await loaded(pilot)
    events = panel(app, "events")
    events.focus()
    index = next(i for i, row in enumerate(events.view.rows) if summary in row.text.plain)
    events.cursor = index
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, WhyModal))
    assert isinstance(app.screen, WhyModal)
    await until(pilot, lambda: panel(app, "page").view.rows)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_one_key_leads_from_a_failed_run_to_the_failing_line(
    app: ApplianceApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await loaded(pilot)
        await pilot.press("t")
        await until(pilot, lambda: len(panel(app, "runs").view.rows) > 1)
        await pilot.press("j")
        await until(pilot, lambda: "failed" in under_cursor(app, "runs"))
        await pilot.press("enter")
        assert isinstance(app.screen, LogsPage)
        await until(pilot, lambda: panel(app, "log").view.rows[1:])
        await until(pilot, lambda: "ValueError: 12 rows" in under_cursor(app, "log"))
        assert "evaluate_model" in panel(app, "log").view.title.plain
        assert "the data run failed" in _about(app)


def _about(app: ApplianceApp) -> str:
    return "\n".join(text.plain for text in app.screen.query_one("#about", Lines).lines)


async def test_a_problem_is_explained_and_leads_to_the_services_log(
    control: FakeControl,
) -> None:
    problem = Problem(
        "service.given_up", "mlflow was given up", "appliance logs mlflow", builders.NOW, "mlflow"
    )
    control.snapshot = builders.status(problems=(problem,))
    app = ApplianceApp(control)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("exclamation_mark", "enter")
        await until(pilot, lambda: isinstance(app.screen, WhyModal))
        await until(pilot, lambda: "stands still" in rows(app, "page"))
        assert "the probe says" in rows(app, "page")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LogsPage))
        assert app.screen.source.title == "mlflow"  # type: ignore[attr-defined]


async def test_a_failed_workflow_leads_to_its_line_in_three_keys(control: FakeControl) -> None:
    failed = failed_run()
    data, *others = builders.workflows()
    flows = (replace(data, last_run=failed), *others)
    problem = Problem(
        "workflow.failed", "data failed", "run it", builders.NOW, "crypto_forecast.data"
    )
    projects = (builders.project(workflows=flows),)
    control.snapshot = builders.status(problems=(problem,), projects=projects)
    app = ApplianceApp(control)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("exclamation_mark", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, LogsPage))
        await until(pilot, lambda: panel(app, "log").view.rows[1:])
        await until(pilot, lambda: "ValueError: 12 rows" in under_cursor(app, "log"))


async def test_the_key_of_a_step_carries_it_out(app: ApplianceApp, control: FakeControl) -> None:
    control.known_events = [
        builders.event(1, EventKind.MODEL_REFUSED, "v13 refused", builders.NOW, version=13)
    ]
    async with app.run_test(size=(80, 24)) as pilot:
        await open_event(pilot, app, "v13 refused")
        assert "r  train anew now" in rows(app, "page")
        await pilot.press("r")
        await until(pilot, lambda: control.commands)
        assert control.commands[0][0] == "run_workflow"
        assert not isinstance(app.screen, WhyModal)


async def test_a_gap_is_shown_on_its_strip(app: ApplianceApp, control: FakeControl) -> None:
    gaps = (builders.gap(), builders.gap(builders.ago(hours=9), 4))
    control.known_coverage = builders.coverage(*gaps)
    started = gaps[1].start_at.isoformat()
    control.known_events = [
        builders.event(
            1, EventKind.GAP_FOUND, "4 candles unknown", builders.NOW, Severity.WARNING,
            market="KRW-BTC", unit=1, start_at=started,
        )
    ]  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        await open_event(pilot, app, "4 candles unknown")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DataPage))
        await until(pilot, lambda: panel(app, "gaps").selected_key == started)
        assert panel(app, "gaps").has_focus


async def test_an_outlier_is_shown_among_its_candles(
    app: ApplianceApp, control: FakeControl
) -> None:
    jumped = control.closed[100]
    control.closed[100] = replace(jumped, close=jumped.close * 1.2, high=jumped.high * 1.2)
    control.known_events = [
        builders.event(
            1, EventKind.QUALITY_CHECKED, "price jumps by 20 %",
            jumped.candle_date_time_utc + timedelta(minutes=5), Severity.WARNING,
            codes=["price_jump"],
        )
    ]  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        await open_event(pilot, app, "price jumps")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CandlesPage))
        await until(pilot, lambda: "× usual" in under_cursor(app, "candles"))
        assert "+19.93 %" in under_cursor(app, "candles")


async def test_a_crash_leads_to_the_log_at_that_time(
    app: ApplianceApp, control: FakeControl
) -> None:
    crashed_at = builders.ago(minutes=32)
    lines = [
        f"{builders.ago(minutes=60) + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ} INFO n={n}"
        for n in range(3000)
    ]
    control.service_lines = lambda _: lines
    control.known_events = [
        builders.event(1, EventKind.SERVICE_STATE, "ingestor died", crashed_at, service="ingestor")
    ]
    async with app.run_test(size=(80, 24)) as pilot:
        await open_event(pilot, app, "ingestor died")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LogsPage))
        await until(pilot, lambda: panel(app, "log").view.rows[1:])
        await until(pilot, lambda: "n=1680" in under_cursor(app, "log"))


async def test_versions_and_features_are_under_the_cursor(
    app: ApplianceApp, control: FakeControl
) -> None:
    control.known_events = [
        builders.event(1, EventKind.TRAINED, "v11 trained", builders.NOW, version=11),
        builders.event(2, EventKind.DRIFT_VERDICT, "drift", builders.NOW, drifted=["return_30"]),
    ]
    async with app.run_test(size=(120, 40)) as pilot:
        await open_event(pilot, app, "v11 trained")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ModelsPage))
        await until(pilot, lambda: panel(app, "models").selected_key == "11")
        await pilot.press("escape")
        await open_event(pilot, app, "drift")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FeaturePage))
        await until(pilot, lambda: "a stable market does this 44 %" in rows(app, "feature"))
