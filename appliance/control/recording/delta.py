"""What changed between two states of one JSON value, as JSON.

A change is None for nothing, or an object with one of these keys:

    "="  the whole new value
    "o"  changes of an object's members by name; "x" beside it lists members that are gone
    "l"  a list's steps: [first, end] copies a range of the old list, {"+": [...]} adds values,
         {"~": [index, change]} takes one old item with a change
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Change = Mapping[str, Any]


def difference(old: Any, new: Any) -> Change | None:
    """Return what makes `new` of `old`, None when they are equal."""
    if _is_same(old, new):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        return _of_objects(old, new)
    if isinstance(old, list) and isinstance(new, list) and old:
        return {"l": _of_lists(old, new)}
    return {"=": new}


def changed(old: Any, change: Change) -> Any:
    """Return `old` with a change made; `old` stays as it is.

    Raises:
        ValueError: the change is none of the known ones, or does not fit `old`.
    """
    try:
        if "=" in change:
            return change["="]
        if "o" in change:
            gone = set(change.get("x", ()))
            kept = {name: value for name, value in old.items() if name not in gone}
            return kept | {name: changed(old.get(name), sub) for name, sub in change["o"].items()}
        return _made(old, change["l"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"a change that does not fit: {error!r}") from error


def _of_objects(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    changes: dict[str, Any] = {}
    for name, value in new.items():
        if name not in old:
            changes[name] = {"=": value}
        elif (change := difference(old[name], value)) is not None:
            changes[name] = change
    gone = [name for name in old if name not in new]
    return {"o": changes, "x": gone} if gone else {"o": changes}


def _of_lists(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """Return the steps; rows that have moved are found by their text, as windows slide."""
    places: dict[str, int] | None = None
    steps: list[Any] = []
    for index, item in enumerate(new):
        if index < len(old) and _is_same(old[index], item):
            _copy(steps, index)
            continue
        if places is None:
            places = {_text(value): place for place, value in enumerate(old)}
        place = places.get(_text(item))
        if place is not None:
            _copy(steps, place)
        elif len(old) == len(new) and isinstance(item, dict | list):
            steps.append({"~": [index, difference(old[index], item) or {"=": item}]})
        elif steps and isinstance(steps[-1], dict) and "+" in steps[-1]:
            steps[-1]["+"].append(item)
        else:
            steps.append({"+": [item]})
    return steps


def _copy(steps: list[Any], place: int) -> None:
    if steps and isinstance(steps[-1], list) and steps[-1][1] == place:
        steps[-1][1] = place + 1
    else:
        steps.append([place, place + 1])


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values are the same JSON: to Python `[False]` equals `[0]`."""
    return old == new and _text(old) == _text(new)


def _text(value: Any) -> str:
    """Return a text that no other value has."""
    return f'"{value}' if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _made(old: Sequence[Any], steps: Sequence[Any]) -> list[Any]:
    made: list[Any] = []
    for step in steps:
        if isinstance(step, list):
            made += old[step[0] : step[1]]
        elif "+" in step:
            made += step["+"]
        else:
            index, change = step["~"]
            made.append(changed(old[index], change))
    return made
