"""What retention removes of MLflow's runs and models, and what it never touches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from appliance import clock
from appliance.cli.exit_code import ExitCode
from appliance.cli.main import run
from appliance.config.paths import Paths
from appliance.config.settings import load_settings
from appliance.domain.event import EventKind
from appliance.domain.model_version import FILES_REMOVED, ModelVersion
from appliance.domain.trial import Trial, TrialPurpose
from appliance.errors import RegistryError
from store.events import read_events
from store.open import open_store
from store.retrains import claim_twin
from store.trials import write_trial
from tests.mlflow_process import appliance_up, running_mlflow
from tests.store_process import running_service

if TYPE_CHECKING:
    from appliance.registry.client import Registry

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PROJECT = "crypto_forecast"
CONFIGURED = f"""
[mlflow]
models_days = 30
deleted_runs_days = 7
[projects.{PROJECT}]
"""


def version(number: int, days: float, *aliases: str, **tags: str) -> ModelVersion:
    made_at = NOW - timedelta(days=days)
    return ModelVersion("shop", number, f"r{number}", made_at, aliases, tags=tags)


def unused(versions: list[ModelVersion], in_use: set[int] | None = None) -> list[int]:
    from appliance.registry.retention import unused_versions

    before = NOW - timedelta(days=30)
    return [v.version for v in unused_versions(versions, in_use or set(), before)]


@pytest.mark.parametrize("alias", ["champion", "challenger", "previous", "shown_to_the_board"])
def test_a_named_version_keeps_its_files(alias: str) -> None:
    assert unused([version(1, 90, alias), version(2, 90), version(3, 1)]) == [2]


def test_young_newest_needed_and_empty_versions_stay() -> None:
    versions = [version(n, 90) for n in range(1, 6)]
    versions[0] = version(1, 90, **{FILES_REMOVED: "done"})
    versions[1] = version(2, 29)
    assert unused(versions, in_use={3}) == [4]
    assert unused([]) == []


@dataclass(frozen=True)
class Shop:
    """A home with seven versions and two deleted runs: all made now, looked at much later."""

    home: Paths
    registry: Registry
    runs: list[str]
    deleted: str
    deleted_of_version: str

    def files(self, run_id: str) -> list[str]:
        folder = self.home.mlflow_artifacts / PROJECT / run_id / "artifacts"
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def shop(home: Paths) -> Shop:
    from appliance.registry.client import open_registry

    (home.compose / "appliance.toml").write_text(CONFIGURED)
    registry = open_registry(home)
    client = registry.client
    experiment = registry._experiment_id(PROJECT)
    client.create_registered_model(PROJECT)
    runs = []
    for number in range(8):
        recorded = client.create_run(experiment)
        runs.append(recorded.info.run_id)
        write_files(Path(recorded.info.artifact_uri.removeprefix("file://")))
        if number < 7:
            source = f"{recorded.info.artifact_uri}/model"
            client.create_model_version(PROJECT, source, recorded.info.run_id)
    for run_id in (runs[7], runs[0]):
        client.delete_run(run_id)
    for champion in (1, 2):
        registry.promote(PROJECT, champion)
    registry.set_challenger(PROJECT, 3)
    with open_store(home) as session:
        write_trial(session, Trial(PROJECT, TrialPurpose.CHALLENGE, 2, 4, NOW, NOW))
        claim_twin(session, PROJECT, "digest", 5, NOW)
    return Shop(home, registry, runs, runs[7], runs[0])


def write_files(folder: Path) -> None:
    for name in ("model/MLmodel", "model/model.skops", "figures/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, days: float) -> Iterator[None]:
    """Let everything, MLflow's own clock included, be `days` later."""
    from mlflow.store.tracking import sqlalchemy_store

    real = clock.now
    stamp = int((real() + timedelta(days=days)).timestamp() * 1000)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: real() + timedelta(days=days))
        patch.setattr(sqlalchemy_store, "get_current_time_millis", lambda: stamp)
        yield


def collect(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str, int]]:
    capsys.readouterr()
    assert run(["models", "gc", "--json", *arguments], lambda _: 1) == ExitCode.DONE
    printed = json.loads(capsys.readouterr().out)
    return [(item["kind"], item["name"], item["size"]) for item in printed["removed"]]


@pytest.mark.parametrize(
    "is_up", [False, pytest.param(True, marks=pytest.mark.long)], ids=["down", "up"]
)
def test_old_models_and_deleted_runs_go_and_nothing_else(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_up: bool
) -> None:
    expected = [("run", shop.deleted, 15), ("model", "6", 10)]
    with (
        running_mlflow(shop.home) if is_up else nullcontext(),
        running_service(shop.home) if is_up else nullcontext(),
        appliance_up(shop.home) if is_up else nullcontext(),
        later(monkeypatch, 31),
    ):
        assert collect(capsys, "--dry-run") == expected
        assert shop.files(shop.deleted)
        assert collect(capsys) == expected
        assert collect(capsys) == []
    assert shop.files(shop.deleted) == []
    assert shop.files(shop.runs[5]) == ["figures/a.png"]
    kept = ["figures/a.png", "model/MLmodel", "model/model.skops"]
    assert [shop.files(r) for r in shop.runs if r not in {shop.deleted, shop.runs[5]}] == [kept] * 6
    with pytest.raises(RegistryError, match="not found"):
        shop.registry.log_metrics(shop.deleted, {"m": 1})
    with open_store(shop.home) as session:
        (event,) = read_events(session, kinds=[EventKind.FILES_REMOVED])
    assert event.details["removed"] == [f"run {PROJECT} {shop.deleted}", f"model {PROJECT} 6"]


def test_a_version_without_files_is_not_promoted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with later(monkeypatch, 31):
        collect(capsys)
    with pytest.raises(RegistryError, match="no files any more"):
        shop.registry.promote(PROJECT, 6)
    assert shop.registry.champion(PROJECT).version == 2


def test_a_version_promoted_meanwhile_keeps_its_files(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.registry.retention import Retention

    retention = Retention(shop.home, load_settings(shop.home), shop.registry)
    with later(monkeypatch, 31):
        (item,) = [i for i in retention.find({PROJECT: {4, 5}}, clock.now()) if i.kind == "model"]
    shop.registry.promote(PROJECT, 6)
    assert not retention.remove(item)
    assert shop.registry.champion(PROJECT).has_files
    assert "model/model.skops" in shop.files(shop.runs[5])


def test_files_that_cannot_be_removed_are_told_and_tried_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from appliance.registry.artifacts import Artifacts

    def refuse(self: Any) -> None:
        raise OSError("the disk is read-only")

    with later(monkeypatch, 31):
        with monkeypatch.context() as patch:
            patch.setattr(Artifacts, "remove", refuse)
            assert run(["models", "gc"], lambda _: 1) == ExitCode.FAILED
        assert "read-only" in capsys.readouterr().err
        with pytest.raises(RegistryError, match="no files any more"):
            shop.registry.promote(PROJECT, 6)
        assert [name for _, name, _ in collect(capsys)] == [shop.deleted, "6"]
        assert collect(capsys) == []


def test_nothing_goes_when_it_is_to_be_kept_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONFIGURED.replace("30", "0").replace("7", "0")
    (shop.home.compose / "appliance.toml").write_text(text)
    with later(monkeypatch, 1000):
        assert collect(capsys) == []


def test_defaults_remove_and_keep_for_a_while(home: Paths) -> None:
    settings = load_settings(home).mlflow
    assert (settings.models_days, settings.deleted_runs_days) == (30, 7)
    assert replace(version(1, 1)).has_files


def test_what_lies_outside_the_root_is_left_and_named(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    outside, client = tmp_path / "outside", shop.registry.client
    experiment = client.create_experiment("foreign", artifact_location=outside.as_uri())
    run_id = client.create_run(experiment).info.run_id
    write_files(outside / run_id / "artifacts")
    linked = Path(client.get_run(shop.deleted).info.artifact_uri.removeprefix("file://"))
    (linked / "away").symlink_to(outside)
    client.delete_run(run_id)
    with later(monkeypatch, 31):
        assert run(["models", "gc", "--json"], lambda _: 1) == ExitCode.DONE
    printed = capsys.readouterr()
    assert f"left: run {run_id} of foreign, outside the root" in printed.err
    assert [item["name"] for item in json.loads(printed.out)["removed"]] == [shop.deleted, "6"]
    assert shop.files(shop.deleted) == []
    assert len([p for p in outside.rglob("*") if p.is_file()]) == 3


def test_a_model_outside_the_root_is_not_loaded(shop: Shop, tmp_path: Path) -> None:
    client = shop.registry.client
    (tmp_path / "outside" / "model").mkdir(parents=True)
    client.create_model_version(PROJECT, (tmp_path / "outside" / "model").as_uri())
    with pytest.raises(RegistryError, match="outside the artifact root"):
        shop.registry.load_model(PROJECT, 8)
