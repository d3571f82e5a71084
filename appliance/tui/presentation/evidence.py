"""What an explanation rests on, as a place on the screens where it can be seen; data only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.domain.workflow import WorkflowKind


@dataclass(frozen=True, slots=True)
class ServiceLogAt:
    """A service's log, at an instant where one is known."""

    service: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskLogOf:
    """The log of a run's failing task at its failing line; without a run the newest failed one."""

    project: str
    kind: WorkflowKind
    run_id: str = ""
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class RunsOf:
    """The runs of a workflow."""

    kind: WorkflowKind


@dataclass(frozen=True, slots=True)
class CoverageOf:
    """A market's coverage strip, with the gap at `gap_at` under the cursor where one is known."""

    market: str
    unit: int
    gap_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CandlesOf:
    """A market's candles around an instant, or its chart where none is known."""

    market: str
    unit: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VersionOf:
    """A version among all of a project, 0 for the newest."""

    version: int = 0


@dataclass(frozen=True, slots=True)
class ComparisonOf:
    """Two versions beside each other."""

    champion: int
    challenger: int


@dataclass(frozen=True, slots=True)
class ModelHealthOf:
    """Why the production model is as good or bad as it is."""


@dataclass(frozen=True, slots=True)
class FeatureOf:
    """One feature's drift; an empty name is the one that has drifted most."""

    feature: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """The words are all there is to see."""


Evidence = (
    ServiceLogAt
    | TaskLogOf
    | RunsOf
    | CoverageOf
    | CandlesOf
    | VersionOf
    | ComparisonOf
    | ModelHealthOf
    | FeatureOf
    | Nothing
)


def describe_evidence(evidence: Evidence) -> str:
    """Return in words where enter leads; empty where it leads nowhere."""
    match evidence:
        case ServiceLogAt(service, at):
            return f"the log of {service}" + (" at that time" if at else "")
        case TaskLogOf():
            return "the failing task's log at its failing line"
        case RunsOf(kind):
            return f"the runs of {kind.value}"
        case CoverageOf(market, unit, gap_at):
            what = "the gap on the coverage strip" if gap_at else "the coverage"
            return f"{what} of {market} {unit}m"
        case CandlesOf(market, unit, at):
            return f"the candles of {market} {unit}m" + (" around it" if at else "")
        case VersionOf(version):
            return f"version {version} among all" if version else "all versions"
        case ComparisonOf(champion, challenger):
            return f"v{challenger} beside v{champion}"
        case ModelHealthOf():
            return "why the model is as it is: loss, regimes, features, decisions"
        case FeatureOf(feature):
            return f"{feature or 'the features'}: both distributions and their statistics"
    return ""
