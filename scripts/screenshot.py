"""Draw README's picture from an appliance on the simulator: `scripts/screenshot.py FILE [WIDTH HEIGHT]`.

The picture carries the layout that it shows, so that a test notices when the dashboard has another one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from appliance.config.paths import Paths  # noqa: E402
from appliance.control.api import ApplianceStatus  # noqa: E402
from appliance.control.client import ControlClient  # noqa: E402
from appliance.tui.app import ApplianceApp  # noqa: E402
from tests.layout import LAYOUT, layout_of  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

COMPOSE = """
[source]
kind = "simulator"
[simulator]
start = "2026-03-02T09:30:00Z"
[ingest]
history_candles = 6000
[airflow]
port = 0
[mlflow]
port = 0
[display]
timezone = "Asia/Seoul"
"""
PROJECT = 'config = "krw_btc_1m"\n'
_FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""What would fetch a font from elsewhere; the reader's own monospace font serves."""


async def render(control: ControlClient, width: int, height: int) -> str:
    """Return the SVG of the dashboard once it has candles, forecasts and events."""
    app = ApplianceApp(control)
    async with app.run_test(size=(width, height)) as pilot:
        for _ in range(500):
            board = app.board
            if board.candles.value and board.forecasts.value and board.events.value:
                break
            await pilot.pause(0.02)
        for _ in range(5):
            await pilot.pause(0.2)
        picture = _FONT_FACE.sub("", app.export_screenshot(title="appliance", simplify=True))
        return f"{picture.rstrip()}\n{LAYOUT.format(json.dumps(layout_of(app)))}\n"


def is_worth_a_picture(status: ApplianceStatus) -> bool:
    """Whether there is something in every panel."""
    project = status.projects[0] if status.projects else None
    return bool(project and project.champion and project.drift and project.forecast)


def appliance(paths: Paths, command: str) -> None:
    """Run one command of the appliance in the home."""
    words = [sys.executable, "-m", "appliance", command]
    subprocess.run(words, cwd=ROOT, env=environment(paths), check=True)


def environment(paths: Paths) -> dict[str, str]:
    """Return the environment of commands in the home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
    return {**kept, "APPLIANCE_HOME": str(paths.home)}


def main() -> int:
    """Write the picture and say where."""
    target = Path(sys.argv[1]).resolve()
    width, height = (int(word) for word in (sys.argv[2:4] or ("120", "40")))
    with tempfile.TemporaryDirectory(prefix="appliance-picture-") as folder:
        paths = Paths(Path(folder) / "home")
        paths.create()
        (paths.compose / "appliance.toml").write_text(COMPOSE)
        (paths.compose / "projects").mkdir()
        (paths.compose / "projects" / "crypto_forecast.toml").write_text(PROJECT)
        control = ControlClient(paths)
        appliance(paths, "up")
        try:
            wait_until(
                lambda: is_worth_a_picture(control.status()), 600, "every panel has something"
            )
            target.write_text(asyncio.run(render(control, width, height)), encoding="utf-8")
        finally:
            appliance(paths, "down")
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
