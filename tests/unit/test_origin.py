"""Who did something: in words, and there and back through JSON."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from appliance.control.api import StreamMessage
from appliance.control.decode import decode_message
from appliance.control.wire import encode_message
from appliance.domain.event import Event, EventKind
from appliance.domain.origin import Origin, Through, origin_from_json, origin_to_json
from store.migrate import MIGRATIONS, migrate, read_migrations
from tests.builders import KIM, NOW

TRAINING = Origin("train_wf", Through.WORKFLOW, run_id="manual__7", cause=KIM)


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (KIM, "kim on pts/3 of vm1 from 10.0.0.5 (console)"),
        (Origin("ml", Through.COMMAND, login="kim"), "ml (logged in as kim) (command)"),
        (Origin("supervisor", Through.SERVICE), "supervisor"),
        (Origin("train_wf", Through.WORKFLOW, run_id="scheduled__1"), "train run scheduled__1"),
        (
            TRAINING,
            "train run manual__7, asked for by kim on pts/3 of vm1 from 10.0.0.5 (console)",
        ),
        (Origin("lee", Through.AIRFLOW_PAGE), "lee in Airflow's page"),
    ],
)
def test_an_origin_says_who_and_through_what(origin: Origin, words: str) -> None:
    assert origin.words == words
    assert origin_from_json(origin_to_json(origin)) == origin


def test_the_root_of_a_chain_is_who_began_it() -> None:
    asked = Origin("train_wf", Through.WORKFLOW, cause=Origin("monitoring_wf", cause=KIM))
    assert asked.root == KIM


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '"kim"'])
def test_what_is_no_origin_is_none(text: str) -> None:
    assert origin_from_json(text) is None


def test_a_way_that_this_program_does_not_know_is_unknown() -> None:
    text = json.dumps({"name": "kim", "through": "pigeon"})
    assert origin_from_json(text) == Origin("kim", Through.UNKNOWN)


def test_an_event_brings_its_chain_of_causes_over_the_wire() -> None:
    event = Event(EventKind.TRAINED, "trained", "kim", NOW, origin=TRAINING)
    message = StreamMessage(event=event)
    assert decode_message(encode_message(message)) == message


def test_events_of_an_older_store_say_the_actor_they_had(tmp_path: Path) -> None:
    known = read_migrations(MIGRATIONS)
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        migrate(connection, known[:9])
        connection.execute(
            "INSERT INTO events (occurred_at, kind, severity, project, actor, summary, details)"
            " VALUES (now(), 'model.promoted', 'info', 'shop', 'operator', 'v2', '{}')"
        )
        migrate(connection, known)
        found = connection.execute("SELECT actor, origin, done_by FROM events").fetchall()
    assert found == [("operator", "", "operator")]
