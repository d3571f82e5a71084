"""What somebody has changed in MLflow past the appliance, and what it means; each change is said once."""

from __future__ import annotations

from appliance.domain.event import MOVES, Event, EventKind, Severity
from appliance.domain.model_version import ModelVersion
from appliance.domain.origin import Origin, Through
from appliance.errors import ModelNotFound
from appliance.pipelines.context import StageContext
from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
from appliance.pipelines.forecasting.serving import lacks_tags
from appliance.registry.aliases import CHAMPION, PREVIOUS
from store.events import read_events

Context = StageContext[ForecastSpec]

_LOOKED_AT = 50


def note_changes(context: Context) -> None:
    """Record what MLflow says of champion and rollback target that no decision of the appliance explains."""
    moves = read_events(context.session, limit=1, kinds=list(MOVES), project=context.project)
    if not moves:
        return
    move, champion = moves[-1], context.champion()
    if context.is_registry_away or read_events(
        context.session, limit=1, kinds=list(MOVES), project=context.project
    ) != [move]:  # moved while MLflow was asked
        return
    expected = move.details.get("version")
    if isinstance(expected, int):
        found = _champion_words(context, champion, expected)
        _note(context, move, CHAMPION, champion.version if champion else 0, found)
    target = move.details.get("previous")
    if move.kind is EventKind.PROMOTED and isinstance(target, int) and target not in (0, expected):
        _note(context, move, PREVIOUS, target, _target_words(context, target))


def is_champion_doubted(context: Context) -> bool:
    """Whether the newest look at MLflow has found another champion than the appliance has put there."""
    moves = read_events(context.session, limit=1, kinds=list(MOVES), project=context.project)
    return bool(moves) and bool(_newest_note(context, moves[-1], CHAMPION))


def record_change(
    context: Context, subject: str, version: int, words: str, **details: object
) -> None:
    """Append the event that something in MLflow was changed past the appliance."""
    context.record(
        EventKind.REGISTRY_CHANGED,
        words,
        {"subject": subject, "version": version, **details},
        Severity.WARNING,
        Origin("somebody", Through.MLFLOW_PAGE),
    )


def _note(context: Context, move: Event, subject: str, version: int, words: str) -> None:
    """Record what was found of a subject when it differs from what was found last, since `move`."""
    if words != _newest_note(context, move, subject):
        if words:
            record_change(context, subject, version, words)
        else:
            context.record(
                EventKind.REGISTRY_CHANGED,
                f"the alias {subject} is as the appliance has set it again",
                {"subject": subject, "version": version},
            )


def _newest_note(context: Context, move: Event, subject: str) -> str:
    """Return what was found of a subject last since `move`, "" when nothing or that all is well again."""
    notes = read_events(
        context.session,
        limit=_LOOKED_AT,
        kinds=[EventKind.REGISTRY_CHANGED],
        project=context.project,
    )
    for note in reversed(notes):
        if note.id > move.id and note.details.get("subject") == subject:
            return note.summary if note.severity is not Severity.INFO else ""
    return ""


def _champion_words(context: Context, champion: ModelVersion | None, expected: int) -> str:
    if champion is None:
        reason = (
            "the alias champion was taken away"
            if _find(context, expected)
            else "the version was deleted"
        )
        return (
            f"version {expected} is no longer in production: {reason} in MLflow; nothing is forecast until a"
            " version is promoted, and a training that does so is asked for"
        )
    if champion.version != expected:
        return (
            f"version {champion.version} is in production in place of version {expected}: the alias champion"
            " was moved in MLflow; no gate has compared them, and no probation follows"
        )
    if lack := lacks_tags(champion, context.spec):
        return (
            f"version {champion.version} in production {lack}; it is neither used nor judged by the"
            " workflows, and a training is asked for"
        )
    return ""


def _target_words(context: Context, target: int) -> str:
    version = _find(context, target)
    if version is not None and PREVIOUS in version.aliases:
        return ""
    if version is None:
        return (
            f"there is no way back to version {target}: it was deleted in MLflow; the next promotion makes a"
            " new one"
        )
    return (
        f"there is no rollback to version {target}: the alias previous was moved in MLflow; that version can"
        " still be promoted"
    )


def _find(context: Context, number: int) -> ModelVersion | None:
    try:
        return context.models.version(context.project, number)
    except ModelNotFound:
        return None
