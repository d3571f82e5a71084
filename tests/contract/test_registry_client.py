"""The registry through MLflow's server and in its file: same functions, same results."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.errors import ModelNotFound, ProductionMoved, RegistryError
from appliance.registry.production import ProductionMove
from appliance.registry.rest import RegistryRest
from tests.mlflow_process import appliance_up, running_mlflow

if TYPE_CHECKING:
    from appliance.registry.client import Registry

pytestmark = pytest.mark.long

_numbers = itertools.count()
WINDOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Paths, str]]:
    paths = Paths(tmp_path_factory.mktemp("server") / "home")
    paths.create()
    with running_mlflow(paths) as url:
        yield paths, url


@pytest.fixture
def server_home(
    served_home: tuple[Paths, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Paths, str]:
    monkeypatch.setenv("APPLIANCE_HOME", str(served_home[0].home))
    return served_home


@pytest.fixture
def served(server_home: tuple[Paths, str]) -> Registry:
    """The registry of the home that a server runs in, as its processes open it."""
    from appliance.registry.client import open_registry

    paths, url = server_home
    with appliance_up(paths):
        opened = open_registry(paths, Settings())
    assert opened._location.tracking_uri == url
    return opened


@pytest.fixture(params=["file", "server"])
def registry(request: pytest.FixtureRequest) -> Registry:
    from appliance.registry.client import open_registry

    if request.param == "file":
        return open_registry(request.getfixturevalue("file_home"), Settings())
    opened: Registry = request.getfixturevalue("served")
    return opened


@pytest.fixture(scope="module")
def file_home(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = Paths(tmp_path_factory.mktemp("file") / "home")
    paths.create()
    return paths


@pytest.fixture
def project() -> str:
    return f"project_{next(_numbers)}"


def frame(rows: int = 200) -> Any:
    import numpy as np
    import pandas as pd

    return pd.DataFrame(np.random.default_rng(1).normal(size=(rows, 3)), columns=["a", "b", "c"])


def fitted() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    features = frame()
    model = HistGradientBoostingRegressor(loss="quantile", quantile=0.5, max_iter=5)
    return model.fit(features, features["a"])


def train(registry: Registry, project: str, model: Any = None) -> str:
    from matplotlib.figure import Figure

    from appliance.registry.client import DatasetWindow

    figure = Figure()
    figure.subplots().plot([1, 2])
    return registry.log_training(
        project,
        run_name="first",
        params={"horizon": 6},
        metrics={"pinball": 0.25},
        tags={"config": "x"},
        model=model or fitted(),
        signature_example=frame(),
        figures={"calibration": figure},
        documents={"windows": {"rows": [1, 2]}},
        dataset=DatasetWindow("KRW-BTC", 1, *WINDOW, rows=200, sha256="ab" * 32),
    )


def registered(registry: Registry, project: str, count: int = 1) -> list[int]:
    return [registry.register(project, train(registry, project)).version for _ in range(count)]


def test_a_training_becomes_a_version_that_predicts_the_same(
    registry: Registry, project: str
) -> None:
    import numpy as np

    model = fitted()
    run_id = train(registry, project, model)
    version = registry.register(project, run_id, {"rows": "200"})
    assert (version.version, version.run_id) == (1, run_id)
    assert version.metrics == {"pinball": 0.25}
    assert version.tags == {"rows": "200"}
    loaded: Any = registry.load_model(project, 1)
    assert np.array_equal(loaded.predict(frame()), model.predict(frame()))
    assert registry.version(project, 1) == version


def test_a_run_keeps_window_figures_documents_and_signature(
    registry: Registry, project: str
) -> None:
    run_id = train(registry, project)
    registry.log_metrics(run_id, {"skill_ewma": 0.02})
    registry.log_documents(run_id, {"gate": {"verdict": "better"}})
    registry.log_page(run_id, "monitoring", "<p>first</p>")
    registry.log_page(run_id, "monitoring", "<p>잔여</p>")
    client = registry._client
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"pinball": 0.25, "skill_ewma": 0.02}
    assert run.data.params == {"horizon": "6"}
    assert run.inputs is not None
    dataset = run.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("KRW-BTC-1m", "ab" * 18)
    assert registry.document(run_id, "gate") == {"verdict": "better"}
    with pytest.raises(ModelNotFound, match="no document 'other'"):
        registry.document(run_id, "other")
    names = {item.path for folder in ("figures", "documents", "model", "pages")
             for item in client.list_artifacts(run_id, folder)}  # fmt: skip
    assert {"figures/calibration.png", "documents/windows.json", "documents/gate.json"} <= names
    assert client.list_artifacts(run_id, "pages")[0].path == "pages/monitoring.html"
    assert {"model/MLmodel", "model/model.skops", "model/input_example.json"} <= names
    assert not any(name.endswith(".pkl") for name in names)


def test_the_runs_of_killed_trainings_are_ended_and_no_others(
    registry: Registry, project: str
) -> None:
    finished = train(registry, project)
    client = registry._client
    experiment = client.get_experiment_by_name(project)
    assert experiment is not None
    killed, foreign = (
        client.create_run(experiment.experiment_id, tags=tags).info.run_id
        for tags in ({"appliance": "true"}, {})
    )
    assert registry.close_abandoned(project) == 1
    states = [client.get_run(run_id).info.status for run_id in (finished, killed, foreign)]
    assert states == ["FINISHED", "KILLED", "RUNNING"]
    assert registry.close_abandoned("another_" + project) == 0


def test_the_same_run_registers_one_version(registry: Registry, project: str) -> None:
    run_id = train(registry, project)
    assert registry.register(project, run_id).version == registry.register(project, run_id).version
    assert len(registry.versions(project)) == 1


def test_the_numbers_of_a_deleted_model_are_not_given_again(
    registry: Registry, project: str
) -> None:
    registered(registry, project, 2)
    registry.client.delete_registered_model(project)
    run_id = train(registry, project)
    assert registry.register(project, run_id, above=2).version == 3
    assert registry.register(project, run_id, above=3).version == 3
    assert [version.version for version in registry.versions(project)] == [3]


def test_the_metrics_of_a_version_outlive_its_run_in_mlflows_page(
    registry: Registry, project: str
) -> None:
    registered(registry, project)
    registry.client.delete_run(registry.version(project, 1).run_id)
    assert registry.version(project, 1).metrics["pinball"] == 0.25


def test_versions_come_newest_first_with_their_aliases(registry: Registry, project: str) -> None:
    assert registry.versions(project) == []
    one, two, three = registered(registry, project, 3)
    registry.promote(project, one)
    registry.set_challenger(project, three)
    assert [(v.version, v.aliases) for v in registry.versions(project)] == [
        (three, ("challenger",)),
        (two, ()),
        (one, ("champion",)),
    ]
    assert registry.challenger(project).version == three


def test_promotion_and_rollback(registry: Registry, project: str) -> None:
    one, two = registered(registry, project, 2)
    registry.promote(project, one)
    registry.set_challenger(project, two)
    assert registry.promote(project, two).champion.aliases == ("champion",)
    assert registry.roll_back(project, one, seen=two).champion.version == one
    assert registry.champion(project).version == one
    assert registry.version(project, two).aliases == ()
    assert registry.roll_back(project, one, seen=two).champion.version == one
    with pytest.raises(ProductionMoved):
        registry.promote(project, two, seen=two)
    assert registry.champion(project).version == one


@pytest.mark.parametrize(
    "call",
    [
        lambda r, p: r.champion(p),
        lambda r, p: r.challenger(p),
        lambda r, p: r.version(p, 7),
        lambda r, p: r.load_model(p, 7),
        lambda r, p: r.promote(p, 7),
        lambda r, p: r.set_challenger(p, 7),
        lambda r, p: r.roll_back(p, 7),
    ],
    ids=lambda call: call.__code__.co_names[0],
)
def test_what_is_not_there_is_not_found(
    registry: Registry, project: str, call: Callable[[Registry, str], object]
) -> None:
    with pytest.raises(ModelNotFound):
        call(registry, project)


def test_a_model_of_foreign_types_is_refused_and_its_run_marked(
    registry: Registry, project: str
) -> None:
    from tests.contract.foreign_estimator import ForeignEstimator

    with pytest.raises(RegistryError, match="ForeignEstimator") as raised:
        train(registry, project, ForeignEstimator())
    assert "trainer" in raised.value.hint
    experiment = registry._client.get_experiment_by_name(project)
    assert experiment is not None
    (run,) = registry._client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


def test_a_pickled_model_is_never_loaded(registry: Registry, project: str, tmp_path: Path) -> None:
    registered(registry, project)
    folder = Path(
        registry._client.get_model_version_download_uri(project, "1").removeprefix("file://")
    )
    marker = tmp_path / "executed"
    (folder / "model.skops").write_bytes(pickle.dumps(_Touch(marker)))
    described = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(
        described.replace("serialization_format: skops", "serialization_format: pickle")
    )
    with pytest.raises(RegistryError, match="skops"):
        registry.load_model(project, 1)
    assert not marker.exists()


class _Touch:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


def test_what_the_file_holds_the_server_serves_and_the_other_way_round(
    server_home: tuple[Paths, str], served: Registry, project: str
) -> None:
    from appliance.registry.client import open_registry

    paths, _ = server_home
    direct = open_registry(paths, Settings())
    registered(direct, project)
    registered(served, project)
    for reader in (direct, served):
        assert [version.version for version in reader.versions(project)] == [2, 1]
        for number in (1, 2):
            reader.load_model(project, number)


def test_the_rest_client_sees_and_moves_the_same(
    server_home: tuple[Paths, str], project: str
) -> None:
    from appliance.registry.client import open_registry

    paths, _ = server_home
    direct = open_registry(paths, Settings())
    rest = RegistryRest.of_home(paths)
    assert rest.versions(project) == []
    one, two = registered(direct, project, 2)
    assert rest.promote(project, one).champion == direct.champion(project)
    rest.set_challenger(project, two)
    rest.promote(project, two)
    assert rest.versions(project) == direct.versions(project)
    with pytest.raises(ProductionMoved):
        rest.roll_back(project, one, seen=one)
    assert rest.roll_back(project, one, seen=two).champion == direct.champion(project)
    assert rest.roll_back(project, one, seen=two).champion.version == one
    assert rest.summary(project).newest_version == two
    assert rest.aliases(project) == {"champion": one}
    run_id = rest.version(project, one).run_id
    assert rest.params(run_id) == direct.params(run_id) == {"horizon": "6"}
    assert rest.params("0" * 32) == {}
    size = rest.model_bytes(project, one)
    assert size is not None and 0 < size <= direct.model_bytes(project, one)
    with pytest.raises(ModelNotFound):
        rest.version(project, 9)
    with pytest.raises(ModelNotFound):
        rest.champion("nothing")
    rest.close()


OPERATOR = """
import sys
from appliance.config.paths import Paths
from appliance.errors import ApplianceError
from appliance.registry.production import ProductionMove
from appliance.registry.rest import RegistryRest

class Hesitant(RegistryRest):
    def _apply(self, project, moves):
        print("read", flush=True)
        sys.stdin.read()
        super()._apply(project, moves)

project, version, seen = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
try:
    Hesitant.of_home(Paths.from_environment()).promote(project, version, seen)
except ApplianceError as error:
    sys.exit(error.message)
"""


@contextmanager
def hesitant_operator(project: str, version: int, seen: int) -> Iterator[subprocess.Popen[str]]:
    """Promote in another process, which has read the aliases and moves them once its input ends."""
    command = [sys.executable, "-c", OPERATOR, project, str(version), str(seen)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "read\n"
            yield process
        finally:
            process.kill()


def test_no_other_decision_comes_between_reading_and_moving(served: Registry, project: str) -> None:
    """A workflow decides while an operator's process stands between the reading and the move."""
    one, two, three = registered(served, project, 3)
    served.promote(project, one)
    decided: list[BaseException | ProductionMove] = []

    def decide() -> None:
        try:
            decided.append(served.promote(project, three, seen=one))
        except ProductionMoved as error:
            decided.append(error)

    with hesitant_operator(project, two, seen=one) as operator:
        other = threading.Thread(target=decide)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "the workflow did not wait for its turn"
        assert served.champion(project).version == one
        operator.communicate()
        other.join(30)
    assert isinstance(decided[0], ProductionMoved)
    assert operator.returncode == 0
    assert {alias: v.version for v in served.versions(project) for alias in v.aliases} == {
        "champion": two,
        "previous": one,
    }


def test_a_decision_whose_process_is_killed_leaves_the_way_free(
    served: Registry, project: str
) -> None:
    one, two = registered(served, project, 2)
    served.promote(project, one)
    with hesitant_operator(project, two, seen=one) as operator:
        operator.kill()
        operator.wait()
    assert served.champion(project).version == one
    assert served.promote(project, two, seen=one).before == one


def test_the_summary_says_why_the_newest_version_is_held_until_it_is_decided_on(
    server_home: tuple[Paths, str], project: str
) -> None:
    from appliance.registry.client import open_registry

    paths, _ = server_home
    workflow, rest = open_registry(paths, Settings()), RegistryRest.of_home(paths)
    (one,) = registered(workflow, project)
    workflow.set_challenger(project, one, seen=0)
    workflow.set_tags(project, one, {"gate.state": "held", "gate.words": "skill +69.6 %"})
    assert rest.summary(project).held == "skill +69.6 %"
    rest.reject(project, one, seen=0)
    assert rest.version(project, one).tags["gate.state"] == "rejected"
    assert (rest.summary(project).held, rest.aliases(project)) == ("", {})
    rest.promote(project, one, seen=0)
    assert rest.version(project, one).tags["gate.state"] == "promoted"
    rest.close()


def test_warm_models_are_the_registered_ones_without_mlflow(
    server_home: tuple[Paths, str], served: Registry, project: str, tmp_path: Path
) -> None:
    import numpy as np

    from appliance.registry.warm_models import WarmModels

    paths, _ = server_home
    one, two = registered(served, project, 2)
    served.promote(project, one)
    models = WarmModels(RegistryRest.of_home(paths), tmp_path)
    assert models.refresh(project)
    assert models.champion(project) == served.champion(project)
    loaded: Any = models.load_model(project, one)
    expected: Any = served.load_model(project, one)
    assert np.array_equal(loaded.predict(frame()), expected.predict(frame()))
    assert not models.refresh(project)
    served.promote(project, two)
    assert models.refresh(project)
    assert models.champion(project).version == two
