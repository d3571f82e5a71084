"""Themes, keys of the configuration, plain characters, and clicks on keys."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment

from appliance.cli.capable import require_screen
from appliance.config.environment import LOCALE
from appliance.errors import ConfigError
from appliance.tui import keymap
from appliance.tui.action_keys import KEYS, default_keys
from appliance.tui.actions import action
from appliance.tui.app import ApplianceApp
from appliance.tui.plain_glyphs import plain
from appliance.tui.preferences import Preferences
from appliance.tui.presentation.keys import help_page, key_at, key_line
from appliance.tui.presentation.view import Frame
from appliance.tui.screens.modals import ReadModal
from appliance.tui.state import Board
from appliance.tui.theme import LOOKS, chosen_look, faded
from appliance.tui.widgets.bars import Lines
from tests.builders import NOW
from tests.fakes.control import FakeControl
from tests.tui.conftest import loaded, until


@pytest.fixture(autouse=True)
def own_keys() -> Iterator[None]:
    yield
    keymap.choose({})


def test_every_look_has_every_meaning_and_a_colour_for_what_is_old() -> None:
    meanings = {name: set(look.styles) for name, look in LOOKS.items()}
    assert all(names == meanings["night"] for names in meanings.values())
    for name, look in LOOKS.items():
        assert all(faded(style, name) != style for style in look.styles.values()), name


@pytest.mark.parametrize("name", ["night", "day", "contrast"])
def test_text_and_marks_can_be_read_on_their_ground(name: str) -> None:
    look = LOOKS[name]
    ground = _luminance(look.theme.background or "")
    least = 7.0 if name == "contrast" else 4.5
    for meaning in ("plain", "strong", "accent", "good", "warning", "bad", "info", "model"):
        colour = look.styles[meaning].color
        assert colour is not None
        contrast = _contrast(_luminance(colour.name), ground)
        assert contrast >= least, f"{name} {meaning}: {contrast:.1f}"


def test_good_warning_and_bad_differ_in_lightness_for_the_colour_blind() -> None:
    styles = LOOKS["contrast"].styles
    shades = [_luminance(str(styles[name].color.name)) for name in ("good", "warning", "bad")]  # type: ignore[union-attr]
    for one, other in itertools.combinations(shades, 2):
        assert _contrast(one, other) > 1.05
    assert {str(styles[name].color) for name in ("good", "bad")}.__len__() == 2


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in Color.parse(colour).get_truecolor()]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize(
    ("wanted", "system", "is_colourless", "look"),
    [
        ("auto", "truecolor", False, "night"),
        ("auto", "256", False, "night"),
        ("auto", "standard", False, "16"),
        ("auto", None, False, "16"),
        ("auto", "truecolor", True, "16"),
        ("day", "truecolor", False, "day"),
        ("16", "truecolor", False, "16"),
    ],
)
def test_auto_suits_the_terminal(
    wanted: str, system: str | None, is_colourless: bool, look: str
) -> None:
    assert chosen_look(wanted, system, is_colourless=is_colourless).name == look


async def test_the_theme_changes_while_the_console_runs() -> None:
    app = ApplianceApp(FakeControl(), Preferences(theme="day"))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert app.theme == "appliance-day"
        app.wear("contrast")
        await pilot.pause()
        assert app.theme == "appliance-contrast"
        assert app.console.get_style("bad") == LOOKS["contrast"].styles["bad"]


async def test_no_color_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ApplianceApp(FakeControl(), Preferences(theme="night"))
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor)}
        assert {colour.name for colour in colours if colour} <= {"default"}
        assert any(style.reverse for style in styles)


@pytest.mark.parametrize(
    ("keys", "action_id", "words"),
    [
        ({"retrian": "R"}, "retrian", "there is no such action, did you mean 'retrain'?"),
        ({"retrain": "p"}, "retrain", "'p' is that of promote"),
        ({"retrain": "R", "run": "R"}, "run", "'R' is that of retrain"),
        ({"retrain": "!"}, "retrain", "'!' is that of problems"),
        ({"retrain": "j"}, "retrain", "must not be 'j'"),
        ({"retrain": ""}, "retrain", "must be one character or a key such as ctrl+t"),
        ({"retrain": "RR"}, "retrain", "is 'RR'"),
    ],
)
def test_wrong_keys_are_told(keys: dict[str, str], action_id: str, words: str) -> None:
    found = keymap.problems(default_keys(), keys)
    assert [where for where, _ in found] == [action_id]
    assert words in found[0][1]


def test_keys_may_change_places() -> None:
    assert keymap.problems(default_keys(), {"retrain": "p", "promote": "r"}) == []
    assert keymap.problems(default_keys(), {"retrain": "ctrl+t", "run": "f5", "copy": "ㅛ"}) == []


def test_keys_are_named_as_textual_names_them() -> None:
    shown = {own.shown: own.key for own in KEYS.values() if len(own.shown) == 1}
    assert {mark: keymap.textual_key(mark) for mark in shown} == shown


async def test_footer_help_hints_and_bindings_follow_the_keys() -> None:
    control = FakeControl()
    app = ApplianceApp(control, Preferences(keys={"retrain": "R", "problems": "%"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        assert "R Retrain" in app.screen.query_one("#keys", Lines).lines[0].plain
        assert any("R  Retrain" in row.plain for row in help_page(app.board, Frame(76, 60, NOW)))
        await pilot.press("r")
        assert control.commands == []
        await pilot.press("R")
        await until(pilot, lambda: len(control.commands) == 1)
    assert action("problems").shown_key == "%"


def test_a_click_finds_the_key_under_it() -> None:
    text = key_line(Board(), Frame(80, 1, NOW), (("esc", "Back"),))
    assert key_at(text, text.plain.index("Back")) == "escape"
    assert key_at(text, text.plain.index("Retrain")) == "r"
    assert key_at(text, text.plain.index("? ")) == "question_mark"
    assert key_at(text, 79) == ""


async def test_a_click_on_a_key_presses_it_on_pages_and_in_dialogs(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        text = app.screen.query_one("#keys", Lines).lines[0].plain
        await pilot.click("#keys", offset=(text.index("Help"), 0))
        await until(pilot, lambda: isinstance(app.screen, ReadModal))
        await pilot.click("#dialog-keys", offset=(2, 0))
        await until(pilot, lambda: not isinstance(app.screen, ReadModal))


def test_plain_characters_have_the_width_of_what_they_replace() -> None:
    shown = "✔ ● ▲ ✖ ◌ ★ … – › ╭─╮ ⣿⠁⠀ ▂▅█ 비트코인 σ"
    assert [cell_len(c) for c in plain(shown)] == [cell_len(c) for c in shown]
    assert plain("✔ ready … ⣿") == "√ ready ~ !"
    assert Segment(plain("plain")).text == "plain"


@pytest.mark.parametrize(
    ("environment", "encoding", "words", "hint"),
    [
        ({"TERM": "dumb"}, "utf-8", "TERM is 'dumb'", "TERM=xterm-256color appliance"),
        ({}, "utf-8", "TERM is ''", "appliance status"),
        (
            {"TERM": "xterm", LOCALE: "ko_KR.eucKR"},
            "utf-8",
            "locale ko_KR.eucKR is eucKR",
            "LC_ALL=ko_KR.UTF-8 appliance",
        ),
        (
            {"TERM": "xterm", LOCALE: "en_US"},
            "iso-8859-1",
            "locale en_US is iso-8859-1",
            "LC_ALL=en_US.UTF-8",
        ),
    ],
)
def test_a_terminal_that_cannot_show_the_console_hears_what_to_set(
    environment: dict[str, str], encoding: str, words: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        require_screen(environment, encoding)
    assert words in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("term", ["xterm", "xterm-256color", "screen", "tmux-256color", "linux"])
def test_terminals_that_can_are_let_through(term: str) -> None:
    require_screen({"TERM": term, LOCALE: "C"}, "UTF-8")
    require_screen({"TERM": term, LOCALE: "ko_KR.UTF-8"}, "utf-8")
