"""Reference profiles: what a feature looked like when the model was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.drift.wandering import Shape, Wandering

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """One feature's reference.

    `shape` is its distribution, bins fixed; `wandering` how far windows of the reference themselves lie
    from it; `missing_max` the largest fraction of rows without a value in such a window.
    """

    count: int
    mean: float
    shape: Shape
    wandering: Wandering
    missing_max: float = 0.0


@dataclass(frozen=True, slots=True)
class ReferenceProfile:
    """All features of one model's training window; `window_rows` is the length of a drift window."""

    window_rows: int
    features: dict[str, FeatureProfile]

    def to_json(self) -> dict[str, object]:
        """Return a JSON-compatible form."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ReferenceProfile:
        """Read what `to_json` returned, before or after a trip through JSON.

        Features that an older appliance described otherwise are left out.
        """
        features = {
            str(name): _feature_from_json(entry)
            for name, entry in stored["features"].items()
            if "wandering" in entry
        }
        return cls(int(stored["window_rows"]), features)


SHORTEST_PART = 16
"""A drift window is at most this part of the reference: fewer windows say little about wandering."""


def build_profile(names: Sequence[str], values: Matrix, window_rows: int) -> ReferenceProfile:
    """Return the profile of `values`, shape (rows, features), one row a candle in time order.

    Candles without a value hold NaN. Features without a finite value are left out. The profile's drift
    windows have `window_rows` rows, fewer where the reference is short.
    """
    window_rows = max(min(window_rows, len(values) // SHORTEST_PART), 1)
    features: dict[str, FeatureProfile] = {}
    for column, name in enumerate(names):
        is_known = np.isfinite(values[:, column])
        finite = np.ascontiguousarray(values[is_known, column])
        if finite.size:
            features[name] = FeatureProfile(
                count=int(finite.size),
                mean=float(np.mean(finite)),
                shape=Shape.of(np.sort(finite)),
                wandering=Wandering.of(finite, window_rows),
                missing_max=_missing_max(is_known, window_rows),
            )
    return ReferenceProfile(window_rows, features)


def _feature_from_json(entry: Mapping[str, Any]) -> FeatureProfile:
    return FeatureProfile(
        count=int(entry["count"]),
        mean=float(entry["mean"]),
        shape=Shape(**_tupled(entry["shape"])),
        wandering=Wandering(**_tupled(entry["wandering"])),
        missing_max=float(entry["missing_max"]),
    )


def _tupled(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}


def _missing_max(is_known: NDArray[np.bool_], window_rows: int) -> float:
    length = min(window_rows, is_known.size)
    known = np.cumsum(np.concatenate(([0], is_known)))
    return float(1.0 - (known[length:] - known[:-length]).min() / length)
