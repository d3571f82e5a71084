"""`appliance config`: what is configured, and whether it is valid."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, narrate

if TYPE_CHECKING:
    from appliance.config.problem import Problem

_PASSWORD = re.compile(r"(://[^:/@\s]*):[^/@\s]*@")


@click.group("config")
def config_command() -> None:
    """Show and check the configuration."""


@config_command.command("show")
@session.json_option
def show_command(as_json: bool) -> None:
    """Print the effective configuration; of secrets only whether they are set."""
    from appliance.config.secret import Secret, read_secret

    home, settings = session.paths(), session.settings()
    values = {
        section: {key: _without_password(value) for key, value in fields.items()}
        for section, fields in settings.model_dump(mode="json").items()
    }
    secrets = {secret.value: bool(read_secret(home, secret)) for secret in Secret}
    if as_json:
        emit_json({**values, "secrets": secrets})
        return
    for section, fields in values.items():
        _print_section(section, fields)
    emit("[secrets]  # file in the secrets folder, or environment variable")
    for name, is_set in secrets.items():
        emit(f"# {name}: {'set' if is_set else 'not set'} (APPLIANCE_{name.upper()})")


def _without_password(value: object) -> object:
    """Return a setting as it may be shown: a URL without its password."""
    return _PASSWORD.sub(r"\1:***@", value) if isinstance(value, str) else value


def _print_section(name: str, fields: dict[str, object]) -> None:
    import json

    nested = {key: value for key, value in fields.items() if isinstance(value, dict) and value}
    simple = {key: value for key, value in fields.items() if key not in nested}
    if simple:
        emit(f"[{name}]")
        for key, value in simple.items():
            emit(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        emit("")
    for key, value in nested.items():
        if isinstance(value, dict):
            _print_section(f"{name}.{key}", value)


@config_command.command("check")
@session.json_option
@click.pass_context
def check_command(context: click.Context, as_json: bool) -> int:
    """Validate every file, every project's config and the files that they name; exit 2 when one is wrong.

    All errors are listed, with file, line and key.
    """
    from appliance.cli.configuration_check import find_problems
    from appliance.cli.results import ConfigCheck, ConfigProblem

    problems = [*find_problems(session.paths()), *_key_problems(context.find_root().obj)]
    described = [] if problems else _described()
    if as_json:
        shown = tuple(
            ConfigProblem(".".join(p.key), p.place, p.code, p.message, p.hint) for p in problems
        )
        emit_json(ConfigCheck(not problems, shown, tuple(name for name, _ in described)))
    for problem in problems:
        narrate(f"error: {problem}")
        narrate(f"next:  {problem.hint}")
    if not as_json and not problems:
        for name, words in described:
            emit(f"{name}: {words}")
        emit("the configuration is valid")
    return ExitCode.USAGE if problems else ExitCode.DONE


def _described() -> list[tuple[str, str]]:
    """Return the enabled projects, each with what it forecasts."""
    from appliance.pipelines.spec import describe_project

    settings, found = session.settings(), []
    for name, section in settings.projects.items():
        if section.enabled:
            spec = describe_project(settings, name)
            found.append((name, f"{spec.market} {spec.unit}m, {spec.horizon} ahead"))
    return found


def _key_problems(wiring: session.Wiring) -> list[Problem]:
    """Return what is wrong with the dashboard's keys, once the values themselves are valid."""
    from appliance.config.layers import read_layers
    from appliance.config.problem import Problem

    layers = read_layers(session.paths())
    display = layers.values.get("display")
    keys = display.get("keys") if isinstance(display, dict) else None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        return []
    return [
        Problem(
            ("display", "keys", action),
            f"display.keys.{action}: {wrong}",
            "give it another key, or leave it out",
            place=layers.place(("display", "keys", action)),
        )
        for action, wrong in wiring.wrong_keys(keys)
    ]


@config_command.command("path")
@session.json_option
def path_command(as_json: bool) -> None:
    """Print where configuration, secrets, state and logs live."""
    from appliance.cli.results import ConfigPaths
    from appliance.config.paths import SOURCE_ROOT

    home = session.paths()
    known = ConfigPaths(SOURCE_ROOT / "compose", home.compose, home.secrets, home.home, home.logs)
    if as_json:
        emit_json(known)
        return
    for name, path in asdict(known).items():
        emit(f"{name.replace('_', ' '):10} {path}")
