"""The forms that texts must have, and how a message shows one; for whoever starts too often for pydantic."""

from __future__ import annotations

import difflib
import re
import reprlib
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

FIRST_AT = datetime(2010, 1, 1, tzinfo=UTC)
END_AT = datetime(2100, 1, 1, tzinfo=UTC)
"""Instants of candles lie in [FIRST_AT, END_AT)."""
MARKET = re.compile(r"[A-Z0-9]{1,16}-[A-Z0-9]{1,16}")
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/@\s]*@")


def has_control_characters(text: str) -> bool:
    """Whether a text has control characters or halves of characters, which nothing names or shows."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def is_market(code: str) -> bool:
    """Whether a text has the form of a market code such as KRW-BTC."""
    return bool(MARKET.fullmatch(code))


def is_project_name(name: str) -> bool:
    """Whether a text has the form of a project's name."""
    return name.isidentifier() and name.islower()


def parse_instant(text: str) -> datetime:
    """Return an ISO time or date as an aware instant; without a zone it is UTC.

    Raises:
        ValueError: it is none, or before 2010 or after 2099; says what is expected.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("an ISO time such as 2026-01-31T09:00:00Z") from None
    if not FIRST_AT <= at < END_AT:
        raise ValueError("a time from 2010 to 2099")
    return at


def shown(value: object) -> str:
    """Return a value for a message: short, and a URL without its password."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = brief.maxlong = 80
    return _PASSWORD.sub(r"\1:***@", brief.repr(value))


def nearest(name: str, known: Sequence[str]) -> str:
    """Return which known name was probably meant, or all of them, as a hint."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
