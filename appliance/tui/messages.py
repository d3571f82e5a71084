"""Past facts that background threads report to the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.message import Message

from appliance.control.api import ApplianceStatus
from appliance.domain.candle import Candle, LiveCandle
from appliance.domain.chart import Chart, ChartInfo
from appliance.domain.coverage import MarketCoverage
from appliance.domain.event import Event
from appliance.domain.feed import Feed
from appliance.domain.forecast import Forecast
from appliance.domain.history_job import CoverageCell
from appliance.domain.log import LogPage
from appliance.domain.model_comparison import ModelComparison
from appliance.domain.model_version import ModelVersion
from appliance.domain.monitoring import Monitoring
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.tui.log_sources import LogSource
from appliance.tui.state import Failure
from appliance.tui.undo import Undo


@dataclass(frozen=True)
class StreamUpdate:
    """What the stream brought since the last message; `failure` when it broke off."""

    status: ApplianceStatus | None = None
    live: tuple[LiveCandle, ...] = ()
    events: tuple[Event, ...] = ()
    failure: Failure | None = None
    retry_seconds: float = 0.0


class Answer(Message):
    """What a page has asked for; `Page.ask` counts in `turn` which project and time the page was about."""

    turn = 0


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
    """The operator's command was carried out; `text` says what happened, `undo` is its opposite."""

    def __init__(self, action: str, text: str, undo: Undo | None = None) -> None:
        super().__init__()
        self.action = action
        self.text = text
        self.undo = undo


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


@dataclass(frozen=True)
class PlaceRead:
    """A part of a log, the position of the line that was looked for, and the log's name once it is known."""

    page: LogPage
    at: int | None = None
    source: LogSource | None = None


class LogRead(Message):
    """A part of a log was read, or could not be; `turn` says for which state of the screen."""

    def __init__(
        self, turn: object, answer: PlaceRead | Failure, show: Callable[[PlaceRead], None]
    ) -> None:
        super().__init__()
        self.turn = turn
        self.answer = answer
        self.show = show


class CandlesRead(Answer):
    """Candles of a feed were read, or could not be."""

    def __init__(self, candles: tuple[Candle, ...] | Failure) -> None:
        super().__init__()
        self.candles = candles


class ModelsRead(Answer):
    """The versions of a project were read, or could not be."""

    def __init__(self, models: tuple[ModelVersion, ...] | Failure) -> None:
        super().__init__()
        self.models = models


class PromotionAsked(Message):
    """The versions of `project` were read to promote `version`, or could not be."""

    def __init__(
        self, project: str, version: int, models: tuple[ModelVersion, ...] | Failure
    ) -> None:
        super().__init__()
        self.project = project
        self.version = version
        self.models = models


class ComparisonRead(Answer):
    """Two versions of the project were compared, or could not be."""

    def __init__(self, versions: tuple[int, int], comparison: ModelComparison | Failure) -> None:
        super().__init__()
        self.versions = versions
        self.comparison = comparison


class MonitoringRead(Answer):
    """What monitoring knows of a project was read, or could not be."""

    def __init__(self, known: Monitoring | Failure) -> None:
        super().__init__()
        self.known = known


class ChartsRead(Answer):
    """The list of a project's charts was read, or could not be."""

    def __init__(self, project: str, charts: Sequence[ChartInfo] | Failure) -> None:
        super().__init__()
        self.project = project
        self.charts = charts


class ChartRead(Answer):
    """The chart that was `asked` for was read, or could not be."""

    def __init__(self, asked: tuple[object, ...], chart: Chart | Failure) -> None:
        super().__init__()
        self.asked = asked
        self.chart = chart


class RunsRead(Answer):
    """The runs of a workflow were read, or could not be."""

    def __init__(self, kind: WorkflowKind, runs: tuple[DagRun, ...] | Failure) -> None:
        super().__init__()
        self.kind = kind
        self.runs = runs


class RunRead(Answer):
    """One run with its task instances was read, or could not be."""

    def __init__(self, run_id: str, run: DagRun | Failure) -> None:
        super().__init__()
        self.run_id = run_id
        self.run = run


class CoverageRead(Answer):
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
