"""The HTML page of monitoring: whole, readable alone, and safe to open."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from click.testing import CliRunner

from appliance.cli.commands.monitoring import drift_command
from appliance.config.paths import Paths
from appliance.domain.monitoring import Monitoring
from appliance.drift.monitoring_page import monitoring_page
from store.drift import write_report
from store.open import open_store
from tests import builders, monitoring_builder

VOID = {"meta", "polyline", "path"}


class Outline(HTMLParser):
    """Collects text, tags and addresses; fails when a tag is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onload"}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> tuple[Outline, str]:
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    return outline, " ".join(outline.words)


def test_the_page_says_everything_and_needs_nothing() -> None:
    page = monitoring_page(monitoring_builder.monitoring(), builders.NOW)
    outline, words = read(page)
    assert not outline.tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?:|url\(|@import", page)
    for expected in (
        "volatility_30",
        "3.1 %",
        "0.172",
        "of 11 matured ones came within 25 %",
        "380 more candles would tell",
        "skip: trained 14 minutes ago",
        "gained: loss +2.7 %",
        "KRW-BTC 1m",
    ):
        assert expected in words
    assert words.index("volatility_30") < words.index("volume_ratio") < words.index("range_15")


def test_a_page_without_anything_known_says_what_comes() -> None:
    _, words = read(monitoring_page(Monitoring(builders.PROJECT), builders.NOW))
    for expected in ("first monitoring run", "No estimate yet", "none yet", "not measured yet"):
        assert expected in words


def test_names_cannot_break_out_of_the_page() -> None:
    known = monitoring_builder.monitoring()
    assert known.report is not None
    score = replace(known.report.scores[0], feature="<script>alert(1)</script>")
    spoiled = replace(known, report=replace(known.report, scores=(score,)))
    outline, words = read(monitoring_page(spoiled, builders.NOW))
    assert "script" not in outline.tags
    assert "<script>alert(1)</script>" in words


def test_the_command_writes_what_the_store_holds(home: Paths, tmp_path: Path) -> None:
    known = monitoring_builder.monitoring()
    assert known.report is not None
    session = open_store(home)
    write_report(session, known.report)
    session.close()
    target = tmp_path / "page.html"
    result = CliRunner().invoke(drift_command, ["--html", str(target)])
    assert result.exit_code == 0, result.output
    assert "volatility_30" in target.read_text(encoding="utf-8")
    assert "volatility_30" in CliRunner().invoke(drift_command, []).stdout
