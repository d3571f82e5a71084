"""Past facts that background threads report to the application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.message import Message

from appliance.control.api import ApplianceStatus
from appliance.domain.candle import Candle, LiveCandle
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import CoverageCell
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.tui.state import Failure, Feed


@dataclass(frozen=True)
class StreamUpdate:
    """What the stream brought since the last message; `failure` when it broke off."""

    status: ApplianceStatus | None = None
    live: tuple[LiveCandle, ...] = ()
    events: tuple[Event, ...] = ()
    failure: Failure | None = None
    retry_seconds: float = 0.0


class StreamAdvanced(Message):
    """The stream moved on or broke off."""

    def __init__(self, update: StreamUpdate) -> None:
        super().__init__()
        self.update = update


class HistoryRead(Message):
    """Candles of `feed`, forecasts of `project`, and the newest events, each read or failed."""

    def __init__(
        self,
        project: str,
        feed: Feed,
        candles: tuple[Candle, ...] | Failure,
        forecasts: tuple[Forecast, ...] | Failure,
        events: tuple[Event, ...] | Failure,
    ) -> None:
        super().__init__()
        self.project = project
        self.feed = feed
        self.candles = candles
        self.forecasts = forecasts
        self.events = events


class ActionSucceeded(Message):
    """The operator's command was carried out; `text` says what happened."""

    def __init__(self, action: str, text: str) -> None:
        super().__init__()
        self.action = action
        self.text = text


class ActionFailed(Message):
    """The operator's command was refused."""

    def __init__(self, action: str, failure: Failure) -> None:
        super().__init__()
        self.action = action
        self.failure = failure


class EvidenceRead(Message):
    """What is known of the two versions of a dialog, or why it cannot be read."""

    def __init__(self, sentences: Sequence[str] | Failure) -> None:
        super().__init__()
        self.sentences = sentences


class LogRead(Message):
    """The log of `source` was read, or could not be."""

    def __init__(self, source: str, lines: tuple[str, ...] | Failure) -> None:
        super().__init__()
        self.source = source
        self.lines = lines


class ModelsRead(Message):
    """The versions of a project were read, or could not be."""

    def __init__(self, models: tuple[ModelVersion, ...] | Failure) -> None:
        super().__init__()
        self.models = models


class MonitoringRead(Message):
    """What monitoring knows of a project was read, or could not be."""

    def __init__(self, project: str, known: Monitoring | Failure) -> None:
        super().__init__()
        self.project = project
        self.known = known


class RunsRead(Message):
    """The runs of a workflow were read, or could not be."""

    def __init__(self, kind: WorkflowKind, runs: tuple[DagRun, ...] | Failure) -> None:
        super().__init__()
        self.kind = kind
        self.runs = runs


class RunRead(Message):
    """One run with its task instances was read, or could not be."""

    def __init__(self, run_id: str, run: DagRun | Failure) -> None:
        super().__init__()
        self.run_id = run_id
        self.run = run


class CoverageRead(Message):
    """Coverage and strip of `feed` over `hours` were read, or could not be."""

    def __init__(
        self,
        feed: Feed,
        hours: float,
        answer: tuple[MarketCoverage | None, tuple[CoverageCell, ...]] | Failure,
    ) -> None:
        super().__init__()
        self.feed = feed
        self.hours = hours
        self.answer = answer
