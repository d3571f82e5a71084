"""The markets that the synthetic exchange lists, with the levels that make them look real."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

_MINUTES_PER_DAY = 1440


@dataclass(frozen=True, slots=True)
class MarketProfile:
    """Character of one synthetic market.

    `price` is the long-run level in the quote currency; `turnover` the traded value of a usual day;
    `trades` the mean trades a minute (below about 4 a market is quiet: some minutes have none);
    `volatility` the standard deviation of a usual day's log return. What a scenario may ask for: `tick`, a
    tick size for all prices; `step`, the log distance in which the price jumps, between which it stands;
    `idle`, the share of minutes without a trade; `still_from`, the minute since 1970 from which on the
    price never moves; `drawn_as`, the code whose random numbers it takes.
    """

    code: str
    name: str
    price: float
    turnover: float
    trades: float
    volatility: float
    tick: float | None = None
    step: float | None = None
    idle: float | None = None
    still_from: int | None = None
    drawn_as: str = ""


_KRW: dict[str, tuple[str, float, float, float, float]] = {
    "BTC": ("Bitcoin", 1.0e8, 1.5e11, 14.0, 0.020),
    "ETH": ("Ethereum", 4.2e6, 1.2e11, 13.0, 0.028),
    "XRP": ("XRP", 2900.0, 2.0e11, 14.0, 0.035),
    "SOL": ("Solana", 210_000.0, 8.0e10, 11.0, 0.037),
    "DOGE": ("Dogecoin", 300.0, 5.0e10, 6.0, 0.040),
    "ADA": ("Cardano", 950.0, 2.5e10, 6.0, 0.038),
    "TRX": ("TRON", 420.0, 1.0e10, 4.0, 0.022),
    "AVAX": ("Avalanche", 32_000.0, 8.0e9, 4.0, 0.042),
    "LINK": ("Chainlink", 24_000.0, 9.0e9, 4.0, 0.040),
    "SUI": ("Sui", 4200.0, 2.0e10, 7.0, 0.045),
    "SHIB": ("Shiba Inu", 0.0155, 1.2e10, 5.0, 0.042),
    "DOT": ("Polkadot", 5200.0, 4.0e9, 2.5, 0.040),
    "BCH": ("Bitcoin Cash", 720_000.0, 5.0e9, 2.5, 0.034),
    "ETC": ("Ethereum Classic", 26_000.0, 4.0e9, 2.5, 0.036),
    "XLM": ("Stellar Lumens", 480.0, 9.0e9, 3.5, 0.038),
    "HBAR": ("Hedera", 290.0, 8.0e9, 3.5, 0.045),
    "NEAR": ("NEAR Protocol", 3500.0, 3.0e9, 2.0, 0.045),
    "APT": ("Aptos", 5800.0, 3.0e9, 2.0, 0.044),
    "ARB": ("Arbitrum", 600.0, 2.0e9, 1.6, 0.047),
    "AAVE": ("Aave", 380_000.0, 1.5e9, 1.2, 0.045),
    "ATOM": ("Cosmos", 5900.0, 1.5e9, 1.2, 0.040),
    "ALGO": ("Algorand", 300.0, 1.5e9, 1.2, 0.042),
    "SAND": ("The Sandbox", 370.0, 1.0e9, 0.9, 0.044),
    "MANA": ("Decentraland", 380.0, 8.0e8, 0.8, 0.043),
    "VET": ("VeChain", 31.0, 8.0e8, 0.8, 0.041),
    "STX": ("Stacks", 820.0, 9.0e8, 0.8, 0.047),
    "NEO": ("NEO", 8600.0, 6.0e8, 0.6, 0.037),
    "QTUM": ("Qtum", 3000.0, 4.0e8, 0.4, 0.038),
    "WAVES": ("Waves", 1500.0, 3.0e8, 0.3, 0.045),
    "ICX": ("ICON", 160.0, 2.0e8, 0.2, 0.045),
}

KNOWN_MARKETS: tuple[str, ...] = tuple(f"KRW-{base}" for base in _KRW)
"""Codes listed when none are named."""


def profile(code: str) -> MarketProfile:
    """Return a market's profile; codes outside the table get one from their name, always the same."""
    quote, _, base = code.partition("-")
    if quote == "KRW" and base in _KRW:
        return MarketProfile(code, *_KRW[base])
    digest = hashlib.sha256(code.encode()).digest()
    level, activity = digest[0] / 255, digest[1] / 255
    krw_price = math.exp(math.log(5.0) + level * math.log(50_000.0))
    krw_value = {"KRW": 1.0, "USDT": 1400.0}.get(quote, 1.0e8)
    return MarketProfile(
        code,
        base.title(),
        krw_price / krw_value,
        2.0e8 * math.exp(3.0 * activity) / krw_value,
        0.2 + 3.0 * activity,
        0.03 + 0.02 * level,
    )


# Lower bounds of a price range and its tick size, for KRW markets (Upbit's table of 2025).
KRW_TICKS: tuple[tuple[float, float], ...] = (
    (0.0, 1e-8),
    (0.00001, 1e-7),
    (0.0001, 1e-6),
    (0.001, 1e-5),
    (0.01, 1e-4),
    (0.1, 1e-3),
    (1.0, 0.01),
    (10.0, 0.1),
    (100.0, 1.0),
    (5_000.0, 5.0),
    (10_000.0, 10.0),
    (50_000.0, 50.0),
    (100_000.0, 100.0),
    (500_000.0, 500.0),
    (1_000_000.0, 1_000.0),
)
_OTHER_TICKS = {"USDT": 0.001}


def tick_table(code: str) -> tuple[tuple[float, float], ...]:
    """Return (lower bound, tick size) rows for a market's prices, ascending."""
    quote = code.partition("-")[0]
    if quote == "KRW":
        return KRW_TICKS
    return ((0.0, _OTHER_TICKS.get(quote, 1e-8)),)
