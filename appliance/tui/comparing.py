"""What the key for comparing versions does: which pair is shown, and which next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.domain.model_version import ModelVersion
from appliance.tui.presentation.comparison import choose_versions
from appliance.tui.screens.compare import ComparePage
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.versions import VersionModal

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


def compare(app: ApplianceApp) -> None:
    """Open the production model beside the chosen versions; from that page, show the next or ask which."""
    page = app.screen
    if isinstance(page, ComparePage):
        _show_other(app, page)
    else:
        compare_with(app, page.chosen_versions if isinstance(page, ModelsPage) else [])


def compare_with(app: ApplianceApp, versions: list[int]) -> None:
    """Open the production model beside `versions`; without any, beside the challenger or the newest."""
    project = app.board.project
    if project is None:
        return
    found = choose_versions(project, versions)
    if isinstance(found, str):
        app.notify(found, title="Compare versions: not now", severity="warning")
    else:
        app.push_screen(ComparePage(project.name, *found))


def _show_other(app: ApplianceApp, page: ComparePage) -> None:
    if len(page.state.others) > 1:
        page.show_version()
        return
    control, name, first = app.control, page.state.project, page.state.first

    def others() -> list[ModelVersion]:
        return [model for model in control.models(name) if model.version != first]

    def chosen(model: ModelVersion | None) -> None:
        if model is not None:
            page.show_version(model.version)

    title = f"Which version beside v{first}?"
    app.push_screen(VersionModal(name, page.state.second, others, title), chosen)
