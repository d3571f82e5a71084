"""The completeness ledger against a naive model: an array of intervals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.domain.candle import Gap, IngestionStatus
from appliance.domain.coverage import GapCause, IntervalKind, ProofMethod
from store.candles import store_candles
from store.coverage import gaps, proof, prove_span, summarise, watermark
from store.gaps import close_gap, known_gaps, open_gaps, record_gap, recount, repaired_since
from store.ledger import classify
from store.live import write_ingestion
from store.session import Session
from tests.contract.store_fixtures import market, session
from tests.store_process import MINUTE, START, raw_candle

__all__ = ["market", "session"]

LENGTH = 40
_numbers = itertools.count()


def at(minute: int) -> datetime:
    return START + minute * MINUTE


@dataclass
class Model:
    """What the ledger must say of each minute."""

    proven: set[int] = field(default_factory=set)
    candles: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)

    def kind(self, minute: int) -> IntervalKind:
        if minute not in self.proven:
            return IntervalKind.GAP
        if minute in self.late:
            return IntervalKind.REPAIRED
        return IntervalKind.CANDLE if minute in self.candles else IntervalKind.NO_TRADE


bounds = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 12)).map(
    lambda pair: (pair[0], min(LENGTH, sum(pair)))
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["prove", "prove", "prove", "gap", "next day"]),
        bounds,
        st.sampled_from(ProofMethod),
        st.integers(0, 2**12 - 1),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_every_interval_is_exactly_one_thing_and_the_right_one(
    session: Session, steps: list[tuple[str, tuple[int, int], ProofMethod, int]]
) -> None:
    code, model, now_at = f"KRW-M{next(_numbers)}", Model(), START
    for action, (start, end), method, bits in steps:
        if action == "next day":
            now_at += timedelta(days=1)
        elif action == "gap":
            record_gap(session, Gap(code, 1, at(start), at(end)), GapCause.AUDIT, now_at)
            model.late |= set(range(start, end))
        else:
            traded = [m for m in range(start, end) if bits >> (m - start) & 1]
            rows = [raw_candle(m, market=code) for m in traded]
            statements = proof(code, 1, at(start), at(end), method, now_at)
            known = known_gaps(session, code, 1, at(start), at(end))
            if rows:
                statements += [recount(each) for each in known]
            store_candles(session, rows, "rest", now_at, statements)
            model.proven |= set(range(start, end))
            model.candles |= set(traded)
    check(session, code, model)


def check(session: Session, code: str, model: Model) -> None:
    runs = classify(session, code, 1, at(0), at(LENGTH))
    assert [run.start_at for run in runs] == [at(0), *(run.end_at for run in runs[:-1])]
    assert runs[-1].end_at == at(LENGTH)
    told = {
        minute: run.kind
        for run in runs
        for minute in range(LENGTH)
        if run.start_at <= at(minute) < run.end_at
    }
    assert told == {minute: model.kind(minute) for minute in range(LENGTH)}
    assert all((run.first_proven_at is None) == (run.kind is IntervalKind.GAP) for run in runs)
    summary = summarise(session, code, 1)
    assert (summary is None) == (not model.proven)
    if summary is None:
        return
    start, end = min(model.proven), max(model.proven) + 1
    kinds = [model.kind(minute) for minute in range(start, end)]
    assert (summary.start_at, summary.end_at) == (at(start), at(end))
    assert summary.expected == end - start
    assert [summary.candles, summary.no_trade, summary.repaired, summary.missing] == [
        kinds.count(kind)
        for kind in (
            IntervalKind.CANDLE,
            IntervalKind.NO_TRADE,
            IntervalKind.REPAIRED,
            IntervalKind.GAP,
        )
    ]
    unproven = [minute for minute in range(start, end) if minute not in model.proven]
    assert watermark(session, code, 1) == at(unproven[0] if unproven else end)
    assert summary.watermark_at == watermark(session, code, 1)
    spans = session.read(
        "SELECT * FROM coverage WHERE market = ? ORDER BY start_at", [code]
    ).to_pylist()
    assert all(a["end_at"] <= b["start_at"] for a, b in itertools.pairwise(spans))
    assert all(
        a["end_at"] < b["start_at"] or _how(a) != _how(b) for a, b in itertools.pairwise(spans)
    )


def _how(span: dict[str, datetime]) -> tuple[object, object]:
    return span["method"], span["first_proven_at"].date()


def prove(
    session: Session,
    market: str,
    start: int,
    end: int,
    method: ProofMethod = ProofMethod.LIVE,
    proven_at: datetime = START,
) -> None:
    prove_span(session, market, 1, at(start), at(end), method, proven_at)


def test_the_first_proof_is_kept_with_how_and_when(session: Session, market: str) -> None:
    prove(session, market, 0, 10, ProofMethod.BACKFILL)
    prove(session, market, 5, 12, ProofMethod.LIVE, at(60))
    prove(session, market, 12, 14, ProofMethod.LIVE, at(61))
    prove(session, market, 14, 15, ProofMethod.LIVE, at(60 * 24))
    runs = classify(session, market, 1, at(0), at(15))
    assert [(r.end_at, r.method, r.first_proven_at, r.last_proven_at) for r in runs] == [
        (at(10), "backfill", START, START),
        (at(14), "live", at(60), at(61)),
        (at(15), "live", at(60 * 24), at(60 * 24)),
    ]


def test_a_gap_is_known_with_cause_and_age_until_all_of_it_is_proven(
    session: Session,
    market: str,
) -> None:
    prove(session, market, 0, 10)
    prove(session, market, 30, 40)
    gap = Gap(market, 1, at(10), at(30))
    (found,) = record_gap(session, gap, GapCause.OUTAGE, at(31))
    assert record_gap(session, gap, GapCause.RESTART, at(32)) == []
    assert gaps(session, market, 1) == [Gap(market, 1, at(10), at(30), at(31), "outage")]
    prove(session, market, 20, 30, ProofMethod.REPAIR)
    summary = summarise(session, market, 1)
    assert summary is not None
    assert (summary.repaired, summary.missing, summary.watermark_at) == (10, 10, at(10))
    assert open_gaps(session, market, 1) == [found]
    prove(session, market, 10, 20, ProofMethod.REPAIR)
    closed = close_gap(session, found, at(35))
    assert closed is not None
    assert (closed.repaired_at, closed.candles) == (at(35), 0)
    assert close_gap(session, found, at(36)) is None
    assert repaired_since(session, market, 1, at(34)) == [closed]
    assert open_gaps(session, market, 1) == gaps(session, market, 1) == []


def test_what_closes_during_an_outage_is_a_gap_at_once(session: Session, market: str) -> None:
    prove(session, market, 0, 10)
    status = IngestionStatus(market, 1, "disconnected", at(25), expected_until_at=at(25))
    write_ingestion(session, status)
    summary = summarise(session, market, 1)
    assert summary is not None
    assert (summary.end_at, summary.expected, summary.missing) == (at(25), 25, 15)
    assert [(gap.start_at, gap.end_at) for gap in summary.gaps] == [(at(10), at(25))]
    assert summary.watermark_at == watermark(session, market, 1) == at(10)


def test_an_island_of_proof_does_not_move_the_watermark(session: Session, market: str) -> None:
    prove(session, market, 10, 20)
    prove(session, market, 50, 60)
    assert watermark(session, market, 1) == at(20)
    prove(session, market, 20, 50, ProofMethod.REPAIR)
    assert watermark(session, market, 1) == at(60)


@pytest.mark.parametrize("method", ProofMethod)
def test_any_way_of_proving_covers(session: Session, market: str, method: ProofMethod) -> None:
    prove(session, market, 0, 3, method)
    assert gaps(session, market, 1, at(0), at(3)) == []
