"""MLflow's model registry gives the same answers on DuckDB as on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException

from tests.contract.mlflow_stores import Stores, empty_file, stores

__all__ = ["empty_file", "stores"]


@pytest.fixture
def store(stores: Stores) -> Any:
    return stores.registry


@pytest.fixture
def model(store: Any) -> str:
    """A model with two versions, tags on all of them and an alias."""
    store.create_registered_model("rain", [RegisteredModelTag("team", "a")], "about rain")
    for number in (1, 2):
        tags = [ModelVersionTag("number", str(number))]
        store.create_model_version("rain", f"file:///models/{number}", tags=tags)
    store.set_registered_model_alias("rain", "champion", "1")
    return "rain"


def test_versions_count_from_1(store: Any, model: str) -> None:
    assert store.create_model_version(model, "file:///models/3").version == 3
    assert [v.version for v in store.get_latest_versions(model)] == [3]


def test_names_are_unique(store: Any, model: str) -> None:
    with pytest.raises(MlflowException, match="already exists") as failure:
        store.create_registered_model(model)
    assert failure.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_renaming_takes_versions_tags_and_aliases_along(store: Any, model: str) -> None:
    store.rename_registered_model(model, "snow")
    renamed = store.get_registered_model("snow")
    assert (renamed.tags, renamed.aliases) == ({"team": "a"}, {"champion": 1})
    versions = store.search_model_versions("name = 'snow'", order_by=["version_number ASC"])
    assert [(v.version, v.tags) for v in versions] == [(1, {"number": "1"}), (2, {"number": "2"})]
    assert store.get_model_version_by_alias("snow", "champion").version == 1
    assert list(store.search_model_versions("name = 'rain'")) == []
    with pytest.raises(MlflowException, match="not found"):
        store.get_registered_model(model)


def test_a_renamed_model_goes_on_and_the_old_name_starts_afresh(store: Any, model: str) -> None:
    store.rename_registered_model(model, "snow")
    assert store.create_model_version("snow", "file:///models/3").version == 3
    store.create_registered_model(model)
    assert store.create_model_version(model, "file:///models/1").version == 1
    store.rename_registered_model("snow", "ice")
    assert store.get_registered_model("ice").aliases == {"champion": 1}


def test_renaming_to_a_taken_name_changes_nothing(store: Any, model: str) -> None:
    store.create_registered_model("snow")
    with pytest.raises(MlflowException, match="already exists"):
        store.rename_registered_model(model, "snow")
    assert store.get_registered_model(model).aliases == {"champion": 1}
    assert len(store.search_model_versions(f"name = '{model}'")) == 2


def test_deleting_a_model_deletes_all_of_it(store: Any, model: str) -> None:
    store.delete_registered_model(model)
    assert list(store.search_registered_models()) == []
    assert list(store.search_model_versions()) == []
    store.create_registered_model(model)
    fresh = store.get_registered_model(model)
    assert (fresh.tags, fresh.aliases) == ({}, {})
    assert store.create_model_version(model, "file:///models/1").tags == {}


def test_deleting_a_version_deletes_its_aliases(store: Any, model: str) -> None:
    store.delete_model_version(model, "1")
    assert store.get_registered_model(model).aliases == {}
    with pytest.raises(MlflowException, match="not found"):
        store.get_model_version(model, "1")
    assert store.create_model_version(model, "file:///models/3").version == 3


def test_an_alias_moves(store: Any, model: str) -> None:
    store.set_registered_model_alias(model, "champion", "2")
    assert store.get_model_version_by_alias(model, "champion").version == 2
    store.delete_registered_model_alias(model, "champion")
    with pytest.raises(MlflowException, match="not found"):
        store.get_model_version_by_alias(model, "champion")


def test_tags_are_set_overwritten_and_deleted(store: Any, model: str) -> None:
    store.set_registered_model_tag(model, RegisteredModelTag("team", "b"))
    store.set_model_version_tag(model, "1", ModelVersionTag("number", "one"))
    store.delete_model_version_tag(model, "2", "number")
    assert store.get_registered_model(model).tags == {"team": "b"}
    assert store.get_model_version(model, "1").tags == {"number": "one"}
    assert store.get_model_version(model, "2").tags == {}


def test_a_transition_archives_the_other_versions_when_asked(store: Any, model: str) -> None:
    store.transition_model_version_stage(model, "1", "Production", False)
    store.transition_model_version_stage(model, "2", "Production", True)
    stages = {v.version: v.current_stage for v in store.search_model_versions(f"name = '{model}'")}
    assert stages == {1: "Archived", 2: "Production"}


def test_search_filters_orders_and_pages(store: Any, model: str) -> None:
    for name in ("Rainbow", "snow"):
        store.create_registered_model(name)

    def names(text: str | None = None, **options: Any) -> list[str]:
        return [m.name for m in store.search_registered_models(text, **options)]

    assert names("name LIKE 'rain%'") == ["rain"]
    assert names("name ILIKE 'rain%'", order_by=["name DESC"]) == ["rain", "Rainbow"]
    assert names("tags.team = 'a'") == ["rain"]
    page = store.search_registered_models(max_results=2)
    rest = store.search_registered_models(max_results=2, page_token=page.token)
    assert [m.name for m in (*page, *rest)] == sorted(["rain", "Rainbow", "snow"])
    assert len(store.search_model_versions("tags.number = '2'")) == 1


def test_a_version_of_an_unknown_model_is_refused(store: Any) -> None:
    with pytest.raises(MlflowException, match="not found") as failure:
        store.create_model_version("nothing", "file:///models/1")
    assert failure.value.error_code == "RESOURCE_DOES_NOT_EXIST"
