"""What each action of the registry does, by its id; each asks the control protocol at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from appliance.control.api import Control
from appliance.domain.model_version import ModelVersion
from appliance.domain.trial import describe_trials
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.errors import ConfigError
from appliance.tui.background import ACTOR, perform
from appliance.tui.feed_operations import FEED_OPERATIONS
from appliance.tui.presentation import banner, keys, models, projects, services
from appliance.tui.presentation.formats import line
from appliance.tui.presentation.view import wrapped
from appliance.tui.screens.logs import LogsPage, ServiceLog
from appliance.tui.screens.modals import (
    ChallengeModal,
    ConfirmModal,
    PickModal,
    ReadModal,
    RunModal,
)
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.screens.runs import RunsPage
from appliance.tui.screens.versions import VersionModal
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp

_DIALOG_WIDTH = 62


def retrain(app: ApplianceApp) -> None:
    """Start the train workflow at once."""
    start_workflow(app, WorkflowKind.TRAIN, {})


def start_workflow(app: ApplianceApp, kind: WorkflowKind, params: Mapping[str, str]) -> None:
    """Create a DAG run and say its id."""
    project = app.board.project
    if project is None:
        return
    control, name = app.control, project.name

    def describe(run: object) -> str:
        return f"{kind.value} run {run.run_id}" if isinstance(run, DagRun) else kind.value

    perform(
        app,
        f"{kind.value} workflow started",
        lambda: control.run_workflow(name, kind, params, ACTOR),
        describe,
    )


def parse_params(text: str) -> dict[str, str]:
    """Return `name=value` words as a mapping; raises `ConfigError` for a word without `=`."""
    params = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ConfigError(f"“{word}” is not name=value", hint="write it as rows=5000")
        params[name] = value
    return params


def run(app: ApplianceApp) -> None:
    """Ask which workflow, with which parameters, and start it."""

    def chosen(answer: tuple[WorkflowKind, str] | None) -> None:
        if answer is None:
            return
        try:
            start_workflow(app, answer[0], parse_params(answer[1]))
        except ConfigError as error:
            app.notify(f"{error.message}\n→ {error.hint}", severity="error", markup=False)

    app.push_screen(RunModal(), chosen)


def promote(app: ApplianceApp) -> None:
    """Ask which version, then for its number, then move the champion alias."""
    project = app.board.project
    if project is None:
        return
    page = app.screen
    if isinstance(page, ModelsPage) and page.chosen is not None and not page.chosen.is_champion:
        _challenge_promotion(app, page.chosen)
        return
    control, name = app.control, project.name
    proposed = project.challenger or project.newest_version
    modal = VersionModal(name, proposed, lambda: control.models(name))
    app.push_screen(modal, partial(_challenge_promotion, app))


def _challenge_promotion(app: ApplianceApp, model: ModelVersion | None) -> None:
    project = app.board.project
    if model is None or project is None:
        return
    control, name, version = app.control, project.name, model.version
    champion = project.champion
    change = (
        f"v{version} takes over from v{champion.version}" if champion else f"v{version} takes over"
    )
    words = f"{change} for every forecast from the next candle on. b rolls back."
    lines = [*_lines(words), line(), *models.comparison(model, champion, _DIALOG_WIDTH)]

    seen = champion.version if champion else 0

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.promote, name, version, seen, ACTOR)
            perform(app, "Promoted", call, _in_production)

    evidence = partial(_evidence, control, name, seen, version) if champion else None
    modal = ChallengeModal(f"Promote v{version}", lines, str(version), evidence)
    app.push_screen(modal, confirmed)


def _evidence(control: Control, project: str, champion: int, version: int) -> list[str]:
    return describe_trials(control.verdicts(project, champion, version), champion, version)


def roll_back(app: ApplianceApp) -> None:
    """Ask for the previous champion's number and move the alias back."""
    project = app.board.project
    if project is None or project.champion is None or project.previous_champion is None:
        return
    control, name, previous = app.control, project.name, project.previous_champion
    seen = project.champion.version
    words = (
        f"v{previous} goes back into production in place of v{seen}. p with v{seen} would undo it."
    )

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.roll_back, name, previous, seen, ACTOR)
            perform(app, "Rolled back", call, _in_production)

    evidence = partial(_evidence, control, name, seen, previous)
    modal = ChallengeModal(f"Roll back to v{previous}", _lines(words), str(previous), evidence)
    app.push_screen(modal, confirmed)


def reject(app: ApplianceApp) -> None:
    """Ask for the challenger's number, or that of the chosen version, and compare it no more."""
    project = app.board.project
    if project is None or project.champion is None:
        return
    page = app.screen
    chosen = page.chosen if isinstance(page, ModelsPage) else None
    version = chosen.version if chosen is not None else project.challenger
    seen = project.champion.version
    if version is None or version == seen:
        app.notify("no challenger waits; m lists the versions", severity="warning")
        return
    control, name = app.control, project.name
    words = f"v{version} is not compared with v{seen} any more. p would still promote it."

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.reject, name, version, seen, ACTOR)
            perform(app, "Rejected", call, lambda _: f"v{version} is not compared any more")

    evidence = partial(_evidence, control, name, seen, version)
    modal = ChallengeModal(f"Reject v{version}", _lines(words), str(version), evidence)
    app.push_screen(modal, confirmed)


def _in_production(model: object) -> str:
    return f"v{model.version} is in production" if isinstance(model, ModelVersion) else ""


def restart(app: ApplianceApp) -> None:
    """Ask which service, ask again, restart it."""
    status = app.board.status.value
    names = [service.name for service in (status.services if status else ())]
    focused = app.screen.focused
    key = focused.selected_key if isinstance(focused, Panel) else ""
    cursor = names.index(key) if key in names else 0

    def chosen(name: str | None) -> None:
        if name:
            _confirm_restart(app, name)

    view = partial(services.present, app.board)
    app.push_screen(PickModal("Restart which service?", view, cursor), chosen)


def _confirm_restart(app: ApplianceApp, name: str) -> None:
    control = app.control

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.restart_service, name, ACTOR)
            perform(app, "Restarting", call, lambda _: f"{name}: its state shows when it is ready")

    words = f"Stop {name} and start it again? What depends on it waits or retries meanwhile."
    app.push_screen(ConfirmModal(f"Restart {name}", _lines(words)), confirmed)


def test_alert(app: ApplianceApp) -> None:
    """Send a test message."""
    perform(app, "Test alert sent", lambda: app.control.test_alert(ACTOR), str)


def shut_down(app: ApplianceApp) -> None:
    """Ask, then stop everything."""

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(app.control.shut_down, ACTOR)
            perform(app, "Stopping", call, lambda _: "every service stops; q leaves the dashboard")

    words = "Stop every service? No candles come in and no workflow runs until `appliance up`."
    app.push_screen(ConfirmModal("Stop the whole appliance", _lines(words)), confirmed)


def show_logs(app: ApplianceApp) -> None:
    """Open the log of the service under the cursor, otherwise of the first one."""
    status = app.board.status.value
    names = [service.name for service in (status.services if status else ())]
    focused = app.screen.focused
    key = focused.selected_key if isinstance(focused, Panel) else ""
    name = key if key in names else (names or ["supervisor"])[0]
    app.push_screen(LogsPage(ServiceLog(name)))


def show_models(app: ApplianceApp) -> None:
    """Open the table of versions."""
    if not isinstance(app.screen, ModelsPage):
        app.push_screen(ModelsPage())


def show_monitoring(app: ApplianceApp) -> None:
    """Open drift, losses, comparisons and retraining."""
    if not isinstance(app.screen, MonitoringPage):
        app.push_screen(MonitoringPage())


def show_runs(app: ApplianceApp) -> None:
    """Open the runs of the workflow under the cursor, otherwise of the data workflow."""
    focused = app.screen.focused
    key = focused.selected_key if isinstance(focused, Panel) else ""
    kinds = {kind.value: kind for kind in WorkflowKind}
    if not isinstance(app.screen, RunsPage):
        app.push_screen(RunsPage(kinds.get(key, WorkflowKind.DATA)))


def show_problems(app: ApplianceApp) -> None:
    """Show every problem with its next step."""
    app.push_screen(ReadModal("Problems", partial(banner.problem_page, app.board)))


def show_help(app: ApplianceApp) -> None:
    """Show keys, marks and words."""
    app.push_screen(ReadModal("Help", partial(keys.help_page, app.board)))


def zoom(app: ApplianceApp) -> None:
    """Give the focused panel the whole screen, or take it back."""
    screen = app.screen
    if screen.maximized is not None:
        screen.minimize()
    elif isinstance(screen.focused, Panel):
        screen.maximize(screen.focused, container=False)


def switch_project(app: ApplianceApp) -> None:
    """Ask which project, then enable the disabled one or disable the enabled one."""

    def chosen(name: str | None) -> None:
        status = app.board.status.value
        if not name or status is None:
            return
        is_enabled = name in status.disabled
        call = partial(app.control.enable_project, name, is_enabled, ACTOR)
        word = "enabled" if is_enabled else "disabled: nothing runs for it; x enables it"
        perform(app, "Project", call, lambda _: f"{name} is {word}")

    view = partial(projects.present, app.board)
    app.push_screen(PickModal("Enable or disable which project?", view), chosen)


def next_project(app: ApplianceApp) -> None:
    """Show the next project."""
    status, project = app.board.status.value, app.board.project
    names = [known.name for known in (status.projects if status else ())]
    if project is not None:
        app.choose_project(names[(names.index(project.name) + 1) % len(names)])


def _lines(words: str) -> list[Text]:
    return [line((piece, "plain")) for piece in wrapped(words, _DIALOG_WIDTH)]


OPERATIONS: dict[str, Callable[[ApplianceApp], None]] = {
    "retrain": retrain,
    "run": run,
    "promote": promote,
    "roll_back": roll_back,
    "reject": reject,
    "restart": restart,
    "logs": show_logs,
    "models": show_models,
    "monitoring": show_monitoring,
    "runs": show_runs,
    "problems": show_problems,
    **FEED_OPERATIONS,
    "zoom": zoom,
    "project": next_project,
    "switch_project": switch_project,
    "test_alert": test_alert,
    "shut_down": shut_down,
    "help": show_help,
    "palette": lambda app: app.action_command_palette(),
    "leave": lambda app: app.leave(),
}
"""Action id to operation."""
