"""What commands share: the home, its configuration, and ways to reach the appliance."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from appliance.config.arguments import TEXT, unknown
from appliance.config.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.config.settings import Settings
    from appliance.control.api import Control
    from appliance.control.client import ControlClient
    from store import Session

    Dashboard = Callable[[Control], int]

WAIT_SECONDS = 3.0
ANSWER_SECONDS = 4.0
"""Whoever looks at what is stored gets an answer within five seconds, or hears what it waits for."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
project_option = click.option(
    "--project",
    type=TEXT,
    metavar="NAME",
    default=None,
    help="Project; the only enabled one by default.",
)


def paths() -> Paths:
    """Return the paths of this invocation's home."""
    return Paths.from_environment()


def settings() -> Settings:
    """Return the validated configuration."""
    from appliance.config.settings import load_settings

    return load_settings(paths())


def control() -> ControlClient:
    """Return a client of the running appliance; its calls raise when none runs."""
    from appliance.control.client import ControlClient

    return ControlClient(paths())


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
    """
    enabled = [project for project, section in settings().projects.items() if section.enabled]
    if name is None:
        if len(enabled) == 1:
            return enabled[0]
        raise click.UsageError(f"name one with --project: {', '.join(sorted(enabled)) or 'none'}")
    if name not in enabled:
        raise unknown("enabled project", name, enabled)
    return name


def require_known_market(market: str, store: Session) -> None:
    """Raise a usage error for a market that is neither configured nor in the store."""
    from store.coverage import proven_feeds

    known = {*settings().ingest.markets, *(feed[0] for feed in proven_feeds(store))}
    if market not in known:
        raise unknown("market", market, sorted(known))


def source_label() -> str:
    """Return the banner's text for this home's market source; settles it when it is open."""
    from appliance.upbit.source import resolve_source, simulator_source, source_kind

    home, configured = paths(), settings()
    if source_kind(configured, home) == "simulator":
        return simulator_source(configured, "").label
    return resolve_source(configured, home).label
