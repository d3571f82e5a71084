"""A bounded cache that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Mapping with a bound on the summed weight of its values.

    Args:
        limit: largest sum of weights kept.
        weight: weight of a value; by default each counts 1.
    """

    def __init__(self, limit: int, weight: Callable[[V], int] = lambda _value: 1) -> None:
        self._limit = limit
        self._weight = weight
        self._total = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get_or(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made on the first request."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self._values[key] = value
        self._total += self._weight(value)
        while self._total > self._limit and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self._total -= self._weight(dropped)
        return value

    def peek(self, key: K) -> V | None:
        """Return the value of a key, None when it has to be made."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]
