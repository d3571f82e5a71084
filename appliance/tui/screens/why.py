"""The dialog that answers why, and the way from there to the evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.events import Key

from appliance.domain.feed import Feed
from appliance.tui import keymap
from appliance.tui.log_sources import AtError, AtTime, ServiceLog, TaskLog
from appliance.tui.presentation.evidence import (
    CandlesOf,
    ComparisonOf,
    CoverageOf,
    Evidence,
    FeatureOf,
    ModelHealthOf,
    Nothing,
    RunsOf,
    ServiceLogAt,
    TaskLogOf,
    VersionOf,
)
from appliance.tui.presentation.explanation import Explanation, explain_banner, explain_page
from appliance.tui.presentation.formats import line
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.candles import CandlesPage
from appliance.tui.screens.compare import ComparePage
from appliance.tui.screens.data import DataPage
from appliance.tui.screens.feature import FeaturePage
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.modals import ReadModal
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.screens.page import Page
from appliance.tui.screens.runs import RunsPage
from appliance.tui.state import Board
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


Words = Callable[[Frame], Sequence[Text]]


class WhyModal(ReadModal):
    """An explanation; enter goes to its evidence, the keys of its steps do them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "go", "Evidence", show=False)]

    def __init__(self, explanation: Explanation, more: Words | None = None) -> None:
        super().__init__("Why", partial(_page, explanation, more))
        self.explanation = explanation

    def _keys(self) -> Text:
        """The keys that lead somewhere from here."""
        text = super()._keys()
        if not isinstance(self.explanation.evidence, Nothing):
            text.append(" enter ", "key").append("evidence  ", "muted")
        for step in self.explanation.steps:
            if step.key:
                text.append(f" {step.key} ", "key").append(f"{step.words}  ", "muted")
        return text

    def action_go(self) -> None:
        """Go to the evidence."""
        app = cast("ApplianceApp", self.app)
        self.dismiss(None)
        app.open_evidence(self.explanation)

    @on(Panel.Chosen, "#page")
    def _go(self) -> None:
        self.action_go()

    def on_key(self, event: Key) -> None:
        """Carry out the step whose key was pressed."""
        steps = [step for step in self.explanation.steps if step.action_id]
        pressed = next((s for s in steps if keymap.textual_key(s.key) == event.key), None)
        if pressed is not None:
            event.stop()
            app = cast("ApplianceApp", self.app)
            self.dismiss(None)
            app.run_operation(pressed.action_id)


def _page(explanation: Explanation, more: Words | None, frame: Frame) -> list[Text]:
    lines = explain_page(explanation, frame)
    return [*lines, line(), *more(frame)] if more is not None else lines


def evidence_page(explanation: Explanation, board: Board) -> Page | None:
    """Return the page that shows what an explanation rests on; None where there is nothing to see."""
    words = partial(explain_banner, explanation)
    evidence = explanation.evidence
    if isinstance(evidence, ComparisonOf) and board.project is not None:
        return ComparePage(board.project.name, evidence.champion, (evidence.challenger,))
    return _log_page(evidence, words) or _other_page(evidence, words)


def _log_page(evidence: Evidence, words: Words) -> Page | None:
    match evidence:
        case ServiceLogAt(service, at):
            return LogsPage(ServiceLog(service), AtTime(at) if at else None, words)
        case TaskLogOf(project, kind, run_id, task_id):
            return LogsPage(TaskLog(project, kind, run_id, task_id), AtError(), words)
    return None


def _other_page(evidence: Evidence, words: Words) -> Page | None:
    match evidence:
        case RunsOf(kind):
            return RunsPage(kind)
        case CoverageOf(market, unit, gap_at):
            return DataPage(Feed(market, unit), gap_at)
        case CandlesOf(market, unit, at):
            return CandlesPage(Feed(market, unit), at, words)
        case VersionOf(version) | ComparisonOf(_, version):
            return ModelsPage(version or None)
        case FeatureOf(feature):
            return FeaturePage(feature)
        case ModelHealthOf():
            return MonitoringPage(asks_why=True)
    return None
