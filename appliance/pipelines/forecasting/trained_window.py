"""Which rows a registered version has seen, by its tags, and so from which row on it can be judged."""

from __future__ import annotations

from datetime import datetime, timedelta

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound

WINDOW_START = "window_start_at"
WINDOW_END = "window_end_at"
HELD_OUT_END = "held_out_end_at"
TRAIN_SECONDS = "train_seconds"
"""How long search and fit took; versions of earlier releases do not say."""


def trained_until(version: ModelVersion) -> datetime:
    """Return the opening time of the newest row that the version learnt or was calibrated from.

    Raises:
        ModelNotFound: the version does not say; it was not registered by the train workflow.
    """
    return _instant(version, WINDOW_END)


def evaluated_until(version: ModelVersion) -> datetime:
    """Return the opening time of the newest row its training looked at, those kept back included.

    A version that does not say which were kept back counts as one that kept none.

    Raises:
        ModelNotFound: the version does not say what it was trained on either.
    """
    try:
        return _instant(version, HELD_OUT_END)
    except ModelNotFound:
        return trained_until(version)


def _instant(version: ModelVersion, tag: str) -> datetime:
    try:
        at = datetime.fromisoformat(version.tags.get(tag, ""))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ModelNotFound(
            f"{version.name} version {version.version} does not say which rows it was trained on",
            hint="promote a version that the train workflow registered",
        )
    return at


def unseen_from(version: ModelVersion, unit: int, horizon: int) -> datetime:
    """Return the opening time of the first row whose outcome no training row's outcome overlaps."""
    return trained_until(version) + timedelta(minutes=unit * (horizon + 1))
