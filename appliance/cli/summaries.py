"""The first sentence of every command's help: what the list of commands says without importing them."""

from __future__ import annotations

SUMMARIES = {
    "up": "Start the appliance and wait until every service is ready; exit 4 when one is not.",
    "down": "Stop every service and the supervisor; state is kept.",
    "status": "Show services, markets, workflows and models; of many, those that need a look.",
    "restart": "Restart SERVICE, or the whole appliance without a name.",
    "logs": "Show a service's log, or with --run a task's; without either, which services' logs there are.",
    "run": "Run one workflow and wait for it: data, train, inference or monitoring.",
    "runs": (
        "Show the newest runs of a workflow, or of all, newest first; "
        "of every project unless one is named."
    ),
    "models": (
        "List model versions of every project, or of one; "
        "promote one, roll back, train one again, compare."
    ),
    "drift": "Show drift against the champion's reference profile, losses, comparisons and retraining.",
    "candles": "Show the newest stored candles of MARKET, oldest first.",
    "coverage": "Show how complete the stored candles are: of MARKET, or of all.",
    "backfill": "Load what is missing of MARKET's history, at the exchange's limit, newest first.",
    "audit": "Compare stored candles of MARKET, or of all, with the exchange once more, and correct them.",
    "events": "Show what happened and who did it: decisions, state changes, alerts; the newest last.",
    "sql": "Run a reading QUERY on the live store; from standard input when it is - or missing.",
    "doctor": "Check machine, configuration and services; exit 4 when something is not in order.",
    "config": "Show and check the configuration.",
    "env": 'Print shell commands that let your own scripts use this MLflow: eval "$(appliance env)".',
    "schema": "Print the JSON Schema of what COMMAND prints with --json; without one, those of all commands.",
    "man": "Show the manual page; print its source where the output is no terminal.",
    "completion": (
        "Print what completes commands and options in SHELL; `install.sh` has installed it already."
    ),
    "new-project": "Make a project that runs at once beside the others; nothing is overwritten.",
    "project": "List projects, and check whether one keeps the rules.",
    "demo": "Run everything on the built-in simulator, in a home of its own.",
    "simulator": "Serve Upbit's REST and WebSocket quotation API on 127.0.0.1.",
    "alerts": "Show Slack messages, sent and waiting.",
    "store": "Back up the store's file, or check one.",
    "record": "Show what the flight recorder has kept; `appliance --at TIME` shows the screens of then.",
    "replay": "Show the screens of a recording in FILE, of this machine or another.",
    "reset": "Delete state for good, such as the store before another market source.",
}
"""In the order of the help; a command that is not here is hidden."""
