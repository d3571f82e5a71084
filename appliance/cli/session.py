"""What commands share: the home, its configuration, and ways to reach the appliance."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from appliance.config.arguments import TEXT, unknown
from appliance.config.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Protocol

    from appliance.config.settings import DisplaySettings, Settings
    from appliance.control.api import Control
    from appliance.control.client import ControlClient
    from appliance.control.past import Recording
    from appliance.domain.origin import Origin
    from appliance.errors import ConfigError
    from store import Session

    class Dashboard(Protocol):
        """Opens the screens and returns an exit code; see `appliance.tui.run_tui`."""

        def __call__(
            self,
            control: Control | None,
            display: DisplaySettings,
            recording: Recording | None = None,
            start_at: datetime | None = None,
        ) -> int:
            """See `appliance.tui.run_tui`."""
            ...

    WrongKeys = Callable[[Mapping[str, str]], list[tuple[str, str]]]
    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

WAIT_SECONDS = 3.0
ANSWER_SECONDS = 4.0
"""Whoever looks at what is stored gets an answer within five seconds, or hears what it waits for."""

_JSON = "appliance.json"


def _note_json(context: click.Context, parameter: click.Parameter, is_given: bool) -> bool:
    """Return whether JSON is asked for here or, as in `models --json promote 3`, before a subcommand."""
    is_asked: bool = context.meta.setdefault(_JSON, False) or is_given
    context.meta[_JSON] = is_asked
    return is_asked


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    callback=_note_json,
    help="Print JSON; `schema` describes it.",
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def limit_option(default: int, most: int, what: str = "At most so many, the newest.") -> Decorator:
    """Return `-n`, how many a command shows at most."""
    return click.option(
        "-n",
        "--limit",
        type=click.IntRange(1, most),
        default=default,
        show_default=True,
        help=what,
    )


project_option = click.option(
    "--project",
    type=TEXT,
    metavar="NAME",
    default=None,
    help="Project; the only enabled one by default.",
)


projects_option = click.option(
    "--project",
    type=TEXT,
    metavar="NAME",
    default=None,
    help="Project; every one if left out.",
)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the composition root lends to commands: the dashboard, and what it says of keys by action.

    `wrong_zone` says why times cannot be shown in the configured zone, None where they are.
    """

    dashboard: Dashboard
    wrong_keys: WrongKeys = lambda _keys: []
    wrong_zone: ConfigError | None = None


def paths() -> Paths:
    """Return the paths of this invocation's home."""
    return Paths.from_environment()


def settings() -> Settings:
    """Return the validated configuration."""
    from appliance.config.settings import load_settings

    return load_settings(paths())


def control(*, is_read_only: bool = False) -> ControlClient:
    """Return a client of the running appliance; its calls raise when none runs."""
    from appliance.control.client import ControlClient

    return ControlClient(paths(), is_read_only=is_read_only)


def origin() -> Origin:
    """Return who gives this command, for the events of what it changes."""
    from appliance.config.whoami import local_origin
    from appliance.domain.origin import Through

    return local_origin(Through.COMMAND)


def is_running() -> bool:
    """Whether a supervisor answers in this home."""
    from appliance.control.client import is_supervisor_answering

    return is_supervisor_answering(paths())


def is_supervised() -> bool:
    """Whether a supervisor lives in this home, answering or not: its services own the files."""
    from appliance.config.instance_lock import is_supervised

    return is_supervised(paths())


def open_store(*, read_seconds: float = ANSWER_SECONDS) -> Session:
    """Return the store: its service's client, or the file itself when no supervisor lives.

    Waits for the service for a moment only; `read_seconds` is how long it may take to answer.
    """
    home = paths()
    if not home.store_file.exists():
        from appliance.errors import ApplianceNotRunning

        raise ApplianceNotRunning(f"there is no store in {home.home} yet", hint="appliance up")
    opener: Callable[..., Session] = importlib.import_module("store.open").open_store
    return opener(home, wait_seconds=WAIT_SECONDS, read_seconds=read_seconds)


def choose_project(name: str | None) -> str:
    """Return the project meant.

    Raises:
        click.UsageError: it is not configured, or several are and none was named.
        ConfigError: it is disabled.
    """
    configured = settings().projects
    enabled = [project for project, section in configured.items() if section.enabled]
    if name is None and not enabled and len(configured) == 1:
        (name,) = configured
    if name in configured and name not in enabled:
        raise importlib.import_module("appliance.config.enabling").disabled_project(name)
    if name is None:
        if len(enabled) == 1:
            return enabled[0]
        raise click.UsageError(f"name one with --project: {', '.join(sorted(enabled)) or 'none'}")
    if name not in enabled:
        raise unknown("enabled project", name, enabled)
    return name


def choose_projects(name: str | None) -> list[str]:
    """Return the project meant, or every enabled one when none is named; raises like `choose_project`."""
    if name is not None:
        return [choose_project(name)]
    configured = settings().projects
    return [each for each, section in configured.items() if section.enabled] or [
        choose_project(None)
    ]


def require_known_market(market: str, store: Session) -> None:
    """Raise a usage error for a market that is neither configured nor in the store."""
    from store.coverage import proven_feeds

    known = {*settings().ingest.markets, *(feed[0] for feed in proven_feeds(store))}
    if market not in known:
        raise unknown("market", market, sorted(known))


def source_label() -> str:
    """Return the banner's text for this home's market source; settles it when it is open."""
    from appliance.exchange.source import resolve_source, simulator_source, source_kind

    home, configured = paths(), settings()
    if source_kind(configured, home) == "simulator":
        return simulator_source(configured, "").label
    return resolve_source(configured, home).label
