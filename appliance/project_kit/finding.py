"""What the conformance kit has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a project does not keep: what is wrong, and what to change."""

    check: str
    message: str
    hint: str

    @property
    def words(self) -> str:
        """All of it in one line."""
        return f"{self.check}: {self.message} - {self.hint}"


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of all checks of a project.

    `checks` are the names of those that ran, `skipped` of those that could not while others failed.
    """

    project: str
    checks: tuple[str, ...]
    skipped: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_conforming(self) -> bool:
        """Whether every check ran and found nothing."""
        return not self.findings and not self.skipped
