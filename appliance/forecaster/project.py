"""One project on the live path: its stages, run at each close with the models that are warm."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from appliance import clock
from appliance.config.paths import Paths
from appliance.config.settings import Settings
from appliance.domain.origin import Origin, Through
from appliance.domain.workflow import WorkflowKind
from appliance.errors import (
    ApplianceError,
    ConfigError,
    ModelNotFound,
    RegistryError,
    StoreUnavailable,
)
from appliance.forecaster.rhythm import next_look
from appliance.forecaster_api.wire import LiveProject, LiveState, LiveTiming
from appliance.pipelines.context import Json, ModelSource, Resources, StageContext, StageSkipped
from appliance.pipelines.spec import ProjectSpec, describe_project
from appliance.pipelines.workflow import Stage, execute_stage, live_stages
from store import Session
from store.coverage import proven_until
from store.forecasts import latest_forecasts

ACTOR = "forecaster"
_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 30.0
_log = logging.getLogger(__name__)


class ProjectRunner:
    """Forecasts a project's candles as they close; one caller of `look` at a time.

    Args:
        project: its name.
        settings: the configuration that chooses and overrides its config.
        paths: the home.
        models: warm models.
        speed: simulated seconds per second, 1.0 for a real exchange.

    Raises:
        ConfigError: the project or its configuration cannot be used.
    """

    def __init__(
        self,
        project: str,
        settings: Settings,
        paths: Paths,
        models: ModelSource,
        speed: float = 1.0,
    ) -> None:
        self.spec: ProjectSpec = describe_project(settings, project)
        self.stages: tuple[Stage, ...] = live_stages(project)
        self._settings = settings
        self._paths = paths
        self._models = models
        self._period = self.spec.unit * 60 / speed
        self._end_at: datetime | None = None
        self._arrived_at: float | None = None
        self._done: tuple[datetime, int] | None = None
        self._tries = 0
        self._retry_at = 0.0
        self._state = LiveProject(
            project, self.spec.market, self.spec.unit, LiveState.WAITING, clock.now(), "starting"
        )
        self.model_problem: RegistryError | None = None
        """Why the newest champion is not the one in use."""

    @property
    def project(self) -> str:
        """The project's name."""
        return self._state.project

    def state(self) -> LiveProject:
        """Return what is going on; may be called from any thread."""
        state, problem = self._state, self.model_problem
        if problem is None or state.message:
            return state
        message = f"the newest champion is not used: {problem.message}"
        return replace(state, message=message, next_step=problem.hint)

    def next_look(self, now: float) -> float:
        """Return the seconds until the next look, at `now` in monotonic seconds."""
        return next_look(now, self._arrived_at, self._period)

    def look(self, session: Session) -> None:
        """Forecast what has closed, or was left by an earlier champion, since the last look.

        Raises:
            StoreUnavailable: try again.
        """
        try:
            self._look(session)
        except StageSkipped as skipped:
            self._become(LiveState.WAITING, str(skipped))
        except ModelNotFound as error:
            self._become(LiveState.WAITING, error.message, error.hint)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._fail(error)

    def lose_store(self, error: StoreUnavailable) -> None:
        """Show that the store is away; the next look does everything again."""
        self._done = None
        self._become(LiveState.FAILING, error.message, error.hint)

    def _look(self, session: Session) -> None:
        end_at = proven_until(session, self.spec.market, self.spec.unit)
        if end_at is None:
            raise StageSkipped("no candles are stored yet")
        if self._end_at != end_at:
            self._arrived_at = None if self._end_at is None else clock.monotonic()
            self._end_at, self._tries, self._retry_at = end_at, 0, 0.0
        number = self._models.champion(self.project).version
        if self._done == (end_at, number) or clock.monotonic() < self._retry_at:
            return
        self._forecast(session, end_at, number)
        is_complete = self._state.newest_at == end_at - timedelta(minutes=self.spec.unit)
        if is_complete or self._state.state is not LiveState.FORECASTING:
            self._done = (end_at, number)
        else:
            self._wait(_FIRST_RETRY_SECONDS)  # candles of another market may still be on their way

    def _fail(self, error: Exception) -> None:
        """Show an error and wait longer and longer before the next try; log it when it is news."""
        self._wait(1.0)
        message = str(error) or type(error).__name__
        if message != self._state.message:
            trace = None if isinstance(error, ApplianceError) else error
            _log.error("project=%s fails: %s", self.project, message, exc_info=trace)
        hint = error.hint if isinstance(error, ApplianceError) else "appliance logs forecaster"
        self._become(LiveState.FAILING, message, hint)

    def _wait(self, first: float) -> None:
        """Try again after `first` seconds, then twice as long, and so on; a new candle ends it."""
        self._retry_at = clock.monotonic() + min(_LONGEST_RETRY_SECONDS, first * 2**self._tries)
        self._tries += 1

    def _forecast(self, session: Session, end_at: datetime, number: int) -> None:
        seen_at = clock.now()
        context = self._context(session)
        results: list[dict[str, Json]] = []
        prepared_at = seen_at
        for stage in self.stages:
            results.append(execute_stage(stage, context))
            if len(results) == 1:
                prepared_at = clock.now()
        stored_at = clock.now()
        note = str(results[-1].get("note") or "") if results else ""
        if note:
            self._become(LiveState.WAITING, f"version {number}: {note}", "appliance run train")
            return
        self._state = replace(self._state, model_version=number)
        self._become(LiveState.FORECASTING)
        self._note_newest(session, number, end_at, (seen_at, prepared_at, stored_at))

    def _note_newest(
        self, session: Session, number: int, end_at: datetime, instants: tuple[datetime, ...]
    ) -> None:
        """Keep the newest forecast's candle, and its timing when it was the only one missing."""
        newest = latest_forecasts(session, self.project, 1, number)
        if not newest:
            return
        at, before_at = newest[0].candle_date_time_utc, self._state.newest_at
        self._state = replace(self._state, newest_at=at)
        width = timedelta(minutes=self.spec.unit)
        if at == end_at - width and before_at == at - width:
            seen_at, prepared_at, stored_at = instants
            timing = LiveTiming(at, seen_at, prepared_at, newest[0].made_at, stored_at)
            self._state = replace(self._state, timing=timing)

    def _context(self, session: Session) -> StageContext[ProjectSpec]:
        return StageContext(
            project=self.project,
            kind=WorkflowKind.INFERENCE,
            spec=self.spec,
            settings=self._settings,
            paths=self._paths,
            params={},
            origin=Origin(ACTOR, Through.SERVICE),
            run_id="live",
            upstream={},
            resources=Resources(lambda: session, _refuse, _refuse, self._models),
        )

    def _become(self, state: LiveState, message: str = "", next_step: str = "") -> None:
        before = self._state
        if (before.state, before.message) == (state, message):
            return
        if message != before.message and state is not LiveState.FAILING:
            _log.info("project=%s %s %s", self.project, state.value, message)
        since_at = before.since_at if before.state is state else clock.now()
        self._state = replace(
            before, state=state, message=message, next_step=next_step, since_at=since_at
        )


def _refuse() -> NoReturn:
    raise ConfigError(
        "a stage of the live path asked for the registry or the exchange, which take seconds",
        code="live.slow_resource",
        hint="take models from context.models; leave the rest to the workflows",
    )
