"""What lies below the artifact root, however it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.registry.artifact_root import ArtifactRoot, local_path

S3 = ArtifactRoot("s3://bucket/models", Path("/home/x/mlflow/artifacts"))


def folder_root(folder: Path) -> ArtifactRoot:
    return ArtifactRoot((folder / "root").as_uri(), folder / "own")


@pytest.mark.parametrize("name", ["root/a", "root/a b/%/c", "root", "own/a", "root/../root/x"])
def test_a_folders_root_holds_what_is_below_it(tmp_path: Path, name: str) -> None:
    root = folder_root(tmp_path)
    assert root.holds((tmp_path / name).as_uri())
    assert root.holds_path(str(tmp_path / name))


@pytest.mark.parametrize(
    "name",
    ["", "rooty/a", "root/../other", "root/%2e%2e/other", "root/%2E./x/../../y", "root/a\0b"],
)
def test_a_folders_root_does_not_hold_its_neighbours(tmp_path: Path, name: str) -> None:
    root = folder_root(tmp_path)
    for uri in (f"file://{tmp_path}/{name}", f"{tmp_path}/{name}", f"file:{tmp_path}/{name}"):
        assert not root.holds(uri)


@pytest.mark.parametrize(
    "uri",
    [
        *("relative", "FILE:///root/a", "ftp://host/root", "s3://bucket/x", "http://h/api/2.0/x"),
        *("mlflow-artifacts://host/a", "mlflow-artifacts:/a/../../b", "runs:/1/model", "dbfs:/a"),
        *("mlflow-artifacts:/%252e%252e/b", "models:/m-1", "file://root"),
    ],
)
def test_other_places_are_outside(tmp_path: Path, uri: str) -> None:
    assert not folder_root(tmp_path).holds(uri)


def test_links_are_followed_before_they_are_judged(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "other")
    (tmp_path / "root" / "in").symlink_to(tmp_path / "root")
    root = folder_root(tmp_path)
    assert root.holds_path(str(tmp_path / "root" / "in" / "a"))
    assert not root.holds_path(str(tmp_path / "root" / "out"))
    assert not root.holds_path(str(tmp_path / "root" / "in" / "out" / "new"))


def test_a_root_that_is_a_link_holds_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert folder_root(tmp_path).holds((tmp_path / "root" / "a").as_uri())


def test_a_bucket_holds_its_prefix_and_what_the_server_resolves() -> None:
    for uri in ("s3://bucket/models/a/b", "s3://bucket/models", "mlflow-artifacts:/0/x"):
        assert S3.holds(uri)
    for uri in ("s3://bucket/modelsx", "s3://bucket", "s3://other/models/a", "gs://bucket/models"):
        assert not S3.holds(uri)
    assert S3.holds("file:///home/x/mlflow/artifacts/shop")
    assert not S3.holds("s3://bucket/models/../secret")
    assert not S3.holds("file:///etc")


@pytest.mark.parametrize("uri", ["file:///a%20b/%25", "file://host/a", "/a/%2e/b", "file:/a;b?c#d"])
def test_a_path_is_the_one_that_mlflow_reads(uri: str) -> None:
    from mlflow.utils.file_utils import local_file_uri_to_path

    assert local_path(uri) == local_file_uri_to_path(uri)
