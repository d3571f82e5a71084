"""Actions on one or several things at once: reject versions, restart services, switch projects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from appliance.domain.trial import describe_trials
from appliance.tui.action_keys import key_of
from appliance.tui.background import perform
from appliance.tui.presentation.formats import line
from appliance.tui.screens.modals import ChallengeModal, ConfirmModal
from appliance.tui.undo import Undo

if TYPE_CHECKING:
    from rich.text import Text

    from appliance.control.api import Control
    from appliance.tui.app import ApplianceApp

DIALOG_WIDTH = 62
_EACH_HAS_EVIDENCE_UNTIL = 3
"""More versions than this are rejected without their verdicts in the dialog: they would not fit."""


def dialog_lines(words: str) -> list[Text]:
    """Return words for a dialog, which wraps them to its own width."""
    return [line((words, "plain"))]


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def evidence(control: Control, project: str, champion: int, versions: Sequence[int]) -> list[str]:
    """Return what is known of each version against the champion."""
    return [
        sentence
        for version in versions
        for sentence in describe_trials(
            control.verdicts(project, champion, version), champion, version
        )
    ]


def reject_versions(app: ApplianceApp, versions: Sequence[int]) -> None:
    """Ask for the versions' numbers, then compare them no more."""
    project = app.board.project
    if project is None or project.champion is None:
        app.notify("no model is in production to compare with", severity="warning")
        return
    seen = project.champion.version
    wanted = [version for version in dict.fromkeys(versions) if version != seen]
    if not wanted:
        app.notify(
            f"v{seen} is in production; only other versions can be rejected", severity="warning"
        )
        return
    control, name = app.control, project.name
    shown = listed([f"v{version}" for version in wanted])
    is_one = len(wanted) == 1
    words = (
        f"{shown} {'is' if is_one else 'are'} not compared with v{seen} any more. "
        f"{key_of('promote')} would still promote {'it' if is_one else 'them'}."
    )

    def confirmed(yes: bool | None) -> None:
        if yes:
            calls = [partial(control.reject, name, version, seen, app.origin) for version in wanted]
            done = f"{shown} {'is' if is_one else 'are'} not compared any more"
            perform(app, "Rejected", partial(in_turn, calls), lambda _: done)

    read = partial(evidence, control, name, seen, wanted[:_EACH_HAS_EVIDENCE_UNTIL])
    expected = " ".join(map(str, wanted))
    app.push_screen(
        ChallengeModal(f"Reject {shown}", dialog_lines(words), expected, read), confirmed
    )


def confirm_restart(app: ApplianceApp, names: Sequence[str]) -> None:
    """Ask, then restart one or several services, one after the other."""
    control, shown = app.control, listed(list(names))
    it = "it" if len(names) == 1 else "them"

    def confirmed(yes: bool | None) -> None:
        if yes:
            calls = [partial(control.restart_service, name, app.origin) for name in names]
            words = (
                f"{shown}: the state shows when {'it is' if len(names) == 1 else 'they are'} ready"
            )
            perform(app, "Restarting", partial(in_turn, calls), lambda _: words)

    words = f"Stop {shown} and start {it} again? What depends on {it} waits or retries meanwhile."
    app.push_screen(ConfirmModal(f"Restart {clipped(names)}", dialog_lines(words)), confirmed)


def clipped(names: Sequence[str]) -> str:
    """Return names for a title: many are a number."""
    return listed(list(names)) if len(names) <= 2 else f"{len(names)} services"


def enable_projects(app: ApplianceApp, names: Sequence[str], *, is_enabled: bool) -> None:
    """Enable or disable projects; `U` does the opposite."""
    calls = [partial(app.control.enable_project, name, is_enabled, app.origin) for name in names]
    verb = "is" if len(names) == 1 else "are"
    word = (
        "enabled"
        if is_enabled
        else "disabled: nothing runs for " + ("it" if len(names) == 1 else "them")
    )
    opposite = Undo(
        f"{'disables' if is_enabled else 'enables'} {listed(names)} again",
        partial(enable_projects, names=names, is_enabled=not is_enabled),
    )
    done = f"{listed(names)} {verb} {word}"
    perform(app, "Project", partial(in_turn, calls), lambda _: done, lambda _: opposite)


def cancel_job(app: ApplianceApp, job_id: int, name: str) -> None:
    """Ask, then end a job."""
    control = app.control

    def confirmed(yes: bool | None) -> None:
        if yes:
            call = partial(control.cancel_history, job_id, app.origin)
            perform(app, "Cancelled", call, lambda _: "what has arrived is stored")

    words = line((f"Cancel the {name}? What it stored stays.", "plain"))
    app.push_screen(ConfirmModal("Cancel the work", [words]), confirmed)


def in_turn(calls: Sequence[Callable[[], object]]) -> None:
    """Make calls one after the other; the first that is refused ends them."""
    for call in calls:
        call()
