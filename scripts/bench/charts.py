"""From a key to a drawn chart, with 100,000 stored forecasts: real store, real control socket, real console.

    .venv/bin/python scripts/bench/charts.py [--forecasts 100000] [--rounds 7]

The budget is 100 ms to a visible change (the page, or the known values in their new place); the values
that are read follow. "All" is a chart of every forecast that is stored.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance import clock
from appliance.config.paths import Paths
from appliance.tui.app import ApplianceApp
from appliance.tui.presentation.chart_window import Window
from appliance.tui.screens.history import HistoryPage
from scripts.bench.measured import load
from store.forecast_buckets import forecast_span
from store.session import Session, Statement
from tests.control_bench import PROJECT, running_bench

FORECASTS = """
INSERT INTO forecasts (project, market, unit, candle_date_time_utc, horizon, target_at, model_version,
    base_price, lower, median, upper, static_lower, static_median, static_upper,
    ewma_lower, ewma_median, ewma_upper, made_at, is_live, is_production)
SELECT $1, 'KRW-BTC', 1, made, 30, made + INTERVAL 30 MINUTE, 1 + i // 20000, 1e8 * (1 + 0.1 * sin(i / 5000)),
    -0.002, 0, 0.002, -0.003, 0, 0.003, -0.0025, 0, 0.0025, made + INTERVAL 1 MINUTE, TRUE, TRUE
FROM (SELECT i, $2::TIMESTAMPTZ - to_minutes(($3 - i)::INTEGER) AS made FROM range($3) AS rows(i))
"""
OUTCOMES = """
INSERT INTO outcomes
SELECT id, y, 0.0004, 0.0005, 0.00045, y BETWEEN lower AND upper, made_at
FROM (SELECT *, (hash(id) % 5000 - 2500.0) * 1e-6 AS y FROM forecasts)
"""
SIZE = (120, 40)
CHARTS = ("outcomes", "prices", "loss", "skill", "coverage")


def main() -> None:
    """Print what each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forecasts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "home")
        paths.create()
        with running_bench(paths, lambda store, _: _fill(store, options.forecasts)) as bench:
            print(f"{options.forecasts:,} forecasts, {SIZE[0]}x{SIZE[1]}; {load()}")
            span = forecast_span(bench.store, PROJECT)
            assert span is not None
            for key in CHARTS:
                _print(
                    f"read {key}, all",
                    options.rounds,
                    partial(bench.client.chart, PROJECT, key, 460, *span),
                )
            asyncio.run(_console(ApplianceApp(bench.client), options.rounds))


def _fill(store: Session, forecasts: int) -> None:
    now_at = clock.now().replace(second=0, microsecond=0)
    store.write(Statement(FORECASTS, (PROJECT, now_at, forecasts)))
    store.write(Statement(OUTCOMES, ()))


class Clock:
    """Wall time and this process' CPU time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Return both in seconds."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def _print(what: str, rounds: int, call: Callable[[], object]) -> None:
    taken = []
    for _ in range(rounds):
        began = Clock()
        call()
        taken.append(began.read())
    _say(what, taken)


def _say(what: str, taken: list[tuple[float, float]]) -> None:
    wall, cpu = ([each[index] * 1e3 for each in taken] for index in (0, 1))
    print(
        f"{what:34} median {statistics.median(wall):6.0f} ms, max {max(wall):6.0f} ms,"
        f" CPU of the console {statistics.median(cpu):6.0f} ms"
    )


async def _console(app: ApplianceApp, rounds: int) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await _until(pilot, lambda: app.board.is_connected and app.board.project)
        shown, drawn = [], []
        for _ in range(rounds):
            began = Clock()
            await pilot.press("h")
            page = await _page(app, pilot)
            await _until(pilot, partial(_has_rows, page))
            shown.append(began.read())
            await _drawn(page, pilot)
            drawn.append(began.read())
            await pilot.press("escape")
            await _until(pilot, partial(_is_left, app, page))
        _say("key h to the page", shown)
        _say("key h to the drawn chart", drawn)
        await pilot.press("h")
        page = await _page(app, pilot)
        await _drawn(page, pilot)
        await _moves(page, pilot, rounds)


async def _moves(page: HistoryPage, pilot: Pilot[int], rounds: int) -> None:
    for name, key in (("pan", "shift+left"), ("zoom out", "minus"), ("cursor", "left")):
        shown, read = [], []
        for _ in range(rounds):
            before = page.state.window
            began = Clock()
            await pilot.press(key)
            await _until(pilot, partial(_has_moved, page, before))
            shown.append(began.read())
            await _until(pilot, lambda: page._awaited is None)
            read.append(began.read())
        _say(f"{name}: known values", shown)
        _say(f"{name}: values read", read)
    window = page.state.window
    assert isinstance(window, Window)
    print(f"shown in the end: {window.span / timedelta(days=1):.1f} days")


def _has_rows(page: HistoryPage) -> bool:
    return bool(page.panel("chart").view.rows)


def _is_left(app: ApplianceApp, page: HistoryPage) -> bool:
    return app.screen is not page


def _has_moved(page: HistoryPage, before: Window | None) -> bool:
    return page.state.window != before


async def _page(app: ApplianceApp, pilot: Pilot[int]) -> HistoryPage:
    await _until(pilot, lambda: isinstance(app.screen, HistoryPage))
    page = app.screen
    assert isinstance(page, HistoryPage)
    return page


async def _drawn(page: HistoryPage, pilot: Pilot[int]) -> None:
    await _until(pilot, lambda: page.state.chart.value and page._awaited is None)


async def _until(pilot: Pilot[int], condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        await pilot.pause(0.001)


if __name__ == "__main__":
    main()
