"""How often the promotion gate errs, as shipped: repeated looks, no-harm rule, end of the trial.

Simulated pairs of models (see tests/fakes/model_pairs.py) are followed row by row for up to
`--rows` candles; the gate looks at all rows so far after every `--look` new ones, as the monitoring
workflow does. Counted: promotions of equal models, promotions of a model that is truly better, and
the candles these took: rows filled in and live ones together.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fakes.model_pairs import BETTER, EQUAL, follow_trial, simulate_pair


@dataclass(frozen=True)
class Case:
    """Pairs of one kind."""

    name: str
    challenger_error: float


def main() -> None:
    """Print one line per kind of pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--first", type=int, default=336, help="rows of the first look")
    parser.add_argument("--look", type=int, default=24, help="new rows between looks")
    parser.add_argument("--live", type=int, default=72, help="live rows that have to confirm it")
    parser.add_argument("--horizon", type=int, default=6)
    parser.add_argument("--alpha", type=float, default=0.05)
    options = parser.parse_args()
    print(
        f"{options.pairs} pairs each, horizon {options.horizon}, alpha {options.alpha}; first look at"
        f" {options.first} rows that were filled in, then every {options.look} up to {options.rows};"
        f" {options.live} live ones needed"
    )
    for case in (Case("equal models", EQUAL), Case("truly better", BETTER)):
        _report(case, options)


def _report(case: Case, options: argparse.Namespace) -> None:
    ends = []
    improvements = []
    for seed in range(options.pairs):
        pair = simulate_pair(
            np.random.default_rng(seed), options.rows, options.horizon, EQUAL, case.challenger_error
        )
        improvements.append(1.0 - pair.challenger.mean() / pair.champion.mean())
        ends.append(
            follow_trial(
                pair, options.horizon, options.alpha, options.first, options.look, options.live
            )
        )
    took = [rows for word, rows in ends if word == "promoted"]
    worse = sum(word == "worse" for word, _ in ends)
    quarters = np.percentile(took, [25, 50, 75]).astype(int).tolist() if took else "-"
    print(
        f"{case.name}: loss {100 * np.mean(improvements):+.2f} % lower on average;"
        f" promoted {len(took)} of {len(ends)} ({100 * len(took) / len(ends):.1f} %),"
        f" called worse {worse}; candles until promotion (quartiles): {quarters}"
    )


if __name__ == "__main__":
    main()
