"""The recorder on a running control backend: what is kept, and what happens when it cannot be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret, write_secret
from appliance.config.settings import RecorderSettings
from appliance.control.api import StreamMessage
from appliance.control.recording.delta import changed
from appliance.control.recording.folder import recorded_files
from appliance.control.recording.opening import open_recorder
from appliance.control.recording.recorder import Recorder
from appliance.control.recording.segment import read_records, sections
from appliance.domain.event import EventKind
from appliance.domain.service import ServiceState
from store.candles import store_candles
from tests import builders
from tests.control_bench import PROJECT, Bench, running_bench
from tests.store_process import START, raw_candle
from tests.waiting import wait_until

TOKEN = "xoxb-known-to-nobody-else"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    paths = Paths(tmp_path_factory.mktemp("recorder") / "home")
    paths.create()
    write_secret(paths, Secret.SLACK_BOT_TOKEN, TOKEN)
    with running_bench(paths, lambda _session, _airflow: None) as running:
        yield running


def recorder_of(bench: Bench) -> Recorder:
    return open_recorder(bench.paths, RecorderSettings(), bench.backend, bench.backend.hub)


def recorded(bench: Bench) -> dict[str, object]:
    """Return the newest state in the recording, by subject."""
    state: dict[str, object] = {}
    content = b"".join(file.read_bytes() for file in recorded_files(bench.paths.recording))
    for section in sections(content):
        for record in read_records(content, section):
            if record.change is not None:
                state[record.subject] = changed(state.get(record.subject), record.change)
    return state


def value(bench: Bench, subject: str) -> str:
    return json.dumps(recorded(bench).get(subject))


def test_what_is_published_and_what_screens_read_is_recorded(bench: Bench) -> None:
    recorder = recorder_of(bench)
    recorder.start()
    try:
        store_candles(bench.store, [raw_candle(minute) for minute in range(5)], "test", START)
        subject = 'candles {"count": 240, "market": "KRW-BTC", "unit": 1}'
        wait_until(lambda: value(bench, subject).count("candle_date_time_utc") == 5, 30)
        wait_until(lambda: f'models {{"project": "{PROJECT}"}}' in recorded(bench), 30)
        down = replace(builders.services()[0], observed=ServiceState.UNHEALTHY)
        bench.services.current = (down, *builders.services()[1:])
        wait_until(lambda: "unhealthy" in value(bench, "status"), 30)
    finally:
        recorder.stop()
    content = recorded_files(bench.paths.recording)[-1].read_bytes()
    assert next(iter(sections(content))).is_whole


def test_whoever_follows_misses_nothing_and_does_not_count_as_watching(bench: Bench) -> None:
    hub = bench.backend.hub
    heard: list[StreamMessage] = []
    leave = hub.follow(heard.append)
    assert not hub.is_watched
    for number in (1, 2, 3):
        hub.publish(StreamMessage(event=builders.event(number, EventKind.TRAINED, "", START)))
    leave()
    hub.publish(StreamMessage(event=builders.event(4, EventKind.TRAINED, "", START)))
    assert heard[0].status is not None
    assert [each.event.id for each in heard[1:] if each.event] == [1, 2, 3]


def test_no_secret_gets_into_a_recording(bench: Bench) -> None:
    log = bench.services.log_path("store")
    jwt = read_secret(bench.paths, Secret.AIRFLOW_JWT_SECRET)
    log.write_text(f"INFO token={TOKEN}\nINFO jwt={jwt}\nINFO said\n")
    recorder = recorder_of(bench)
    recorder.start()
    try:
        subject = 'service_log {"lines": 500, "name": "store"}'
        wait_until(lambda: "INFO said" in value(bench, subject), 30)
    finally:
        recorder.stop()
    text = json.dumps(recorded(bench))
    assert "token=***" in text
    assert TOKEN not in text
    assert not jwt or jwt not in text


def test_a_folder_that_cannot_be_written_is_a_problem_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(bench.paths.recording, ignore_errors=True)
    bench.paths.recording.write_text("in the way")
    recorder = recorder_of(bench)
    bench.backend.recorder_trouble = lambda: recorder.trouble
    recorder.start()
    try:
        wait_until(
            lambda: "recorder.stopped" in {p.code for p in bench.client.status().problems}, 30
        )
        assert [r.message for r in caplog.records if "nothing is recorded" in r.message] == [
            "nothing is recorded: File exists"
        ]
    finally:
        recorder.stop()
        bench.paths.recording.unlink()
        bench.backend.recorder_trouble = lambda: ""
