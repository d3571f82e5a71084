"""MLflow's own client sends nothing to whoever merely listens where the home's MLflow did."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from appliance.config.listeners import record_listeners
from appliance.config.paths import Paths
from appliance.config.secret import generate_missing
from appliance.supervisor.door import Door
from tests.squatter import squatting


@pytest.fixture
def client_of(home: Paths, monkeypatch: pytest.MonkeyPatch) -> Any:
    from mlflow import MlflowClient

    generate_missing(home)
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "appliance")
    return lambda url: MlflowClient(url, url)


def test_who_took_the_port_over_is_sent_nothing(
    home: Paths, tmp_path: Path, client_of: Any
) -> None:
    from mlflow.exceptions import MlflowException

    with closing(Door("mlflow", 0)) as door:
        lost = door.listener
        record_listeners(home, [lost])
    with squatting(tmp_path / "kept", lost.port) as squatter:
        with pytest.raises(MlflowException, match="is not this home's mlflow"):
            client_of(lost.url).search_experiments()
        assert squatter.was_sent() == b""


def test_another_address_is_sent_nothing(home: Paths, tmp_path: Path, client_of: Any) -> None:
    from mlflow.exceptions import MlflowException

    with (
        closing(Door("mlflow", 0)) as door,
        squatting(tmp_path / "kept") as squatter,
    ):
        record_listeners(home, [door.listener])
        with pytest.raises(MlflowException, match="nothing was sent"):
            client_of(f"http://127.0.0.1:{squatter.port}").search_experiments()
        assert squatter.was_sent() == b""
