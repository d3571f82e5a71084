"""Pages of logs: every line once, in either direction, however long the log is."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.airflow_api.task_log import newest_log, render_record
from appliance.domain.log import LogLevel, LogLine, LogPage, LogQuery, level_of
from appliance.supervisor import log_pages
from appliance.supervisor.log_pages import LogParts, read_log_page

GIGABYTE = 1_000_000_000


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few lines, so that short logs have several."""
    monkeypatch.setattr(log_pages, "FIRST_BLOCK_BYTES", 64)
    monkeypatch.setattr(log_pages, "BLOCK_BYTES", 64)


def written(path: Path, lines: list[str], *, end: str = "\n") -> Path:
    path.write_text("\n".join(lines) + end)
    return path


def texts(page: LogPage) -> list[str]:
    return [line.text for line in page.lines]


def backwards(parts: LogParts, query: LogQuery) -> list[LogLine]:
    """Read page by page from the end to the beginning."""
    lines: list[LogLine] = []
    at = -1
    while at:
        page = read_log_page(
            parts, LogQuery(at, query.lines, needle=query.needle, level=query.level)
        )
        lines, at = [*page.lines, *lines], page.start
    return lines


@pytest.mark.usefixtures("small_blocks")
def test_pages_hold_every_line_once_in_either_direction(tmp_path: Path) -> None:
    lines = [f"line {number} {'x' * (number % 50)}" for number in range(200)]
    parts = LogParts([written(tmp_path / "a.log", lines)])
    assert [line.text for line in backwards(parts, LogQuery(lines=7))] == lines
    forwards: list[str] = []
    at = 0
    while at < parts.size:
        page = read_log_page(parts, LogQuery(at, 7, is_forward=True))
        forwards, at = forwards + texts(page), page.end
    assert forwards == lines


def test_rotated_files_come_before(tmp_path: Path) -> None:
    older = written(tmp_path / "a.log.1", ["one", "two"])
    newer = written(tmp_path / "a.log", ["three"])
    page = read_log_page(LogParts([tmp_path / "a.log.2", older, newer]), LogQuery())
    assert texts(page) == ["one", "two", "three"]
    assert (page.start, page.end) == (0, page.size)


def test_a_line_without_its_end_is_shown_and_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", ["whole", "half"], end="")
    page = read_log_page(LogParts([path]), LogQuery())
    assert texts(page) == ["whole", "half"]
    written(path, ["whole", "half and the rest"])
    following = read_log_page(LogParts([path]), LogQuery(page.end, is_forward=True))
    assert texts(following) == ["half and the rest"]
    assert following.start == page.lines[-1].at


@pytest.mark.usefixtures("small_blocks")
def test_a_line_longer_than_a_block_is_cut_and_nothing_is_lost(tmp_path: Path) -> None:
    path = written(tmp_path / "a.log", ["a", "b" * 500, "c"])
    found = texts(read_log_page(LogParts([path]), LogQuery(0, is_forward=True)))
    assert "".join(found) == "a" + "b" * 500 + "c"


@pytest.mark.usefixtures("small_blocks")
def test_a_filter_brings_context_and_searches_the_whole_log(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(300)]
    lines[5] = "the Needle"
    parts = LogParts([written(tmp_path / "a.log", lines)])
    page = read_log_page(parts, LogQuery(needle="needle", context=1, lines=10))
    assert "the Needle" in texts(page)
    assert [line.is_context for line in page.lines if line.text == "the Needle"] == [False]
    assert all(line.is_context for line in page.lines if line.text != "the Needle")
    others = read_log_page(parts, LogQuery(needle="!line", lines=10))
    assert texts(others) == ["the Needle"]


@pytest.mark.usefixtures("small_blocks")
def test_a_search_ends_after_its_time_and_can_be_gone_on_with(tmp_path: Path) -> None:
    parts = LogParts([written(tmp_path / "a.log", ["first", *["other"] * 300])])
    page = read_log_page(parts, LogQuery(needle="first"), seconds=-1.0)
    assert not page.lines
    assert 0 < page.start < parts.size
    assert [line.text for line in backwards(parts, LogQuery(needle="first"))] == ["first"]


def test_what_follows_an_error_is_of_its_level(tmp_path: Path) -> None:
    lines = [
        "2026-01-01 INFO a",
        "Traceback (most recent call last):",
        "  File x",
        "2026-01-01 INFO b",
    ]
    parts = LogParts([written(tmp_path / "a.log", lines)])
    page = read_log_page(parts, LogQuery(level=LogLevel.WARNING))
    assert "Traceback (most recent call last):" in texts(page)
    assert "2026-01-01 INFO b" not in texts(page)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-01-01T00:00:00Z WARNING x", LogLevel.WARNING),
        ("level=error msg", LogLevel.ERROR),
        ("KeyError: 'a'", LogLevel.ERROR),
        ("12:00:00 error   it broke", LogLevel.ERROR),
        ("12:00:00 info    0 errors found", LogLevel.INFO),
        ("DEBUG x", LogLevel.DEBUG),
    ],
)
def test_a_level_is_read_from_the_words(text: str, level: LogLevel) -> None:
    assert level_of(text) is level


@pytest.mark.usefixtures("small_blocks")
def test_a_time_is_found(tmp_path: Path) -> None:
    began = datetime(2026, 3, 1, tzinfo=UTC)
    lines = [f"{began + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ} tick" for n in range(500)]
    parts = LogParts([written(tmp_path / "a.log", lines)])
    for second in (0, 1, 250, 499, 5000):
        wanted = began + timedelta(seconds=second)
        page = read_log_page(parts, LogQuery(around_at=wanted, lines=1))
        assert texts(page) == [lines[min(second, 499)]]


def test_records_of_a_task_become_its_lines(tmp_path: Path) -> None:
    frames = [{"filename": "/srv/x.py", "lineno": 3, "name": "f"}]
    detail = [{"exc_type": "ValueError", "exc_value": "no rows", "frames": frames}]
    stamp = {"timestamp": "2026-03-01T12:00:00Z"}
    records = [
        {**stamp, "level": "info", "event": "begins"},
        {**stamp, "event": "::group::x"},
        {**stamp, "level": "error", "event": "Task failed", "error_detail": detail},
        {**stamp, "level": "info", "event": "ends"},
    ]
    run = tmp_path / "dag_id=d" / "run_id=r" / "task_id=fit"
    run.mkdir(parents=True)
    for attempt in (2, 10):
        written(run / f"attempt={attempt}.log", [json.dumps(record) for record in records])
    path = newest_log(tmp_path, "d", "r", "fit")
    assert path is not None and path.name == "attempt=10.log"
    page = read_log_page(LogParts([path]), LogQuery(), render_record)
    assert texts(page) == [
        "2026-03-01T12:00:00Z info    begins",
        "2026-03-01T12:00:00Z error   Task failed",
        "    /srv/x.py:3 in f",
        "  ValueError: no rows",
        "2026-03-01T12:00:00Z info    ends",
    ]
    errors = read_log_page(LogParts([path]), LogQuery(level=LogLevel.ERROR, lines=1), render_record)
    assert texts(errors)[-1] == "  ValueError: no rows"
    assert newest_log(tmp_path, "d", "r", "other") is None


@pytest.mark.long
def test_a_gigabyte_opens_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    block = b"".join(b"2026-03-01T12:00:00Z INFO line %06d of a block\n" % n for n in range(25_000))
    with path.open("wb") as file:
        file.write(b"the first line\n")
        while file.tell() < GIGABYTE:
            file.write(block)
    try:
        for query in (LogQuery(), LogQuery(0, is_forward=True), LogQuery(GIGABYTE // 2)):
            began = time.perf_counter()
            assert read_log_page(LogParts([path]), query).lines
            assert time.perf_counter() - began < 0.2
        began = time.perf_counter()
        page = read_log_page(LogParts([path]), LogQuery(needle="nowhere"))
        assert not page.lines
        assert time.perf_counter() - began < 2.0
    finally:
        path.unlink()
