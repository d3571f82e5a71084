"""Loading models without pickle, and without MLflow.

MLflow reads the list of types it trusts from the very file it is about to load; loading here
ignores that list and holds every type in the file against the rule below.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import skops.io
import yaml

from appliance.errors import RegistryError

DESCRIPTION, MODEL = "MLmodel", "model.skops"
FILES = (DESCRIPTION, MODEL)
"""The files of a model's folder that loading reads."""

_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    ImportError,
    TypeError,
    RecursionError,
    zipfile.BadZipFile,
    yaml.YAMLError,
)
_TRUSTED = re.compile(
    r"""
    sklearn\.(ensemble|tree|linear_model|preprocessing|pipeline|compose|impute|isotonic|dummy)\b.*
    | sklearn\._loss\..*
    | numpy\.(dtype|ndarray|random\.mtrand\.RandomState|(float|int|uint|bool)\w*)
    | appliance\.pipelines\.[a-z_][a-z0-9_]*\.trainer\..*
    """,
    re.VERBOSE,
)


def load(folder: Path) -> object:
    """Return the model that `flavour.save` wrote into a folder.

    Raises:
        RegistryError: it is damaged, in another format, or holds a type outside the rule.
    """
    return loads(read(folder), folder)


def read(folder: Path) -> dict[str, bytes]:
    """Return those files of a model's folder that loading reads, by name.

    Raises:
        RegistryError: they cannot be read.
    """
    try:
        return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}
    except OSError as error:
        raise _damaged(folder, error) from error


def loads(files: Mapping[str, bytes], folder: Path) -> object:
    """Return the model in the files that were read from a folder.

    Raises:
        RegistryError: it is damaged, in another format, or holds a type outside the rule.
    """
    try:
        described = yaml.safe_load(files[DESCRIPTION].decode("utf-8"))
        flavour = described.get("flavors", {}).get("sklearn", {})
        if flavour.get("serialization_format") != "skops" or MODEL not in files:
            raise RegistryError(
                f"the model in {folder} is not in the skops format",
                code="registry.format",
                hint="only models saved by this appliance are loaded; train a new version",
            )
        trusted = trusted_types(skops.io.get_untrusted_types(data=files[MODEL]))
        loaded: object = skops.io.loads(files[MODEL], trusted=trusted)
    except _DAMAGE as error:
        raise _damaged(folder, error) from error
    return loaded


def _damaged(folder: Path, error: Exception) -> RegistryError:
    return RegistryError(
        f"the model in {folder} cannot be read: {error or type(error).__name__}",
        code="registry.damaged",
        hint="train a new version: appliance run train",
    )


def trusted_types(types: list[str]) -> list[str]:
    """Return `types`, names as skops finds them in a model, when the rule allows every one.

    Raises:
        RegistryError: it does not; names the foreign ones.
    """
    foreign = [name for name in types if not _TRUSTED.fullmatch(name)]
    if foreign:
        raise RegistryError(
            f"the model holds types that are not trusted: {', '.join(foreign)}",
            code="registry.untrusted",
            hint="define estimators in appliance/pipelines/<project>/trainer/, from scikit-learn's parts",
        )
    return types
