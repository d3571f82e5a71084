"""Which registry aliases move when a model is promoted or rolled back; pure.

One champion per project is in production. `previous` is the rollback target, `challenger` the
newest version that the gate has not let through yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, ProductionMoved, RegistryError

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
STATE = "gate.state"
"""Tag of a version: what became of it at the promotion gate."""
HELD = "held"
PROMOTED = "promoted"
REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class AliasMove:
    """Point `alias` at `version`; None removes the alias."""

    alias: str
    version: int | None


def promotion_moves(aliases: Mapping[str, int], version: int) -> list[AliasMove]:
    """Return the moves that make `version` the champion, in the order to apply them.

    The rollback target is set before the champion moves, so that an interruption never leaves a
    new champion without a way back. Promoting the champion again changes nothing.

    Args:
        aliases: alias -> version as the registry has them now.
        version: the version to promote.
    """
    champion = aliases.get(CHAMPION)
    moves = []
    if champion != version:
        if champion is not None:
            moves.append(AliasMove(PREVIOUS, champion))
        moves.append(AliasMove(CHAMPION, version))
    if aliases.get(CHALLENGER) == version:
        moves.append(AliasMove(CHALLENGER, None))
    return moves


def rollback_moves(aliases: Mapping[str, int], version: int) -> list[AliasMove]:
    """Return the moves that bring `version` back in place of the champion, in the order to apply them.

    No rollback target is left: a repeated rollback must not bring the deposed model back.
    """
    moves = []
    if aliases.get(CHAMPION) != version:
        moves.append(AliasMove(CHAMPION, version))
    if PREVIOUS in aliases:
        moves.append(AliasMove(PREVIOUS, None))
    if aliases.get(CHALLENGER) == version:
        moves.append(AliasMove(CHALLENGER, None))
    return moves


def rollback_target(project: str, aliases: Mapping[str, int]) -> int:
    """Return the version that a rollback brings back.

    Raises:
        ModelNotFound: there is none.
    """
    previous = aliases.get(PREVIOUS)
    if previous is None or previous == aliases.get(CHAMPION):
        raise ModelNotFound(
            f"{project} has no previous champion to roll back to",
            code="registry.no_previous",
            hint=f"name the version: appliance models promote --project {project} VERSION",
            project=project,
        )
    return previous


def require_champion(project: str, aliases: Mapping[str, int], seen: int | None) -> None:
    """Check that the champion is the one that a decision was made on.

    Args:
        project: the project.
        aliases: alias -> version as the registry has them now.
        seen: the champion that was seen, 0 for none; None checks nothing.

    Raises:
        ProductionMoved: another version is in production.
    """
    champion = aliases.get(CHAMPION, 0)
    if seen is not None and champion != seen:
        raise ProductionMoved(
            f"nothing was changed: in production of {project} is {_named(champion)}, not {_named(seen)}"
            " as it was when this was decided",
            hint=f"look again, then decide: appliance models --project {project}",
            project=project,
            champion=champion,
            seen=seen,
        )


def require_target(project: str, aliases: Mapping[str, int], version: int) -> None:
    """Check that `version` is the rollback target.

    Raises:
        ModelNotFound: there is no rollback target.
        ProductionMoved: it is another version.
    """
    target = rollback_target(project, aliases)
    if target != version:
        raise ProductionMoved(
            f"nothing was changed: a rollback of {project} brings back version {target},"
            f" not version {version}",
            hint=f"name the version instead: appliance models promote --project {project} {version}",
            project=project,
            target=target,
        )


def require_files(version: ModelVersion) -> None:
    """Check that a version can go into production.

    Raises:
        RegistryError: retention has removed its files.
    """
    if not version.has_files:
        raise RegistryError(
            f"version {version.version} of {version.name} has no files any more: retention removed them",
            code="registry.files_removed",
            hint=f"train anew: appliance run train --project {version.name}",
            version=version.version,
        )


def in_production(project: str, version: int) -> RegistryError:
    """Return the error that says that a version cannot be rejected."""
    return RegistryError(
        f"version {version} of {project} is in production: it cannot be rejected",
        code="registry.in_production",
        hint=f"go back to the model before it: appliance models rollback --project {project}",
        project=project,
        version=version,
    )


def no_champion(project: str) -> ModelNotFound:
    """Return the error that says that nothing is in production yet."""
    return ModelNotFound(
        f"{project} has no champion yet",
        code="registry.no_champion",
        hint=f"train one: appliance run train --project {project}",
        project=project,
    )


def no_challenger(project: str) -> ModelNotFound:
    """Return the error that says that no version waits for a decision."""
    return ModelNotFound(f"{project} has no challenger", code="registry.no_challenger")


def no_version(project: str, version: int | str) -> ModelNotFound:
    """Return the error that names a version that the registry does not have."""
    return ModelNotFound(
        f"{project} has no model version {version}",
        hint=f"list the versions: appliance models --project {project}",
        project=project,
        version=version,
    )


def _named(version: int) -> str:
    return f"version {version}" if version else "no model"
