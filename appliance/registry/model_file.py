"""Loading models without pickle, and without MLflow.

MLflow reads the list of types it trusts from the very file it is about to load; loading here
ignores that list and holds every type in the file against the rule below.
"""

from __future__ import annotations

import re
import zipfile
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
    """Read a model that `flavour.save` wrote.

    Raises:
        RegistryError: it is damaged, in another format, or holds a type outside the rule.
    """
    try:
        described = yaml.safe_load((folder / DESCRIPTION).read_text(encoding="utf-8"))
        flavour = described.get("flavors", {}).get("sklearn", {})
        if flavour.get("serialization_format") != "skops" or not (folder / MODEL).exists():
            raise RegistryError(
                f"the model in {folder} is not in the skops format",
                code="registry.format",
                hint="only models saved by this appliance are loaded; train a new version",
            )
        trusted = trusted_types(skops.io.get_untrusted_types(file=folder / MODEL))
        loaded: object = skops.io.load(folder / MODEL, trusted=trusted)
    except _DAMAGE as error:
        raise RegistryError(
            f"the model in {folder} cannot be read: {error or type(error).__name__}",
            code="registry.damaged",
            hint="train a new version: appliance run train",
        ) from error
    return loaded


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
