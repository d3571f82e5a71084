"""Markets with hardly anything to forecast: every workflow, verdict and screen has words for it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

import pytest

from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.paths import Paths
from appliance.control.checks.model_unwell import find_model_unwell
from appliance.control.health import Surroundings
from appliance.domain.drift import DriftVerdict
from appliance.domain.event import EventKind
from appliance.domain.model_version import ModelVersion
from appliance.domain.workflow import RunState, WorkflowKind
from appliance.errors import DataQualityError, ExchangeRejected
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.forecasting.loader.candle_loader import CandleWindow
from appliance.pipelines.forecasting.preprocessor.data_preparation import MarketCandles
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.pipelines.forecasting.preprocessor.soundness import parity
from appliance.pipelines.spec import describe_project
from appliance.tui.app import ApplianceApp
from store.candles import latest_candles
from store.coverage import summarise
from store.drift import latest_report
from store.events import read_events
from store.forecasts import latest_forecasts
from store.monitoring import read_monitoring
from store.open import open_store
from store.performance import latest_performance
from store.session import Session
from tests import builders
from tests.fakes.control import FakeControl
from tests.fakes.market import ORIGIN, FakeMarket, odd_candles
from tests.fakes.registry import FakeRegistry
from tests.integration.test_crypto_forecast_workflows import Bench, settings_with
from tests.tui.conftest import loaded
from tests.unit.test_cli import no_dashboard

PROJECT, MARKET = "crypto_forecast", "KRW-BTC"
DATA, TRAIN = WorkflowKind.DATA, WorkflowKind.TRAIN
INFERENCE, MONITORING = WorkflowKind.INFERENCE, WorkflowKind.MONITORING
SCREENS = ("", "m", "v", "d", "t", "exclamation_mark")
NOT_A_NUMBER = re.compile(r"\b(nan|inf|infinity)\b", re.IGNORECASE)

ALL = {
    "sparse_5": set(),
    "sparse_20": set(),
    "sparse_80": {"idle", "still", "no_width"},
    "constant": {"still", "no_width"},
    "jumping": {"still", "price_jump", "no_width"},
    "one_tick": {"still", "no_width"},
    "small": {"still", "no_width"},
    "dies": {"idle", "still"},
}
"""By kind, which findings may be made of the newest rows; one at least where there are any."""
SHORT = ("sparse_80",)
COMMANDS = (
    ("drift",),
    ("candles", "-n", "50"),
    ("coverage",),
    ("events", "-n", "500"),
    ("alerts",),
    ("project", "list"),
    ("sql", "SELECT * FROM performance"),
    ("sql", "SELECT * FROM forecasts ORDER BY id DESC LIMIT 20"),
)


def bench(home: Paths, session: Session, kind: str) -> Bench:
    start_at = ORIGIN + timedelta(minutes=2_500, seconds=5)
    market = FakeMarket(MARKET, 1, odd_candles(kind, 4_000), start_at)
    return Bench(home, settings_with(horizon=1), market, FakeRegistry(), session)


@pytest.mark.parametrize(
    "kind", [kind if kind in SHORT else pytest.param(kind, marks=pytest.mark.long) for kind in ALL]
)
async def test_an_odd_market_is_said_to_be_one_and_nothing_is_nan(
    home: Paths, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home) as session:
        await work_through(bench(home, session, kind), kind)
    require_json(capsys)


async def work_through(at_work: Bench, kind: str) -> None:
    """Run every workflow twice, and look at what is stored and shown."""
    session = at_work.session
    at_work.run(DATA)
    assert set(at_work.run(TRAIN).states.values()) == {RunState.SUCCESS}
    for _ in range(2):
        at_work.pass_minutes(300)
        found = at_work.run(DATA).outputs["check_quality"]["findings"]
        at_work.run(INFERENCE)
        at_work.run(MONITORING)
    assert isinstance(found, dict)
    assert set(found) <= ALL[kind]
    assert bool(found) == bool(ALL[kind]), "what is odd is a finding of data quality"
    report = latest_report(session, PROJECT)
    assert report is not None and report.loss is not None
    if report.loss.relative is None:
        assert report.loss.why
        assert report.loss.verdict in {DriftVerdict.INSUFFICIENT, DriftVerdict.WARNING}
        assert any("cannot be judged" in each for each in problems(session, at_work))
    require_finite(session, at_work.registry.versions(PROJECT))
    await require_words_on_every_screen(session, at_work.registry.versions(PROJECT))


async def test_a_market_whose_price_never_moved_trains_no_model_and_says_why(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home) as session:
        at_work = bench(home, session, "flat")
        outputs = at_work.run(DATA).outputs["check_quality"]
        assert outputs["findings"] == {"still": "the price never moved"}
        assert outputs["request"] is None, "no training is asked for that cannot succeed"
        with pytest.raises(DataQualityError, match="did not move in any of"):
            at_work.run(TRAIN)
        assert not read_events(session, kinds=[EventKind.TRAINED])
        at_work.run(INFERENCE)
        require_finite(session, [])
        await require_words_on_every_screen(session, [])
    require_json(capsys)


@pytest.mark.long
async def test_a_market_that_was_renamed_is_named_and_what_is_stored_goes_on(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(home) as session:
        at_work = bench(home, session, "sparse_5")
        at_work.run(DATA)
        at_work.run(TRAIN)
        at_work.pass_minutes(60)
        at_work.market.failure = ExchangeRejected("no such market KRW-BTC")
        with pytest.raises(ExchangeRejected, match="no such market KRW-BTC"):
            at_work.run(DATA)
        (failed,) = read_events(session, kinds=[EventKind.WORKFLOW_FAILED])
        assert "no such market KRW-BTC" in failed.summary
        at_work.run(INFERENCE)
        at_work.run(MONITORING)
        require_finite(session, at_work.registry.versions(PROJECT))
        await require_words_on_every_screen(session, at_work.registry.versions(PROJECT))
    require_json(capsys)


def test_rows_of_a_thin_market_are_sound_wherever_their_look_back_begins() -> None:
    spec = describe_project(settings_with(horizon=1), PROJECT)
    assert isinstance(spec, CryptoSpec)
    candles = odd_candles("sparse_80", 1_500)
    for minute in range(1_400, 1_420):
        end_at = ORIGIN + timedelta(minutes=minute)
        known = candles[candles[TIME] < end_at]
        window = CandleWindow(MarketCandles(known, []), {}, end_at)
        assert parity(window, spec.recipe.compute_rows(window, spec), spec) == ""


def problems(session: Session, at_work: Bench) -> list[str]:
    champion = at_work.registry.champion(PROJECT)
    project = builders.project(champion=champion, drift=latest_report(session, PROJECT))
    found = find_model_unwell(builders.status(projects=(project,)), Surroundings(free_bytes=1))
    return [finding.message for finding in found]


def require_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Check what the commands print of the home, in which the appliance is down."""
    for words in COMMANDS:
        capsys.readouterr()
        assert run([*words, "--json"], no_dashboard) == ExitCode.DONE, words
        json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def require_finite(session: Session, versions: list[ModelVersion]) -> None:
    """Check that nothing that is stored for people to see holds a number that is none."""
    performance = latest_performance(session, PROJECT)
    shown = [
        asdict(read_monitoring(session, PROJECT)),
        {} if performance is None else asdict(performance),
        *(asdict(each) for each in latest_forecasts(session, PROJECT, 50)),
        *(version.metrics for version in versions),
        *(event.details for event in read_events(session)),
    ]
    assert not [path for each in shown for path in not_finite(each)]
    assert not [e.summary for e in read_events(session) if NOT_A_NUMBER.search(e.summary)]


def not_finite(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from not_finite(inner, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from not_finite(inner, f"{path}[{index}]")


async def require_words_on_every_screen(session: Session, versions: list[ModelVersion]) -> None:
    control = FakeControl()
    newest = latest_forecasts(session, PROJECT, 1)
    control.closed = latest_candles(session, MARKET, 1, 120)
    control.known_monitoring = read_monitoring(session, PROJECT)
    control.known_events = read_events(session)
    control.known_models = versions
    coverage = summarise(session, MARKET, 1)
    assert coverage is not None
    control.known_coverage = coverage
    project = builders.project(
        champion=versions[0] if versions else None,
        performance=latest_performance(session, PROJECT),
        drift=latest_report(session, PROJECT),
        forecast=newest[0] if newest else None,
    )
    control.snapshot = builders.status(projects=(project,))
    for size in ((80, 24), (120, 40)):
        app = ApplianceApp(control)
        async with app.run_test(size=size) as pilot:
            await loaded(pilot)
            for key in SCREENS:
                await pilot.press(*([key] if key else []))
                await pilot.pause(0.1)
                text = re.sub(r"<[^>]*>", " ", app.export_screenshot())
                assert not NOT_A_NUMBER.search(text), (key, NOT_A_NUMBER.findall(text))
                await pilot.press("escape")
