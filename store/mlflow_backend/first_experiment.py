"""The experiment that MLflow makes without being asked, `Default`, and where its artifacts lie."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Engine

_SERVED = "mlflow-artifacts:/0"
_MOVE = text(
    "UPDATE experiments SET artifact_location = :served "
    "WHERE experiment_id = 0 AND artifact_location LIKE '%/mlruns/0'"
)


def give_first_experiment_a_root(engine: Engine) -> None:
    """Let new runs of `Default` keep their artifacts where the server keeps them.

    Whoever opens a database without a server makes it with a folder `mlruns` of its own working directory.
    """
    with engine.begin() as connection:
        connection.execute(_MOVE, {"served": _SERVED})
