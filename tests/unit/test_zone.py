"""The zone in which people read and type times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from appliance import zone
from appliance.config import display
from appliance.config.arguments import INSTANT
from appliance.config.forms import parse_instant
from appliance.config.paths import Paths

AT = datetime(2026, 11, 27, 15, 30, 12, tzinfo=UTC)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_instant_is_shown_as_the_clocks_of_the_zone_show_it() -> None:
    assert zone.stamp_with_name(AT) == "2026-11-28 00:30:12 KST"
    assert zone.stamp(AT, seconds=False) == "2026-11-28 00:30"


def test_without_a_choice_the_zone_is_the_machines_with_its_summer_time(new_york: None) -> None:
    zone.use(None)
    assert zone.stamp_with_name(AT) == "2026-11-27 10:30:12 EST"
    assert zone.stamp_with_name(AT - timedelta(days=150)) == "2026-06-30 11:30:12 EDT"
    assert zone.aware(datetime(2026, 6, 30, 11, 30)) == datetime(2026, 6, 30, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("named", ["Asia/Seoul", "UTC", "America/New_York", "Asia/Kathmandu"])
def test_what_is_typed_reads_back_as_the_same_instant(named: str) -> None:
    zone.use(zone.named(named))
    at = AT.replace(second=0)
    assert parse_instant(zone.typed(at), is_typed=True) == at
    assert INSTANT.convert(zone.typed(at), None, None) == at


def test_a_file_means_utc_and_an_offset_means_itself() -> None:
    assert parse_instant("2026-11-27T15:30") == AT.replace(second=0)
    for is_typed in (True, False):
        assert parse_instant("2026-11-27T15:30Z", is_typed=is_typed) == AT.replace(second=0)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("nothing since 2026-11-27 15:30 UTC, sadly", "nothing since 2026-11-28 00:30 KST, sadly"),
        (
            "2026-11-27 01:00 to 2026-11-27 15:30:12 UTC",
            "2026-11-27 10:00 to 2026-11-28 00:30:12 KST",
        ),
        ("backfill --from 2026-11-27T15:30Z", "backfill --from 2026-11-28T00:30+09:00"),
        ("2026-11-27T15:30:12.345Z INFO started", "2026-11-28T00:30:12.345+09:00 INFO started"),
        ("run manual__2026-11-27T15:30:00+00:00__1f", "run manual__2026-11-27T15:30:00+00:00__1f"),
        ("[2026-11-27T15:30:12.345+0000] {x.py}", "[2026-11-28T00:30:12.345+09:00] {x.py}"),
        ("2026-11-27 15:30:12.345 UTC [7] LOG:", "2026-11-28 00:30:12.345 KST [7] LOG:"),
        ("2026-13-27 15:30 UTC", "2026-13-27 15:30 UTC"),
        ("at 15:30 UTC", "at 15:30 UTC"),
    ],
)
def test_text_shows_the_instants_that_it_names_in_the_zone(stored: str, shown: str) -> None:
    assert zone.in_zone(stored) == shown
    zone.use(UTC)
    assert zone.in_zone(stored) == stored


def test_stored_text_names_its_instants_so_that_they_are_found_again() -> None:
    korean = AT.astimezone(timezone(timedelta(hours=9)))
    assert zone.utc_text(korean) == "2026-11-27 15:30 UTC"
    assert zone.in_zone(zone.utc_text(AT, seconds=True)) == zone.stamp_with_name(AT)
    assert zone.in_zone(zone.utc_argument(AT)) == "2026-11-28T00:30+09:00"


@pytest.mark.parametrize("name", ["KST ", "Korea/Seoul", "Asia", "../etc/passwd", "?", "09:00"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="IANA time zone such as Asia/Seoul"):
        zone.named(name)


def test_a_zone_without_a_name_is_called_by_its_offset() -> None:
    zone.use(ZoneInfo("Asia/Dubai"))
    assert zone.name(AT) == "UTC+04"


def test_the_configured_zone_is_used_and_a_wrong_one_is_told(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE__DISPLAY__TIMEZONE", "Asia/Tokyo")
    assert display.use_configured_zone() is None
    assert zone.name(AT) == "JST"
    monkeypatch.setenv("APPLIANCE__DISPLAY__TIMEZONE", "Tokyo")
    wrong = display.use_configured_zone()
    assert wrong is not None
    assert wrong.message == (
        "APPLIANCE__DISPLAY__TIMEZONE: display.timezone must be an IANA time zone such as Asia/Seoul "
        "or UTC, or empty for the machine's, was 'Tokyo'"
    )


def test_a_wrong_zone_in_a_file_is_told_with_its_line(home: Paths) -> None:
    file = home.compose / "appliance.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('[display]\ntheme = "day"\ntimezone = "Tokyo"\n')
    wrong = display.use_configured_zone()
    assert wrong is not None
    assert wrong.message.startswith(f"{file}, line 3: display.timezone must be")
