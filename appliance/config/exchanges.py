"""The exchanges that candles may come from: the one place that a second one is entered.

An entry names a package that keeps the port of `appliance.exchange.port`. It is a name, not an import:
nothing but the adapter in use is loaded, and no other module depends on one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExchangeEntry:
    """One exchange: `adapter` is the module whose `ADAPTER` speaks to it, the URLs are its own."""

    title: str
    adapter: str
    rest_url: str
    websocket_url: str


EXCHANGES: dict[str, ExchangeEntry] = {
    "upbit": ExchangeEntry(
        title="Upbit",
        adapter="appliance.upbit.adapter",
        rest_url="https://api.upbit.com",
        websocket_url="wss://api.upbit.com/websocket/v1",
    ),
}
"""By `source.kind`; ids are part of a store's identity and are never renamed."""

AUTO = "upbit"
"""The exchange that the kind `auto` asks for."""

SIMULATED = "upbit"
"""The exchange that the built-in simulator imitates, and whose adapter speaks to it."""

SIMULATOR = "simulator"
"""The kind of the built-in simulator."""


def entry_of(kind: str) -> ExchangeEntry:
    """Return the entry of a source kind; of `auto` and the simulator that of the exchange they stand for."""
    return EXCHANGES.get(kind) or EXCHANGES[SIMULATED if kind == SIMULATOR else AUTO]


def kinds() -> tuple[str, ...]:
    """Return what `source.kind` may be, besides `auto`."""
    return *EXCHANGES, SIMULATOR
