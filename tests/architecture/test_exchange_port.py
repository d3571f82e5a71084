"""No module knows which exchange there is, besides its adapter and the table that names it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from appliance.config.exchanges import EXCHANGES

ROOT = Path(__file__).parents[2]
ALLOWED = (
    "appliance/upbit/",  # the adapter
    "appliance/config/exchanges.py",  # the table
    "appliance/simulator/",  # imitates this very exchange: its wire format, limits and errors
    "appliance/cli/commands/simulator.py",  # offers that imitation, and says whose it is
    "appliance/cli/summaries.py",  # repeats that command's summary
)


def test_the_word_upbit_stays_behind_the_port() -> None:
    naming = [
        path.relative_to(ROOT).as_posix()
        for folder in ("appliance", "store", "dags")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "upbit" in path.read_text(encoding="utf-8").lower()
    ]
    assert [path for path in naming if not path.startswith(ALLOWED)] == []


@pytest.mark.parametrize("kind", EXCHANGES)
def test_every_entry_names_an_adapter(kind: str) -> None:
    adapter = import_module(EXCHANGES[kind].adapter).ADAPTER
    source_id, title = adapter.identity(EXCHANGES[kind].rest_url)
    assert (source_id, title) == (kind, EXCHANGES[kind].title)
    assert adapter.timeframes
