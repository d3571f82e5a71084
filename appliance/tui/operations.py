"""What each action of the registry does, by its id; each asks the control protocol at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from appliance.domain.model_version import ModelVersion
from appliance.domain.workflow import DagRun, WorkflowKind
from appliance.errors import ConfigError
from appliance.tui import copying
from appliance.tui.action_keys import key_of
from appliance.tui.background import ask, perform
from appliance.tui.comparing import compare
from appliance.tui.feed_operations import FEED_OPERATIONS
from appliance.tui.log_sources import ServiceLog
from appliance.tui.messages import PromotionAsked
from appliance.tui.presentation import keys, models, projects, services
from appliance.tui.presentation.formats import line
from appliance.tui.screens.compare import ComparePage
from appliance.tui.screens.events import EventsPage
from appliance.tui.screens.history import HistoryPage
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.modals import (
    ChallengeModal,
    ConfirmModal,
    PickModal,
    PickSeveralModal,
    ReadModal,
    RunModal,
)
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.monitoring import MonitoringPage
from appliance.tui.screens.problems import ProblemsModal
from appliance.tui.screens.runs import RunsPage
from appliance.tui.screens.versions import VersionModal
from appliance.tui.several import (
    DIALOG_WIDTH,
    confirm_restart,
    dialog_lines,
    enable_projects,
    evidence,
    reject_versions,
)
from appliance.tui.state import Failure
from appliance.tui.time_operations import TIME_OPERATIONS
from appliance.tui.undo import Undo
from appliance.tui.widgets.panel import Panel

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


_STEPPED_THROUGH = 4
"""Of more projects the next one is chosen from a list."""


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
        lambda: control.run_workflow(name, kind, params, app.origin),
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
    chosen = page.chosen if isinstance(page, ModelsPage | ComparePage) else None
    if chosen is not None and not chosen.is_champion:
        _challenge_promotion(app, chosen)
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
    words = (
        f"{change} for every forecast from the next candle on. {key_of('roll_back')} rolls back."
    )
    lines = [*dialog_lines(words), line(), *models.comparison(model, champion, DIALOG_WIDTH)]

    seen = champion.version if champion else 0
    rolled_back = partial(_challenge_rollback, previous=seen, seen=version)
    undo = Undo(f"rolls back to v{seen}", rolled_back, name)

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.promote, name, version, seen, app.origin)
            opposite = lambda _: undo if seen and seen != version else None  # noqa: E731
            perform(app, "Promoted", call, _in_production, opposite)

    read = partial(evidence, control, name, seen, [version]) if champion else None
    modal = ChallengeModal(f"Promote v{version}", lines, str(version), read)
    app.push_screen(modal, confirmed)


def promote_version(app: ApplianceApp, version: int) -> None:
    """Read what is known of a version, then ask for its number as `promote` does."""
    project = app.board.project
    if project is not None:
        control, name = app.control, project.name
        ask(app, lambda: control.models(name), partial(_promotion_asked, name, version))


def _promotion_asked(
    project: str, version: int, found: list[ModelVersion] | Failure
) -> PromotionAsked:
    return PromotionAsked(project, version, found if isinstance(found, Failure) else tuple(found))


def go_on_promoting(app: ApplianceApp, message: PromotionAsked) -> None:
    """Ask for the number of the version that was read, or say that there is none.

    Versions of a project that is shown no more are dropped: their numbers mean others in the one shown.
    """
    project = app.board.project
    if project is None or project.name != message.project:
        return
    if isinstance(message.models, Failure):
        app.notify(f"{message.models.message}\n→ {message.models.hint}", severity="error")
        return
    found = next((m for m in message.models if m.version == message.version), None)
    if found is None:
        known = ", ".join(f"v{model.version}" for model in message.models[:6])
        app.notify(f"there is no v{message.version}\n→ one of {known}", severity="error")
        return
    _challenge_promotion(app, found)


def roll_back(app: ApplianceApp) -> None:
    """Ask for the previous champion's number and move the alias back."""
    project = app.board.project
    if project is None or project.champion is None or project.previous_champion is None:
        return
    _challenge_rollback(app, project.previous_champion, project.champion.version)


def _challenge_rollback(app: ApplianceApp, previous: int, seen: int) -> None:
    project = app.board.project
    if project is None:
        return
    control, name = app.control, project.name
    words = f"v{previous} goes back into production in place of v{seen}. {key_of('undo')} would undo it."
    undo = Undo(f"promotes v{seen} again", partial(promote_version, version=seen), name)

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.roll_back, name, previous, seen, app.origin)
            perform(app, "Rolled back", call, _in_production, lambda _: undo)

    read = partial(evidence, control, name, seen, [previous])
    modal = ChallengeModal(f"Roll back to v{previous}", dialog_lines(words), str(previous), read)
    app.push_screen(modal, confirmed)


def reject(app: ApplianceApp) -> None:
    """Ask for the numbers of the selected versions, or that of the challenger, and compare them no more."""
    project, page = app.board.project, app.screen
    chosen = page.chosen_versions if isinstance(page, ModelsPage | ComparePage) else []
    if not chosen and project is not None and project.challenger is not None:
        chosen = [project.challenger]
    if not chosen:
        app.notify(
            f"no challenger waits; {key_of('models')} lists the versions", severity="warning"
        )
        return
    reject_versions(app, chosen)


def _in_production(model: object) -> str:
    return f"v{model.version} is in production" if isinstance(model, ModelVersion) else ""


def restart(app: ApplianceApp) -> None:
    """Ask which services, ask again, restart them; those that are selected in the list are not asked for."""
    status = app.board.status.value
    names = [service.name for service in (status.services if status else ())]
    panel = app.screen.focused if isinstance(app.screen.focused, Panel) else None
    if panel is not None and panel.how.selected and panel.how.selected <= set(names):
        confirm_restart(app, panel.selected_keys)
        return
    key = panel.selected_key if panel is not None else ""
    cursor = names.index(key) if key in names else 0

    def chosen(keys: list[str] | None) -> None:
        if keys:
            confirm_restart(app, keys)

    view = partial(services.present, app.board)
    app.push_screen(PickSeveralModal("Restart which services?", view, cursor), chosen)


def test_alert(app: ApplianceApp) -> None:
    """Send a test message."""
    perform(app, "Test alert sent", lambda: app.control.test_alert(app.origin), str)


def shut_down(app: ApplianceApp) -> None:
    """Ask, then stop everything."""

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(app.control.shut_down, app.origin)
            perform(
                app,
                "Stopping",
                call,
                lambda _: f"every service stops; {key_of('leave')} leaves the dashboard",
            )

    words = "Stop every service? No candles come in and no workflow runs until `appliance up`."
    app.push_screen(ConfirmModal("Stop the whole appliance", dialog_lines(words)), confirmed)


def show_logs(app: ApplianceApp) -> None:
    """Open the log of the service under the cursor, otherwise of the first one."""
    status = app.board.status.value
    names = [service.name for service in (status.services if status else ())]
    focused = app.screen.focused
    key = focused.selected_key if isinstance(focused, Panel) else ""
    name = key if key in names else (names or ["supervisor"])[0]
    app.push_screen(LogsPage(ServiceLog(name)))


def show_events(app: ApplianceApp, line: str = "") -> None:
    """Open the events that a filter line wants; without one, their screen goes to the next span of time."""
    if not isinstance(app.screen, EventsPage):
        app.push_screen(EventsPage(line))
    elif line:
        app.screen.search(line)
    else:
        app.screen.next_span()


def show_models(app: ApplianceApp) -> None:
    """Open the table of versions."""
    if not isinstance(app.screen, ModelsPage):
        app.push_screen(ModelsPage())


def show_monitoring(app: ApplianceApp) -> None:
    """Open drift, losses, comparisons and retraining."""
    if not isinstance(app.screen, MonitoringPage):
        app.push_screen(MonitoringPage())


_CHART_OF = {
    "drift": "drift",
    "features": "drift",
    "losses": "loss",
    "model": "skill",
    "models": "skill",
    "services": "cpu",
}
"""The chart to begin with, by the panel in focus."""


def show_history(app: ApplianceApp) -> None:
    """Open the charts over time with what the panel in focus is about."""
    focused = app.screen.focused
    name = focused.id or "" if isinstance(focused, Panel) else ""
    if not isinstance(app.screen, HistoryPage):
        app.push_screen(HistoryPage(_CHART_OF.get(name, "")))


def show_runs(app: ApplianceApp) -> None:
    """Open the runs of the workflow under the cursor, otherwise of the data workflow."""
    focused = app.screen.focused
    key = focused.selected_key if isinstance(focused, Panel) else ""
    kinds = {kind.value: kind for kind in WorkflowKind}
    if not isinstance(app.screen, RunsPage):
        app.push_screen(RunsPage(kinds.get(key, WorkflowKind.DATA)))


def show_problems(app: ApplianceApp) -> None:
    """Show every problem with its next step, those of one cause in one row."""
    app.push_screen(ProblemsModal())


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
    """Ask which projects, then enable those that are disabled, or disable those that are enabled."""

    def chosen(names: list[str] | None) -> None:
        status = app.board.status.value
        if not names or status is None:
            return
        off = [name for name in names if name in status.disabled]
        if off and len(off) < len(names):
            app.notify(
                "select enabled or disabled projects, not both; nothing has changed",
                severity="warning",
            )
            return
        enable_projects(app, names, is_enabled=bool(off))

    view = partial(projects.present, app.board)
    app.push_screen(PickSeveralModal("Enable or disable which projects?", view), chosen)


def next_project(app: ApplianceApp) -> None:
    """Show the next project; of many, ask which."""
    status, project = app.board.status.value, app.board.project
    names = [known.name for known in (status.projects if status else ())]
    if len(names) > _STEPPED_THROUGH:
        view = lambda frame: projects.present_choices(app.board, frame)  # noqa: E731
        chosen = lambda name: app.choose_project(name) if name else None  # noqa: E731
        app.push_screen(PickModal("Show which project?", view), chosen)
    elif project is not None:
        app.choose_project(names[(names.index(project.name) + 1) % len(names)])


OPERATIONS: dict[str, Callable[[ApplianceApp], None]] = {
    "retrain": retrain,
    "run": run,
    "promote": promote,
    "roll_back": roll_back,
    "reject": reject,
    "restart": restart,
    "logs": show_logs,
    "events": show_events,
    "models": show_models,
    "compare": compare,
    "monitoring": show_monitoring,
    "history": show_history,
    "runs": show_runs,
    "problems": show_problems,
    **FEED_OPERATIONS,
    **TIME_OPERATIONS,
    "zoom": zoom,
    "project": next_project,
    "switch_project": switch_project,
    "test_alert": test_alert,
    "shut_down": shut_down,
    "help": show_help,
    "command": lambda app: app.open_command_line(),
    "home": lambda app: app.go_home(),
    "copy": copying.copy,
    "save": copying.save,
    "undo": lambda app: app.take_back(),
    "read_only": lambda app: app.lock(not app.is_locked),
    "palette": lambda app: app.action_command_palette(),
    "leave": lambda app: app.leave(),
}
"""Action id to operation."""
