"""Saving and loading models without pickle.

Models are written in the skops format through MLflow's scikit-learn flavour. MLflow reads the list
of types it trusts from the very file it is about to load; loading here ignores that list and
holds every type in the file against the rule below.
"""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
import skops.io
import yaml
from mlflow.models import Model, infer_signature

from appliance.errors import RegistryError

MODEL_FOLDER = "model"
_FILE = "model.skops"
_EXAMPLE_ROWS = 5
_REQUIREMENTS = ("numpy", "pandas", "scikit-learn", "skops")
_TRUSTED = re.compile(
    r"""
    sklearn\.(ensemble|tree|linear_model|preprocessing|pipeline|compose|impute|isotonic|dummy)\b.*
    | sklearn\._loss\..*
    | numpy\.(dtype|ndarray|random\.mtrand\.RandomState|(float|int|uint|bool)\w*)
    | appliance\.pipelines\.[a-z_][a-z0-9_]*\.trainer\..*
    """,
    re.VERBOSE,
)


def save(model: object, folder: Path, signature_example: pd.DataFrame, run_id: str) -> None:
    """Write a model with signature and input example to `folder` as an MLflow model.

    Args:
        model: a scikit-learn compatible estimator with `predict`.
        folder: must not exist yet.
        signature_example: feature rows as the model takes them; the first few become the input
            example.
        run_id: the MLflow run that trained it.

    Raises:
        RegistryError: the model holds a type outside the rule, or skops cannot write it.
    """
    example = signature_example.head(_EXAMPLE_ROWS)
    predictions = np.asarray(model.predict(example))  # type: ignore[attr-defined]
    trusted = _checked(skops.io.get_untrusted_types(data=skops.io.dumps(model)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own use of pandas
        mlflow.sklearn.save_model(
            model,
            folder,
            mlflow_model=Model(artifact_path=MODEL_FOLDER, run_id=run_id),
            serialization_format="skops",
            skops_trusted_types=trusted,
            signature=infer_signature(example, predictions),
            input_example=example,
            pip_requirements=_requirements(),
        )


def load(folder: Path) -> object:
    """Read a model that `save` wrote.

    Raises:
        RegistryError: it is in another format or holds a type outside the rule.
    """
    described = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    flavour = described.get("flavors", {}).get("sklearn", {})
    if flavour.get("serialization_format") != "skops" or not (folder / _FILE).exists():
        raise RegistryError(
            f"the model in {folder} is not in the skops format",
            code="registry.format",
            hint="only models saved by this appliance are loaded; train a new version",
        )
    trusted = _checked(skops.io.get_untrusted_types(file=folder / _FILE))
    loaded: object = skops.io.load(folder / _FILE, trusted=trusted)
    return loaded


def _checked(types: list[str]) -> list[str]:
    foreign = [name for name in types if not _TRUSTED.fullmatch(name)]
    if foreign:
        raise RegistryError(
            f"the model holds types that are not trusted: {', '.join(foreign)}",
            code="registry.untrusted",
            hint="define estimators in appliance/pipelines/<project>/trainer/, from scikit-learn's parts",
        )
    return types


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS]
