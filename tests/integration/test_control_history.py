"""Jobs on history in processes of their own, against a real exchange and a real store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from appliance.config.paths import Paths
from appliance.control.history_jobs import HistoryJobs
from appliance.control.strip import read_strip
from appliance.domain.candle import Gap
from appliance.domain.coverage import GapCause, ProofMethod
from appliance.domain.history_job import HistoryJob, HistoryKind, JobState
from appliance.errors import ConfigError
from store.client import FlightSession
from store.coverage import prove_span, summarise
from store.gaps import record_gap
from store.session import Session, Statement
from tests.builders import KIM
from tests.simulator_fixtures import LIMITED, running_simulator
from tests.store_process import running_service
from tests.waiting import wait_until

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
END = START + timedelta(hours=3)
FEED = ("KRW-BTC", 1)


@pytest.fixture
def jobs(home: Paths) -> Iterator[HistoryJobs]:
    """Jobs of a home whose store runs and whose exchange answers."""
    with running_simulator(LIMITED) as url, running_service(home):
        (home.compose / "appliance.toml").write_text(
            f'[source]\nkind = "upbit"\nrest_url = "{url}"\n'
        )
        made = HistoryJobs(home, on_change=lambda: None)
        yield made
        made.close()


@pytest.fixture
def session(home: Paths, jobs: HistoryJobs) -> Iterator[Session]:
    """The running store."""
    opened = FlightSession(home.store_socket)
    yield opened
    opened.close()


def ended(jobs: HistoryJobs, number: int) -> HistoryJob:
    def found() -> HistoryJob | None:
        job = next(job for job in jobs.jobs() if job.id == number)
        return job if job.state is not JobState.RUNNING else None

    job = wait_until(found, 30, "the job ends")
    assert job is not None
    return job


def test_a_backfill_shows_its_progress_and_fills_the_range(
    jobs: HistoryJobs, session: Session
) -> None:
    started = jobs.start(HistoryKind.BACKFILL, *FEED, START, END, KIM)
    assert started.state is JobState.RUNNING
    done = ended(jobs, started.id)
    assert done.state is JobState.DONE, done
    assert (done.done, done.wanted) == (180, 180)
    assert "180 candles received, 180 new" in done.message
    known = summarise(session, *FEED)
    assert known is not None
    assert (known.expected, known.missing) == (180, 0)


def test_a_repair_closes_a_gap_and_the_strip_shows_where_it_was(
    jobs: HistoryJobs, session: Session
) -> None:
    hour = timedelta(hours=1)
    ended(jobs, jobs.start(HistoryKind.BACKFILL, *FEED, START, END, KIM).id)
    hole = ("KRW-BTC", 1, START + hour, START + 2 * hour)
    session.write(Statement("DELETE FROM coverage", ()))
    for start_at in (START, START + 2 * hour):
        prove_span(session, *FEED, start_at, start_at + hour, ProofMethod.BACKFILL, END)
    record_gap(session, Gap(*hole), GapCause.OUTAGE, END)
    strip = read_strip(session, *FEED, hours=4.0, cells=4)
    known = [(cell.candles + cell.no_trade, cell.missing) for cell in strip]
    assert known == [(0, 0), (60, 0), (0, 60), (60, 0)]
    done = ended(jobs, jobs.start(HistoryKind.REPAIR, *FEED, None, END, KIM).id)
    assert done.state is JobState.DONE, done
    strip = read_strip(session, *FEED, hours=4.0, cells=4)
    assert [(cell.repaired, cell.missing) for cell in strip] == [(0, 0), (0, 0), (60, 0), (0, 0)]


def test_an_audit_says_what_it_compared(jobs: HistoryJobs) -> None:
    ended(jobs, jobs.start(HistoryKind.BACKFILL, *FEED, START, END, KIM).id)
    done = ended(jobs, jobs.start(HistoryKind.AUDIT, *FEED, START, END, KIM).id)
    assert done.state is JobState.DONE, done
    assert "intervals compared: 0 corrected, 0 recovered, 0 removed" in done.message


def test_a_failure_says_why_and_what_next(jobs: HistoryJobs) -> None:
    failed = ended(jobs, jobs.start(HistoryKind.BACKFILL, "KRW-NIX", 1, START, END, KIM).id)
    assert failed.state is JobState.FAILED
    assert "KRW-NIX" in failed.message
    assert failed.hint


def test_a_cancelled_job_ends_and_what_it_stored_stays(jobs: HistoryJobs, session: Session) -> None:
    long_ago = START - timedelta(days=60)
    started = jobs.start(HistoryKind.BACKFILL, *FEED, long_ago, END, KIM)
    with pytest.raises(ConfigError, match="running already"):
        jobs.start(HistoryKind.REPAIR, *FEED, None, None, KIM)
    wait_until(lambda: jobs.jobs()[0].done, 30, "progress")
    cancelled = jobs.cancel(started.id)
    assert cancelled.state is JobState.CANCELLED
    known = summarise(session, *FEED)
    assert known is not None
    assert 0 < known.expected < 60 * 1440


def test_a_reversed_range_is_refused(jobs: HistoryJobs) -> None:
    with pytest.raises(ConfigError, match="not after"):
        jobs.start(HistoryKind.BACKFILL, *FEED, END, START, KIM)
    assert jobs.jobs() == ()
