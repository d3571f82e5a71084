"""Whatever is changed in MLflow's page, the four workflows go on: the real store, MLflow's own registry."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import MlflowSettings, Settings
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.origin import Origin
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ApplianceError
from appliance.pipelines.context import MarketSource, Resources
from appliance.pipelines.workflow import run_in_process
from appliance.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from appliance.registry.client import Registry
from store.events import append_event, read_events
from store.forecasts import latest_forecasts
from store.mlflow_backend.engine import backend_for
from tests.fakes.market import ORIGIN, FakeMarket, synthetic_candles
from tests.integration.test_crypto_forecast_workflows import PROJECT, settings_with

DATA, TRAIN = WorkflowKind.DATA, WorkflowKind.TRAIN
INFERENCE, MONITORING = WorkflowKind.INFERENCE, WorkflowKind.MONITORING
TWIN, DEPOSED, IN_PRODUCTION, SUGGESTED = 1, 2, 3, 4
NONSENSE = "last tuesday"
TIMES = ("window_start_at", "window_end_at", "held_out_end_at")
FRAME = synthetic_candles(4_000)


@dataclass
class Shop:
    """A home with a frozen twin, a deposed version, a champion and a challenger."""

    home: Paths
    settings: Settings
    market: FakeMarket
    resources: Resources

    @property
    def registry(self) -> Registry:
        return self.resources.registry

    def run(self, kind: WorkflowKind) -> str:
        """Run a workflow; return its error in words, "" without one."""
        try:
            run_in_process(
                self.home,
                self.settings,
                PROJECT,
                kind,
                resources=self.resources,
                cause=Origin("hands"),
            )
        except ApplianceError as error:
            assert error.hint, error.message
            return f"{type(error).__name__}: {error.message}"
        return ""

    def pass_minutes(self, minutes: int) -> list[str]:
        self.market.now_at += timedelta(minutes=minutes)
        return [error for kind in (DATA, INFERENCE, MONITORING) if (error := self.run(kind))]

    def promote(self, version: int) -> None:
        """Promote as the control API does."""
        before = self.registry.champion(PROJECT).version
        self.registry.promote(PROJECT, version)
        details: dict[str, object] = {"version": version, "previous": before}
        append_event(
            self.resources.session,
            Event(
                EventKind.PROMOTED,
                "by key",
                "operator",
                clock.now(),
                Severity.INFO,
                PROJECT,
                details,
            ),
        )

    def events(self) -> list[Event]:
        return read_events(self.resources.session, limit=1_000)

    def close(self) -> None:
        self.resources.close()
        backend_for(self.home.mlflow_database).instance.close()


def open_shop(home: Paths, minutes: int) -> Shop:
    settings = settings_with()
    root = home.home.parent / "artifacts"
    settings = settings.model_copy(update={"mlflow": MlflowSettings(artifact_root=str(root))})
    market = FakeMarket("KRW-BTC", 1, FRAME, ORIGIN + timedelta(minutes=minutes, seconds=5))
    resources = Resources.of_home(home, settings)
    resources.open_source = lambda: MarketSource(market, "fake")  # type: ignore[arg-type]
    return Shop(home, settings, market, resources)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a home, closed."""
    folder = tmp_path_factory.mktemp("hands")
    home = Paths(folder / "prepared")
    home.create()
    shop = open_shop(home, 2_500)
    assert [shop.run(DATA), shop.run(TRAIN), *shop.pass_minutes(25)] == ["", ""]
    for version in (DEPOSED, IN_PRODUCTION):
        assert not shop.run(TRAIN)
        shop.promote(version)
        assert not shop.pass_minutes(10)
    assert not shop.run(TRAIN)
    shop.registry.set_challenger(PROJECT, SUGGESTED)
    assert not shop.pass_minutes(10)
    assert shop.registry.client.get_registered_model(PROJECT).aliases == {
        CHAMPION: IN_PRODUCTION, PREVIOUS: DEPOSED, CHALLENGER: SUGGESTED,
    }  # fmt: skip
    shop.close()
    return home.home


Change = Callable[[Shop], None]


def version_deleted(number: int) -> Change:
    return lambda shop: shop.registry.client.delete_model_version(PROJECT, str(number))


def run_deleted(number: int) -> Change:
    def change(shop: Shop) -> None:
        client = shop.registry.client
        client.delete_run(client.get_model_version(PROJECT, str(number)).run_id)

    return change


def experiment_deleted(shop: Shop) -> None:
    client = shop.registry.client
    experiment = client.get_experiment_by_name(PROJECT)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)


def experiment_renamed(shop: Shop) -> None:
    client = shop.registry.client
    experiment = client.get_experiment_by_name(PROJECT)
    assert experiment is not None
    client.rename_experiment(experiment.experiment_id, "something else")


def alias_deleted(alias: str) -> Change:
    return lambda shop: shop.registry.client.delete_registered_model_alias(PROJECT, alias)


def alias_moved(alias: str, number: int) -> Change:
    return lambda shop: shop.registry.client.set_registered_model_alias(PROJECT, alias, str(number))


def times_set(number: int, text: str) -> Change:
    def change(shop: Shop) -> None:
        for tag in TIMES:
            shop.registry.client.set_model_version_tag(PROJECT, str(number), tag, text)

    return change


def tags_deleted(number: int) -> Change:
    def change(shop: Shop) -> None:
        client = shop.registry.client
        for tag in client.get_model_version(PROJECT, str(number)).tags:
            client.delete_model_version_tag(PROJECT, str(number), tag)

    return change


def files_removed(number: int) -> Change:
    def change(shop: Shop) -> None:
        run_id = shop.registry.client.get_model_version(PROJECT, str(number)).run_id
        folder = Path(shop.settings.mlflow.artifact_root) / PROJECT / str(run_id)
        folder.rename(folder.with_suffix(".aside"))

    return change


def model_deleted(shop: Shop) -> None:
    shop.registry.client.delete_registered_model(PROJECT)


def model_renamed(shop: Shop) -> None:
    shop.registry.client.rename_registered_model(PROJECT, "another name")


ROLES = {"twin": TWIN, "previous": DEPOSED, "champion": IN_PRODUCTION, "challenger": SUGGESTED}
CHANGES: dict[str, tuple[Change, str]] = {
    **{f"run of {role} deleted": (run_deleted(n), "") for role, n in ROLES.items()},
    "experiment deleted": (experiment_deleted, ""),
    "experiment renamed": (experiment_renamed, ""),
    "twin deleted": (version_deleted(TWIN), "version 1, the frozen twin, was deleted"),
    "previous deleted": (version_deleted(DEPOSED), "no way back to version 2: it was deleted"),
    "champion deleted": (
        version_deleted(IN_PRODUCTION),
        "3 is no longer in production: the version",
    ),
    "challenger deleted": (version_deleted(SUGGESTED), "version 4 was deleted"),
    "times of twin bent": (
        times_set(TWIN, NONSENSE),
        "version 1, the frozen twin, does not say which",
    ),
    "times of previous bent": (times_set(DEPOSED, NONSENSE), "version 2 does not say which rows"),
    "times of champion bent": (
        times_set(IN_PRODUCTION, NONSENSE),
        "version 3 in production does not say",
    ),
    "times of champion without zone": (
        times_set(IN_PRODUCTION, "2026-01-06T00:00:00"),
        "version 3 in production does not say which rows",
    ),
    "times of challenger bent": (
        times_set(SUGGESTED, NONSENSE),
        "version 4 does not say which rows",
    ),
    "tags of twin deleted": (tags_deleted(TWIN), "version 1, the frozen twin, does not say what"),
    "tags of previous deleted": (tags_deleted(DEPOSED), "version 2 does not say what it forecasts"),
    "tags of champion deleted": (
        tags_deleted(IN_PRODUCTION),
        "3 in production does not say what it",
    ),
    "tags of challenger deleted": (
        tags_deleted(SUGGESTED),
        "version 4 does not say what it forecasts",
    ),
    "files of twin removed": (files_removed(TWIN), "version 1 in the registry is not what was"),
    "files of previous removed": (
        files_removed(DEPOSED),
        "version 2 in the registry is not what was",
    ),
    "files of champion removed": (files_removed(IN_PRODUCTION), "version 3 in the registry is not"),
    "files of challenger removed": (
        files_removed(SUGGESTED),
        "version 4 in the registry is not what",
    ),
    "alias champion deleted": (
        alias_deleted(CHAMPION),
        "the alias champion was taken away in MLflow",
    ),
    "alias previous deleted": (alias_deleted(PREVIOUS), "there is no rollback to version 2"),
    "alias challenger deleted": (alias_deleted(CHALLENGER), ""),
    "alias champion moved": (alias_moved(CHAMPION, TWIN), "version 1 is in production in place of"),
    "alias champion moved to challenger": (
        alias_moved(CHAMPION, SUGGESTED),
        "version 4 is in production",
    ),
    "alias previous moved": (
        alias_moved(PREVIOUS, IN_PRODUCTION),
        "there is no rollback to version 2",
    ),
    "model deleted": (model_deleted, "3 is no longer in production: the version was deleted"),
    "model renamed": (model_renamed, "3 is no longer in production: the version was deleted"),
}
"""What is done, and what is said of it, "" where nothing depends on it."""
_shuffled = random.Random(11).sample([name for name in CHANGES if "model " not in name], k=26)
PAIRS = list(zip(_shuffled[::2], _shuffled[1::2], strict=True))
WARNING_KINDS = (EventKind.REGISTRY_CHANGED, EventKind.RETRAIN_ACCOUNTED, EventKind.MODEL_REFUSED)


@pytest.fixture
def shop(prepared: Path) -> Iterator[Shop]:
    """A copy of the prepared home, and the artifacts that all copies share."""
    folder = prepared.parent / f"case-{next(_cases)}"
    shutil.copytree(prepared, folder)
    opened = open_shop(Paths(folder), 2_545)
    yield opened
    opened.close()
    shutil.rmtree(folder)
    for aside in (prepared.parent / "artifacts" / PROJECT).glob("*.aside"):
        shutil.rmtree(aside.with_suffix(""), ignore_errors=True)
        aside.rename(aside.with_suffix(""))


_cases = itertools.count()


def go_on(shop: Shop, names: Sequence[str]) -> list[str]:
    """Run every workflow three times, and return what was warned of; at most the first may fail, clearly."""
    seen = max(event.id for event in shop.events())
    errors = shop.pass_minutes(25)
    assert not errors or "files of champion removed" in names
    assert not shop.run(TRAIN)
    for _ in range(2):
        assert not shop.pass_minutes(25)
    champion = shop.registry.champion(PROJECT)
    assert shop.registry.load_model(PROJECT, champion.version) is not None
    (newest,) = latest_forecasts(shop.resources.session, PROJECT, 1, champion.version)
    assert newest.is_production
    assert shop.market.now_at - newest.candle_date_time_utc < timedelta(minutes=2)
    return [
        event.summary
        for event in shop.events()
        if event.id > seen and event.kind in WARNING_KINDS and event.severity is not Severity.INFO
    ]


@pytest.mark.long
@pytest.mark.parametrize("name", list(CHANGES))
def test_whatever_is_changed_in_mlflow_every_workflow_goes_on_and_says_so_once(
    shop: Shop, name: str
) -> None:
    change, words = CHANGES[name]
    change(shop)
    warned = go_on(shop, [name])
    assert len(warned) == len(set(warned))
    assert [words in each for each in warned].count(True) == 1 if words else not warned
    if name.startswith("model "):
        assert shop.registry.champion(PROJECT).version > SUGGESTED


@pytest.mark.long
@pytest.mark.parametrize("names", PAIRS, ids=" and ".join)
def test_whatever_two_things_are_changed_in_mlflow_every_workflow_goes_on_and_says_so_once(
    shop: Shop, names: tuple[str, str]
) -> None:
    # Deletions last: what was deleted cannot be changed any more.
    for name in sorted(names, key=lambda each: each.endswith("deleted")):
        CHANGES[name][0](shop)
    warned = go_on(shop, names)
    assert len(warned) == len(set(warned))
