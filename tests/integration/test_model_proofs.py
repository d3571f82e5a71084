"""Model files are what was registered: real model files, the real store, MLflow itself or its REST API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor

from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.control.checks.model_refused import find_model_refused
from appliance.control.health import Surroundings
from appliance.domain.event import EventKind
from appliance.domain.model_proof import ModelProof, ModelRefusal
from appliance.errors import ModelRefused, RegistryUnavailable
from appliance.pipelines.stored_proofs import StoredProofs
from appliance.registry import model_file
from appliance.registry.proofs import Place, prove
from appliance.registry.rest import RegistryRest
from appliance.registry.warm_models import WarmModels
from store.events import read_events
from store.model_proofs import find_proof, read_refusals, record_proof
from store.open import open_store
from store.session import Session
from tests.builders import status
from tests.stubs.http_server import Reply
from tests.stubs.mlflow import MlflowStub

PROJECT = "crypto_forecast"
FRAME = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 3)), columns=["a", "b", "c"])
FRAME.loc[::7, "c"] = np.nan


def fitted(factor: float = 1.0) -> Any:
    model = HistGradientBoostingRegressor(max_iter=5)
    return model.fit(FRAME, factor * FRAME["a"])


@pytest.fixture
def session(home: Paths) -> Iterator[Session]:
    with open_store(home) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[MlflowStub]:
    with MlflowStub() as running:
        yield running


def proofs(session: Session) -> StoredProofs:
    return StoredProofs(lambda: nullcontext(session))


def warm(server: MlflowStub, session: Session, folder: Path) -> WarmModels:
    return WarmModels(RegistryRest(server.url), folder, proofs(session))


def register(server: MlflowStub, session: Session, scratch: Path, model: Any) -> int:
    """Train and promote a version as the appliance does: its proof is in the store first."""
    number = server.add_model(PROJECT, model)
    for name in model_file.FILES:
        (scratch / name).write_bytes(server.files[f"{PROJECT}/{number}/{name}"])
    run_id = server.versions[PROJECT][-1]["run_id"]
    record_proof(session, prove(PROJECT, run_id, scratch, model, FRAME))
    return number


def tamper(server: MlflowStub, number: int, model: Any) -> None:
    """Put another valid model into the place of a version's."""
    server.files[f"{PROJECT}/{number}/model.skops"] = skops.io.dumps(model)


def kinds(session: Session) -> list[EventKind]:
    return [event.kind for event in read_events(session)]


def test_a_valid_file_with_other_weights_is_refused_and_the_last_good_model_goes_on(
    server: MlflowStub, session: Session, tmp_path: Path
) -> None:
    register(server, session, tmp_path, fitted())
    models = warm(server, session, tmp_path / "copies")
    models.refresh(PROJECT)
    register(server, session, tmp_path, fitted())
    tamper(server, 2, fitted(factor=3.0))
    for _ in range(2):
        with pytest.raises(ModelRefused, match="digest"):
            models.refresh(PROJECT)
    assert models.champion(PROJECT).version == 1
    assert kinds(session).count(EventKind.MODEL_REFUSED) == 1, "said once"
    returned = models.return_previous(PROJECT, refused=2)
    assert returned is not None and returned.version == 1
    assert server.moved[PROJECT] == {"champion": "1"}, "nobody rolls back to what was refused"
    assert models.refresh(PROJECT)
    assert models.champion(PROJECT).version == 1


def test_a_copy_with_other_weights_is_replaced(
    server: MlflowStub, session: Session, tmp_path: Path
) -> None:
    model = fitted()
    register(server, session, tmp_path, model)
    warm(server, session, tmp_path / "copies").refresh(PROJECT)
    (copied,) = (tmp_path / "copies").glob(f"{PROJECT}/1-*/model.skops")
    copied.write_bytes(skops.io.dumps(fitted(factor=3.0)))
    models = warm(server, session, tmp_path / "copies")
    server.failures = [Reply(503)] * 2
    with pytest.raises(ModelRefused, match="local copy"):
        models.recover(PROJECT)
    with pytest.raises(RegistryUnavailable):
        models.refresh(PROJECT)
    server.failures = []
    assert models.refresh(PROJECT)
    loaded: Any = models.load_model(PROJECT, 1)
    assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))
    assert read_refusals(session, PROJECT, Place.COPY) == [], "what is mended is no problem"


def test_a_model_that_predicts_otherwise_than_at_its_registration_is_refused(
    server: MlflowStub, session: Session, tmp_path: Path
) -> None:
    register(server, session, tmp_path, fitted())
    models = warm(server, session, tmp_path / "copies")
    models.refresh(PROJECT)
    number = server.add_model(PROJECT, fitted(factor=3.0))
    for name in model_file.FILES:
        (tmp_path / name).write_bytes(server.files[f"{PROJECT}/{number}/{name}"])
    run_id = server.versions[PROJECT][-1]["run_id"]
    record_proof(session, prove(PROJECT, run_id, tmp_path, fitted(), FRAME))
    with pytest.raises(ModelRefused, match="predicts"):
        models.refresh(PROJECT)
    assert models.champion(PROJECT).version == 1


def test_a_version_of_before_is_used_said_to_be_unproven_and_held_to_its_files(
    server: MlflowStub, session: Session, tmp_path: Path
) -> None:
    server.add_model(PROJECT, fitted())
    models = warm(server, session, tmp_path / "copies")
    assert models.refresh(PROJECT)
    assert kinds(session) == [EventKind.MODEL_UNPROVEN]
    proof = find_proof(session, models.champion(PROJECT))
    assert proof is not None and proof.probe is None
    tamper(server, 1, fitted(factor=3.0))
    with pytest.raises(ModelRefused):
        warm(server, session, tmp_path / "others").refresh(PROJECT)


def test_without_a_way_back_a_refused_champion_stays_refused(
    server: MlflowStub, session: Session, tmp_path: Path
) -> None:
    register(server, session, tmp_path, fitted())
    tamper(server, 1, fitted(factor=3.0))
    models = warm(server, session, tmp_path / "copies")
    with pytest.raises(ModelRefused):
        models.refresh(PROJECT)
    assert models.return_previous(PROJECT, refused=1) is None
    (refusal,) = read_refusals(session, PROJECT, Place.REGISTRY)
    assert (refusal.version, "digest" in refusal.reason) == (1, True)


def test_what_was_recorded_first_stays(session: Session, tmp_path: Path) -> None:
    with MlflowStub() as server:
        server.add_model(PROJECT, fitted())
        version = RegistryRest(server.url).version(PROJECT, 1)
    record_proof(session, ModelProof(PROJECT, version.run_id, "first"))
    record_proof(session, ModelProof(PROJECT, version.run_id, "second"))
    kept = find_proof(session, version)
    assert kept is not None and kept.sha256 == "first"


def test_a_refused_version_is_a_problem_until_a_newer_one_is_in_production() -> None:
    known = status()
    project = known.projects[0]
    champion = project.champion
    assert champion is not None

    def found(version: int) -> list[str]:
        refusal = ModelRefusal(project.name, version, "other digest", known.at)
        one = replace(known, projects=(replace(project, refusals=(refusal,)),))
        return [finding.message for finding in find_model_refused(one, Surroundings(free_bytes=1))]

    (message,) = found(champion.version + 1)
    assert f"version {champion.version} is in production" in message
    assert found(champion.version)
    assert not found(1)


@pytest.mark.long
def test_mlflow_s_files_are_held_against_the_training_and_the_copy_goes_on(
    home: Paths, session: Session, tmp_path: Path
) -> None:
    from appliance.registry.client import open_registry

    registry = open_registry(home, Settings(), proofs(session))
    model = fitted()
    run_id = registry.log_training(
        PROJECT,
        run_name="first",
        params={},
        metrics={},
        tags={},
        model=model,
        signature_example=FRAME,
        figures={},
        documents={},
    )
    version = registry.register(PROJECT, run_id)
    assert registry.load_model(PROJECT, 1) is not None
    (stored,) = home.mlflow_artifacts.rglob("model.skops")
    copy = home.model_copies / PROJECT / f"1-{version.run_id}"
    copy.parent.mkdir(parents=True)
    shutil.copytree(stored.parent, copy)
    stored.write_bytes(skops.io.dumps(fitted(factor=3.0)))
    loaded: Any = registry.load_model(PROJECT, 1)
    assert np.array_equal(loaded.predict(FRAME), model.predict(FRAME))
    assert kinds(session) == [EventKind.MODEL_REFUSED]
    shutil.rmtree(copy)
    with pytest.raises(ModelRefused, match="in MLflow is not what was registered"):
        registry.load_model(PROJECT, 1)
