"""Which events somebody wants to see, and how many there are of what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.domain.event import Event, EventKind, Severity


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; what is empty or None wants all.

    `actors` are parts of who did it and through what, `texts` of the event's words (summary, kind, project,
    who), in any case; each must be there, and none of those that are left out. Wanted is what occurred from
    `since` on and before `until`.
    """

    kinds: tuple[EventKind, ...] = ()
    severities: tuple[Severity, ...] = ()
    project: str = ""
    actors: tuple[str, ...] = ()
    without_actors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    without_texts: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, event: Event) -> bool:
        """Whether an event is wanted."""
        who = (event.actor, event.done_by)
        words = (event.summary, event.kind.value, event.project, *who)
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.severities or event.severity in self.severities)
            and self.project in ("", event.project)
            and all(_occurs(part, who) for part in self.actors)
            and not any(_occurs(part, who) for part in self.without_actors)
            and all(_occurs(part, words) for part in self.texts)
            and not any(_occurs(part, words) for part in self.without_texts)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
        )


def _occurs(part: str, texts: tuple[str, ...]) -> bool:
    return any(part.lower() in text.lower() for text in texts)


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events there are of a kind and severity that one actor caused."""

    kind: EventKind
    severity: Severity
    actor: str
    events: int
