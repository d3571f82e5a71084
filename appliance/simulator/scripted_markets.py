"""The `[[market]]` tables of a scenario: what is unusual about a market, and until when it is listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from appliance.config.forms import is_market, shown
from appliance.config.reading import read_toml
from appliance.simulator.fields import LONGEST_SECONDS, Bounds, instant, number, wrong
from appliance.simulator.listing import MarketProfile, profile

_PRICE = Bounds(1e-8, 1e12)
_VOLATILITY = Bounds(1e-6, 10.0)
_SHARE = Bounds(0.0, 0.999)
_STEP = Bounds(0.001, 10.0)
_SINCE = Bounds(-LONGEST_SECONDS, LONGEST_SECONDS)
_FIELDS = (
    "code",
    "price",
    "volatility",
    "tick",
    "step",
    "idle",
    "still_at",
    "still_after_seconds",
    "delisted_at",
    "delisted_after_seconds",
    "renamed_to",
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A market and the minutes since 1970 in which the exchange knows it: [start, end), None without end."""

    profile: MarketProfile
    start: int = 0
    end: int | None = None

    def is_listed(self, minute: int) -> bool:
        """Whether the exchange knows the market in a minute."""
        return self.start <= minute and (self.end is None or minute < self.end)


def load_markets(path: Path, started_at: datetime) -> list[Listing]:
    """Return the markets of the `[[market]]` tables of a TOML file.

    Raises:
        ConfigError: unreadable, not TOML, or a market has unknown or impossible values.
    """
    tables = read_toml(path).get("market", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(str(path), "market", "is no list of tables", "write [[market]]")
    found: list[Listing] = []
    for position, table in enumerate(tables, 1):
        found += parse_market(table, started_at, f"{path}: market {position}")
    codes = [listing.profile.code for listing in found]
    twice = next((code for code in codes if codes.count(code) > 1), "")
    if twice:
        raise wrong(str(path), "code", f"{twice} is there twice", "one table for each market")
    return found


def parse_market(fields: Mapping[str, Any], base_at: datetime, where: str) -> list[Listing]:
    """Return the listing of a table, and of the code that it is renamed to.

    Times are `..._at` (ISO) or `..._after_seconds` (simulated, from `base_at`, negative for before it),
    rounded up to a full minute. A renamed market keeps its history under the new code.

    Raises:
        ConfigError: unknown field or impossible value.
    """
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        hint = f"known: {', '.join(_FIELDS)}"
        raise wrong(where, unknown[0], "is unknown", hint)
    market = _profile(fields, base_at, where)
    end = _minute(fields, "delisted", base_at, where)
    if "renamed_to" not in fields:
        return [Listing(market, end=end)]
    if end is None:
        raise wrong(
            where, "renamed_to", "has no time", "give delisted_at or delisted_after_seconds"
        )
    code = _code(fields, "renamed_to", where)
    renamed = replace(market, code=code, name=profile(code).name, drawn_as=market.code)
    return [Listing(market, end=end), Listing(renamed, start=end)]


def _profile(fields: Mapping[str, Any], base_at: datetime, where: str) -> MarketProfile:
    usual = profile(_code(fields, "code", where))
    return replace(
        usual,
        price=number(fields, "price", where, _PRICE) or usual.price,
        volatility=number(fields, "volatility", where, _VOLATILITY) or usual.volatility,
        tick=number(fields, "tick", where, _PRICE),
        step=number(fields, "step", where, _STEP),
        idle=number(fields, "idle", where, _SHARE),
        still_from=_minute(fields, "still", base_at, where),
    )


def _code(fields: Mapping[str, Any], key: str, where: str) -> str:
    code = fields.get(key)
    if not isinstance(code, str) or not is_market(code):
        raise wrong(where, key, f"is {shown(code)}", "expected: a code such as KRW-BTC")
    return code


def _minute(fields: Mapping[str, Any], name: str, base_at: datetime, where: str) -> int | None:
    at, after = f"{name}_at", f"{name}_after_seconds"
    if at in fields and after in fields:
        raise wrong(where, after, f"cannot stand beside {at}", "give one of them")
    if at in fields:
        return _ceiling(instant(fields[at], f"{where}: {at}").timestamp())
    seconds = number(fields, after, where, _SINCE)
    return None if seconds is None else _ceiling(base_at.timestamp() + seconds)


def _ceiling(seconds: float) -> int:
    return int(-(-seconds // 60))
