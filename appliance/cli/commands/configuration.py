"""`appliance config`: what is configured, and whether it is valid."""

from __future__ import annotations

import re

import click

from appliance.cli import session
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import emit, emit_json, narrate

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
def check_command() -> int:
    """Validate every file, every project's config and the files that they name; exit 2 when one is wrong.

    All errors are listed, with file, line and key.
    """
    from appliance.cli.configuration_check import find_problems
    from appliance.pipelines.spec import describe_project

    problems = find_problems(session.paths())
    for problem in problems:
        narrate(f"error: {problem}")
        narrate(f"next:  {problem.hint}")
    if problems:
        return ExitCode.USAGE
    settings = session.settings()
    for name, section in settings.projects.items():
        if section.enabled:
            described = describe_project(settings, name)
            emit(f"{name}: {described.market} {described.unit}m, {described.horizon} ahead")
    emit("the configuration is valid")
    return ExitCode.DONE


@config_command.command("path")
def path_command() -> None:
    """Print where configuration, secrets, state and logs live."""
    from appliance.config.paths import SOURCE_ROOT

    home = session.paths()
    for label, path in (
        ("shipped", SOURCE_ROOT / "compose"),
        ("this home", home.compose),
        ("secrets", home.secrets),
        ("state", home.home),
        ("logs", home.logs),
    ):
        emit(f"{label:10} {path}")
