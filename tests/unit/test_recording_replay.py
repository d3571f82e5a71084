"""A recording answers as the appliance did, refuses every action, and fits into one file."""

from __future__ import annotations

import inspect
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.config.when import parse_when
from appliance.control import wire
from appliance.control.recording.export import export
from appliance.control.recording.folder import recorded_files
from appliance.control.recording.reader import RecordingReader
from appliance.control.recording.replay import ReplayRecording
from appliance.control.recording.secrets import Blotter
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ConfigError, RegistryUnavailable
from tests import builders
from tests.fakes.control import FakeControl
from tests.recorded import FIRST, SECOND, THIRD, put_all, three_moments, writer

SECOND_LATER = timedelta(seconds=1)
Three = tuple[FakeControl, FakeControl, FakeControl]


@pytest.fixture
def told(tmp_path: Path) -> Three:
    """What answered at each instant; the recording lies in `tmp_path`."""
    return three_moments(tmp_path)


def test_every_read_answers_as_it_did_then(told: Three, tmp_path: Path) -> None:
    recording = ReplayRecording(tmp_path, "")
    for control, at in zip(told, (FIRST, SECOND, THIRD), strict=True):
        past = recording.look(at + SECOND_LATER).control
        assert past.status() == control.status()
        assert past.events() == control.events()
        assert past.monitoring(builders.PROJECT) == control.monitoring(builders.PROJECT)
        market = builders.MARKET
        assert past.candles(market, 1, 240) == control.candles(market, 1, 240)
        assert past.coverage(market, 1) == control.coverage(market, 1)
        assert past.service_log("store", 500) == control.service_log("store", 500)
        for kind in WorkflowKind:
            found = past.dag_runs(builders.PROJECT, kind, 30)
            assert found == control.dag_runs(builders.PROJECT, kind, 30)


def test_a_longer_answer_serves_a_shorter_question(told: Three, tmp_path: Path) -> None:
    past = ReplayRecording(tmp_path, "").look(THIRD).control
    assert past.candles(builders.MARKET, 1, 3) == told[2].candles(builders.MARKET, 1, 3)
    runs = told[2].dag_runs(builders.PROJECT, WorkflowKind.DATA, 2)
    assert past.dag_runs(builders.PROJECT, WorkflowKind.DATA, 2) == runs
    assert past.events(limit=2) == told[2].events(limit=2)
    assert past.service_log("store", 4) == told[2].service_log("store", 4)


def test_what_failed_then_fails_now_and_an_open_screen_kept_the_old_value(
    told: Three, tmp_path: Path
) -> None:
    recording = ReplayRecording(tmp_path, "")
    look = recording.look(SECOND + SECOND_LATER)
    with pytest.raises(RegistryUnavailable, match="mlflow is down") as caught:
        look.control.models(builders.PROJECT)
    assert caught.value.hint == "wait"
    assert caught.value.fields["failed_at"] == SECOND
    assert look.kept.models(builders.PROJECT) == told[0].models(builders.PROJECT)
    assert recording.look(THIRD).control.models(builders.PROJECT) == told[2].known_models


def test_what_was_not_recorded_says_so(told: Three, tmp_path: Path) -> None:
    del told
    past = ReplayRecording(tmp_path, "").look(THIRD).control
    with pytest.raises(ConfigError, match="verdicts was not recorded"):
        past.verdicts(builders.PROJECT, 1, 2)


@pytest.mark.parametrize("action", sorted(wire.ACTIONS))
def test_nothing_acts_in_the_past(told: Three, tmp_path: Path, action: str) -> None:
    del told
    method = getattr(ReplayRecording(tmp_path, "").look(THIRD).control, action)
    with pytest.raises(ConfigError, match="nothing in it can be changed"):
        method(**dict.fromkeys(inspect.signature(method).parameters, "x"))


def test_steps_find_changes_and_events(told: Three, tmp_path: Path) -> None:
    del told
    recording = ReplayRecording(tmp_path, "")
    assert recording.step(FIRST, forward=True) == SECOND
    assert recording.step(SECOND, forward=True) == THIRD
    assert recording.step(THIRD, forward=True) is None
    assert recording.step(THIRD, forward=False) == SECOND
    assert recording.step(SECOND, forward=True, events_only=True) == THIRD


def test_looking_beyond_the_ends_shows_the_ends(told: Three, tmp_path: Path) -> None:
    del told
    recording = ReplayRecording(tmp_path, "")
    first, last = recording.span()
    assert recording.look(FIRST - timedelta(days=1)).at == first == FIRST
    assert recording.look(THIRD + timedelta(days=1)).at == last


def test_where_nobody_recorded_the_look_says_so(tmp_path: Path) -> None:
    for at in (FIRST, THIRD):
        target = writer(tmp_path)
        put_all(target, FakeControl(), at)
        target.close()
    recording = ReplayRecording(tmp_path, "")
    assert not recording.look(FIRST + SECOND_LATER).is_gap
    look = recording.look(SECOND)
    assert look.is_gap
    assert look.recorded_at == FIRST
    assert not recording.look(THIRD).is_gap


def test_what_is_written_meanwhile_is_seen(tmp_path: Path) -> None:
    target, control = writer(tmp_path), FakeControl()
    put_all(target, control, FIRST)
    recording = ReplayRecording(tmp_path, "")
    assert recording.span() == (FIRST, FIRST)
    control.snapshot = builders.status(problems=(builders.problem(1),))
    put_all(target, control, SECOND)
    assert recording.span() == (FIRST, SECOND)
    assert recording.look(SECOND).control.status().problems
    target.close()


def test_a_support_case_is_one_file_without_secrets(told: Three, tmp_path: Path) -> None:
    case = tmp_path / "case.file"
    reader = RecordingReader(tmp_path)
    made = export(
        reader, case, SECOND - SECOND_LATER, THIRD + SECOND_LATER, Blotter(["candle stored"])
    )
    assert stat.S_IMODE(case.stat().st_mode) == 0o600
    assert made.bytes == case.stat().st_size
    elsewhere = ReplayRecording(case, "case")
    assert elsewhere.look(SECOND - SECOND_LATER).control.status() == told[0].status()
    assert elsewhere.look(THIRD).control.events() == told[2].events()
    lines = elsewhere.look(THIRD).control.service_log("store")
    assert any("***" in line for line in lines)
    assert not any("candle stored" in line for line in lines)


def test_an_export_never_takes_the_place_of_a_file(told: Three, tmp_path: Path) -> None:
    del told
    case = tmp_path / "case.file"
    case.write_text("mine")
    with pytest.raises(ConfigError, match="cannot be written: File exists"):
        export(RecordingReader(tmp_path), case, FIRST, THIRD, str)
    assert case.read_text() == "mine"
    assert {file.name for file in tmp_path.iterdir()} - {case.name} == {
        file.name for file in recorded_files(tmp_path)
    }


def test_a_span_without_a_recording_is_refused(told: Three, tmp_path: Path) -> None:
    del told
    early = FIRST - timedelta(days=1)
    with pytest.raises(ConfigError, match="nothing was recorded between"):
        export(RecordingReader(tmp_path), tmp_path / "x", early, early + SECOND_LATER, str)


@pytest.mark.parametrize("content", [b"", b"no recording", b"H" * 100])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other"
    other.write_bytes(content)
    with pytest.raises(ConfigError, match="there is no recording in"):
        ReplayRecording(other, "").span()


NOW = datetime(2026, 3, 14, 5, 2, 31, tzinfo=UTC)  # 14:02:31 KST


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("02:13", "2026-03-13T17:13:00+00:00"),
        ("2:13:05", "2026-03-13T17:13:05+00:00"),
        ("23:59", "2026-03-13T14:59:00+00:00"),
        ("14:02", "2026-03-14T05:02:00+00:00"),
        ("-2h", "2026-03-14T03:02:31+00:00"),
        ("-1h30m", "2026-03-14T03:32:31+00:00"),
        ("2026-03-01 09:30", "2026-03-01T00:30:00+00:00"),
        ("2026-03-01", "2026-02-28T15:00:00+00:00"),
        ("2026-03-01T09:30Z", "2026-03-01T09:30:00+00:00"),
        ("now", "2026-03-14T05:02:31+00:00"),
    ],
)
def test_times_are_written_as_people_do(text: str, meant: str) -> None:
    assert parse_when(text, NOW).astimezone(UTC).isoformat() == meant


@pytest.mark.parametrize("text", ["", "25:00", "yesterday", "-2x", "2027-01-01", "-99999999d"])
def test_other_times_say_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="a time such as 02:13"):
        parse_when(text, NOW)
