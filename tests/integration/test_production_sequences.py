"""What is in production after any sequence of operations is what a model of it says.

See `tests.production_parts` for what is real. Airflow's own part (a paused DAG starts no run, a task of a
disabled project is skipped) is tried against Airflow itself in `tests/e2e/test_production_config.py`.
"""

from __future__ import annotations

from collections.abc import Callable

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

from appliance.config.paths import Paths
from appliance.domain.workflow import WorkflowKind
from appliance.errors import (
    AirflowApiError,
    ApplianceError,
    ConfigError,
    ModelNotFound,
    ProductionMoved,
    RegistryError,
    RegistryUnavailable,
)
from appliance.pipelines import command
from appliance.pipelines.context import StageSkipped
from appliance.pipelines.forecasting.core.evaluate import decide_promotion
from appliance.pipelines.forecasting.core.trials import judge_trials
from appliance.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from tests.builders import KIM
from tests.production_parts import (
    CONFIGS,
    DAGS,
    PROJECT,
    Production,
    production_in_file,
    production_served,
    settings_of,
)

STEPS = 20
LONG_SEQUENCES = 35
SERVED_SEQUENCES = 3
_ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
_OPERATOR, _WORKFLOW, _FORECASTER = "operator", "workflow", "forecaster"
_version = st.integers(min_value=1, max_value=8)
_seen = st.sampled_from(["now", "now", "now", 0, 1, 2, 9])
_who = st.sampled_from([_OPERATOR, _WORKFLOW])
_config = st.sampled_from(list(CONFIGS))
_kind = st.sampled_from(list(WorkflowKind))


class Sequence(RuleBasedStateMachine):
    """One project's operators, workflows, and hands in the pages of MLflow and Airflow."""

    parts: Production

    def __init__(self) -> None:
        super().__init__()
        self.configs: dict[int, str] = {}
        """Of each version that there is, which config it serves."""
        self.created = 0
        self.aliases: dict[str, int] = {}
        self.config = next(iter(CONFIGS))
        self.is_enabled = True
        self.paused: set[WorkflowKind] = set()
        self.paused_by_us: set[WorkflowKind] = set()

    @initialize()
    def first_versions(self) -> None:
        """Train twice: the first model goes into production by itself."""
        self.parts.begin()
        self.train()
        self.register(self.config)
        assert self.aliases == {CHAMPION: 1}

    # -- workflows

    @precondition(lambda self: self.created < 7)
    @rule()
    def train(self) -> None:
        """Train a model of the configured config, if a run of it starts."""
        if not self.starts(WorkflowKind.TRAIN):
            return
        version, champion = self.register(self.config), self.champion
        upstream = {"register_model": {"version": version}}
        context = self.parts.context(WorkflowKind.TRAIN, self.config, upstream)  # type: ignore[arg-type]
        decided = decide_promotion(context)
        if self.is_served:
            assert decided["decision"] == "kept"
            return
        assert decided["decision"] == "promoted"
        assert ("serves another config" in str(decided["evidence"])) == bool(champion)
        self.put_in(version)

    @precondition(lambda self: self.created < 7)
    @rule(other=_config)
    def train_another_config(self, other: str) -> None:
        """Train a model of another config than the configured one with its `run.py`."""
        if not self.is_enabled:
            assert command.main(PROJECT, ["krw_btc_1m", "--workflow", "train"]) == command.USAGE
            return
        if other == self.config:
            return
        version = self.register(other)
        upstream = {"register_model": {"version": version}}
        context = self.parts.context(WorkflowKind.TRAIN, other, upstream)  # type: ignore[arg-type]
        assert decide_promotion(context)["decision"] == "kept"

    @rule(kind=_kind)
    def run(self, kind: WorkflowKind) -> None:
        """Ask for a run; of the trials no evidence decides anything here."""
        if self.starts(kind) and kind is WorkflowKind.INFERENCE:
            self.judges()

    @rule(version=_version)
    def restore(self, version: int) -> None:
        """Let a probation bring a version back that is not the rollback target."""
        if not self.decides():
            return
        champion = self.champion
        error = None if version in self.configs else ModelNotFound
        call = lambda: self.parts.registry.restore(PROJECT, version, champion)  # noqa: E731
        if self.attempt(call, error) and version != champion:
            self.bring_back(version)

    @rule(version=_version, seen=_seen)
    def suggest(self, version: int, seen: int | str) -> None:
        """Let a verdict name a challenger of the champion of now, or of another that was seen."""
        if not self.decides():
            return
        seen = self.resolve(seen)
        error: type[ApplianceError] | None = None
        if version not in self.configs:
            error = ModelNotFound
        elif self.champion != seen:
            error = ProductionMoved
        call = lambda: self.parts.registry.set_challenger(PROJECT, version, seen)  # noqa: E731
        if self.attempt(call, error):
            self.aliases[CHALLENGER] = version

    # -- decisions of several

    @rule(version=_version, seen=_seen, who=_who)
    def promote(self, version: int, seen: int | str, who: str) -> None:
        """Promote on the champion of now, or on another that was seen."""
        if who == _WORKFLOW and not self.decides():
            return
        champion, seen = self.champion, self.resolve(seen)
        error: type[ApplianceError] | None = None
        if version not in self.configs:
            error = ModelNotFound
        elif champion not in (version, seen):
            error = ProductionMoved
        parts = self.parts
        calls = {
            _OPERATOR: lambda: parts.control.promote(PROJECT, version, seen, KIM),
            _WORKFLOW: lambda: parts.registry.promote(PROJECT, version, seen),
        }
        if self.attempt(calls[who], self.refusal_of(who) or error):
            self.put_in(version)

    @rule(seen=_seen, is_repeated=st.booleans(), who=_who | st.just(_FORECASTER))
    def roll_back(self, seen: int | str, is_repeated: bool, who: str) -> None:
        """Roll back to the target, once or twice, on the champion of now or on another that was seen.

        The forecaster does so when the champion's files are not what was registered.
        """
        if who == _WORKFLOW and not self.decides():
            return
        if who == _FORECASTER and not self.is_enabled:
            return
        champion, previous = self.champion, self.aliases.get(PREVIOUS, 0)
        seen, version = self.resolve(seen), previous or 1
        error: type[ApplianceError] | None = None
        if version not in self.configs:
            error = ModelNotFound
        elif version != champion:
            error = ProductionMoved if champion != seen else None if previous else ModelNotFound
        parts = self.parts
        calls = {
            _OPERATOR: lambda: parts.control.roll_back(PROJECT, version, seen, KIM),
            _WORKFLOW: lambda: parts.registry.roll_back(PROJECT, version, seen),
            _FORECASTER: lambda: parts.rest.roll_back(PROJECT, version, seen),
        }
        for _ in range(1 + is_repeated):
            if self.attempt(calls[who], self.refusal_of(who) or error) and version != champion:
                self.bring_back(version)

    @rule(version=_version, seen=_seen)
    def reject(self, version: int, seen: int | str) -> None:
        """Let an operator say that a version shall not be compared any more."""
        champion, seen = self.champion, self.resolve(seen)
        error: type[ApplianceError] | None = None
        if version not in self.configs:
            error = ModelNotFound
        elif champion != seen:
            error = ProductionMoved
        elif version == champion:
            error = RegistryError
        call = lambda: self.parts.control.reject(PROJECT, version, seen, KIM)  # noqa: E731
        if self.attempt(call, self.refusal_of(_OPERATOR) or error):
            self.end_challenge(version)

    # -- hands in MLflow's and Airflow's pages

    @rule(version=_version)
    def delete_version(self, version: int) -> None:
        """Delete a version, its aliases with it."""
        if version in self.configs:
            self.parts.registry.client.delete_model_version(PROJECT, str(version))
            del self.configs[version]
            self.aliases = {a: v for a, v in self.aliases.items() if v != version}

    @rule(alias=st.sampled_from(_ALIASES))
    def delete_alias(self, alias: str) -> None:
        """Delete an alias."""
        self.parts.registry.client.delete_registered_model_alias(PROJECT, alias)
        self.aliases.pop(alias, None)

    @rule(alias=st.sampled_from(_ALIASES), version=_version)
    def move_alias(self, alias: str, version: int) -> None:
        """Move an alias, past every rule."""
        if version in self.configs:
            self.parts.registry.client.set_registered_model_alias(PROJECT, alias, str(version))
            self.aliases[alias] = version

    @rule(kind=_kind)
    def pause(self, kind: WorkflowKind) -> None:
        """Pause a DAG, or unpause it."""
        self.paused ^= {kind}
        self.parts.airflow.change_dag(DAGS[kind], {"is_paused": kind in self.paused})

    # -- the appliance

    @rule(is_for_a_while=st.booleans())
    def switch(self, is_for_a_while: bool) -> None:
        """Disable the project, or enable it again; for a while, or for good."""
        self.is_enabled = not self.is_enabled
        self.parts.control.enable_project(PROJECT, self.is_enabled, KIM)
        if is_for_a_while:
            self.production_is_what_it_should_be()
            self.switch(is_for_a_while=False)

    @rule(config=_config)
    def change_config(self, config: str) -> None:
        """Choose a config."""
        self.config = config
        self.parts.configure(self.config, is_enabled=self.is_enabled)

    @rule()
    def restart_appliance(self) -> None:
        """Let what decides and tells begin anew."""
        self.parts.restart_appliance()

    @rule(version=_version)
    def restart_mlflow(self, version: int) -> None:
        """Restart MLflow, with a decision while it is away, and with it what uses it."""
        self.parts.mlflow.stop()
        if self.parts.mlflow.is_away_when_stopped:
            call = lambda: self.parts.control.promote(PROJECT, version, self.champion, KIM)  # noqa: E731
            self.attempt(call, self.refusal_of(_OPERATOR) or RegistryUnavailable)
        self.parts.mlflow.start()
        self.parts.restart_appliance()

    # -- what must hold

    @invariant()
    def production_is_what_it_should_be(self) -> None:
        """Compare aliases, configuration, pauses and problems with the model."""
        if not self.created:
            return
        found = {(finding.code, finding.subject) for finding in self.parts.look()}
        self.keep_still()
        self.aliases_are_as_seen()
        configured = self.parts.configured
        chosen = {"config": configured.config, "overrides": configured.overrides}
        assert (configured.enabled, chosen) == (self.is_enabled, settings_of(self.config))
        paused = {kind for kind, dag in DAGS.items() if self.parts.airflow.dags[dag]["is_paused"]}
        assert paused == self.paused
        assert found == (self.problems() if self.is_enabled else set())

    def aliases_are_as_seen(self) -> None:
        """Compare what the last look saw of the aliases; of a disabled project it sees none."""
        seen = self.parts.seen.get(PROJECT)
        assert (seen is not None) == self.is_enabled
        if seen is not None:
            champion = seen.champion.version if seen.champion else 0
            previous = self.aliases.get(PREVIOUS)
            target = previous if previous != champion else None
            found = (champion, seen.previous, seen.challenger)
            assert found == (self.champion, target, self.aliases.get(CHALLENGER))

    def teardown(self) -> None:
        """Compare versions and aliases with the model, through MLflow's own client."""
        found = {each.version: each.aliases for each in self.parts.registry.versions(PROJECT)}
        named = {alias: version for version, aliases in found.items() for alias in aliases}
        assert (set(found), named) == (set(self.configs), self.aliases)

    # -- inside

    @property
    def champion(self) -> int:
        """The version in production, 0 for none."""
        return self.aliases.get(CHAMPION, 0)

    @property
    def is_served(self) -> bool:
        """Whether what is in production serves the config."""
        return self.configs.get(self.champion) == self.config

    def problems(self) -> set[tuple[str, str]]:
        """Return code and subject of what is to be said of an enabled project."""
        found = {("workflow.paused", f"{PROJECT}.{kind}") for kind in self.paused}
        if not self.champion:
            found.add(("model.first_training", PROJECT))
        elif not self.is_served:
            found.add(("model.other_config", PROJECT))
        return found

    def resolve(self, seen: int | str) -> int:
        """Return the champion that is said to have been seen."""
        return self.champion if isinstance(seen, str) else seen

    def register(self, config: str) -> int:
        """Register the model of a training."""
        self.created += 1
        assert self.parts.register(config) == self.created
        self.configs[self.created] = config
        return self.created

    def starts(self, kind: WorkflowKind) -> bool:
        """Ask for a run; whether it starts, which none does that is paused or of a disabled project."""
        error: type[ApplianceError] | None = None
        if not self.is_enabled:
            error = ConfigError
        elif kind in self.paused:
            error = AirflowApiError
        return self.attempt(lambda: self.parts.ask_for_run(kind), error)

    def judges(self) -> bool:
        """Look at the trials; whether there is anything to decide on, which needs a model that serves."""
        context = self.parts.context(WorkflowKind.INFERENCE, self.config)
        if not self.is_served:
            with pytest.raises(StageSkipped, match="no production model yet"):
                judge_trials(context)
            return False
        assert judge_trials(context)["champion"] == self.champion
        return True

    def decides(self) -> bool:
        """Whether a workflow comes to a decision on production."""
        return self.starts(WorkflowKind.INFERENCE) and self.judges()

    def refusal_of(self, who: str) -> type[ApplianceError] | None:
        """Return what an operator's decision on a disabled project is refused with."""
        return ConfigError if who == _OPERATOR and not self.is_enabled else None

    def attempt(
        self,
        call: Callable[[], object],
        error: type[ApplianceError] | tuple[type[ApplianceError], ...] | None,
    ) -> bool:
        """Call; whether it was done: what must be refused is refused."""
        if error is None:
            call()
            return True
        with pytest.raises(error):
            call()
        return False

    def put_in(self, version: int) -> None:
        """Promote in the model."""
        if self.champion not in (0, version):
            self.aliases[PREVIOUS] = self.champion
        self.aliases[CHAMPION] = version
        self.end_challenge(version)

    def bring_back(self, version: int) -> None:
        """Roll back in the model: no target is left."""
        self.aliases[CHAMPION] = version
        self.aliases.pop(PREVIOUS, None)
        self.end_challenge(version)

    def end_challenge(self, version: int) -> None:
        """Forget the challenger that is none any more."""
        if self.aliases.get(CHALLENGER) == version:
            del self.aliases[CHALLENGER]

    def keep_still(self) -> None:
        """Pause in the model what is disabled; what others had paused stays so when it is enabled."""
        if self.is_enabled:
            self.paused -= self.paused_by_us
            self.paused_by_us = set()
        else:
            self.paused_by_us |= set(WorkflowKind) - self.paused
            self.paused = set(WorkflowKind)


def run_sequences(parts: Production, count: int) -> None:
    """Try that many sequences, the same ones every time."""
    Sequence.parts = parts
    run_state_machine_as_test(
        Sequence,
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_of_operations_leaves_in_production_what_should_be(
    home: Paths, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with production_in_file(home, monkeypatch) as parts:
        run_sequences(parts, request.config.getoption("--production-sequences"))


@pytest.mark.long
def test_many_sequences_of_operations_leave_in_production_what_should_be(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with production_in_file(home, monkeypatch) as parts:
        run_sequences(parts, LONG_SEQUENCES)


@pytest.mark.long
def test_restarts_of_mlflow_s_server_leave_in_production_what_should_be(home: Paths) -> None:
    with production_served(home) as parts:
        run_sequences(parts, SERVED_SEQUENCES)
