"""How a project's models fare: drift, losses, comparisons, and what is decided about retraining."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.drift import DriftReport
from appliance.domain.event import Event
from appliance.domain.forecast import Performance
from appliance.domain.trial import LossEstimate, ParkedRetrain, Trial, TwinAccount


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Everything that monitoring knows of one project.

    `performances`, `estimates` and `trials` are the newest ones, oldest first; `decision` is the newest
    change of mind about retraining, `parked` a retrain that waits, `account` what retraining was worth.
    """

    project: str
    report: DriftReport | None = None
    performances: tuple[Performance, ...] = ()
    estimates: tuple[LossEstimate, ...] = ()
    trials: tuple[Trial, ...] = ()
    decision: Event | None = None
    parked: ParkedRetrain | None = None
    account: TwinAccount | None = None
