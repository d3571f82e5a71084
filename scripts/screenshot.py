"""Render the dashboard with demo data to an SVG file: `scripts/screenshot.py FILE [WIDTH HEIGHT]`."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from appliance import clock  # noqa: E402
from appliance.tui.app import ApplianceApp  # noqa: E402
from tests import builders  # noqa: E402
from tests.fakes.control import FakeControl  # noqa: E402

_FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""What would fetch a font from elsewhere; the reader's own monospace font serves."""


async def render(width: int, height: int, keys: list[str]) -> str:
    """Return the SVG of the dashboard once it has candles and events."""
    app = ApplianceApp(FakeControl())
    async with app.run_test(size=(width, height)) as pilot:
        for _ in range(500):
            if app.board.candles.value is not None and app.board.events.value is not None:
                break
            await pilot.pause(0.02)
        await pilot.press(*keys)
        for _ in range(5):
            await pilot.pause(0.05)
        picture = app.export_screenshot(title="appliance", simplify=True)
        return _FONT_FACE.sub("", picture)


def main() -> int:
    """Write the picture and say where."""
    target = Path(sys.argv[1])
    width, height = (int(word) for word in (sys.argv[2:4] or ("120", "40")))
    clock.now = lambda: builders.NOW
    target.write_text(asyncio.run(render(width, height, sys.argv[4:])), encoding="utf-8")
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
