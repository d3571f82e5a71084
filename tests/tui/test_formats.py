"""Numbers and instants in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appliance.tui.presentation import formats
from tests.builders import NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0.0 s"),
        (4.14, "4.1 s"),
        (48.4, "48 s"),
        (125, "2 min 05 s"),
        (1800, "30 min"),
        (11_520, "3 h 12 min"),
        (93_600, "1 d 2 h"),
    ],
)
def test_durations_read_in_their_own_units(seconds: float | None, text: str) -> None:
    assert formats.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (159_631_000.0, "159,631,000"), (312.5, "312.50"), (0.00123, "0.001230")],
)
def test_prices_have_the_decimals_their_size_wants(value: float | None, text: str) -> None:
    assert formats.price(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(None, "–"), (float("nan"), "–"), (0.0, "+0.0 %"), (0.025, "+2.5 %"), (-0.004, "−0.4 %")],
)
def test_an_unknown_share_is_never_shown_as_zero(fraction: float | None, text: str) -> None:
    assert formats.percent(fraction, signed=True) == text


def test_instants_are_in_korean_time_and_older_ones_carry_their_date() -> None:
    assert formats.moment(NOW, NOW) == "14:02:31"
    assert formats.moment(NOW - timedelta(days=2), NOW) == "03-12 14:02"
    late = datetime(2026, 3, 13, 16, 0, tzinfo=UTC)  # 01:00 of the 14th in Korea
    assert formats.moment(late, NOW) == "01:00:00"


def test_fit_keeps_the_width_also_for_wide_characters() -> None:
    assert formats.fit("abcdef", 4) == "abc…"
    assert formats.cell_len(formats.fit("비트코인 가격", 7)) == 7


def test_a_passed_instant_is_due() -> None:
    assert formats.until(NOW - timedelta(seconds=3), NOW) == "due now"
    assert formats.until(NOW + timedelta(seconds=29), NOW) == "in 29 s"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00002219, "0.00002219"),
        (0.00000001, "0.00000001000"),
        (0.5, "0.500000"),
        (12.3, "12.30"),
        (150_000_000.0, "150,000,000"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_small_prices_keep_digits_that_say_something(value: float | None, text: str) -> None:
    assert formats.price(value) == text
