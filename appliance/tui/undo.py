"""What `U` takes back: the last command that has an opposite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


@dataclass(frozen=True, slots=True)
class Undo:
    """The opposite of a command that was carried out: what it does, and how; it asks as that action does.

    `project` is shown first, where the command was about one.
    """

    words: str
    run: Callable[[ApplianceApp], None]
    project: str = ""
