"""How the registry is reached, and what happens when MLflow is not there."""

from __future__ import annotations

import time

import pytest

from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.settings import MlflowSettings, S3Settings, Settings
from appliance.errors import ModelNotFound, RegistryError, RegistryUnavailable
from appliance.registry.location import artifact_root, locate_registry, s3_environment
from appliance.registry.rest import RegistryRest
from tests.listening import announce
from tests.mlflow_process import appliance_up, free_port
from tests.stubs.http_server import Reply
from tests.stubs.mlflow import MlflowStub


def test_with_the_appliance_down_the_file_is_used(home: Paths) -> None:
    with MlflowStub() as somebody_elses:
        announce(home, "mlflow", somebody_elses.port)
        location = locate_registry(home, Settings())
        assert somebody_elses.requests == []
    assert location.tracking_uri == f"duckdb:///{home.mlflow}/mlflow.duckdb"


def test_with_the_appliance_up_a_dead_server_is_unavailable_at_once(home: Paths) -> None:
    announce(home, "mlflow", free_port())
    started = time.monotonic()
    with appliance_up(home), pytest.raises(RegistryUnavailable) as raised:
        locate_registry(home, Settings())
    assert time.monotonic() - started < 2
    assert "appliance logs mlflow" in raised.value.hint


def test_artifacts_lie_at_the_home_or_where_configured(home: Paths) -> None:
    assert artifact_root(home, Settings()).uri == home.mlflow_artifacts.as_uri()
    on_s3 = Settings(mlflow=MlflowSettings(artifact_root="s3://bucket/models/"))
    assert artifact_root(home, on_s3).uri == "s3://bucket/models"
    folder = Settings(mlflow=MlflowSettings(artifact_root="/srv/models"))
    assert artifact_root(home, folder).uri == "file:///srv/models"


def test_s3_credentials_are_handed_on_only_for_s3(home: Paths) -> None:
    write_secret(home, Secret.S3_ACCESS_KEY_ID, "id")
    assert s3_environment(home, Settings()) == {}
    settings = Settings(
        mlflow=MlflowSettings(artifact_root="s3://bucket"),
        s3=S3Settings(endpoint_url="http://127.0.0.1:9000"),
    )
    assert s3_environment(home, settings) == {
        "AWS_ACCESS_KEY_ID": "id",
        "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9000",
        "NO_PROXY": "localhost,127.0.0.1,::1",
    }


def test_the_rest_client_tells_failures_apart() -> None:
    with MlflowStub() as mlflow:
        rest = RegistryRest(mlflow.url)
        mlflow.add_version("shop", pinball=0.5)
        mlflow.failures = [Reply(500, "<html>oops</html>")]
        with pytest.raises(RegistryUnavailable):
            rest.versions("shop")
        mlflow.failures = [Reply(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "bad"})]
        with pytest.raises(RegistryError, match="bad"):
            rest.versions("shop")
        with pytest.raises(ModelNotFound, match="no champion"):
            rest.champion("shop")
        (version,) = rest.versions("shop")
        assert version.metrics == {"pinball": 0.5}
        assert version.created_at.tzinfo is not None
        url = mlflow.url
    with pytest.raises(RegistryUnavailable):
        RegistryRest(url).champion("shop")
