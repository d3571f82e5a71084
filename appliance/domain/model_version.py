"""Registered model versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

FILES_REMOVED = "files_removed"
"""Tag of a version whose files retention has removed, or begun to."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """When a version was put into production, and by whom: in a few words, and in all."""

    at: datetime
    brief: str
    done_by: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the registry.

    `metrics` are the training-time metrics of its MLflow run: `pinball` (mean pinball loss, relative
    return), `skill_static` and `skill_ewma` (fraction by which the loss beats each naive benchmark,
    0.05 = 5 %), `coverage` (fraction of outcomes inside the 80 % interval), `mae`, `rmse`,
    `direction`. `promoted` is the newest event that put it into production, None when none is known.
    """

    name: str
    version: int
    run_id: str
    created_at: datetime
    aliases: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    promoted: Promotion | None = None

    @property
    def is_champion(self) -> bool:
        """Whether this version is in production."""
        return "champion" in self.aliases

    @property
    def has_files(self) -> bool:
        """Whether it can be loaded: retention has not removed its files."""
        return FILES_REMOVED not in self.tags
