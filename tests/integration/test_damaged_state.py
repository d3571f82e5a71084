"""A damaged state file is named, and rebuilt where no data can be lost by it, refused where it could."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import clock
from appliance.alerts.outbox import AlertDispatcher
from appliance.config.paths import Paths, write_atomically
from appliance.config.reading import UnreadableFile
from appliance.config.secret import Secret, read_secret, write_secret
from appliance.config.settings import Settings
from appliance.config.state_file import has_content
from appliance.domain.event import Event, EventKind, Severity
from appliance.errors import ConfigError, RegistryError, ServiceError
from appliance.exchange.source import forget_source, source_kind
from appliance.registry.rest import RegistryRest
from appliance.registry.warm_models import WarmModels
from appliance.simulator.exchange import Exchange
from appliance.simulator.options import SimulatorOptions
from appliance.supervisor.postgres import _data_version
from appliance.supervisor.sessions import SessionRecord, read_records, write_records
from store.alerts import recent
from store.events import append_event
from store.open import open_store


def folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("kept")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(b'{"kind": "up'),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "another type": lambda path: path.write_text("[1, 2]"),
    "deep": lambda path: path.write_text("[" * 20_000),
    "folder": folder,
}
damaged = pytest.mark.parametrize("damage", DAMAGES)


@damaged
def test_a_source_that_is_not_known_is_refused(home: Paths, damage: str) -> None:
    DAMAGES[damage](home.home / "source.json")
    with pytest.raises(ConfigError, match=r"source\.json") as caught:
        source_kind(Settings(), home)
    assert "source.kind" in caught.value.hint
    forget_source(home)
    assert not (home.home / "source.json").exists()


def test_a_source_of_another_kind_is_not_taken_for_the_simulator(home: Paths) -> None:
    (home.home / "source.json").write_text('{"kind": "upbitt"}')
    with pytest.raises(ConfigError, match="does not say"):
        source_kind(Settings(), home)


@damaged
def test_the_simulator_begins_its_state_anew_in_the_present(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "simulator.json"
    DAMAGES[damage](file)
    with caplog.at_level(logging.WARNING):
        exchange = Exchange(SimulatorOptions(state_file=file))
    assert abs((exchange.time.now_at() - clock.now()).total_seconds()) < 5
    assert json.loads(file.read_text())["shifts"] == []
    assert (tmp_path / "simulator.json.damaged").exists()
    assert str(file) in caplog.text


@damaged
def test_the_simulator_does_not_turn_its_time_back(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "simulator.json"
    DAMAGES[damage](file)
    fast = SimulatorOptions(state_file=file, speed=60.0)
    for options in (fast, replace(fast, speed=1.0, start_at=datetime(2026, 1, 1, tzinfo=UTC))):
        with pytest.raises(ConfigError, match=r"simulator\.json is damaged"):
            Exchange(options)


def test_an_earlier_versions_state_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "simulator.json"
    at = "2026-01-05T12:00:00+00:00"
    shift = {"start": 1, "end": None, "volatility": 2.0, "drift": 0.0, "volume": 1.0, "market": ""}
    saved = {"key": "seed=7;start=;replay=", "started_at": at, "real_at": at, "simulated_at": at}
    file.write_text(json.dumps({**saved, "speed": 1.0, "shifts": [shift]}))
    exchange = Exchange(SimulatorOptions(state_file=file))
    assert exchange.started_at.isoformat() == at
    assert exchange.shifts.all()[0].volatility == 2.0


@damaged
def test_messages_of_a_day_are_looked_at_again_and_none_is_doubled(
    home: Paths, damage: str
) -> None:
    class Silent:
        target = "nowhere"

        def send(self, text: str) -> None:
            """Take a message."""

    def happened(days_ago: float) -> Event:
        at = datetime.fromtimestamp(clock.now().timestamp() - 86_400 * days_ago, UTC)
        return Event(EventKind.PROMOTED, "promoted", "operator", at, severity=Severity.INFO)

    position = home.alert_position_file
    with open_store(home) as store:
        append_event(store, happened(400))
        append_event(store, happened(0.5))
        AlertDispatcher(Silent, position).step(store, clock.now())
        sent = len(recent(store, 100))
        position.unlink()
        DAMAGES[damage](position)
        append_event(store, happened(0))
        with_new = AlertDispatcher(Silent, position)
        with_new.step(store, clock.now())
        with_new.step(store, clock.now())
        assert len(recent(store, 100)) == sent + 1
    assert int(position.read_text()) > 0


@damaged
def test_a_stamp_is_written_anew(tmp_path: Path, damage: str) -> None:
    stamp = tmp_path / "migrated"
    DAMAGES[damage](stamp)
    assert not has_content(stamp, "3.3.2\n")
    write_atomically(stamp, "3.3.2\n")
    assert has_content(stamp, "3.3.2\n")


@damaged
def test_sessions_count_as_empty_and_are_written_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sessions.json"
    DAMAGES[damage](path)
    assert read_records(str(path)) == []
    record = SessionRecord("store", 1, 2, 15, 3.0)
    write_records(str(path), 1, [record])
    assert [each.name for each in read_records(str(path))] == ["store"]


@pytest.mark.parametrize("leader", ['"1"', "true", "1.5", "null", "-1e400"])
def test_a_session_of_a_wrong_type_is_nobodys(tmp_path: Path, leader: str) -> None:
    path = tmp_path / "sessions.json"
    write_records(str(path), 1, [SessionRecord("store", 4_000_000, 2, 15, 3.0)])
    path.write_text(path.read_text().replace("4000000", leader))
    assert read_records(str(path)) == []


@damaged
def test_copies_of_models_without_their_list_are_refused(home: Paths, damage: str) -> None:
    (home.model_copies / "crypto_forecast").mkdir(parents=True)
    DAMAGES[damage](home.model_copies / "crypto_forecast" / "aliases.json")
    models = WarmModels(RegistryRest("http://127.0.0.1:9"), home.model_copies)
    with pytest.raises(RegistryError, match=r"aliases\.json is damaged"):
        models.recover("crypto_forecast")


@damaged
def test_a_database_that_names_no_version_is_not_overwritten(home: Paths, damage: str) -> None:
    home.postgres_data.mkdir()
    assert _data_version(home.postgres_data) == ""
    (home.postgres_data / "base").mkdir()
    DAMAGES[damage](home.postgres_data / "PG_VERSION")
    with pytest.raises(ServiceError, match="PG_VERSION names no version"):
        _data_version(home.postgres_data)


@pytest.mark.parametrize("damage", ["binary", "folder"])
def test_a_damaged_secret_is_named(home: Paths, damage: str) -> None:
    path = home.secrets / Secret.SLACK_BOT_TOKEN.value
    DAMAGES[damage](path)
    path.chmod(0o700 if damage == "folder" else 0o600)
    with pytest.raises(ConfigError, match=str(path)):
        read_secret(home, Secret.SLACK_BOT_TOKEN)
    write_secret(home, Secret.SLACK_BOT_TOKEN, "xoxb")
    assert read_secret(home, Secret.SLACK_BOT_TOKEN) == "xoxb"


def test_a_name_that_is_taken_is_not_lost(tmp_path: Path) -> None:
    for content in "abc":
        folder(tmp_path / "file")
        write_atomically(tmp_path / "file", content)
        (tmp_path / "file").unlink()
    assert len(list(tmp_path.glob("file.damaged*/inside"))) == 3


def test_reading_names_what_it_found(tmp_path: Path) -> None:
    from appliance.config.reading import read_json

    (tmp_path / "x").write_text("NaN")
    with pytest.raises(UnreadableFile, match="not a JSON number"):
        read_json(tmp_path / "x")
