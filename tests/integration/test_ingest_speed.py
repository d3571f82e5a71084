"""How fast an exchange's time runs is the exchange's to say: whoever ingests from it cannot forget it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.config.paths import Paths
from appliance.control import history_process
from appliance.domain.candle import Gap
from appliance.domain.coverage import ProofMethod
from appliance.ingest.reconcile import bring_up_to_date, synchronise
from store import open_store
from store.coverage import prove_span
from store.gaps import known_gaps
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.listening import announce

SPEED = 600.0


def market(speed: float) -> FakeMarket:
    """A market half an hour after the newest proven end of `ingested`."""
    now_at = ORIGIN + timedelta(minutes=300, seconds=30)
    return FakeMarket("KRW-BTC", 1, synthetic_candles(301), now_at, speed=speed)


def recorded_gaps(home: Paths, speed: float, *, is_history: bool = False) -> list[Gap]:
    """Return what catching up with half an hour puts on record as an interruption."""
    proven_at = ORIGIN + timedelta(minutes=270)
    with open_store(home) as session:
        begins_at = proven_at - timedelta(minutes=60)
        prove_span(session, "KRW-BTC", 1, begins_at, proven_at, ProofMethod.BACKFILL, ORIGIN)
        if is_history:
            bring_up_to_date(
                session,
                market(speed),  # type: ignore[arg-type]
                *("KRW-BTC", 1),
                source_id="fake",
                history_candles=60,
            )
        else:
            synchronise(session, market(speed), "KRW-BTC", 1, source_id="fake")  # type: ignore[arg-type]
        return known_gaps(session, "KRW-BTC", 1, ORIGIN, ORIGIN + timedelta(days=1))


@pytest.mark.parametrize("is_history", [False, True], ids=["synchronise", "bring up to date"])
def test_a_workflow_takes_three_fast_seconds_for_no_interruption(
    home: Paths, is_history: bool
) -> None:
    assert recorded_gaps(home, SPEED, is_history=is_history) == []


def test_half_an_hour_at_our_speed_is_an_interruption(home: Paths) -> None:
    assert len(recorded_gaps(home, 1.0)) == 1


def test_a_history_job_knows_the_speed_of_its_source(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE__SOURCE__KIND", "simulator")
    monkeypatch.setenv("APPLIANCE__SIMULATOR__SPEED", str(SPEED))
    announce(home, "simulator", 18000)
    with history_process._intake("KRW-BTC", 1, None) as intake:
        assert intake.real(1.0) == timedelta(seconds=SPEED)
