"""The commands of `:`: those with arguments, and every action of the registry by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance import clock
from appliance.config.event_query import parse_event_query
from appliance.domain.event import EventKind
from appliance.domain.feed import Feed
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ConfigError
from appliance.tui import operations, several
from appliance.tui.actions import ACTIONS, action
from appliance.tui.blocking import can_change
from appliance.tui.comparing import compare_with
from appliance.tui.copying import PARTS, copy
from appliance.tui.log_sources import ServiceLog
from appliance.tui.presentation.command_line import CommandSpec, find, split, unknown_words
from appliance.tui.screens.data import DataPage
from appliance.tui.screens.logs import LogsPage
from appliance.tui.screens.models import ModelsPage
from appliance.tui.screens.runs import RunsPage
from appliance.tui.state import Board
from appliance.tui.theme import LOOKS

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp

Run = Callable[["ApplianceApp", list[str]], None]

ACTION_ALIASES = {
    "leave": ("quit", "q", "exit"),
    "roll_back": ("rollback",),
    "monitoring": ("drift", "monitor"),
    "history": ("charts",),
    "problems": ("pr",),
    "help": ("h",),
    "home": ("dashboard",),
}
"""Other names of actions that take no argument."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command with arguments; `run` gets at least one."""

    spec: CommandSpec
    run: Run


def services(board: Board) -> list[str]:
    """Return the names of the services."""
    status = board.status.value
    return [service.name for service in (status.services if status else ())]


def projects(board: Board) -> list[str]:
    """Return the names of the enabled projects."""
    status = board.status.value
    return [project.name for project in (status.projects if status else ())]


def disabled(board: Board) -> list[str]:
    """Return the names of the disabled projects."""
    return list(board.status.value.disabled) if board.status.value else []


def markets(board: Board) -> list[str]:
    """Return the codes of the markets."""
    return list(dict.fromkeys(market for market, _ in board.feeds))


def versions(board: Board) -> list[str]:
    """Return the versions that the status names."""
    project = board.project
    if project is None:
        return []
    champion = project.champion.version if project.champion else None
    known = (project.challenger, project.newest_version, champion, project.previous_champion)
    return list(dict.fromkeys(str(version) for version in known if version))


def _event_terms(_board: Board) -> list[str]:
    kinds = [f"kind={kind.value}" for kind in EventKind]
    return ["since=12h", "severity=warning", "actor=", "at=", *kinds]


def _kinds(_board: Board) -> list[str]:
    return [kind.value for kind in WorkflowKind]


def one_of(names: Sequence[str], name: str, what: str) -> str:
    """Return the one of `names` that is meant; raises `ConfigError` for none or several."""
    close = [known for known in names if known.lower() == name.lower()]
    close = close or [known for known in names if known.lower().startswith(name.lower())]
    if len(close) == 1:
        return close[0]
    shown = ", ".join((close or list(names))[:6]) or "none"
    raise ConfigError(
        f"{what} “{name}” is {'not unique' if close else 'unknown'}", hint=f"one of {shown}"
    )


def number(text: str, what: str) -> int:
    """Return a version, with or without its v; raises `ConfigError`."""
    digits = text.lower().removeprefix("v")
    if not digits.isdecimal() or not digits.isascii():
        raise ConfigError(f"“{text}” is no {what}", hint="a whole number such as 3")
    return int(digits)


def _events(app: ApplianceApp, words: list[str]) -> None:
    line = " ".join(words)
    try:
        parse_event_query(line, clock.now())
    except ValueError as error:
        raise ConfigError(str(error), hint="events kind=promoted since=12h -service") from None
    operations.show_events(app, line)


def _models(app: ApplianceApp, words: list[str]) -> None:
    app.push_screen(ModelsPage(number(words[0], "version")))


def _compare(app: ApplianceApp, words: list[str]) -> None:
    compare_with(app, [number(word, "version") for word in words])


def _logs(app: ApplianceApp, words: list[str]) -> None:
    app.push_screen(LogsPage(ServiceLog(one_of(services(app.board), words[0], "service"))))


def _runs(app: ApplianceApp, words: list[str]) -> None:
    app.push_screen(RunsPage(_kind(words[0])))


def _kind(word: str) -> WorkflowKind:
    return WorkflowKind(one_of([kind.value for kind in WorkflowKind], word, "workflow"))


def _run(app: ApplianceApp, words: list[str]) -> None:
    operations.start_workflow(app, _kind(words[0]), operations.parse_params(" ".join(words[1:])))


def _project(app: ApplianceApp, words: list[str]) -> None:
    app.choose_project(one_of(projects(app.board), words[0], "project"))


def _market(app: ApplianceApp, words: list[str]) -> None:
    market = one_of(markets(app.board), words[0], "market")
    units = [unit for known, unit in app.board.feeds if known == market]
    shown = app.board.feed[1] if app.board.feed else units[0]
    unit = number(words[1].removesuffix("m"), "timeframe") if words[1:] else shown
    if unit not in units:
        unit = (
            units[0]
            if not words[1:]
            else int(one_of([str(u) for u in units], str(unit), "timeframe"))
        )
    app.choose_feed(Feed(market, unit))


def _data(app: ApplianceApp, words: list[str]) -> None:
    market = one_of(markets(app.board), words[0], "market")
    app.push_screen(DataPage(next(feed for feed in app.board.feeds if feed[0] == market)))


def _promote(app: ApplianceApp, words: list[str]) -> None:
    operations.promote_version(app, number(words[0], "version"))


def _reject(app: ApplianceApp, words: list[str]) -> None:
    several.reject_versions(app, [number(word, "version") for word in words])


def _restart(app: ApplianceApp, words: list[str]) -> None:
    known = services(app.board)
    several.confirm_restart(app, [one_of(known, word, "service") for word in words])


def _copy(app: ApplianceApp, words: list[str]) -> None:
    copy(app, one_of(PARTS, words[0], "part"))


def _enable(app: ApplianceApp, words: list[str]) -> None:
    names = [one_of(disabled(app.board), word, "disabled project") for word in words]
    several.enable_projects(app, names, is_enabled=True)


def _disable(app: ApplianceApp, words: list[str]) -> None:
    names = [one_of(projects(app.board), word, "enabled project") for word in words]
    several.enable_projects(app, names, is_enabled=False)


def _of(
    action_id: str, usage: str, choices: Callable[[Board], Sequence[str]], *aliases: str
) -> CommandSpec:
    """Return the spec of an action that takes an argument; without one the action itself runs."""
    known = action(action_id)
    return CommandSpec(action_id, known.help, usage, aliases, choices, known.blocked)


COMMANDS = (
    Command(_of("models", "[VERSION]", versions, "model", "versions"), _models),
    Command(_of("events", "[TERM ...]", _event_terms, "event"), _events),
    Command(_of("compare", "[VERSION ...]", versions), _compare),
    Command(_of("logs", "[SERVICE]", services, "log"), _logs),
    Command(_of("runs", "[WORKFLOW]", _kinds, "tasks"), _runs),
    Command(_of("run", "[WORKFLOW [NAME=VALUE ...]]", _kinds, "start"), _run),
    Command(_of("data", "[MARKET]", markets, "coverage"), _data),
    Command(_of("market", "[MARKET [MINUTES]]", markets, "chart"), _market),
    Command(_of("project", "[NAME]", projects), _project),
    Command(_of("promote", "[VERSION]", versions), _promote),
    Command(_of("reject", "[VERSION ...]", versions), _reject),
    Command(_of("restart", "[SERVICE ...]", services), _restart),
    Command(
        CommandSpec(
            "theme",
            "other colours; display.theme keeps them",
            "NAME",
            ("look",),
            lambda _b: list(LOOKS),
        ),
        lambda app, words: app.wear(one_of(list(LOOKS), words[0], "theme")),
    ),
    Command(_of("copy", "[row|id|screen]", lambda _board: PARTS), _copy),
    Command(
        CommandSpec("enable", "enable projects", "NAME ...", (), disabled, can_change), _enable
    ),
    Command(
        CommandSpec("disable", "disable projects", "NAME ...", (), projects, can_change), _disable
    ),
)
"""Commands with arguments; those named like an action open it when they get none."""


def specs() -> list[CommandSpec]:
    """Return every command: those with arguments, then the other actions."""
    own = [command.spec for command in COMMANDS]
    names = {spec.name for spec in own}
    rest = [
        CommandSpec(
            known.id, known.help, aliases=ACTION_ALIASES.get(known.id, ()), blocked=known.blocked
        )
        for known in ACTIONS
        if known.id not in names and known.id != "command"
    ]
    return [*own, *rest]


def run_line(app: ApplianceApp, text: str) -> None:
    """Run what was typed behind `:`; what cannot be is said in a notice."""
    name, words = split(text)
    known = specs()
    spec = find(known, name)
    if spec is None:
        app.notify(unknown_words(known, name), severity="error")
        return
    command = next((command for command in COMMANDS if command.spec is spec), None)
    try:
        _run_command(app, spec, command, words)
    except ConfigError as error:
        app.notify(f"{error.message}\n→ {error.hint}", title=f":{spec.name}", severity="error")


def _run_command(
    app: ApplianceApp, spec: CommandSpec, command: Command | None, words: list[str]
) -> None:
    is_action = any(known.id == spec.name for known in ACTIONS)
    if command is None and words:
        raise ConfigError(
            f":{spec.name} takes no argument, got “{' '.join(words)}”", hint=spec.help
        )
    if not words:
        if not is_action:
            raise ConfigError(f":{spec.name} needs {spec.usage}", hint=spec.help)
        app.run_operation(spec.name)
    elif reason := spec.blocked(app.board):
        app.notify(reason, title=f":{spec.name}: not now", severity="warning")
    elif command is not None:
        command.run(app, words)
