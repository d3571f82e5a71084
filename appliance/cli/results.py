"""What commands that change or start something print with `--json`.

`changed` says whether the command changed anything: asked again for what is so already, it is false.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.domain.model_version import ModelVersion
from appliance.domain.service import ServiceStatus
from appliance.domain.workflow import DagRun, RunState, WorkflowKind


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What went wrong, and what to do next; `exit_code` is that of the command."""

    code: str
    message: str
    hint: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What a command prints with `--json` instead of its result."""

    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class Started:
    """An appliance that was to run; `not_ready` names the services that did not become ready in time.

    `services` is empty where they were not waited for.
    """

    changed: bool
    home: Path
    is_ready: bool
    source: str
    services: tuple[ServiceStatus, ...] = ()
    not_ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """An appliance that was to stop; `leftovers` are services that a dead supervisor had left."""

    changed: bool
    home: Path
    is_stopped: bool
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HomeMade:
    """A home with its market source."""

    changed: bool
    home: Path
    source: str


@dataclass(frozen=True, slots=True)
class StoreReset:
    """A store that was deleted."""

    changed: bool
    file: Path


@dataclass(frozen=True, slots=True)
class ProjectSwitch:
    """A project that was to be enabled or disabled."""

    changed: bool
    project: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class ProjectMade:
    """The files of a new project, below `root`."""

    changed: bool
    project: str
    root: Path
    made: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project that is there; market, unit and horizon are null where its config is wrong (`problem`)."""

    project: str
    enabled: bool
    market: str | None
    unit: int | None
    horizon: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class ProductionChange:
    """A decision about a version, and the version as it is now."""

    changed: bool
    project: str
    version: int
    model: ModelVersion


@dataclass(frozen=True, slots=True)
class RegistryMove:
    """The registry's move to DuckDB or another schema: rows by table, and the old file that is kept."""

    changed: bool
    kept: str | None
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class RemovedFiles:
    """A deleted run or the files of a version; `size` is in bytes."""

    kind: str
    project: str
    name: str
    size: int
    uri: str


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What was removed, or would be (`is_dry_run`); `size` is in bytes, `failed` counts what stayed."""

    changed: bool
    is_dry_run: bool
    removed: tuple[RemovedFiles, ...]
    size: int
    failed: int


@dataclass(frozen=True, slots=True)
class AlertTest:
    """Where a test message went."""

    accepted_by: str


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One wrong value; `place` is file and line, or the variable."""

    key: str
    place: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ConfigCheck:
    """Whether the configuration is valid, and everything that is wrong with it."""

    is_valid: bool
    problems: tuple[ConfigProblem, ...]
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigPaths:
    """Where configuration, secrets, state and logs live."""

    shipped: Path
    this_home: Path
    secrets: Path
    state: Path
    logs: Path


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill is, in intervals; `rate` is candles a second."""

    market: str
    unit: int
    done: int
    wanted: int
    fetched: int
    rate: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class UnknownSpan:
    """Intervals [start_at, end_at) that are still not proven."""

    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """What a backfill did; `first_at` is where the exchange's history begins, null when that was not met.

    `is_extended` says that `end_at` is later than asked for, so that no gap is left.
    """

    changed: bool
    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    fetched: int
    inserted: int
    first_at: datetime | None
    is_extended: bool
    unknown: tuple[UnknownSpan, ...]


@dataclass(frozen=True, slots=True)
class BackfillLine:
    """One line: how far it is, or, as the last one, what it did."""

    progress: BackfillProgress | None = None
    result: BackfillResult | None = None


@dataclass(frozen=True, slots=True)
class GapReport:
    """Expected intervals [start_at, end_at) that are not proven: how many, since when that is known, why."""

    start_at: datetime
    end_at: datetime
    missing: int
    age_seconds: float
    found_at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """How complete a market's candles are: counts of intervals, their shares as fractions of `expected`."""

    market: str
    unit: int
    start_at: datetime
    end_at: datetime
    watermark_at: datetime
    expected: int
    candles: int
    no_trade: int
    repaired: int
    missing: int
    candles_share: float
    no_trade_share: float
    repaired_share: float
    missing_share: float
    audited_at: datetime | None
    gaps: tuple[GapReport, ...]


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of a workflow, through Airflow (`dag_run`) or in the command's own process (null).

    `requested_training` is why an in-process run asked for a training, which then ran too.
    """

    changed: bool
    project: str
    kind: WorkflowKind
    state: RunState
    dag_run: DagRun | None = None
    requested_training: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowParameter:
    """A parameter that a workflow takes."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class WorkflowParameters:
    """The parameters that a project's workflow takes (`run KIND --list-parameters`)."""

    project: str
    kind: WorkflowKind
    parameters: tuple[WorkflowParameter, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is recorded; `bytes_per_day` is None before ten minutes are."""

    folder: Path
    first_at: datetime
    last_at: datetime
    files: int
    bytes: int
    bytes_per_day: int | None
    damaged_bytes: int
