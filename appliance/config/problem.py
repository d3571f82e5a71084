"""What is wrong with a value of the configuration; for whoever starts too often for pydantic."""

from __future__ import annotations

from dataclasses import dataclass

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: at a key, with the operator's next step; `place` is file and line."""

    key: Key
    message: str
    hint: str
    code: str = "config.invalid_value"
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message
