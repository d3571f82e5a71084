"""The fault file: what it says, when it lets things happen, and what it says about mistakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from appliance.errors import ConfigError
from appliance.simulator.fault_file import FaultScript, load_faults
from appliance.simulator.faults import FaultKind, FaultPlan, Occurrence
from appliance.simulator.simulated_time import to_ms

START_AT = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
START = to_ms(START_AT)
HOUR = 3_600_000


def script(tmp_path: Path, text: str, speed: float = 1.0) -> FaultScript:
    file = tmp_path / "faults.toml"
    file.write_text(text)
    return load_faults(file, START_AT, speed)


def starts(chosen: FaultScript, count: int = 100) -> list[int]:
    return [fault.start for fault in islice(chosen.occurrences(START), count)]


def test_fixed_times_are_simulated_and_relative_to_the_start(tmp_path: Path) -> None:
    chosen = script(
        tmp_path,
        '[[fault]]\nkind = "html"\nafter_seconds = 600\nseconds = 300\n'
        '[[fault]]\nkind = "429"\nat = 2026-01-05T12:05:00Z\ncount = 3\n'
        '[[fault]]\nkind = "silent"\nat = "2026-01-05T13:00:00+00:00"\nreal_seconds = 2\n',
        speed=60.0,
    )
    limited, html, silent = chosen.occurrences(START)
    assert limited.kind is FaultKind.TOO_MANY
    assert (limited.start, limited.end, limited.count) == (START + 270_000, None, 3)
    assert (html.start, html.end, html.count) == (START + 600_000, START + 900_000, None)
    assert silent.end == silent.start + 120_000


def test_random_times_are_the_same_for_the_same_seed_and_within_the_run(tmp_path: Path) -> None:
    text = "seed = {}\nrun_seconds = 7200\n[[fault]]\nkind = 'reset'\ntimes = 40\n"
    first, again, other = (script(tmp_path, text.format(seed)) for seed in (3, 3, 4))
    assert starts(first) == starts(again) != starts(other)
    assert len(starts(first)) == 40
    assert all(START <= start < START + 2 * HOUR for start in starts(first))


def test_a_rate_goes_on_for_ever_at_its_mean(tmp_path: Path) -> None:
    chosen = script(tmp_path, "[[fault]]\nkind = 'drop'\nper_hour = 3\n")
    found = starts(chosen, 3000)
    assert found == sorted(found)
    assert (found[-1] - START) / HOUR == pytest.approx(1000, rel=0.1)


def test_tables_draw_apart_from_each_other(tmp_path: Path) -> None:
    table = "[[fault]]\nkind = 'reset'\ntimes = 5\n"
    both = starts(script(tmp_path, table + table))
    assert len(set(both)) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[fault]]\nkind = 'drop'\n[[fault]]\nkind = 'html'\nsecnds = 3\n", "fault 2: secnds"),
        ("[[fault]]\nkind = 'explosion'\n", "fault 1: kind is 'explosion'"),
        ("[[fault]]\n", "fault 1: kind"),
        ("[[fault]]\nkind = 'late'\nseconds = 60\n", "fault 1: late_seconds is missing"),
        ("[[fault]]\nkind = 'silent'\n", "fault 1: seconds is missing"),
        ("[[fault]]\nkind = 'silent'\ncount = 3\n", "fault 1: count does not fit 'silent'"),
        ("[[fault]]\nkind = '429'\ncount = 'many'\n", "fault 1: count is 'many'"),
        ("[[fault]]\nkind = '429'\ntimes = 2\nper_hour = 3\n", "fault 1: per_hour cannot stand"),
        ("[[fault]]\nkind = '429'\nper_hour = 0\n", "fault 1: per_hour is 0"),
        ("[[fault]]\nkind = 'html'\nseconds = 1\nreal_seconds = 1\n", "fault 1: real_seconds"),
        ("[[fault]]\nkind = 'html'\nlatency_ms = 1\n", "fault 1: latency_ms is unknown"),
        ("[[fault]]\nkind = 'html'\nat = 'soon'\n", "fault 1: at must be an ISO time.*was 'soon'"),
        ("[fault]\nkind = 'html'\n", "fault is no list"),
        ("speed = 3\n", "speed is unknown"),
        ("seed = \n", "faults"),
    ],
)
def test_a_mistake_is_named_with_table_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        script(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_faults(tmp_path / "none.toml", START_AT, 1.0)


def test_a_window_ends_by_time_and_a_count_by_use() -> None:
    plan = FaultPlan(
        [Occurrence(FaultKind.HTML, 100, 200), Occurrence(FaultKind.TOO_MANY, 150, None, 2)]
    )
    assert plan.take_reply(99) is None
    kinds = [getattr(plan.take_reply(now), "kind", None) for now in (100, 150, 160, 170, 199, 200)]
    html, limited = FaultKind.HTML, FaultKind.TOO_MANY
    assert kinds == [html, limited, limited, html, html, None]
    assert (plan.fired[html], plan.fired[limited]) == (3, 2)
    assert (plan.started[html], plan.started[limited]) == (1, 1)


def test_a_restart_continues_windows_and_forgets_what_waited_for_replies() -> None:
    plan = FaultPlan(
        [
            Occurrence(FaultKind.RESET, 10, None, 1),
            Occurrence(FaultKind.HTML, 20, 500),
            Occurrence(FaultKind.DROP, 30, 30),
            Occurrence(FaultKind.SILENT, 400, 600),
        ],
        now=300,
    )
    taken = plan.take_reply(300)
    assert taken is not None
    assert taken.kind is FaultKind.HTML
    assert not plan.is_active(FaultKind.SILENT, 399)
    assert plan.is_active(FaultKind.SILENT, 400)
    assert plan.started[FaultKind.DROP] == 0


def test_the_next_change_is_a_start_or_an_end() -> None:
    plan = FaultPlan([Occurrence(FaultKind.SILENT, 100, 200)])
    assert plan.next_change(0) == 100
    assert plan.next_change(100) == 200
    assert plan.next_change(200) > 1 << 60


def test_a_posted_fault_does_not_hide_scripted_ones() -> None:
    scripted = [Occurrence(FaultKind.SILENT, 10 * i, 10 * i + 5) for i in range(1, 100)]
    plan = FaultPlan(scripted)
    for i in range(30):
        plan.add(Occurrence(FaultKind.DROP, 100_000 + i, 100_000 + i))
    assert all(plan.is_active(FaultKind.SILENT, 10 * i) for i in range(1, 100))
    assert plan.started[FaultKind.SILENT] == 99


def test_every_fault_of_a_day_is_drawn_for_its_window_to_fit(tmp_path: Path) -> None:
    chosen = script(tmp_path, "[[fault]]\nkind = 'outage'\ntimes = 50\nseconds = 3600\n")
    ends = [fault.end for fault in chosen.occurrences(START)]
    assert max(end for end in ends if end) <= START + timedelta(days=1) / timedelta(milliseconds=1)
