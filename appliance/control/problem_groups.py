"""Problems of one cause as one: what many markets or projects share is said once; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from appliance.control.api import Problem

GROUPED_FROM = 3
"""Fewer problems of a code are told one by one, each with its own words."""
NAMED = 3
"""Subjects that a group's message names."""


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """One problem, or several of one code; `message` and `hint` speak for all of them."""

    problems: tuple[Problem, ...]
    message: str
    hint: str

    @property
    def code(self) -> str:
        """The code that all have."""
        return self.problems[0].code

    @property
    def is_single(self) -> bool:
        """Whether it is one problem, told in its own words."""
        return len(self.problems) == 1

    @property
    def since_at(self) -> datetime:
        """When the first of them was seen."""
        return min(problem.since_at for problem in self.problems)


_MARKETS = ("market", "markets")
_PROJECTS = ("project", "projects")
_WORKFLOWS = ("workflow", "workflows")
_WORDS: dict[str, tuple[tuple[str, str], str]] = {
    "ingest.late": (_MARKETS, "late"),
    "data.gaps": (_MARKETS, "with gaps in the stored history"),
    "source.rejected": (_MARKETS, "that the exchange does not know"),
    "service.given_up": (("service", "services"), "given up"),
    "service.unhealthy": (("service", "services"), "running without serving"),
    "service.silent": (("service", "services"), "without an answer"),
    "dag.import_error": (("DAG file", "DAG files"), "that Airflow cannot import"),
    "workflow.failed": (_WORKFLOWS, "whose last run failed"),
    "workflow.paused": (_WORKFLOWS, "paused in Airflow"),
    "config.project": (_PROJECTS, "whose configuration cannot be used"),
    "model.no_champion": (_PROJECTS, "without a production model"),
    "model.first_training": (_PROJECTS, "waiting for their first model"),
    "model.held": (_PROJECTS, "whose newest version is held for a person"),
    "model.other_config": (_PROJECTS, "whose production model serves another config"),
    "model.refused": (("version", "versions"), "refused: not what was registered"),
    "model.stale": (_PROJECTS, "whose production model has outlived its life"),
    "model.coverage": (_PROJECTS, "whose outcomes leave the interval too often"),
    "model.loss": (_PROJECTS, "whose loss has left its band"),
    "model.unjudged": (_PROJECTS, "whose loss cannot be judged"),
    "comparison.starved": (("comparison", "comparisons"), "without new rows"),
    "retrain.parked": (_PROJECTS, "whose retrain waits for budget or cooldown"),
    "forecast.stale": (_PROJECTS, "without a forecast for a newer candle"),
    "live.failing": (_PROJECTS, "whose live forecasts fail"),
    "live.model": (_PROJECTS, "that forecast with an earlier version"),
    "live.registry": (_PROJECTS, "that forecast without the registry"),
}
"""Code -> what its subjects are, and what is wrong with them."""


def group_problems(problems: Iterable[Problem]) -> tuple[ProblemGroup, ...]:
    """Return the problems with those of one code together, in the order of their first."""
    return _grouped(tuple(problems))


@lru_cache(maxsize=4)  # screens ask several times a second, and the problems stay for minutes
def _grouped(problems: tuple[Problem, ...]) -> tuple[ProblemGroup, ...]:
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    groups: list[ProblemGroup] = []
    for found in by_code.values():
        if len(found) < GROUPED_FROM:
            groups += [ProblemGroup((p,), p.message, p.hint) for p in found]
        else:
            groups.append(ProblemGroup(tuple(found), _message(found), _hint(found)))
    return tuple(groups)


def subject_names(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Return what the problems are about, each once: `KRW-BTC`, or `KRW-BTC 1m` with several timeframes."""
    if not _is_of_feeds(problems):
        names = (problem.subject.replace(".", " ") or problem.message for problem in problems)
        return tuple(dict.fromkeys(names))
    feeds = [problem.subject.rpartition("-") for problem in problems]
    has_units = len({unit for _, _, unit in feeds}) > 1
    return tuple(
        dict.fromkeys(f"{market} {unit}m" if has_units else market for market, _, unit in feeds)
    )


def named(names: Sequence[str], shown: int = NAMED) -> str:
    """Return the first names and how many more there are: `KRW-BTC, KRW-ETH and 4 more`."""
    first = ", ".join(names[:shown])
    return f"{first} and {len(names) - shown} more" if len(names) > shown else first


def _message(problems: Sequence[Problem]) -> str:
    names = subject_names(problems)
    nouns, words = _WORDS.get(
        problems[0].code, (("problem", "problems"), f"of one kind ({problems[0].code})")
    )
    noun = nouns[0] if len(names) == 1 else nouns[1]
    if _is_of_feeds(problems) and " " in names[0]:
        noun += " and timeframes"
    return f"{len(names)} {noun} {words}: {named(names)}"


def _is_of_feeds(problems: Sequence[Problem]) -> bool:
    """Whether the subjects are markets with a timeframe, such as `KRW-BTC-1`."""
    if _WORDS.get(problems[0].code, ((), ""))[0] is not _MARKETS:
        return False
    return all(problem.subject.rpartition("-")[2].isdigit() for problem in problems)


def _hint(problems: Sequence[Problem]) -> str:
    """Return the hint that all share, with NAME where they differ by project only."""
    hints = {_with_placeholder(problem.hint, problem.subject.split(".")[0]) for problem in problems}
    if len({problem.hint for problem in problems}) == 1:
        return problems[0].hint
    return hints.pop() if len(hints) == 1 else f"one of them: {problems[0].hint}"


def _with_placeholder(hint: str, name: str) -> str:
    words = ("NAME" if word.strip(";,.()") == name else word for word in hint.split(" "))
    return " ".join(words)
