"""Filter, sort and selection: the same in every list, and always visible."""

from __future__ import annotations

import pytest
from rich.text import Text

from appliance.tui.app import ApplianceApp
from appliance.tui.presentation.arrange import Arrangement, arrange, room_for
from appliance.tui.presentation.filters import parse_filter
from appliance.tui.presentation.view import Frame, PanelView, Row
from appliance.tui.screens.modals import PickSeveralModal
from appliance.tui.widgets.panel import Panel
from tests.builders import NOW
from tests.tui.conftest import loaded, until

FRAME = Frame(60, 10, NOW)
SKILLS = {"v12": 0.02, "v11": None, "v10": 0.05, "v9": float("nan"), "v8": -0.01}
VIEW = PanelView(
    Text("Models"),
    tuple(Row(name, Text(f"  {name} row"), "trained", (name, skill)) for name, skill in SKILLS.items()),
    Text("  version"),
    columns=("version", "skill"),
)  # fmt: skip


def keys(how: Arrangement) -> list[str]:
    return [row.key for row in arrange(VIEW, how, FRAME).rows]


@pytest.mark.parametrize(
    ("typed", "text", "stays"),
    [
        ("", "anything", True),
        ("btc", "KRW-BTC 1m", True),
        ("eth", "KRW-BTC 1m", False),
        ("!eth", "KRW-BTC 1m", True),
        ("!btc", "KRW-BTC 1m", False),
        ("~kbc", "KRW-BTC 1m", True),
        ("~cbk", "KRW-BTC 1m", False),
        ("!~kbc", "KRW-BTC 1m", False),
        ("~!cbk", "KRW-BTC 1m", True),
        ("!", "KRW-BTC 1m", True),
        ("candle stored", "INFO candle stored", True),
        ("비트", "비트코인", True),
        ("비트", "비트코인", True),
        ("비트", "비트코인", True),
    ],
)
def test_a_filter_is_text_its_opposite_or_its_letters_in_order(
    typed: str, text: str, stays: bool
) -> None:
    assert parse_filter(typed).keeps(text) is stays


def test_a_filter_finds_text_key_and_what_a_row_does_not_show() -> None:
    assert keys(Arrangement("v1")) == ["v12", "v11", "v10"]
    assert keys(Arrangement("!v1")) == ["v9", "v8"]
    assert len(keys(Arrangement("trained"))) == 5


def test_filter_and_number_are_in_the_title() -> None:
    assert arrange(VIEW, Arrangement("v1"), FRAME).title.plain == "Models  /v1 3/5"
    nothing = arrange(VIEW, Arrangement("zzz"), FRAME)
    assert nothing.title.plain == "Models  /zzz 0/5"
    assert "nothing matches “zzz”; esc clears" in nothing.rows[0].text.plain


def test_a_narrow_title_gives_way_to_the_filter() -> None:
    title = arrange(VIEW, Arrangement("v1"), Frame(14, 10, NOW)).title
    assert title.plain.endswith("/v1 3/5")
    assert title.cell_len <= 14


def test_numbers_sort_from_the_largest_text_from_a_and_unknown_stays_last() -> None:
    assert keys(Arrangement(column=1)) == ["v10", "v12", "v8", "v11", "v9"]
    assert keys(Arrangement(column=1, is_flipped=True)) == ["v8", "v12", "v10", "v11", "v9"]
    assert keys(Arrangement(column=0)) == ["v10", "v11", "v12", "v8", "v9"]
    assert keys(Arrangement()) == list(SKILLS)


def test_sorting_goes_round_the_columns_and_back_to_none() -> None:
    how = Arrangement()
    assert [(how := how.next_column(2)).column for _ in range(3)] == [0, 1, -1]
    assert arrange(VIEW, Arrangement(column=1), FRAME).title.plain.endswith("▼ skill")
    assert arrange(VIEW, Arrangement(column=0), FRAME).title.plain.endswith("▲ version")


def test_a_selection_is_marked_counted_and_takes_its_room_from_the_rows() -> None:
    how = Arrangement().toggled("v12").toggled("v8")
    view = arrange(VIEW, how, FRAME)
    assert [row.text.plain[:2] for row in view.rows] == ["✔ ", "  ", "  ", "  ", "✔ "]
    assert view.title.plain.endswith("2 selected")
    assert room_for(how, FRAME).width == FRAME.width - 2
    assert how.toggled("v12").toggled("v8") == Arrangement()


def test_words_in_the_place_of_a_list_are_left_alone() -> None:
    words = PanelView(Text("Models"), (Row("", Text("◌ loading versions …")),))
    assert arrange(words, Arrangement("zzz", 0), FRAME) is words


def panel(app: ApplianceApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


async def test_the_filter_narrows_the_list_in_focus_and_escape_shows_all(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("slash", *"!air", "enter")
        services = panel(app, "services")
        assert services.has_focus
        assert [row.key for row in services.view.rows if "airflow" in row.key] == []
        assert "/!air 5/8" in str(services.border_title)
        await pilot.press("escape")
        assert len(services.view.rows) == 8


async def test_versions_sort_by_column_and_the_cursor_stays_on_its_row(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: len(panel(app, "models").view.rows) == 5)
        models = panel(app, "models")
        await pilot.press("j", "j")
        chosen = models.selected_key
        await pilot.press("full_stop", "comma")
        assert [row.key for row in models.view.rows] == sorted(
            (row.key for row in models.view.rows), key=int
        )
        assert models.selected_key == chosen
        assert "▲ version" in str(models.border_title)


async def test_a_dialog_filters_its_list_and_says_so_in_its_frame(app: ApplianceApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("s", "slash", *"ml", "enter")
        assert isinstance(app.screen, PickSeveralModal)
        assert [row.key for row in panel(app, "choices").view.rows] == ["mlflow"]
        assert "/ml 1/8" in str(app.screen.query_one("#box").border_subtitle)
        await pilot.press("escape")
        assert isinstance(app.screen, PickSeveralModal)
        await pilot.press("escape")
        assert not isinstance(app.screen, PickSeveralModal)
