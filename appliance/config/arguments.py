"""What arguments of commands may be, as types for click; a wrong one is a usage error."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from appliance import clock, zone
from appliance.config import forms
from appliance.config.forms import nearest, shown
from appliance.config.when import parse_when

_LONGEST_NAME = 256
MOST_SECONDS = 86_400
"""Longest time that a command waits."""


class Text(click.ParamType[str]):
    """A text that is not empty, without control characters; tabs and line ends where `has_lines`."""

    name = "text"

    def __init__(self, most: int = _LONGEST_NAME, *, has_lines: bool = False) -> None:
        self._most = most
        self._has_lines = has_lines

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text."""
        text = str(value)
        plain = text.translate({9: " ", 10: " ", 13: " "}) if self._has_lines else text
        if not plain.strip():
            self.fail("must not be empty", param, ctx)
        if len(text) > self._most:
            self.fail(f"must not be longer than {self._most:,} characters", param, ctx)
        if forms.has_control_characters(plain):
            self.fail(f"{shown(text)} has characters that are no text", param, ctx)
        return text


class Market(click.ParamType[str]):
    """A market code such as KRW-BTC, in upper case; lower case is taken too."""

    name = "market"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the code."""
        code = str(value).strip().upper()
        if not forms.is_market(code):
            self.fail(f"{shown(value)} is not a market code such as KRW-BTC", param, ctx)
        return code


class Instant(click.ParamType[datetime]):
    """An ISO time or date of the years 2010 to 2099; without an offset it is the zone's."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the aware instant, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return forms.parse_instant(str(value), is_typed=True)
        except ValueError as error:
            self.fail(f"must be {error}, was {shown(value)}", param, ctx)


class Moment(Instant):
    """An instant, how long ago it was (`90s`, `30m`, `12h`, `7d`), or the last `02:13`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the aware instant, in UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return forms.parse_moment(str(value), clock.now())
        except ValueError as error:
            self.fail(f"must be {error}, was {shown(value)}", param, ctx)


class When(click.ParamType[datetime]):
    """A time that is over, as people name it: `02:13`, `2026-01-31 09:00`, `-2h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the aware instant."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_when(str(value), clock.now())
        except ValueError as error:
            self.fail(f"must be {error}, was {shown(value)}", param, ctx)


class Port(click.IntRange):
    """A port from 1024 to 65535, or 0 for a free one."""

    name = "port"

    def __init__(self) -> None:
        super().__init__(0, 65_535)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the port."""
        port = super().convert(value, param, ctx)
        if 0 < port < 1024:
            self.fail(f"{port} is a port of the system; 1024 to 65535, or 0", param, ctx)
        return port


class Number(click.FloatRange):
    """A finite number within bounds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{shown(value)} is not a finite number", param, ctx)
        return number


class FilePath(click.ParamType[Path]):
    """The path of a file, there already or not."""

    name = "file"
    _is_right: Callable[[int], bool] = staticmethod(lambda mode: not stat.S_ISDIR(mode))
    _wrong = "is a folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if isinstance(value, Path):
            return value
        text = str(value)
        if "\0" in text or not text.strip():
            self.fail(f"{shown(text)} is not the path of a file", param, ctx)
        try:
            path = Path(text).expanduser()
            if not self._is_right(path.stat().st_mode):
                self.fail(f"{shown(text)} {self._wrong}", param, ctx)
        except FileNotFoundError:
            return path
        except RuntimeError:  # ~somebody who does not exist
            self.fail(f"{shown(text)} names the home of nobody", param, ctx)
        except OSError as error:
            self.fail(f"{shown(text)} cannot be used: {error.strerror}", param, ctx)
        return path


class NewFile(FilePath):
    """The path of a file to write: a new one or a regular one, in a folder that exists."""

    _is_right = staticmethod(stat.S_ISREG)
    _wrong = "is not a regular file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        path = super().convert(value, param, ctx)
        if not path.absolute().parent.is_dir():
            self.fail(f"the folder of {shown(str(path))} does not exist", param, ctx)
        return path


class Folder(FilePath):
    """The path of a folder, there already or not."""

    name = "folder"
    _is_right = staticmethod(stat.S_ISDIR)
    _wrong = "is not a folder"


class Replay(click.ParamType[tuple[str, Path]]):
    """`MARKET=FILE`."""

    name = "replay"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (market, file)."""
        if isinstance(value, tuple):
            return value
        market, separator, file = str(value).partition("=")
        if not separator:
            self.fail(f"{shown(value)} is not MARKET=FILE, such as KRW-BTC=candles.csv", param, ctx)
        return MARKET.convert(market, param, ctx), FILE.convert(file, param, ctx)


class Pair(click.ParamType[tuple[str, str]]):
    """`KEY=VALUE`."""

    name = "pair"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (key, value); the value may be empty."""
        if isinstance(value, tuple):
            return value
        key, separator, text = str(value).partition("=")
        if not separator or not key.isidentifier():
            self.fail(f"takes KEY=VALUE, was {shown(value)}", param, ctx)
        return key, TEXT.convert(text, param, ctx) if text else ""


TEXT = Text()
MARKET = Market()
INSTANT = Instant()
MOMENT = Moment()
WHEN = When()
PORT = Port()
FILE = FilePath()
NEW_FILE = NewFile()
FOLDER = Folder()
REPLAY = Replay()
PAIR = Pair()
SECONDS = click.IntRange(1, MOST_SECONDS)
SEED = click.IntRange(0, 2**63 - 1)
VERSION = click.IntRange(1, 2**31 - 1)


def require_order(start_at: datetime | None, end_at: datetime | None) -> None:
    """Raise a usage error when a period ends before it begins."""
    if start_at is not None and end_at is not None and end_at <= start_at:
        raise click.UsageError(
            f"--to {zone.typed(end_at)} is not after --from {zone.typed(start_at)}; "
            f"--to is exclusive, times are {zone.name(end_at)}"
        )


def unknown(what: str, name: str, known: list[str]) -> click.UsageError:
    """Return the usage error of a name that nothing has, with the nearest one."""
    hint = nearest(name, sorted(known)) if known else "there is none yet"
    return click.UsageError(f"no {what} {shown(name)}; {hint}")
