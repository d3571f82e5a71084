"""Trains a registered version of any project again, in this process."""

from __future__ import annotations

from typing import cast

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.domain.origin import Origin, Through
from appliance.domain.reproduction import Reproduction
from appliance.domain.workflow import WorkflowKind
from appliance.errors import ConfigError
from appliance.pipelines.context import Resources, StageContext
from appliance.pipelines.spec import describe_project, project_module


def reproduce(paths: Paths, settings: Settings, project: str, version: int) -> Reproduction:
    """Do a version's training again on the rows it was trained on, and compare; nothing is registered.

    Raises:
        ConfigError: no such project, or it cannot reproduce.
        ApplianceError: the version or its rows are not there.
    """
    resources = Resources.of_home(paths, settings)
    context = StageContext(
        project=project,
        kind=WorkflowKind.TRAIN,
        spec=describe_project(settings, project),
        settings=settings,
        paths=paths,
        params={},
        origin=Origin("reproduce", Through.COMMAND),
        run_id=f"reproduce__{clock.now().isoformat(timespec='seconds')}",
        upstream={},
        resources=resources,
    )
    reproduce_model = getattr(project_module(project, "core.train"), "reproduce_model", None)
    if reproduce_model is None:
        raise ConfigError(
            f"project {project} has no reproduce_model in core/train.py",
            code="config.not_reproducible",
            hint="see crypto_forecast/core/train.py",
            project=project,
        )
    try:
        return cast("Reproduction", reproduce_model(context, version))
    finally:
        resources.close()
