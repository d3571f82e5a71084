"""Start an Airflow component quickly.

`python -m appliance.supervisor.airflow_launcher [--preload MODULE,MODULE] -- COMPONENT ARGUMENTS`

Imports without the garbage collector in the way, and what is preloaded in the scheduler need not be
imported by each task that is forked from it. Preloading must only import: computing or connecting
in the parent breaks the forked tasks.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Sequence

_COMPONENT_MODULES = {
    "api-server": ("airflow.api_fastapi.app", "appliance.supervisor.airflow_api_server"),
    "scheduler": (
        "airflow.cli.commands.scheduler_command",
        "airflow.sdk.execution_time.supervisor",
        "airflow.sdk.execution_time.task_runner",
    ),
    "dag-processor": ("airflow.cli.commands.dag_processor_command",),
}
_ENTRIES = {"api-server": "appliance.supervisor.airflow_api_server"}


def main(arguments: Sequence[str]) -> None:
    """Import what the component needs, then hand over: to Airflow's own command line, as a rule."""
    preload, command = _split(arguments)
    gc.disable()
    for module in (*preload, "airflow.__main__", *_COMPONENT_MODULES.get(command[0], ())):
        importlib.import_module(module)
    _keep_pages_shared()
    gc.enable()
    sys.argv = ["airflow", *command]
    entry = _ENTRIES.get(command[0], "airflow.__main__")
    importlib.import_module(entry).main()


def _keep_pages_shared() -> None:
    """Keep what is imported, which lives as long as the process, out of collections.

    A collection writes into each object it visits and so copies the pages that forked workers
    share. LocalExecutor freezes before it forks and thaws after, which would undo this: 150 MB.
    """
    gc.collect()
    gc.freeze()
    gc.unfreeze = lambda: None


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    at = list(arguments).index("--")
    options, command = list(arguments[:at]), list(arguments[at + 1 :])
    preload = options[1].split(",") if options[:1] == ["--preload"] else []
    return [module for module in preload if module], command


if __name__ == "__main__":
    main(sys.argv[1:])
