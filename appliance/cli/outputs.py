"""What each command prints with `--json`: the one table that `appliance schema` and its test read."""

from __future__ import annotations

import importlib
import types
from dataclasses import dataclass
from typing import Any

from appliance.cli.json_schema import DIALECT, json_schema

VERSION = 1
"""Raised when a field is renamed, removed or changes its meaning; new fields may come without."""

_RESULTS = "appliance.cli.results"


@dataclass(frozen=True, slots=True)
class Output:
    """The type of a command's JSON (`module:Class`): one, a list of them, or one a line."""

    kind: str
    is_list: bool = False
    are_lines: bool = False

    def type(self) -> Any:
        """Return the type; imports its module."""
        module, _, name = self.kind.partition(":")
        kind: Any = _PLAIN.get(self.kind)
        if kind is None:
            kind = getattr(importlib.import_module(module), name)
        return types.GenericAlias(list, (kind,)) if self.is_list else kind


_PLAIN: dict[str, Any] = {"row": dict[str, Any], "variables": dict[str, str | None]}

OUTPUTS: dict[str, Output] = {
    "up": Output(f"{_RESULTS}:Started"),
    "down": Output(f"{_RESULTS}:Stopped"),
    "status": Output("appliance.control.api:ApplianceStatus"),
    "restart": Output(f"{_RESULTS}:Started"),
    "run": Output(f"{_RESULTS}:WorkflowRun"),
    "run --list-parameters": Output(f"{_RESULTS}:WorkflowParameters"),
    "runs": Output("appliance.domain.workflow:DagRun", is_list=True),
    "models": Output("appliance.domain.model_version:ModelVersion", is_list=True),
    "models compare": Output("appliance.domain.model_comparison:ModelComparison"),
    "models reproduce": Output("appliance.domain.reproduction:Reproduction"),
    "models promote": Output(f"{_RESULTS}:ProductionChange"),
    "models rollback": Output(f"{_RESULTS}:ProductionChange"),
    "models reject": Output(f"{_RESULTS}:ProductionChange"),
    "models gc": Output(f"{_RESULTS}:Cleanup"),
    "models migrate": Output(f"{_RESULTS}:RegistryMove"),
    "drift": Output("appliance.domain.monitoring:Monitoring"),
    "candles": Output("appliance.domain.candle:Candle", is_list=True),
    "coverage": Output(f"{_RESULTS}:CoverageReport", is_list=True),
    "backfill": Output(f"{_RESULTS}:BackfillLine", are_lines=True),
    "audit": Output("store.audits:Audit", is_list=True),
    "events": Output("appliance.domain.event:Event", is_list=True),
    "sql": Output("row", is_list=True),
    "doctor": Output("appliance.cli.commands.doctor:Finding", is_list=True),
    "config show": Output("appliance.config.settings:Settings"),
    "config check": Output(f"{_RESULTS}:ConfigCheck"),
    "config path": Output(f"{_RESULTS}:ConfigPaths"),
    "env": Output("variables"),
    "new-project": Output(f"{_RESULTS}:ProjectMade"),
    "project list": Output(f"{_RESULTS}:ProjectRow", is_list=True),
    "project check": Output("appliance.project_kit.finding:Report"),
    "project enable": Output(f"{_RESULTS}:ProjectSwitch"),
    "project disable": Output(f"{_RESULTS}:ProjectSwitch"),
    "demo": Output(f"{_RESULTS}:Started"),
    "alerts": Output("appliance.domain.alert:Alert", is_list=True),
    "alerts test": Output(f"{_RESULTS}:AlertTest"),
    "record": Output(f"{_RESULTS}:Kept"),
    "record export": Output("appliance.control.recording.export:Exported"),
    "store backup": Output("store.backup:StoreFacts"),
    "store check": Output("store.backup:StoreFacts"),
    "reset": Output(f"{_RESULTS}:StoreReset"),
    "init": Output(f"{_RESULTS}:HomeMade"),
    "error": Output(f"{_RESULTS}:ErrorReport"),
}
"""Command to its output; `error` is what any of them prints instead when it fails."""


def command_schema(command: str, *, is_closed: bool = False) -> dict[str, object]:
    """Return the JSON Schema of what a command prints, or of one of its lines.

    Raises:
        KeyError: no such command, or it prints no JSON.
    """
    output = OUTPUTS[command]
    body = (
        _settings_schema()
        if command == "config show"
        else json_schema(output.type(), is_closed=is_closed)
    )
    return {
        "$schema": DIALECT,
        "$id": f"urn:appliance:{command.replace(' ', '-')}:{VERSION}",
        "title": f"appliance {command} --json",
        "version": VERSION,
        "prints": "one JSON value a line" if output.are_lines else "one JSON value",
        **body,
    }


def _settings_schema() -> dict[str, object]:
    """Return the schema of the effective configuration, which pydantic's models define."""
    from appliance.config.settings import Settings

    schema = Settings.model_json_schema(mode="serialization")
    schema.pop("title", None)
    secrets = {"type": "object", "additionalProperties": {"type": "boolean"}}
    schema["properties"]["secrets"] = secrets
    schema["required"] = [*schema["properties"]]
    return {**schema, "additionalProperties": False}
