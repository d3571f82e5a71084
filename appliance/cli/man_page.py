"""The manual page, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import click

from appliance.cli.exit_code import ExitCode

_EXIT_WORDS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.TRY_AGAIN: "try again: something does not answer",
    ExitCode.UNHEALTHY: "unhealthy",
    ExitCode.INTERRUPTED: "interrupted",
}
_VARIABLES = {
    "APPLIANCE_HOME": "Where state lives; ~/.local/share/appliance by default.",
    "APPLIANCE__SECTION__KEY": "A setting, such as APPLIANCE__DISPLAY__TIMEZONE=Asia/Seoul; overrides files.",
    "PAGER": "What shows output longer than the terminal; less by default, cat or empty for none.",
    "APPLIANCE_DEBUG": "Set to 1 for a traceback of an unexpected error.",
}


def man_page(app: click.Group, version: str, day: date) -> str:
    """Return appliance(1) as roff: every command with its options and an example."""
    context = click.Context(app, info_name="appliance")
    lines = [
        f'.TH APPLIANCE 1 "{day:%Y-%m-%d}" "appliance {version}" "User Commands"',
        ".SH NAME",
        r"appliance \- machine-learning appliance: market data, workflows, models and drift on one machine",
        ".SH SYNOPSIS",
        r".B appliance",
        r"[\fIcommand\fR] [\fIoptions\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(app.help or ""),
        "Data goes to standard output, narration to standard error.",
        ".SH OPTIONS",
        *_options(app, context),
        ".SH COMMANDS",
        *_commands(app, context),
        ".SH EXIT STATUS",
    ]
    for code, words in _EXIT_WORDS.items():
        lines += [".TP", f".B {int(code)}", words]
    lines.append(".SH ENVIRONMENT")
    for name, words in _VARIABLES.items():
        lines += [".TP", f".B {name}", _escaped(words)]
    return "\n".join(lines) + "\n"


def commands_of(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield every command below a group that is not hidden, each with a context of its own."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            own = click.Context(inner, info_name=name, parent=context)
            yield inner, own
            yield from commands_of(inner, own)


def _commands(app: click.Group, context: click.Context) -> Iterator[str]:
    for command, own in commands_of(app, context):
        usage = " ".join(command.collect_usage_pieces(own))
        yield ".SS " + _escaped(f"{own.command_path} {usage}")
        yield from _paragraphs(command.help or "")
        yield from _options(command, own)
        if command.epilog:
            yield ".PP"
            yield _escaped(command.epilog)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield f".B {_escaped(record[0])}"
            yield _escaped(record[1])


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    """Return text as roff takes it: no escapes, no line that is a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("\b", "")
    return rf"\&{text}" if text.startswith((".", "'")) else text
