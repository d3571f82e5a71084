"""What a terminal is given: text, and nothing that commands it or hides."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from appliance.terminal import clean, clean_json, clean_line

HOSTILE = (
    "a\x1b]0;title\x07b\x9bc\x7fd\u202ee\u2066f\u200bg\ufeffh\udcffi\U000e0041j\u3164k\rl\x00m"
)


def _is_hidden(text: str) -> bool:
    return any(
        unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and each not in "\n\t"
        for each in text
    )


def test_nothing_hidden_is_left() -> None:
    assert not _is_hidden(clean(HOSTILE))
    assert clean("\x1b]52;c;x\x07") == r"\x1b]52;c;x\x07"
    assert clean("\u202e") == r"\u202e"
    assert clean("\udcff") == r"\xff"


def test_every_format_character_is_known() -> None:
    everything = "".join(chr(each) for each in range(sys.maxunicode + 1))
    assert not _is_hidden(clean(everything))


@pytest.mark.parametrize(
    "text", ["비트코인 1,234원", "→ é ü ✔ 📈", "a\tb\nc", "[bold]x[/]", "C:\\x1b"]
)
def test_what_can_be_seen_stays(text: str) -> None:
    assert clean(text) == text


def test_colours_of_a_log_are_dropped() -> None:
    assert clean("\x1b[1;31merror\x1b[0m") == "error"


def test_a_line_stays_a_line() -> None:
    assert clean_line("a\nproblem\tb") == r"a\nproblem\tb"


def test_json_keeps_its_meaning() -> None:
    document = clean_json(json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False))
    assert not _is_hidden(document)
    assert json.loads(document) == {HOSTILE: HOSTILE}
