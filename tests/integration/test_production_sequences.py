"""What is in production after any sequence of operations is what a model of it says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appliance.config.enabling import enable_project
from appliance.config.paths import Paths
from appliance.config.settings import Settings, load_settings
from appliance.errors import ApplianceError, ModelNotFound, ProductionMoved
from appliance.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from appliance.registry.client import Registry, open_registry

_ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
_numbers = itertools.count()
_pick = st.integers(min_value=0, max_value=7)
STEPS = 8
SEQUENCES = 200


class Production(RuleBasedStateMachine):
    """Operators, trials and hands in MLflow's page on one project, against aliases in a dictionary."""

    home: Paths
    registry: Registry

    def __init__(self) -> None:
        super().__init__()
        self.project = f"project_{next(_numbers)}"
        self.versions: set[int] = set()
        self.created = 0
        self.aliases: dict[str, int] = {}
        self.is_enabled = True

    # -- what is done

    @initialize()
    def first_versions(self) -> None:
        """Register two versions and promote the first."""
        type(self).registry.client.create_registered_model(self.project)
        self.train()
        self.train()
        self.promote(0, 0)

    @precondition(lambda self: self.created < 6)
    @rule()
    def train(self) -> None:
        """Register a version."""
        source = f"file://{self.home.home}/mlflow/artifacts/{self.project}/{self.created}"
        found = self.registry.client.create_model_version(self.project, source)
        self.created += 1
        assert int(found.version) == self.created
        self.versions.add(self.created)

    @rule(version=_pick, stale=_pick)
    def promote(self, version: int, stale: int) -> None:
        """Promote on the champion of now, or on another that was seen."""
        version, champion = version + 1, self.aliases.get(CHAMPION, 0)
        seen = champion if stale < 5 else stale
        error: type[ApplianceError] | None = None
        if version not in self.versions:
            error = ModelNotFound
        elif champion not in (version, seen):
            error = ProductionMoved
        self.attempt(lambda: self.registry.promote(self.project, version, seen), error)
        if error is None:
            if champion and champion != version:
                self.aliases[PREVIOUS] = champion
            self.aliases[CHAMPION] = version
            self.end_challenge(version)

    @rule(stale=_pick, is_repeated=st.booleans())
    def roll_back(self, stale: int, is_repeated: bool) -> None:
        """Roll back to the target, once or twice, on the champion of now or on another that was seen."""
        champion, previous = self.aliases.get(CHAMPION, 0), self.aliases.get(PREVIOUS, 0)
        seen, version = (champion if stale < 5 else stale), (previous or 1)
        error: type[ApplianceError] | None = None
        if version == champion:
            pass
        elif not previous:
            error = ModelNotFound
        elif champion != seen:
            error = ProductionMoved
        call = lambda: self.registry.roll_back(self.project, version, seen)  # noqa: E731
        if version == champion and version not in self.versions:
            error = ModelNotFound
        self.attempt(call, error)
        if is_repeated:
            self.attempt(call, error)
        if error is None and version != champion:
            self.aliases[CHAMPION] = version
            self.aliases.pop(PREVIOUS, None)
            self.end_challenge(version)

    @rule(version=_pick)
    def restore(self, version: int) -> None:
        """Let a probation bring a version back that is not the rollback target."""
        version, champion = version + 1, self.aliases.get(CHAMPION, 0)
        error = None if version in self.versions else ModelNotFound
        self.attempt(lambda: self.registry.restore(self.project, version, champion), error)
        if error is None and version != champion:
            self.aliases[CHAMPION] = version
            self.aliases.pop(PREVIOUS, None)
            self.end_challenge(version)

    @rule(version=_pick)
    def suggest(self, version: int) -> None:
        """Name a challenger."""
        version += 1
        error = None if version in self.versions else ModelNotFound
        self.attempt(lambda: self.registry.set_challenger(self.project, version), error)
        if error is None:
            self.aliases[CHALLENGER] = version

    @rule(version=_pick)
    def delete_version(self, version: int) -> None:
        """Delete a version in MLflow's page, its aliases with it."""
        version += 1
        if version in self.versions:
            self.registry.client.delete_model_version(self.project, str(version))
            self.versions.remove(version)
            self.aliases = {a: v for a, v in self.aliases.items() if v != version}

    @rule(alias=st.sampled_from(_ALIASES))
    def delete_alias(self, alias: str) -> None:
        """Delete an alias in MLflow's page."""
        self.registry.client.delete_registered_model_alias(self.project, alias)
        self.aliases.pop(alias, None)

    @rule(alias=st.sampled_from(_ALIASES), version=_pick)
    def move_alias(self, alias: str, version: int) -> None:
        """Move an alias in MLflow's page, past every rule."""
        version += 1
        if version in self.versions:
            self.registry.client.set_registered_model_alias(self.project, alias, str(version))
            self.aliases[alias] = version

    @rule()
    def restart(self) -> None:
        """Open the registry anew on its file."""
        type(self).registry = open_registry(self.home, Settings())

    @rule()
    def switch(self) -> None:
        """Disable the project, or enable it again."""
        self.is_enabled = not self.is_enabled
        enable_project(self.home, "crypto_forecast", is_enabled=self.is_enabled)

    # -- what must hold

    @invariant()
    def production_is_what_it_should_be(self) -> None:
        """Compare aliases and configuration with the model."""
        if not self.created:
            return
        model = self.registry.client.get_registered_model(self.project)
        found = {alias: int(version) for alias, version in model.aliases.items()}
        assert found == self.aliases
        assert load_settings(self.home).projects["crypto_forecast"].enabled == self.is_enabled

    def teardown(self) -> None:
        """Compare versions and champion with the model; leave the project enabled."""
        assert {v.version for v in self.registry.versions(self.project)} == self.versions
        champion = self.aliases.get(CHAMPION)
        if champion is None:
            with pytest.raises(ModelNotFound):
                self.registry.champion(self.project)
        else:
            assert self.registry.champion(self.project).version == champion
        if not self.is_enabled:
            enable_project(self.home, "crypto_forecast", is_enabled=True)

    # -- inside

    def attempt(self, call: Callable[[], object], error: type[ApplianceError] | None) -> None:
        """Call; what must be refused is refused and changes nothing."""
        if error is None:
            call()
        else:
            with pytest.raises(error):
                call()

    def end_challenge(self, version: int) -> None:
        """Forget the challenger that is in production now."""
        if self.aliases.get(CHALLENGER) == version:
            del self.aliases[CHALLENGER]


def run_sequences(folder: Path, count: int) -> None:
    """Try that many sequences on a registry of its own."""
    home = Paths(folder / "home")
    home.create()
    Production.home, Production.registry = home, open_registry(home, Settings())
    run_state_machine_as_test(
        Production,
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.long
def test_any_sequence_of_operations_leaves_in_production_what_should_be(tmp_path: Path) -> None:
    run_sequences(tmp_path, SEQUENCES)
