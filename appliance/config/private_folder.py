"""Folders that nobody but us may enter: made with mode 700, and looked at before they are trusted."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from appliance.errors import ConfigError

_OTHERS = 0o077
_ANOTHER = "set APPLIANCE_HOME to a folder of its own"


def make_private(folder: Path) -> None:
    """Create a folder of ours, mode 700, with its parents; one that exists is looked at.

    Raises:
        ConfigError: it cannot be made, or see `require_private`.
    """
    make_folder(folder)
    require_private(folder)


def make_folder(folder: Path) -> None:
    """Create a folder, mode 700, with its parents; one that exists will do.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be created: {error.strerror}",
            code="folder.impossible",
            hint="set APPLIANCE_HOME to a folder that you can write",
        ) from error


def require_private(folder: Path) -> None:
    """Look at a folder in a place where others write, such as /tmp; a missing one will do.

    Raises:
        ConfigError: another user made it first, it is open to others, or it is a link.
    """
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not mode & _OTHERS:
        return
    import shlex

    kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a link or a file"
    raise ConfigError(
        f"{folder} is {kind} of {user_name(status.st_uid)} with mode {mode:o}, "
        f"expected a folder of {user_name(os.geteuid())} with mode 700",
        code="folder.foreign",
        hint=f"look at what it holds, then remove it: sudo rm -r {shlex.quote(str(folder))}",
    )


def require_own_home(home: Path) -> None:
    """Look at a home before anything in it is used; a missing one will do.

    Raises:
        ConfigError: it belongs to another user, or lies behind a folder that we may not enter.
    """
    try:
        owner = home.stat().st_uid
    except PermissionError:
        raise _unfit(home, "lies in a folder that you may not enter", _ANOTHER) from None
    except OSError:
        return
    if owner != os.geteuid():
        words = f"belongs to {user_name(owner)}, you are {user_name(os.geteuid())}"
        raise _unfit(home, words, f"run it as {user_name(owner)}, or {_ANOTHER}")


def close_home(home: Path) -> None:
    """Look at a home that exists; one of ours that is open to others is closed, with a word.

    Raises:
        ConfigError: it belongs to another user, holds other things and is open to others, or its file
            system keeps no permissions.
    """
    require_own_home(home)
    mode = stat.S_IMODE(home.stat().st_mode)
    if not mode & _OTHERS:
        return
    if not (home / "secrets").exists() and any(home.iterdir()):
        words = f"holds other things and is open to others (mode {mode:o}, expected 700)"
        raise _unfit(home, words, _ANOTHER)
    home.chmod(0o700)
    if home.stat().st_mode & _OTHERS:
        words = f"stays open to others (mode {mode:o}): its file system keeps no permissions"
        raise _unfit(home, words, "set APPLIANCE_HOME to a folder on another disk")
    import logging

    logging.getLogger(__name__).warning(
        "%s was open to others (mode %o); it is closed now (mode 700)", home, mode
    )


def user_name(uid: int) -> str:
    """Return a user's name and number, for messages."""
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _unfit(home: Path, words: str, hint: str) -> ConfigError:
    return ConfigError(f"the home {home} {words}", code="home.unfit", hint=hint)
