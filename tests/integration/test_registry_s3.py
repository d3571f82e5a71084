"""Artifacts in S3: the server has the credentials, its clients need none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from appliance.config.paths import Paths
from appliance.config.secret import Secret, write_secret
from appliance.config.settings import MlflowSettings, S3Settings, Settings
from appliance.registry.rest import RegistryRest
from tests.contract.test_registry_client import fitted, frame, train
from tests.mlflow_process import appliance_up, running_mlflow

if TYPE_CHECKING:
    from appliance.registry.client import Registry

pytestmark = pytest.mark.long
REGION = "eu-west-1"
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "MLFLOW_S3_ENDPOINT_URL",
)


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3-compatible server with an empty bucket; yields its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    where = {"LocationConstraint": REGION}
    s3(url).create_bucket(Bucket="models", CreateBucketConfiguration=where)
    try:
        yield url
    finally:
        server.stop()


def s3(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name=REGION,
    )


def keys(url: str) -> list[str]:
    listed = s3(url).list_objects_v2(Bucket="models").get("Contents", [])
    return sorted(entry["Key"] for entry in listed)


def registry(home: Paths, settings: Settings) -> Registry:
    from appliance.registry.client import open_registry

    return open_registry(home, settings)


def test_models_live_in_s3_and_only_the_server_has_credentials(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:  # set first, so that what the registry sets is undone
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    write_secret(home, Secret.S3_ACCESS_KEY_ID, "key")
    write_secret(home, Secret.S3_SECRET_ACCESS_KEY, "secret")
    with s3_server() as url:
        settings = Settings(
            mlflow=MlflowSettings(artifact_root="s3://models/appliance"),
            s3=S3Settings(endpoint_url=url, region=REGION),
        )
        model = fitted()
        with running_mlflow(home, settings):
            with appliance_up(home):
                opened = registry(home, settings)
            version = opened.register("shop", train(opened, "shop", model))
            assert not any(name in os.environ for name in CREDENTIALS)
            loaded: Any = opened.load_model("shop", version.version)
            assert (loaded.predict(frame()) == model.predict(frame())).all()
            rest = RegistryRest.of_home(home)
            assert rest.model_file("shop", version.version, "model.skops")
        assert any(key.startswith("appliance/shop/") and key.endswith("skops") for key in keys(url))
        direct = registry(home, settings)
        again: Any = direct.load_model("shop", version.version)
        assert (again.predict(frame()) == model.predict(frame())).all()
        direct.register("shop", train(direct, "shop", model))
        assert len([key for key in keys(url) if key.endswith("skops")]) == 2
