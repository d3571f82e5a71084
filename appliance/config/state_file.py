"""Small files that the appliance writes and reads back: what is damaged is set aside, never followed."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

from appliance.config.reading import MissingFile, UnreadableFile, read_bytes

_log = logging.getLogger(__name__)


def has_content(path: Path, text: str) -> bool:
    """Whether a file holds exactly this text; a missing or damaged one, or a folder, does not."""
    try:
        return read_bytes(path) == text.encode()
    except MissingFile:
        return False
    except UnreadableFile as error:
        _log.warning("%s; it is written anew", error.message)
        return False


def set_aside(path: Path, reason: str) -> Path:
    """Rename what is damaged, so that it is neither lost nor read again; return its new name."""
    for number in itertools.count(1):
        kept = path.with_name(f"{path.name}.damaged{number if number > 1 else ''}")
        if not kept.exists() and not kept.is_symlink():
            break
    path.rename(kept)
    _log.warning("%s is damaged: %s; kept as %s and written anew", path, reason, kept.name)
    return kept
