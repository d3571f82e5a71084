"""Which registry aliases move when a model is promoted or rolled back; pure.

One champion per project is in production. `previous` is the rollback target, `challenger` the
newest version that the gate has not let through yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound, RegistryError

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"


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


def rollback_moves(project: str, aliases: Mapping[str, int]) -> list[AliasMove]:
    """Return the moves that swap the champion with the previous champion.

    Raises:
        ModelNotFound: there is no previous champion to return to.
    """
    champion, previous = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if previous is None or previous == champion:
        raise ModelNotFound(
            f"{project} has no previous champion to roll back to",
            code="registry.no_previous",
            hint=f"promote a version first: appliance models promote --project {project} VERSION",
            project=project,
        )
    moves = [AliasMove(CHAMPION, previous)]
    if champion is not None:
        moves.append(AliasMove(PREVIOUS, champion))
    if aliases.get(CHALLENGER) == previous:
        moves.append(AliasMove(CHALLENGER, None))
    return moves


def return_moves(project: str, aliases: Mapping[str, int]) -> list[AliasMove]:
    """Return the moves that bring the previous champion back in place of one that nobody may use.

    Raises:
        ModelNotFound: there is no previous champion to return to.
    """
    moves = [move for move in rollback_moves(project, aliases) if move.alias != PREVIOUS]
    return [*moves, AliasMove(PREVIOUS, None)]


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
