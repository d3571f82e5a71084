"""A drift report of 50 features x 100,000 rows, beside SciPy feature by feature, and Evidently.

    uv venv /tmp/peers && uv pip install --python /tmp/peers/bin/python evidently pyarrow "pandas<3"
    .venv/bin/python scripts/bench/drift.py --peer-python /tmp/peers/bin/python

All get the same reference (20,000 rows) and the same current rows. Evidently runs its data drift preset with
the population stability index, one statistic where the report has three.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.drift.profile import build_profile
from appliance.drift.report import DriftThresholds, score_features
from scripts.bench.measured import Cost, load, measure, measure_peer

FEATURES, ROWS, REFERENCE = 50, 100_000, 20_000
PEER = """
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = (pd.read_parquet(path) for path in sys.argv[1:])
report = Report([DataDriftPreset(num_method="psi")])
measure(lambda: report.run(current, reference).dict())
"""


def main() -> None:
    """Print time and peak memory of each, and how much more work the others do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default="", help="environment with evidently")
    options = parser.parse_args()
    random = np.random.default_rng(7)
    names = [f"feature_{number}" for number in range(FEATURES)]
    reference = random.normal(size=(REFERENCE, FEATURES))
    current = {name: random.normal(0.1, 1.0, ROWS) for name in names}
    profile = build_profile(names, reference, window_rows=720)
    print(f"{FEATURES} features x {ROWS:,} rows; {load()}")
    own = measure(partial(score_features, profile, current, DriftThresholds()))
    print(f"{own}  report, budget 0.5 s")

    def with_scipy() -> None:
        for column, name in enumerate(names):
            stats.ks_2samp(reference[:, column], current[name], method="asymp")
            stats.wasserstein_distance(reference[:, column], current[name])

    _print_peer("SciPy, two statistics", measure(with_scipy), own)
    if options.peer_python:
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder) / f"{name}.parquet") for name in ("reference", "current")]
            pd.DataFrame(reference, columns=names).to_parquet(paths[0])
            pd.DataFrame(current).to_parquet(paths[1])
            peer = measure_peer(options.peer_python, PEER, *paths)
        _print_peer("Evidently, PSI only", peer, own)


def _print_peer(name: str, cost: Cost, own: Cost) -> None:
    print(f"{cost}  {name}: {cost.cpu / own.cpu:.1f} x the work")


if __name__ == "__main__":
    main()
