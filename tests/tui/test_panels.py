"""Panels as pure functions: what they say about an appliance in each of their states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.control.api import ApplianceStatus
from appliance.domain.log import LogLine, LogPage
from appliance.domain.model_version import FILES_REMOVED
from appliance.domain.service import ServiceState
from appliance.domain.workflow import ENDED_NOTE, RunState, WorkflowKind
from appliance.tui.presentation import (
    banner,
    drift,
    events,
    logs,
    market,
    model,
    models,
    problems,
    services,
    workflows,
)
from appliance.tui.presentation.arrange import Arrangement, arrange
from appliance.tui.presentation.formats import line
from appliance.tui.presentation.view import Frame, PanelView
from appliance.tui.state import Board, Failure, Reading
from tests import builders, fleet
from tests.builders import NOW

FRAME = Frame(38, 8, NOW)
WIDE = Frame(68, 16, NOW)
PANELS = [
    market.present,
    services.present,
    workflows.present,
    model.present,
    drift.present,
    events.present,
]
LOST = Failure("no supervisor answers", "start it: `appliance up`", "appliance.not_running", NOW)


def board(status: ApplianceStatus | None = None) -> Board:
    return Board(
        status=Reading(status or builders.status(), NOW),
        candles=Reading(tuple(builders.candles()), NOW),
        forecasts=Reading((builders.forecast(builders.candles()),), NOW),
        events=Reading(tuple(builders.events()), NOW),
    )


def text(view: PanelView) -> str:
    heading = [view.heading.plain] if view.heading else []
    return "\n".join([view.title.plain, *heading, *(row.text.plain for row in view.rows)])


@pytest.mark.parametrize("present", PANELS)
def test_every_panel_says_that_it_is_loading(present: Callable[..., PanelView]) -> None:
    assert "loading" in text(present(Board(), FRAME))


@pytest.mark.parametrize("present", PANELS)
def test_every_panel_that_never_had_a_value_names_failure_and_next_step(
    present: Callable[..., PanelView],
) -> None:
    shown = text(present(Board(status=Reading(failure=LOST)), FRAME))
    assert "no supervisor answers" in shown
    assert "→ start it: `appliance up`" in shown


@pytest.mark.parametrize("present", PANELS)
def test_every_panel_keeps_old_values_dimmed_when_the_connection_is_lost(
    present: Callable[..., PanelView],
) -> None:
    fresh = board()
    lost = replace(fresh, status=fresh.status.failed(LOST))
    view = present(lost, FRAME)
    assert view.is_stale
    assert [row.key for row in view.rows] == [row.key for row in present(fresh, FRAME).rows]


@pytest.mark.parametrize("present", PANELS)
@pytest.mark.parametrize("width", [20, 38, 46, 68, 118])
def test_no_row_is_wider_than_its_panel(present: Callable[..., PanelView], width: int) -> None:
    view = present(board(), Frame(max(width, 38), 12, NOW))
    assert max(row.text.cell_len for row in view.rows) <= max(width, 38)
    assert view.title.cell_len <= max(width, 38)


@pytest.mark.parametrize("present", PANELS)
def test_every_panel_of_an_empty_appliance_says_what_will_fill_it(
    present: Callable[..., PanelView],
) -> None:
    project = builders.project(workflows=(), champion=None, drift=None, forecast=None)
    bare = builders.status(services=(), markets=(), projects=(project,))
    nothing = Board(Reading(bare, NOW), Reading((), NOW), Reading((), NOW), Reading((), NOW))
    view = present(nothing, FRAME)
    assert "○" in text(view)
    assert len(view.rows) >= 2


def test_a_first_model_that_is_held_shows_why_and_the_two_keys() -> None:
    doubt = "skill +69.6 %, more than 30 % over both benchmarks by a first model; look for a leak"
    project = builders.project(champion=None, newest_version=1, held=doubt)
    shown = " ".join(
        text(model.present(board(builders.status(projects=(project,))), FRAME)).split()
    )
    assert "v1 is held for you" in shown
    assert "look for a leak" in shown
    assert "p promotes it, o rejects it" in shown


def test_a_run_that_was_ended_with_its_project_does_not_show_as_failed() -> None:
    ended = replace(builders.dag_run(WorkflowKind.DATA, RunState.FAILED), note=ENDED_NOTE)
    project = builders.project(workflows=(replace(builders.workflows()[0], last_run=ended),))
    shown = text(workflows.present(board(builders.status(projects=(project,))), FRAME))
    assert "■ data       ended" in shown


def test_a_service_that_gave_up_shows_glyph_word_and_reason() -> None:
    broken = builders.service("mlflow", ServiceState.GIVEN_UP, "5 restarts in 2 min", 5)
    view = services.present(board(builders.status(services=(broken,))), WIDE)
    assert "✖ mlflow given up 5 restarts in 2 min ↻5" in text(view)
    assert "0/1 ready" in view.title.plain


def test_workflows_show_state_duration_and_what_comes_next() -> None:
    shown = text(workflows.present(board(), FRAME))
    assert "✔ data       success 4.1 s in 29 s" in shown
    assert "▶ train      running  21 s on request" in shown
    assert "↳ inference" in shown


def test_a_workflow_that_never_ran_is_not_shown_as_zero() -> None:
    data = replace(builders.workflows()[0], last_run=None)
    project = builders.project(workflows=(data,))
    view = workflows.present(board(builders.status(projects=(project,))), FRAME)
    assert "○ data       not yet     – in 29 s" in text(view)


def test_a_broken_dag_file_is_named_in_its_row() -> None:
    data = replace(builders.workflows()[0], import_error="Traceback\nSyntaxError: line 12")
    project = builders.project(workflows=(data,))
    view = workflows.present(board(builders.status(projects=(project,))), WIDE)
    assert "✖ data       DAG file broken: SyntaxError: line 12" in text(view)


def test_every_number_of_the_model_stands_beside_its_benchmark() -> None:
    shown = text(model.present(board(), WIDE))
    assert "v12 champion" in shown
    assert "3 h old" in shown
    assert "skill/EWMA    +2.5 %    +2.1 %   > 0 %" in shown
    assert "skill/static  +7.1 %    +6.8 %   > 0 %" in shown
    assert "coverage      79.3 %    80.4 %    80 %" in shown
    assert "in 30 min    −0.24 % … +0.31 %" in shown
    assert "rollback → v11" in shown


def test_a_version_whose_files_are_gone_is_marked_in_the_list() -> None:
    gone = replace(builders.model_version(9), tags={FILES_REMOVED: "true"})
    state = models.ModelsState(builders.PROJECT, (builders.model_version(10), gone))
    rows = {row.key: row.text.plain for row in models.present(state, WIDE).rows}
    assert "no files" in rows["9"]
    assert "no files" not in rows["10"]


def test_performance_of_another_version_is_not_shown_as_the_champions() -> None:
    project = builders.project(performance=builders.performance(version=11))
    shown = text(model.present(board(builders.status(projects=(project,))), FRAME))
    assert "skill/EWMA         –    +2.1 %" in shown


def test_a_registry_that_does_not_answer_dims_the_model_with_the_reason() -> None:
    stale = builders.status(stale={"models": "MLflow: 503"})
    view = model.present(board(stale), WIDE)
    assert view.is_stale
    assert "MLflow: 503" in view.title.plain


def test_drift_shows_the_worst_feature_first_and_unknown_scores_as_unknown() -> None:
    view = drift.present(board(), WIDE)
    keys = [row.key for row in view.rows]
    assert keys[:3] == ["volatility_30", "volatility_120", "volume_ratio"]
    assert "3 of 8 moved" in view.title.plain
    first, last = view.rows[0].text.plain, view.rows[-1].text.plain
    assert "0.6 σ away; < 0.1 % of the time" in first and "drifted" in first
    assert "12 % of the time" in text(view) and "usual" in text(view)
    assert last.startswith("◌ gap_minutes") and "12 rows are too few" in last
    assert "0.000" not in last


def test_events_are_newest_first_and_found_by_what_their_line_does_not_show() -> None:
    view = events.present(board(), WIDE)
    assert [row.key for row in view.rows][:2] == ["12", "11"]
    found = arrange(view, Arrangement("drift"), WIDE)
    assert {row.key for row in found.rows} == {"10", "11"}


def test_the_market_shows_price_lag_and_change() -> None:
    view = market.present(board(), FRAME)
    assert view.title.plain == "KRW-BTC 1m 159,631,000 lag 3 s ▲0.66 %"


@pytest.mark.parametrize(
    ("seconds", "words", "style"),
    [(3.0, "lag 3 s", "muted"), (59.0, "lag 59 s", "muted"), (400.0, "▲ lag 6 min", "warning")],
)
def test_a_late_lag_warns(seconds: float, words: str, style: str) -> None:
    assert market.lag(builders.market(lag_seconds=seconds)) == (words, style)


def test_an_unknown_lag_is_not_zero() -> None:
    assert market.lag(builders.market(lag_seconds=None)) == ("lag unknown", "warning")


def test_the_forming_candle_replaces_the_last_one_only_when_it_is_newer() -> None:
    known = market.with_forming(board())
    assert len(known) == len(builders.candles()) + 1
    newer = Board(
        board().status, Reading(tuple(builders.candles(end=NOW + timedelta(minutes=5))), NOW)
    )
    assert market.with_forming(newer)[-1] == builders.candles(end=NOW + timedelta(minutes=5))[-1]


def test_a_simulated_source_is_loud() -> None:
    line = banner.top_line(board(), Frame(80, 1, NOW))
    assert "SIMULATOR - synthetic prices" in line.plain
    assert any(span.style == "simulator" for span in line.spans)
    assert line.cell_len == 80


def test_a_simulated_source_is_named_even_when_its_label_does_not() -> None:
    source = replace(builders.SIMULATOR, label="replay of 2025")
    assert banner.SIMULATED in banner.source_chip(source, 60).plain


def test_a_long_source_label_leaves_the_health_readable_at_80_columns() -> None:
    label = "SIMULATOR - synthetic prices, not the market"
    status = builders.status(
        source=replace(builders.SIMULATOR, label=label), problems=(builders.problem(),)
    )
    text = banner.top_line(board(status), Frame(80, 1, NOW)).plain
    assert "▲ 1 problem" in text
    assert banner.SIMULATED in text


def test_a_real_source_is_not_called_a_simulator() -> None:
    line = banner.top_line(board(builders.status(source=builders.UPBIT)), Frame(80, 1, NOW))
    assert "SIMULATOR" not in line.plain
    assert "Upbit" in line.plain


def test_problems_show_message_and_hint_and_say_how_many_more() -> None:
    status = builders.status(problems=(builders.problem(1), builders.problem(2)))
    few = banner.notices(board(status), Frame(80, 3, NOW))
    assert len(few) == 3
    assert "Only 1.2 GB are free" in few[0].plain
    assert "→ free space" in few[1].plain
    assert "2 problems: ! shows all" in few[2].plain
    assert max(line.cell_len for line in few) <= 80
    listed = problems.present(board(status), Frame(80, 9, NOW))
    assert ["2 min" in row.text.plain for row in listed.rows] == [False, True]
    page = text(problems.detail(board(status), listed.rows[1].key, Frame(80, 30, NOW)))
    assert "mend the file" in page
    assert "since 2 min ago" in page


def test_problems_of_one_cause_are_one_row_and_listed_below() -> None:
    known = board(fleet.status())
    assert "▲ 3 problems" in banner.top_line(known, Frame(120, 1, NOW)).plain
    shown = "\n".join(text.plain for text in banner.notices(known, Frame(80, 7, NOW)))
    assert "113 markets late: KRW-AEX, KRW-AEY, KRW-AEZ and 110 more; ! lists them" in shown
    listed = problems.present(known, Frame(80, 9, NOW))
    page = problems.detail(known, listed.rows[0].key, Frame(80, 30, NOW))
    assert len(page.rows) > 113
    assert "KRW-AJF 1m: the newest stored candle closed 839 s ago" in text(page)


@pytest.mark.parametrize("width", [80, 120])
def test_a_lost_connection_says_age_and_next_step(width: int) -> None:
    fresh = board()
    now = NOW + timedelta(seconds=34)
    lost = replace(fresh, status=fresh.status.failed(LOST), retry_at=now + timedelta(seconds=4))
    (line,) = banner.notices(lost, Frame(width, 3, now))
    assert line.cell_len == width
    for words in ("supervisor does not answer", "reconnecting", "34 s old", "`appliance up`"):
        assert words in line.plain


def test_a_running_task_has_the_time_it_took_so_far() -> None:
    train = builders.workflows()[1]
    assert train.kind is WorkflowKind.TRAIN
    assert train.last_run is not None
    assert train.last_run.state is RunState.RUNNING
    assert workflows.took(train, NOW + timedelta(seconds=100)) == "2 min"


def test_a_model_that_has_outlived_its_life_says_so() -> None:
    project = builders.project(model_max_age_hours=24)
    assert project.champion is not None
    old = replace(project.champion, created_at=builders.ago(hours=25))
    for champion, expected in ((old, True), (project.champion, False)):
        known = builders.status(projects=(replace(project, champion=champion),))
        assert ("▲ stale" in model.present(board(known), WIDE).title.plain) is expected


def test_text_from_outside_reaches_the_screen_as_text_only() -> None:
    hostile = "a\x1b]0;x\x07\u202eb\x9bc[bold]d[/]"
    shown = line((hostile, "plain"), hostile).plain
    assert shown == r"a\x1b]0;x\x07\u202eb\x9bc[bold]d[/]" * 2
    page = LogPage((LogLine(0, hostile),), 0, 10, 10)
    state = logs.LogState("ingestor", page)
    pieces = "".join(row.text.plain for row in logs.present(state, WIDE).rows)
    assert r"\x1b]0;x" in pieces
    assert "\x1b" not in pieces
