"""A training that was done again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """A metric that came out differently."""

    name: str
    recorded: float
    again: float


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What training a version again on its recorded window has given.

    `has_same_rows`: whether the stored rows still have the recorded content; `row_digest` of the code and
    parameters that made the training's rows ("" when it did not say), `current_row_digest` of those that
    make them now; `largest_difference` between
    both models' quantiles of the log return, over training rows and rows kept back; `metrics` how many
    were compared; `code` and `packages` what differs from the training's, as `then -> now`.
    """

    project: str
    version: int
    start_at: datetime
    end_at: datetime
    rows: int
    has_same_rows: bool
    row_digest: str
    current_row_digest: str
    largest_difference: float
    metrics: int
    differing_metrics: tuple[MetricDifference, ...]
    code: dict[str, str]
    packages: dict[str, str]
    tolerance: float

    @property
    def is_equal(self) -> bool:
        """Whether the same rows, made by the same code, have given the same predictions and metrics."""
        return self.is_same_outcome and self.row_digest == self.current_row_digest

    @property
    def is_same_outcome(self) -> bool:
        """Whether rows of the same content have given the same predictions and metrics."""
        is_same_model = self.largest_difference <= self.tolerance and not self.differing_metrics
        return self.has_same_rows and is_same_model and not self.nothing_compared

    @property
    def nothing_compared(self) -> str:
        """Why the outcomes cannot be compared, "" when they can."""
        if not self.rows:
            return "no row is left of the training's"
        if not self.metrics:
            return "the version has no metric to compare with"
        if not math.isfinite(self.largest_difference):
            return "a prediction is not a number"
        return ""

    @property
    def verdict(self) -> str:
        """`equal`, `not equal`, or why that cannot be judged."""
        if self.is_equal:
            return "equal"
        if self.nothing_compared:
            return f"cannot be judged: {self.nothing_compared}"
        if self.is_same_outcome and not self.row_digest:
            return "cannot be judged: the training did not note which code made its rows"
        return "not equal"
