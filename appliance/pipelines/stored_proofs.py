"""What models' files must be, kept in the store, with an event for whatever is not proven."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from appliance import clock
from appliance.domain.event import Event, EventKind, Severity

if TYPE_CHECKING:
    from appliance.domain.model_proof import ModelProof
    from appliance.domain.model_version import ModelVersion
    from appliance.registry.proofs import Place
    from store.session import Session

_ACTOR = "registry"
_log = logging.getLogger(__name__)


class StoredProofs:
    """The store's proofs; every call raises `StoreUnavailable` while the store does not answer.

    Args:
        use: yields the session to use.
    """

    def __init__(self, use: Callable[[], AbstractContextManager[Session]]) -> None:
        self._use = use

    def record(self, proof: ModelProof) -> None:
        """Keep what a training has made."""
        from store.model_proofs import record_proof

        with self._use() as session:
            record_proof(session, proof)

    def find(self, version: ModelVersion) -> ModelProof | None:
        """Return what a version's files must be, None when nobody has kept it."""
        from store.model_proofs import find_proof

        with self._use() as session:
            return find_proof(session, version)

    def adopt(self, version: ModelVersion, proof: ModelProof) -> None:
        """Keep what a version's files are that nobody has kept, and say that they are not proven."""
        summary = (
            f"version {version.version} is not proven: no digest was kept when it was registered;"
            " from now on its files must stay as they are"
        )
        self.record(proof)
        self._say(EventKind.MODEL_UNPROVEN, Severity.WARNING, version, summary)

    def refuse(self, version: ModelVersion, place: Place, reason: str) -> None:
        """Say, once, that a version's files are something else."""
        from store.model_proofs import record_refusal

        with self._use() as session:
            is_news = record_refusal(session, version, place, reason)
        if is_news:
            where = "in the registry" if place == "registry" else "in the local copy"
            summary = (
                f"version {version.version} {where} is not what was registered: {reason};"
                " the last good model goes on"
            )
            self._say(EventKind.MODEL_REFUSED, Severity.ERROR, version, summary)

    def accept(self, version: ModelVersion, place: Place) -> None:
        """Note that a version's files are right."""
        from store.model_proofs import end_refusal

        with self._use() as session:
            if end_refusal(session, version, place):
                _log.warning("version %d in the %s is right again", version.version, place)

    def say_returned(self, version: ModelVersion, refused: int, reason: str) -> None:
        """Record that a version has returned to production in place of a refused one."""
        summary = (
            f"version {version.version} returned to production by itself:"
            f" version {refused} is refused: {reason}"
        )
        self._say(EventKind.ROLLED_BACK, Severity.ERROR, version, summary)

    def _say(
        self, kind: EventKind, severity: Severity, version: ModelVersion, summary: str
    ) -> None:
        from store.events import append_event

        details: dict[str, object] = {"version": version.version, "run_id": version.run_id}
        event = Event(kind, summary, _ACTOR, clock.now(), severity, version.name, details)
        with self._use() as session:
            append_event(session, event)
