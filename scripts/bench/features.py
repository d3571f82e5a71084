"""Features of a year of minutes, beside the library `ta` in an environment of its own.

    uv venv /tmp/peers && uv pip install --python /tmp/peers/bin/python ta pyarrow "pandas<3"
    .venv/bin/python scripts/bench/features.py --peer-python /tmp/peers/bin/python

Both get the same candles, of the simulator's market. `ta` computes 20 indicators that are made of pandas'
windows; those that loop over rows in Python (ATR, ADX, KAMA, PSAR) would take minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[2]))
from appliance.pipelines.crypto_forecast.configs.crypto_spec import CryptoSpec
from appliance.pipelines.crypto_forecast.preprocessor.feature_engineering import feature_names
from appliance.pipelines.crypto_forecast.preprocessor.transformation import compute_rows
from appliance.pipelines.crypto_forecast.utils.load_spec_from_config import load_spec_from_config
from appliance.pipelines.forecasting.preprocessor.labels import TIME
from appliance.simulator.listing import profile
from appliance.simulator.shifts import ShiftSchedule
from appliance.simulator.synthetic import SyntheticMarket
from scripts.bench.measured import load, measure, measure_peer

COLUMNS = ("open", "high", "low", "close", "volume")
FIRST_DAY = 20_089
ALL = {
    "half_lives": [5, 15, 60, 240],
    "lags": [1, 5, 60],
    "seasons": [[1_440, 7]],
    "season_span": 15,
    "cross_timeframes": [15, 60],
}
"""A config with every sort of feature."""
PEER = """
import pandas as pd
from ta import momentum, trend, volatility, volume
c = pd.read_parquet(sys.argv[1])
def work():
    found = {}
    for length in (15, 60, 240):
        found[f"ema_{length}"] = trend.EMAIndicator(c.close, length).ema_indicator()
        found[f"roc_{length}"] = momentum.ROCIndicator(c.close, length).roc()
        found[f"rsi_{length}"] = momentum.RSIIndicator(c.close, length).rsi()
        bands = volatility.BollingerBands(c.close, length)
        found[f"width_{length}"] = bands.bollinger_wband()
        channel = volatility.DonchianChannel(c.high, c.low, c.close, length)
        found[f"channel_{length}"] = channel.donchian_channel_wband()
        force = volume.ForceIndexIndicator(c.close, c.volume, length)
        found[f"force_{length}"] = force.force_index()
    found["macd"] = trend.MACD(c.close).macd()
    found["obv"] = volume.OnBalanceVolumeIndicator(c.close, c.volume).on_balance_volume()
    return pd.DataFrame(found)
measure(work)
"""


def main() -> None:
    """Print time and peak memory of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=525_600)
    parser.add_argument("--peer-python", default="", help="environment with ta; left out without")
    options = parser.parse_args()
    candles = minutes(options.rows)
    print(f"{len(candles):,} minutes; {load()}")
    for label, overrides in (("as shipped, by the minute", {}), ("every sort", {"features": ALL})):
        spec = load_spec_from_config("krw_btc_1m", overrides)
        assert isinstance(spec, CryptoSpec)
        cost = measure(partial(compute_rows, candles, [], 1, spec.features))
        print(f"{cost}  {len(feature_names(spec.features))} features, {label}")
    if options.peer_python:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            candles.to_parquet(file.name)
            print(f"{measure_peer(options.peer_python, PEER, file.name)}  20 features, ta")


def minutes(rows: int) -> pd.DataFrame:
    """Return candles of the simulator's KRW-BTC."""
    market = SyntheticMarket(profile("KRW-BTC"), 7, ShiftSchedule(()))
    parts = [market.day(FIRST_DAY + day) for day in range(rows // 1_440 + 1)]
    frame = pd.DataFrame(
        {name: np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS}
    )
    opens = np.concatenate([part.opens for part in parts])
    frame.insert(0, TIME, pd.to_datetime(opens * 60, unit="s", utc=True).as_unit("us"))
    return frame.head(rows)


if __name__ == "__main__":
    main()
