"""Recordings made by the real writer of what an appliance in memory answers."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from appliance.control import wire
from appliance.control.api import Control
from appliance.control.recording.folder import Limits
from appliance.control.recording.state import EVENTS, STATUS, failing, good, subject_of
from appliance.control.recording.subjects import subjects_of
from appliance.control.recording.writer import RecordingWriter
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ApplianceError, RegistryUnavailable
from tests import builders
from tests.fakes.control import FakeControl

FIRST, SECOND, THIRD = (builders.ago(minutes=minutes) for minutes in (30, 20, 10))
"""The instants of `three_moments`."""


def writer(folder: Path) -> RecordingWriter:
    """Return a writer that blots nothing out."""
    return RecordingWriter(folder, Limits(), str, {"version": "0.0.0"})


def put_all(target: RecordingWriter, control: Control, at: datetime) -> None:
    """Record everything that the recorder follows, as of `at`."""
    status = control.status()
    known = json.loads(wire.encode_result(STATUS, status))
    target.put_value(STATUS, {"r": known}, at)
    for subject in subjects_of(status, lambda _: None):
        arguments = dict(subject.arguments)
        if "kind" in arguments:
            arguments["kind"] = WorkflowKind(arguments["kind"])
        name = subject_of(subject.operation, subject.arguments)
        try:
            answer = getattr(control, subject.operation)(**arguments)
        except ApplianceError as error:
            told = json.loads(wire.encode_error(error))
            moment = round(at.timestamp() * 1000)
            target.put_value(name, failing(target.value(name), told, moment), at)
        except StopIteration:  # the appliance in memory does not know this run
            continue
        else:
            value = good(json.loads(wire.encode_result(subject.operation, answer)))
            is_news = subject.operation == EVENTS
            target.put_value(name, value, at, mark=is_news)
    target.flush(at)


def three_moments(folder: Path) -> tuple[FakeControl, FakeControl, FakeControl]:
    """Record a good, a troubled and a mended appliance; return what answered at each instant.

    At SECOND the registry does not answer, one service is down and an event more is known.
    """
    first, second, third = FakeControl(), FakeControl(), FakeControl()
    first.known_events = first.known_events[:-2]
    second.known_events = second.known_events[:-1]
    second.snapshot = builders.status(problems=(builders.problem(1),))
    target = writer(folder)
    for control, at in ((first, FIRST), (second, SECOND), (third, THIRD)):
        if control is second:
            control.failures["models"] = RegistryUnavailable("mlflow is down", hint="wait")
        put_all(target, control, at)
        target.put_value("alive", {"r": str(at)}, at + timedelta(minutes=9, seconds=50))
        target.flush(at + timedelta(minutes=9, seconds=50))
    target.close()
    second.failures.clear()
    return first, second, third
