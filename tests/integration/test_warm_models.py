"""Models kept ready: through a server that speaks MLflow's REST API, real model files, real copies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor

from appliance.config.paths import Paths
from appliance.errors import ModelNotFound, RegistryError, RegistryUnavailable
from appliance.registry.rest import RegistryRest
from appliance.registry.warm_models import WarmModels, recovered_models
from tests.listening import announce
from tests.stubs.http_server import Reply
from tests.stubs.mlflow import MlflowStub

PROJECT = "crypto_forecast"
FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 3)), columns=["a", "b", "c"])


def fitted(trees: int) -> Any:
    model = HistGradientBoostingRegressor(max_iter=trees)
    return model.fit(FRAME, FRAME["a"])


@pytest.fixture
def server() -> Iterator[MlflowStub]:
    with MlflowStub() as running:
        yield running


def warm(server: MlflowStub, folder: Path) -> WarmModels:
    return WarmModels(RegistryRest(server.url), folder)


def test_without_a_champion_there_is_none(server: MlflowStub, tmp_path: Path) -> None:
    models = warm(server, tmp_path)
    assert models.refresh(PROJECT)
    with pytest.raises(ModelNotFound):
        models.champion(PROJECT)


def test_a_champion_predicts_as_the_registered_model(server: MlflowStub, tmp_path: Path) -> None:
    model = fitted(5)
    server.add_model(PROJECT, model, tags={"market": "KRW-BTC"})
    models = warm(server, tmp_path)
    assert models.refresh(PROJECT)
    version = models.champion(PROJECT)
    assert (version.version, version.tags) == (1, {"market": "KRW-BTC"})
    loaded: Any = models.load_model(PROJECT, 1)
    assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))
    assert models.load_model(PROJECT, 1) is loaded
    with pytest.raises(ModelNotFound):
        models.load_model(PROJECT, 2)


def test_while_nothing_changes_a_refresh_is_one_request(server: MlflowStub, tmp_path: Path) -> None:
    server.add_model(PROJECT, fitted(2))
    models = warm(server, tmp_path)
    models.refresh(PROJECT)
    server.requests.clear()
    assert not models.refresh(PROJECT)
    assert len(server.requests) == 1


def test_a_moved_alias_is_followed_and_the_previous_model_is_not_fetched_again(
    server: MlflowStub, tmp_path: Path
) -> None:
    server.add_model(PROJECT, fitted(2))
    models = warm(server, tmp_path)
    models.refresh(PROJECT)
    first = models.load_model(PROJECT, 1)
    server.add_model(PROJECT, fitted(3))
    assert models.refresh(PROJECT)
    assert models.champion(PROJECT).version == 2
    assert models.load_model(PROJECT, 1) is first, "the deposed champion stays warm"
    server.promote(PROJECT, 1)
    server.requests.clear()
    models.refresh(PROJECT)
    assert models.champion(PROJECT).version == 1
    assert not [asked for asked in server.requests if "artifact" in asked.path]


def test_versions_without_an_alias_leave_no_copy(server: MlflowStub, tmp_path: Path) -> None:
    models = warm(server, tmp_path)
    for trees in (2, 3, 4):
        server.add_model(PROJECT, fitted(trees))
        models.refresh(PROJECT)
    copies = sorted(path.name[:2] for path in (tmp_path / PROJECT).iterdir() if path.is_dir())
    assert copies == ["2-", "3-"]


def test_with_the_registry_down_a_new_process_goes_on_with_the_copy(
    server: MlflowStub, tmp_path: Path
) -> None:
    model = fitted(5)
    server.add_model(PROJECT, model, tags={"unit": "1"})
    before = warm(server, tmp_path)
    before.refresh(PROJECT)
    server.failures = [Reply(503)] * 9
    after = warm(server, tmp_path)
    assert after.recover(PROJECT)
    with pytest.raises(RegistryUnavailable):
        after.refresh(PROJECT)
    assert after.champion(PROJECT) == before.champion(PROJECT)
    loaded: Any = after.load_model(PROJECT, 1)
    assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))


def test_a_new_registry_with_the_same_numbers_is_noticed(
    server: MlflowStub, tmp_path: Path
) -> None:
    server.add_model(PROJECT, fitted(2))
    models = warm(server, tmp_path)
    models.refresh(PROJECT)
    other = fitted(9)
    server.forget(PROJECT)
    server.add_model(PROJECT, other)
    assert models.refresh(PROJECT)
    loaded: Any = models.load_model(PROJECT, 1)
    assert np.array_equal(loaded.predict(FRAME), other.predict(FRAME))


def test_a_model_with_foreign_types_is_refused_and_the_old_champion_stays(
    server: MlflowStub, tmp_path: Path
) -> None:
    server.add_model(PROJECT, fitted(2))
    models = warm(server, tmp_path)
    models.refresh(PROJECT)
    server.add_model(PROJECT, Path("/foreign"))
    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            models.refresh(PROJECT)
        assert caught.value.code == "registry.untrusted"
    assert models.champion(PROJECT).version == 1


def test_a_damaged_copy_is_refused_and_replaced(server: MlflowStub, tmp_path: Path) -> None:
    server.add_model(PROJECT, fitted(2))
    warm(server, tmp_path).refresh(PROJECT)
    (copied,) = tmp_path.glob(f"{PROJECT}/1-*/model.skops")
    copied.write_bytes(copied.read_bytes()[:100])
    models = warm(server, tmp_path)
    with pytest.raises(RegistryError) as caught:
        models.recover(PROJECT)
    assert caught.value.code == "registry.damaged"
    assert models.refresh(PROJECT)
    assert copied.stat().st_size > 100
    assert models.champion(PROJECT).version == 1


def test_copies_are_found_without_asking_the_registry(server: MlflowStub, home: Paths) -> None:
    announce(home, "mlflow", server.port)
    with pytest.raises(RegistryUnavailable, match="no model of"):
        recovered_models(home, PROJECT)
    server.add_model(PROJECT, fitted(3))
    warm(server, home.model_copies).refresh(PROJECT)
    server.requests.clear()
    models = recovered_models(home, PROJECT)
    assert models.champion(PROJECT).version == 1
    assert server.requests == []


def test_damaged_notes_on_copies_say_so(server: MlflowStub, tmp_path: Path) -> None:
    server.add_model(PROJECT, fitted(2))
    warm(server, tmp_path).refresh(PROJECT)
    notes = tmp_path / PROJECT / "aliases.json"
    assert set(json.loads(notes.read_text())) == {"champion"}
    notes.write_text("{")
    with pytest.raises(RegistryError) as caught:
        warm(server, tmp_path).recover(PROJECT)
    assert caught.value.code == "registry.copy"


def test_skops_alone_would_have_loaded_the_foreign_type() -> None:
    stored = skops.io.dumps(Path("/foreign"))
    assert skops.io.get_untrusted_types(data=stored) != []
