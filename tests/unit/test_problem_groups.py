"""Problems of one cause are one, in words; what needs the operator most comes first."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.cli.status_overview import has_many, print_overview, print_problems
from appliance.control.api import ApplianceStatus, Problem
from appliance.control.checks import ALL_CHECKS
from appliance.control.needs import Need, count_needs, market_need, markets_by_need
from appliance.control.problem_groups import _WORDS, group_problems
from tests import builders, fleet


def problem(code: str, subject: str, minutes: float = 5, hint: str = "wait") -> Problem:
    return Problem(code, f"{subject} is not well", hint, builders.ago(minutes=minutes), subject)


def test_many_markets_with_one_problem_are_one_problem() -> None:
    found = [problem("ingest.late", f"KRW-A{n}-1", n) for n in range(113)]
    (group,) = group_problems(found)
    assert group.message == "113 markets late: KRW-A0, KRW-A1, KRW-A2 and 110 more"
    assert group.since_at == builders.ago(minutes=112)
    assert group.problems == tuple(found)


def test_several_timeframes_are_named() -> None:
    found = [problem("data.gaps", f"KRW-A-{unit}") for unit in (1, 5, 60)]
    (group,) = group_problems(found)
    assert group.message.startswith(
        "3 markets and timeframes with gaps in the stored history: KRW-A 1m"
    )


def test_two_problems_keep_their_own_words_and_the_order_is_kept() -> None:
    found = [
        problem("service.given_up", "store"),
        problem("model.stale", "a"),
        problem("service.given_up", "mlflow"),
    ]
    assert [group.message for group in group_problems(found)] == [
        "store is not well",
        "mlflow is not well",
        "a is not well",
    ]


def test_hints_that_differ_by_project_become_one() -> None:
    found = [
        problem("workflow.failed", f"{name}.train", hint=f"appliance run train --project {name}")
        for name in ("one", "two", "three")
    ]
    (group,) = group_problems(found)
    assert group.hint == "appliance run train --project NAME"
    assert group.message == "3 workflows whose last run failed: one train, two train, three train"


def test_a_kind_without_words_is_named_by_its_code() -> None:
    (group,) = group_problems([problem("new.kind", name) for name in "abc"])
    assert group.message == "3 problems of one kind (new.kind): a, b, c"


def test_every_code_with_words_is_that_of_a_check() -> None:
    sources = "".join(
        Path(inspect.getfile(check)).read_text(encoding="utf-8") for check in ALL_CHECKS
    )
    assert [code for code in _WORDS if f'"{code}"' not in sources] == []


def test_markets_come_by_need() -> None:
    known = fleet.status(markets=10, projects=1, late=3, gaps=2).markets
    needs = [market_need(market) for market in markets_by_need(known)]
    assert needs[:5] == [Need.LATE] * 3 + [Need.GAPS] * 2
    assert [m.market for m in markets_by_need(known)[5:]] == [fleet.code(n) for n in range(2, 7)]
    assert count_needs(known) == {Need.LATE: 3, Need.GAPS: 2, Need.NONE: 5}
    assert market_need(replace(known[0], ingestion=None)) is Need.GAPS


@pytest.fixture
def many() -> ApplianceStatus:
    return fleet.status()


def test_the_status_of_many_markets_fits_a_screen(
    many: ApplianceStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    assert has_many(many) and not has_many(builders.status())
    print_overview(many)
    print_problems(many)
    told = capsys.readouterr().out
    assert len(told.splitlines()) <= 40
    assert max(map(len, told.splitlines())) <= 120
    assert "markets   240: 113 late, 3 with gaps, 124 well" in told
    assert "113 markets late: KRW-AEX, KRW-AEY, KRW-AEZ and 110 more" in told
    assert "appliance status --all" in told
