"""An answer to why: what happened, since when, what it rests on, what to do, and where to see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from appliance.tui.action_keys import key_of
from appliance.tui.presentation.evidence import Evidence, Nothing, describe_evidence
from appliance.tui.presentation.formats import age, line, moment
from appliance.tui.presentation.view import Frame, wrapped


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; the action does it from here, empty where only a command or a hand does."""

    words: str
    action_id: str = ""

    @property
    def key(self) -> str:
        """The action's key as the operator reads it."""
        return key_of(self.action_id) if self.action_id else ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is not well, or what an event means.

    `meaning` is what follows from it in general, `rests_on` the facts of this case; `actor` is who caused it.
    """

    what: str
    meaning: str
    steps: tuple[Step, ...]
    since_at: datetime | None = None
    rests_on: tuple[str, ...] = ()
    actor: str = ""
    evidence: Evidence = field(default_factory=Nothing)
    name: str = ""
    style: str = "warning"


_LABEL = 11


def explain_page(explanation: Explanation, frame: Frame) -> list[Text]:
    """Return the whole answer in lines of the frame's width."""
    lines = [line((piece, "strong")) for piece in wrapped(explanation.what, frame.width)]
    lines += [line(), *_part("since", [_since(explanation, frame)], frame)]
    lines += _part("it means", [explanation.meaning], frame)
    lines += _part("rests on", explanation.rests_on, frame)
    lines += _steps(explanation.steps, frame)
    if where := describe_evidence(explanation.evidence):
        lines += _part("evidence", [f"enter shows {where}"], frame, "accent")
    if explanation.name:
        lines += _part("", [explanation.name], frame, "faint")
    return lines


def explain_banner(explanation: Explanation, frame: Frame) -> list[Text]:
    """Return the answer in a few lines, to stand above its evidence."""
    what = f"{explanation.what} ({_since(explanation, frame)})"
    lines = [line((piece, explanation.style)) for piece in wrapped(what, frame.width)][:3]
    if explanation.steps:
        step = explanation.steps[0]
        key = f"{step.key} " if step.key else ""
        lines += [
            line(("→ " if index == 0 else "  ", "muted"), (piece, "plain"))
            for index, piece in enumerate(wrapped(f"{key}{step.words}", frame.width - 2)[:2])
        ]
    return lines


def _since(explanation: Explanation, frame: Frame) -> str:
    at, by = explanation.since_at, f", by {explanation.actor}" if explanation.actor else ""
    when = f"{age(at, frame.now)}, {moment(at, frame.now)}" if at else "not known"
    return when + by


def _part(name: str, texts: Sequence[str], frame: Frame, style: str = "plain") -> list[Text]:
    rows: list[Text] = []
    for text in texts:
        for piece in wrapped(text, max(frame.width - _LABEL, 20)):
            label = name if not rows else ""
            rows.append(line((f"{label:<{_LABEL}}", "muted"), (piece, style)))
    return rows


def _steps(steps: Sequence[Step], frame: Frame) -> list[Text]:
    rows: list[Text] = []
    room = max(2, *(len(step.key) for step in steps), 0) + 1
    for step in steps:
        for index, piece in enumerate(wrapped(step.words, max(frame.width - _LABEL - room, 20))):
            label = "do next" if not rows else ""
            key = step.key if index == 0 and step.key else "→" if index == 0 else ""
            style = "key" if step.key else "muted"
            rows.append(
                line((f"{label:<{_LABEL}}", "muted"), (f"{key:<{room}}", style), (piece, "plain"))
            )
    return rows
