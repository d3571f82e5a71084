"""README's picture shows the dashboard that there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from appliance.tui.app import ApplianceApp
from tests.layout import LAYOUT, layout_of
from tests.tui.conftest import loaded

PICTURE = Path(__file__).parents[2] / "docs" / "dashboard.svg"


async def test_the_picture_shows_the_layout_of_now(app: ApplianceApp) -> None:
    head, _, tail = LAYOUT.partition("{}")
    found = re.search(f"{re.escape(head)}(.*){re.escape(tail)}", PICTURE.read_text("utf-8"))
    assert found, "the picture says no layout; draw it: scripts/screenshot.py docs/dashboard.svg"
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        now = json.loads(json.dumps(layout_of(app)))
    assert json.loads(found[1]) == now, (
        "older than the dashboard; scripts/screenshot.py draws it anew"
    )
