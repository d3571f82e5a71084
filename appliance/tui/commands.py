"""The command palette's entries: the action registry and one restart per service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from appliance.tui.actions import ACTIONS, Action

if TYPE_CHECKING:
    from appliance.tui.app import ApplianceApp


class ActionCommands(Provider):
    """Every action by name; one that cannot run now says why and stays listed."""

    async def discover(self) -> Hits:
        """Yield every action, in the registry's order."""
        for known in self._actions():
            yield DiscoveryHit(self._name(known), self._run(known), help=self._help(known))

    async def search(self, query: str) -> Hits:
        """Yield the actions that match."""
        matcher = self.matcher(query)
        for known in self._actions():
            name = self._name(known)
            score = matcher.match(f"{name} {known.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(name), self._run(known), help=self._help(known))

    def _actions(self) -> list[Action]:
        return [known for known in ACTIONS if known.id != "palette"]

    def _name(self, known: Action) -> str:
        return f"{known.title}  {known.shown_key}".rstrip()

    def _help(self, known: Action) -> str:
        reason = known.blocked(self._app.board)
        return f"not now: {reason}" if reason else known.help

    def _run(self, known: Action) -> partial[None]:
        return partial(self._app.run_operation, known.id)

    @property
    def _app(self) -> ApplianceApp:
        return cast("ApplianceApp", self.app)
