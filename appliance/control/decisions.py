"""The operator's decisions on production: each on what was seen, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from appliance import clock, zone
from appliance.domain.event import MOVES, Event, EventKind
from appliance.domain.model_version import ModelVersion
from appliance.domain.origin import Origin
from appliance.errors import ProductionMoved, StoreError
from appliance.registry.aliases import CHALLENGER
from appliance.registry.production import ProductionMove
from appliance.registry.rest import RegistryRest
from store.events import read_events
from store.session import Session
from store.trials import reject_challenger

_Decided = TypeVar("_Decided")


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
        self, registry: RegistryRest, project: str, version: int, seen: int, origin: Origin
    ) -> ModelVersion:
        """See `Control.promote`."""
        with self._lock:
            move = self._attempt(lambda: registry.promote(project, version, seen), project)
            instead = f" in place of version {move.before}" if move.before is not None else ""
            summary = f"version {version} promoted by {origin.name}{instead}"
            self._note(EventKind.PROMOTED, summary, move, origin)
        return move.champion

    def roll_back(
        self, registry: RegistryRest, project: str, version: int, seen: int, origin: Origin
    ) -> ModelVersion:
        """See `Control.roll_back`."""
        with self._lock:
            move = self._attempt(lambda: registry.roll_back(project, version, seen), project)
            deposed = f" from version {move.before}" if move.before is not None else ""
            summary = f"rolled back{deposed} to version {version} by {origin.name}"
            self._note(EventKind.ROLLED_BACK, summary, move, origin)
        return move.champion

    def reject(
        self, registry: RegistryRest, project: str, version: int, seen: int, origin: Origin
    ) -> ModelVersion:
        """See `Control.reject`."""
        with self._lock:
            session = self._session()
            rejected = self._attempt(lambda: registry.reject(project, version, seen), project)
            ended = reject_challenger(session, project, version, clock.now())
            if ended or CHALLENGER in rejected.aliases:
                summary = (
                    f"version {version} rejected by {origin.name}: it is not compared any more"
                )
                details: dict[str, object] = {"version": version, "champion": seen}
                self._record(
                    Event.asked_for(
                        EventKind.REJECTED, summary, project, origin, clock.now(), details
                    )
                )
        return rejected

    def _attempt(self, decision: Callable[[], _Decided], project: str) -> _Decided:
        try:
            return decision()
        except ProductionMoved as error:
            message = f"{error.message}; {self._who_moved(project, error.fields.get('champion'))}"
            raise ProductionMoved(message, code=error.code, hint=error.hint) from error

    def _who_moved(self, project: str, champion: object) -> str:
        """Return who put `champion` into production and when, in words."""
        try:
            moves = read_events(self._session(), limit=1, kinds=MOVES, project=project)
        except StoreError as error:
            moves, unread = [], f" ({error.message})"
        else:
            unread = ""
        known = [*moves, *([self._newest[project]] if project in self._newest else [])]
        move = max(known, key=lambda event: event.at, default=None)
        if move is None or champion not in (None, move.details.get("version")):
            return f"no event says who moved it: it was not done through the appliance{unread}"
        when = zone.utc_text(move.at, seconds=True)
        return f"{move.done_by} moved it at {when}: {move.summary}"

    def _note(self, kind: EventKind, summary: str, move: ProductionMove, origin: Origin) -> None:
        """Record a move; one that changed nothing is none."""
        if not move.is_move:
            return
        project = move.champion.name
        details: dict[str, object] = {"version": move.champion.version, "previous": move.before}
        event = Event.asked_for(kind, summary, project, origin, clock.now(), details)
        self._newest[project] = event
        self._record(event)
