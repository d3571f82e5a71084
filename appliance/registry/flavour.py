"""Saving models without pickle, as MLflow models in the skops format; loading is `model_file`'s."""

from __future__ import annotations

import importlib.metadata
import warnings
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
import skops.io
from mlflow.models import Model, infer_signature

from appliance.registry.model_file import trusted_types

MODEL_FOLDER = "model"
_EXAMPLE_ROWS = 5
_REQUIREMENTS = ("numpy", "pandas", "scikit-learn", "skops")


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
    trusted = trusted_types(skops.io.get_untrusted_types(data=skops.io.dumps(model)))
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


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS]
