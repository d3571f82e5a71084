"""Who put which version into production, from the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from appliance.domain.event import MOVES
from appliance.domain.model_version import ModelVersion, Promotion
from store.events import read_events
from store.session import Session

_LOOKED_AT = 1_000


def with_promotions(
    session: Session, project: str, versions: Sequence[ModelVersion]
) -> list[ModelVersion]:
    """Return versions of a project with when and by whom each was put into production last."""
    moves = read_events(session, limit=_LOOKED_AT, kinds=MOVES, project=project)
    newest = {
        move.details.get("version"): Promotion(move.at, move.brief_actor, move.done_by)
        for move in moves
    }
    return [replace(each, promoted=newest.get(each.version)) for each in versions]
