"""The simulator's state over restarts: its clock, and the shifts that were asked of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as validated_dataclass

from appliance.config.paths import write_atomically
from appliance.config.reading import MissingFile, UnreadableFile, read_json
from appliance.config.state_file import set_aside
from appliance.errors import ConfigError
from appliance.simulator.options import SimulatorOptions
from appliance.simulator.shifts import Shift
from appliance.simulator.simulated_time import SimulatedTime

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@validated_dataclass(frozen=True, slots=True, config=_STRICT)
class _Document:
    key: str
    started_at: AwareDatetime
    real_at: AwareDatetime
    simulated_at: AwareDatetime
    speed: Annotated[float, Field(gt=0, le=600)]
    shifts: list[Shift]


@dataclass(frozen=True, slots=True)
class SavedState:
    """When the market began, its clock, and the shifts that were posted."""

    started_at: datetime
    time: SimulatedTime
    shifts: tuple[Shift, ...] = ()


def read_state(options: SimulatorOptions) -> SavedState | None:
    """Return the state of the same market's last run, None when there is none.

    A damaged file is set aside where simulated time is ours anyway.

    Raises:
        ConfigError: it is damaged, and without it simulated time would jump back behind what is stored.
    """
    path = options.state_file
    if path is None:
        return None
    try:
        saved = TypeAdapter(_Document).validate_python(read_json(path))
    except MissingFile:
        return None
    except (UnreadableFile, ValidationError) as error:
        _give_up_or_set_aside(path, options, _reason(error))
        return None
    if saved.key != _key(options):
        return None
    time = SimulatedTime(saved.real_at, saved.simulated_at, saved.speed)
    return SavedState(saved.started_at, time, tuple(saved.shifts))


def write_state(options: SimulatorOptions, state: SavedState) -> None:
    """Keep the state for the next run, when it is to be kept."""
    if options.state_file is None:
        return
    document = {
        "key": _key(options),
        "started_at": state.started_at.isoformat(),
        "real_at": state.time.real_at.isoformat(),
        "simulated_at": state.time.simulated_at.isoformat(),
        "speed": state.time.speed,
        "shifts": [asdict(shift) for shift in state.shifts],
    }
    write_atomically(options.state_file, json.dumps(document, indent=2) + "\n")


def _key(options: SimulatorOptions) -> str:
    """Return what must not have changed for a saved state to be continued."""
    start = options.start_at.isoformat() if options.start_at else ""
    replay = ",".join(f"{code}={path}" for code, path in sorted(options.replay.items()))
    return f"seed={options.seed};start={start};replay={replay}"


def _give_up_or_set_aside(path: Path, options: SimulatorOptions, reason: str) -> None:
    if options.start_at is None and not options.replay and options.speed == 1.0:
        set_aside(path, reason)
        return
    raise ConfigError(
        f"{path} is damaged: {reason}; the simulated time that this home has reached is not known",
        code="simulator.state",
        hint=f"put {path} back from a backup; or remove it and `appliance reset --store`, "
        "and the market begins anew",
    )


def _reason(error: UnreadableFile | ValidationError) -> str:
    if isinstance(error, UnreadableFile):
        return error.message
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
