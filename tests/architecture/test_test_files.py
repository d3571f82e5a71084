"""What the test suite asks of its own files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_two_test_files_share_a_name() -> None:
    """Pytest imports test files without a package by their name: two of one name end the run."""
    alone = [
        path.name for path in TESTS.rglob("test_*.py") if not (path.parent / "__init__.py").exists()
    ]
    assert [name for name, count in Counter(alone).items() if count > 1] == []
