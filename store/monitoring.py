"""What monitoring knows of a project, gathered from its tables."""

from __future__ import annotations

from appliance.domain.event import EventKind
from appliance.domain.monitoring import Monitoring
from store.drift import latest_report
from store.events import read_events
from store.performance import read_performances
from store.retrains import latest_account, parked_retrain, read_estimates
from store.session import Session
from store.trials import read_trials

_KEPT = 60
_TRIALS = 8


def read_monitoring(session: Session, project: str) -> Monitoring:
    """Return the newest report with what belongs to it; empty parts where nothing is known yet."""
    report = latest_report(session, project)
    estimates = (
        read_estimates(session, project, report.model_version, _KEPT) if report is not None else []
    )
    decisions = read_events(session, limit=1, kinds=[EventKind.RETRAIN_DECIDED], project=project)
    return Monitoring(
        project=project,
        report=report,
        performances=tuple(read_performances(session, project, _KEPT)),
        estimates=tuple(estimates),
        trials=tuple(reversed(read_trials(session, project, limit=_TRIALS))),
        decision=decisions[-1] if decisions else None,
        parked=parked_retrain(session, project),
        account=latest_account(session, project),
    )
