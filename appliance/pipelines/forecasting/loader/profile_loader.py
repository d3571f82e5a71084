"""The reference profile of a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from store.drift import read_profile, write_profile
from store.session import Session

if TYPE_CHECKING:
    from appliance.registry.client import Registry

PROFILE = "reference_profile"
"""Name of the document in a version's run."""


def load_profile(
    session: Session, open_registry: Callable[[], Registry], project: str, version: ModelVersion
) -> dict[str, Any] | None:
    """Return a version's profile from the store, else from its run (and keep it); None without one.

    The store's copy is absent when a training was killed right after its version was registered.
    """
    profile = read_profile(session, project, version.version)
    if profile is None:
        try:
            profile = cast("dict[str, Any]", open_registry().document(version.run_id, PROFILE))
        except ModelNotFound:
            return None
        write_profile(session, project, version.version, profile)
    return profile
