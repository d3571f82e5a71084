"""The model card says what its figures rest on."""

from __future__ import annotations

from dataclasses import replace

from appliance.tui.presentation.model import _evidence, _heading
from tests.builders import performance


def test_figures_are_called_live_only_when_all_of_them_are() -> None:
    live = replace(performance(), rows=336, live_rows=336)
    filled = replace(live, live_rows=0, filled_rows=336)
    assert "live" in _heading(live).plain
    assert _evidence(live) == "over 336 live outcomes"
    assert "live" not in _heading(filled).plain
    assert _evidence(filled) == "over 0 live and 336 filled-in outcomes"
