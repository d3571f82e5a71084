"""`appliance alerts`: the outbox and a test message."""

from __future__ import annotations

import click

from appliance.cli import session
from appliance.cli.output import emit, emit_json, emit_table, narrate


@click.group("alerts", invoke_without_command=True)
@session.json_option
@session.limit_option(30, 10_000)
@click.pass_context
def alerts_command(context: click.Context, as_json: bool, limit: int) -> None:
    """Show Slack messages, sent and waiting."""
    if context.invoked_subcommand is not None:
        return
    from store import alerts

    with session.open_store() as store:
        found = alerts.recent(store, limit)
    if as_json:
        emit_json(found)
        return
    if not found:
        narrate(
            "no message yet; Slack is set up with the secret slack_webhook_url or slack_bot_token"
        )
        return
    emit_table(
        ("ENQUEUED", "SENT", "ATTEMPTS", "LAST ERROR", "TEXT"),
        [
            (a.enqueued_at, a.sent_at, a.attempts, a.last_error or "-", a.text.splitlines()[0])
            for a in found
        ],
    )


@alerts_command.command("test")
@session.json_option
def test_command(as_json: bool) -> None:
    """Send a test message now.

    Exit code 1 when Slack refuses it, 3 when it does not answer, or something else does in its place.
    """
    from appliance.alerts.slack import send_test_message
    from appliance.cli.results import AlertTest

    target = send_test_message(session.settings(), session.paths())
    if as_json:
        emit_json(AlertTest(target))
    else:
        emit(f"accepted by {target}")
