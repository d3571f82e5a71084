"""The line that says which events are wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from appliance.config.event_query import EventQuery, parse_event_query
from appliance.domain.event import EventKind, Severity
from appliance.domain.event_filter import EventFilter

NOW = datetime(2026, 3, 14, 5, 2, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", EventFilter()),
        ("kind= actor= -", EventFilter(texts=("-",))),
        ("kind=promoted", EventFilter(kinds=(EventKind.PROMOTED,))),
        (
            "kind=promoted,rolled",
            EventFilter(kinds=(EventKind.PROMOTED, EventKind.ROLLED_BACK)),
        ),
        ("severity=warn", EventFilter(severities=(Severity.WARNING, Severity.ERROR))),
        ("actor=kim -actor=pts/4", EventFilter(actors=("kim",), without_actors=("pts/4",))),
        ("gap -service", EventFilter(texts=("gap",), without_texts=("service",))),
        ('"gap of 3" !x', EventFilter(texts=("gap of 3",), without_texts=("x",))),
        ('"gap of', EventFilter(texts=("gap", "of"))),
        ("project=shop since=12h", EventFilter(project="shop", since=NOW - timedelta(hours=12))),
        (
            "since=2026-03-01T00:00Z until=2026-03-02T00:00Z",
            EventFilter(
                since=datetime(2026, 3, 1, tzinfo=UTC), until=datetime(2026, 3, 2, tzinfo=UTC)
            ),
        ),
    ],
)
def test_a_line_says_which_events_are_wanted(line: str, wanted: EventFilter) -> None:
    assert parse_event_query(line, NOW) == EventQuery(wanted)


def test_a_kind_can_be_left_out() -> None:
    kinds = parse_event_query("-kind=service -kind=alert", NOW).wanted.kinds
    assert EventKind.PROMOTED in kinds
    assert not {EventKind.SERVICE_STATE, EventKind.ALERT_SENT} & set(kinds)


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("at=13:59", datetime(2026, 3, 14, 4, 59, tzinfo=UTC)),
        ("at=14:59", datetime(2026, 3, 13, 5, 59, tzinfo=UTC)),
        ("at=2:13", datetime(2026, 3, 13, 17, 13, tzinfo=UTC)),
        ("at=999999d", datetime(2010, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_its_last_one_in_the_zone(typed: str, at: datetime) -> None:
    assert parse_event_query(typed, NOW).at == at


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("kind=promo_ted", r"no kind of event has 'promo_ted' in it; did you mean"),
        ("severity=loud", r"must be info, warning or error, was 'loud'"),
        ("since=yesterday", r"since must be .*12h, was 'yesterday'"),
        ("who=kim", r"there is no 'who' to search by; "),
        ("-since=12h", r"only kind, actor, text can be left out"),
        ("since=1h until=2h", r"until is not after since"),
    ],
)
def test_a_term_that_cannot_be_is_named(line: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_event_query(line, NOW)
