"""The checks of models and of who forecasts with them find their conditions and say what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.alerts.policy import alert_for
from appliance.control.api import ApplianceStatus
from appliance.control.checks import ALL_CHECKS
from appliance.control.health import Announcements, ProblemLog, Surroundings, run_checks
from appliance.domain.drift import DriftReport, DriftVerdict, LossReport
from appliance.domain.trial import ParkedRetrain
from appliance.forecaster_api.wire import ForecasterReport, LiveProject, LiveState
from tests import builders
from tests.status_builder import PERFORMANCE, ROOM, codes, healthy, trial, with_project


def with_forecaster(**changes: object) -> Surroundings:
    project = LiveProject(
        builders.PROJECT, "KRW-BTC", 1, LiveState.FORECASTING, builders.NOW, model_version=12
    )
    fields = {name: changes.pop(name) for name in ("state", "message") if name in changes}
    report = ForecasterReport(1, (replace(project, **fields),))  # type: ignore[arg-type]
    return replace(ROOM, forecaster=replace(report, **changes))  # type: ignore[arg-type]


def live_messages(**changes: object) -> list[str]:
    found = run_checks(ALL_CHECKS, healthy(), with_forecaster(**changes))
    return [finding.message for finding in found if finding.code.startswith("live.")]


def test_a_healthy_forecaster_is_no_problem() -> None:
    assert live_messages() == []
    assert live_messages(state=LiveState.WAITING, message="no champion yet") == []


def test_a_model_that_goes_on_without_the_registry_is_said() -> None:
    (message,) = live_messages(registry_lost_at=builders.NOW, registry_message="refused")
    assert "version 12" in message and "05:02:31 UTC" in message and "refused" in message


def test_a_new_champion_that_is_not_used_is_said() -> None:
    (message,) = live_messages(message="the newest champion is not used: not trusted")
    assert "goes on with version 12" in message


def test_a_live_path_that_fails_is_said() -> None:
    (message,) = live_messages(state=LiveState.FAILING, message="store gone")
    assert "no live forecasts since" in message and "store gone" in message


def test_a_configuration_that_the_forecaster_cannot_use_is_said() -> None:
    (message,) = live_messages(config_message="not TOML")
    assert "not TOML" in message


def test_a_model_older_than_its_life_is_stale() -> None:
    status = healthy()
    project = status.projects[0]
    assert project.champion is not None
    old = replace(project.champion, created_at=status.at - timedelta(hours=25))
    for hours, expected in ((24, ["model.stale"]), (26, []), (0, [])):
        aged = replace(project, champion=old, model_max_age_hours=hours)
        found = run_checks(ALL_CHECKS, replace(status, projects=(aged,)), ROOM)
        assert [finding.code for finding in found] == expected


def loss(verdict: DriftVerdict, version: int = 12) -> DriftReport:
    """Return a report whose features are stable and whose loss is not."""
    measured = LossReport(verdict, 1_204, 0.0004, 0.19, 0.172, 12.0, 61.0)
    report = replace(builders.drift_report(), verdict=DriftVerdict.STABLE, loss=measured)
    return replace(report, model_version=version)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"horizon": 1, "performance": replace(PERFORMANCE, coverage=0.66)}, ["model.coverage"]),
        ({"horizon": 1, "performance": replace(PERFORMANCE, coverage=0.91)}, ["model.coverage"]),
        ({"horizon": 1, "performance": replace(PERFORMANCE, coverage=0.77)}, []),
        ({"horizon": 30, "performance": replace(PERFORMANCE, coverage=0.66)}, []),
        ({"horizon": 1, "performance": replace(PERFORMANCE, coverage=0.5, rows=19)}, []),
        ({"performance": replace(PERFORMANCE, coverage=0.1, model_version=11)}, []),
        ({"drift": loss(DriftVerdict.DRIFTED)}, ["model.loss"]),
        ({"drift": loss(DriftVerdict.DRIFTED, 11)}, []),
        ({"drift": loss(DriftVerdict.WARNING)}, []),
        (
            {"parked": ParkedRetrain("p", ("coverage 66 %",), builders.ago(hours=1))},
            ["retrain.parked"],
        ),
        ({"trials": (trial(hours=8),)}, ["comparison.starved"]),
        ({"trials": (trial(hours=5),)}, []),
    ],
)
def test_a_model_that_is_not_well_is_a_problem(
    changes: dict[str, object], found: list[str]
) -> None:
    status = with_project(**changes)
    (project,), champion = status.projects, status.projects[0].champion
    if champion is not None:
        champion = replace(champion, tags={**champion.tags, "horizon": str(project.horizon)})
    assert codes(replace(status, projects=(replace(project, champion=champion),))) == found


def test_a_problem_of_a_model_is_announced_once_until_it_is_over() -> None:
    ill = with_project(drift=loss(DriftVerdict.DRIFTED))
    log, announcements = ProblemLog(), Announcements()

    def look(status: ApplianceStatus) -> list[str]:
        problems = log.update(run_checks(ALL_CHECKS, status, ROOM), status.at)
        return [str(event.details["code"]) for event in announcements.of(problems, status)]

    assert look(ill) == ["model.loss"]
    assert look(ill) == []
    assert look(healthy()) == []
    assert look(ill) == ["model.loss"]
    (event,) = Announcements().of(log.update(run_checks(ALL_CHECKS, ill, ROOM), ill.at), ill)
    assert event.project == builders.PROJECT
    alert = alert_for(event)
    assert alert is not None
    assert "loss has left its band" in alert.text
    assert "appliance run train" in alert.text
    later = alert_for(replace(event, id=9))
    assert later is not None and later.key == alert.key
