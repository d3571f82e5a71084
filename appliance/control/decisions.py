"""The operator's decisions on production: each on what was seen, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance import clock
from appliance.domain.event import Event, EventKind
from appliance.domain.model_version import ModelVersion
from appliance.errors import ProductionMoved, StoreError
from appliance.registry.aliases import CHALLENGER, CHAMPION
from appliance.registry.rest import RegistryRest
from store.events import read_events
from store.session import Session
from store.trials import reject_challenger

_MOVES = (EventKind.PROMOTED, EventKind.ROLLED_BACK)


class Decisions:
    """Promotes, rolls back and rejects; a decision on a champion that has moved is refused with who moved it.

    Args:
        session: returns the store, raises `StoreError` when it does not serve.
        record: appends an event; never blocks or raises.
    """

    def __init__(self, session: Callable[[], Session], record: Callable[[Event], None]) -> None:
        self._session = session
        self._record = record
        self._lock = threading.Lock()
        self._newest: dict[str, Event] = {}

    def promote(
        self, registry: RegistryRest, project: str, version: int, seen: int, actor: str
    ) -> ModelVersion:
        """See `Control.promote`."""
        with self._lock:
            before = registry.aliases(project).get(CHAMPION)
            champion = self._attempt(lambda: registry.promote(project, version, seen), project)
            instead = f" in place of version {before}" if before is not None else ""
            summary = f"version {version} promoted by {actor}{instead}"
            self._note(EventKind.PROMOTED, summary, champion, before, actor)
        return champion

    def roll_back(
        self, registry: RegistryRest, project: str, version: int, seen: int, actor: str
    ) -> ModelVersion:
        """See `Control.roll_back`."""
        with self._lock:
            before = registry.aliases(project).get(CHAMPION)
            champion = self._attempt(lambda: registry.roll_back(project, version, seen), project)
            deposed = f" from version {before}" if before is not None else ""
            summary = f"rolled back{deposed} to version {version} by {actor}"
            self._note(EventKind.ROLLED_BACK, summary, champion, before, actor)
        return champion

    def reject(
        self, registry: RegistryRest, project: str, version: int, seen: int, actor: str
    ) -> ModelVersion:
        """See `Control.reject`."""
        with self._lock:
            session = self._session()
            rejected = self._attempt(lambda: registry.reject(project, version, seen), project)
            ended = reject_challenger(session, project, version, clock.now())
            if ended or CHALLENGER in rejected.aliases:
                summary = f"version {version} rejected by {actor}: it is not compared any more"
                details: dict[str, object] = {"version": version, "champion": seen}
                self._record(
                    Event(
                        EventKind.REJECTED,
                        summary,
                        actor,
                        clock.now(),
                        project=project,
                        details=details,
                    )
                )
        return rejected

    def _attempt(self, move: Callable[[], ModelVersion], project: str) -> ModelVersion:
        try:
            return move()
        except ProductionMoved as error:
            message = f"{error.message}; {self._who_moved(project, error.fields.get('champion'))}"
            raise ProductionMoved(message, code=error.code, hint=error.hint) from error

    def _who_moved(self, project: str, champion: object) -> str:
        """Return who put `champion` into production and when, in words."""
        try:
            moves = read_events(self._session(), limit=1, kinds=list(_MOVES), project=project)
        except StoreError as error:
            moves, unread = [], f" ({error.message})"
        else:
            unread = ""
        known = [*moves, *([self._newest[project]] if project in self._newest else [])]
        move = max(known, key=lambda event: event.at, default=None)
        if move is None or champion not in (None, move.details.get("version")):
            return f"no event says who moved it: it was not done through the appliance{unread}"
        return f"{move.actor} moved it at {move.at:%Y-%m-%d %H:%M:%S} UTC: {move.summary}"

    def _note(
        self,
        kind: EventKind,
        summary: str,
        champion: ModelVersion,
        before: int | None,
        actor: str,
    ) -> None:
        """Record a move; one that changed nothing is none."""
        if before == champion.version:
            return
        project = champion.name
        details: dict[str, object] = {"version": champion.version, "previous": before}
        event = Event(kind, summary, actor, clock.now(), project=project, details=details)
        self._newest[project] = event
        self._record(event)
