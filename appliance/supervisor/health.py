"""From single probes to a service's observed state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from appliance.domain.service import ServiceState
from appliance.supervisor.spec import Probe, ProbeTiming


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes of one process have shown so far; instants are monotonic seconds.

    `ready_since` is None until the first success, `failing_since` None while the last look
    succeeded; `failures` counts failed looks in a row.
    """

    started: float
    state: ServiceState = ServiceState.STARTING
    evidence: str = "starting"
    ready_since: float | None = None
    failing_since: float | None = None
    failures: int = 0

    def ready_for(self, now: float) -> float:
        """Seconds from when it became ready until now, or until looks began to fail; 0 when never."""
        if self.ready_since is None:
            return 0.0
        until = now if self.failing_since is None else self.failing_since
        return max(until - self.ready_since, 0.0)

    def observe(self, probe: Probe, now: float, timing: ProbeTiming) -> Health:
        """Take one look into account."""
        if probe.is_ready:
            is_new = self.ready_since is None or self.state is ServiceState.UNHEALTHY
            return replace(
                self,
                state=ServiceState.READY,
                evidence=probe.evidence,
                ready_since=now if is_new else self.ready_since,
                failing_since=None,
                failures=0,
            )
        failing = replace(
            self,
            evidence=probe.evidence,
            failures=self.failures + 1,
            failing_since=now if self.failing_since is None else self.failing_since,
        )
        is_proven = probe.is_certain or failing.failures >= timing.failures
        if self.ready_since is not None and is_proven:
            return replace(failing, state=ServiceState.UNHEALTHY)
        if self.ready_since is not None and self.state is ServiceState.READY:
            return replace(failing, evidence=self.evidence)
        return failing

    def excuse(self, reason: str, now: float) -> Health:
        """Take into account that nobody could look, or that a dependency is down.

        What was ready is unknown now; the limits count anew from here.
        """
        state = self.state if self.ready_since is None else ServiceState.UNKNOWN
        return replace(
            self,
            state=state,
            evidence=reason,
            failures=0,
            failing_since=None,
            started=self.started if self.ready_since is not None else now,
        )

    def next_look(self, timing: ProbeTiming) -> float:
        """Seconds until the next look."""
        if self.ready_since is None:
            return timing.starting
        return (
            timing.ready
            if self.state is ServiceState.READY and not self.failures
            else timing.failing
        )

    def verdict(self, now: float, timing: ProbeTiming) -> str:
        """Return why the process must be restarted, "" when it need not."""
        if self.ready_since is None:
            if now - self.started > timing.start_limit:
                return f"not ready {timing.start_limit:g} s after its start: {self.evidence}"
            return ""
        if self.failing_since is not None and now - self.failing_since > timing.unhealthy_limit:
            return f"unhealthy for {timing.unhealthy_limit:g} s: {self.evidence}"
        return ""
