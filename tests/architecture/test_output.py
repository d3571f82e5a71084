"""Everything that is printed goes through `appliance.terminal`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(
    path.relative_to(ROOT) for top in ("appliance", "store") for path in (ROOT / top).rglob("*.py")
)
MECHANISM = Path("appliance/terminal.py")
PRINTS = re.compile(r"sys\.std(out|err)\.write|click\.s?echo|stream=sys\.stderr")
AROUND = re.compile(
    r"(?<![\w.])print\(|__std(out|err)__|std(out|err)\.buffer|os\.write\([12],|\\x1b\[|\\033\["
)
HANDED_OVER = re.compile(r"[\"'] *print\(|f?\"print\(")


def test_nothing_prints_around_the_mechanism() -> None:
    found = [
        f"{path}: {line.strip()}"
        for path in PRODUCT
        for line in (ROOT / path).read_text(encoding="utf-8").splitlines()
        if path != MECHANISM and AROUND.search(line) and not HANDED_OVER.search(line)
    ]
    assert not found


def test_commands_print_with_the_functions_of_output() -> None:
    found = [
        str(path)
        for path in PRODUCT
        if path.is_relative_to("appliance/cli")
        and path.name != "output.py"
        and re.search(r"sys\.std(out|err)\.write|click\.s?echo", (ROOT / path).read_text("utf-8"))
    ]
    assert not found


ENTRIES = [
    path
    for path in PRODUCT
    if '__name__ == "__main__"' in (text := (ROOT / path).read_text("utf-8"))
    and PRINTS.search(text)
]


@pytest.mark.parametrize("path", ENTRIES, ids=str)
def test_every_program_guards_its_terminal(path: Path) -> None:
    assert "guard()" in (ROOT / path).read_text("utf-8")


def test_there_are_programs_to_guard() -> None:
    assert len(ENTRIES) >= 5
