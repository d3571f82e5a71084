"""Loading a saved model: what is wrong with it is said, never raised as found."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from appliance.errors import RegistryError
from appliance.registry import model_file


def save(folder: Path, module: str) -> None:
    """Save a model as if its class lived in another module."""
    whole = folder / "whole.skops"
    skops.io.dump(LinearRegression(), whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(folder / "model.skops", "w") as target:
        for name in source.namelist():
            text = source.read(name).replace(b"sklearn.linear_model._base", module.encode())
            target.writestr(name, text)
    (folder / "MLmodel").write_text("flavors: {sklearn: {serialization_format: skops}}")


def test_a_model_whose_class_is_gone_is_told(tmp_path: Path) -> None:
    save(tmp_path, "appliance.pipelines.gone.trainer.forecaster")
    with pytest.raises(RegistryError, match="cannot be read") as raised:
        model_file.load(tmp_path)
    assert "train a new version" in raised.value.hint


def test_a_class_of_another_package_is_not_trusted(tmp_path: Path) -> None:
    save(tmp_path, "elsewhere.trainer.forecaster")
    with pytest.raises(RegistryError, match="not trusted"):
        model_file.load(tmp_path)


def test_a_whole_model_is_loaded(tmp_path: Path) -> None:
    save(tmp_path, "sklearn.linear_model._base")
    assert isinstance(model_file.load(tmp_path), LinearRegression)
