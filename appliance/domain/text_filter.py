"""What `/` means: text, `!` for everything else, `~` for its letters in their order."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

HELP = "text contains it; !text does not; ~txt its letters in this order"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as it was typed, taken apart; one without a needle keeps everything."""

    needle: str
    is_inverse: bool = False
    is_fuzzy: bool = False

    def keeps(self, *texts: str) -> bool:
        """Return whether a row with these texts stays; upper and lower case are the same."""
        if not self.needle:
            return True
        return any(self._occurs_in(_plain(text)) for text in texts) is not self.is_inverse

    def _occurs_in(self, text: str) -> bool:
        if not self.is_fuzzy:
            return self.needle in text
        letters = iter(text)
        return all(letter in letters for letter in self.needle if not letter.isspace())


def parse_filter(text: str) -> Filter:
    """Return the filter that was typed: marks `!` and `~` in front, in either order, then the needle."""
    marks = text.strip()
    needle = marks.lstrip("!~")
    marks = marks[: len(marks) - len(needle)]
    return Filter(_plain(needle.strip()), "!" in marks, "~" in marks)


def _plain(text: str) -> str:
    """Return `text` for comparing: composed letters, without case."""
    return unicodedata.normalize("NFC", text).casefold()
