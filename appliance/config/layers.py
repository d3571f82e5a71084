"""The layers of the configuration: files and variables, merged key by key, each value with its place."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.config.forms import has_control_characters
from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.config.problem import Key, Problem
from appliance.config.reading import UnreadableFile, parse_toml, read_text
from appliance.config.toml_lines import line_of

ENVIRONMENT_PREFIX = "APPLIANCE__"


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one file or variable; a file has its `text`, and stands for the keys below `below`."""

    name: str
    values: dict[str, Any]
    text: str = ""
    below: Key = ()

    def place(self, key: Key) -> str:
        """Return where a key is set: the file with its line, or the variable."""
        line = line_of(self.text, key[len(self.below) :]) if self.text else None
        return self.name if line is None else f"{self.name}, line {line}"


@dataclass(slots=True)
class Layers:
    """All layers merged, later ones over earlier ones; `problems` is what could not be taken in."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _origins: dict[Key, Layer] = field(default_factory=dict)

    def place(self, key: Key) -> str:
        """Return where a key, or the nearest section around it, is set; "" when nowhere."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._origins:
                return self._origins[key[:length]].place(key)
        return ""

    def add(self, layer: Layer) -> None:
        """Lay a layer over what is there."""
        self._merge(self.values, layer.values, layer, ())

    def _merge(
        self, into: dict[str, Any], values: Mapping[str, Any], layer: Layer, above: Key
    ) -> None:
        for name, value in values.items():
            key = (*above, name)
            before = into.get(name)
            if name in into and isinstance(before, dict) != isinstance(value, Mapping):
                self._refuse_mixture(key, layer)
                continue
            self._origins[key] = layer
            if isinstance(value, Mapping):
                self._merge(into.setdefault(name, {}), value, layer, key)
            else:
                into[name] = value

    def _refuse_mixture(self, key: Key, layer: Layer) -> None:
        other, name = self.place(key), ".".join(key)
        self.problems.append(
            Problem(
                key,
                f"{name} is a section in one place and a value in another ({other})",
                f"keep one of the two: {name} as a section, or as a value",
                place=layer.place(key),
            )
        )


def read_layers(paths: Paths) -> Layers:
    """Return the shipped files, those of the home, and the variables, in this order."""
    layers = Layers()
    for folder in (SOURCE_ROOT / "compose", paths.compose):
        for path, below in _files(folder):
            try:
                layers.add(_file_layer(path, below))
            except UnreadableFile as error:
                layers.problems.append(Problem((), error.message, error.hint, error.code))
    for variable, value in sorted(os.environ.items()):
        if variable.startswith(ENVIRONMENT_PREFIX):
            try:
                layers.add(_variable_layer(variable, value))
            except UnreadableFile as error:
                layers.problems.append(Problem((), error.message, error.hint, error.code))
    return layers


def _files(folder: Path) -> Iterator[tuple[Path, Key]]:
    """Yield the files of a `compose/` folder, each with the key that its content stands below."""
    main = folder / "appliance.toml"
    if os.path.lexists(main):  # a link to nothing is an error, too
        yield main, ()
    for path in sorted((folder / "projects").glob("*.toml")):
        yield path, ("projects", path.stem)


def _file_layer(path: Path, below: Key) -> Layer:
    text = read_text(path)
    values = parse_toml(text, str(path))
    return Layer(str(path), _nested(below, values), text, below)


def _variable_layer(variable: str, value: str) -> Layer:
    key = tuple(variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
    if not all(key) or has_control_characters(variable):
        raise UnreadableFile(
            f"the variable {variable!r} names no key",
            hint="such as APPLIANCE__AIRFLOW__PORT for the key port of the section airflow",
        )
    if has_control_characters(value.replace("\t", "")):
        raise UnreadableFile(
            f"the value of {variable} is not plain text",
            hint=f"set {variable} anew, or unset it",
        )
    return Layer(variable, _nested(key, _variable_value(variable, value)))


def _variable_value(variable: str, value: str) -> Any:
    """Return a variable's value: TOML where it is TOML, text otherwise."""
    try:
        tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, ValueError):
        return value
    except RecursionError:
        pass
    return parse_toml(f"value = {value}", f"the value of {variable}")["value"]


def _nested(key: Key, value: Any) -> dict[str, Any]:
    for part in reversed(key):
        value = {part: value}
    layer: dict[str, Any] = value
    return layer
