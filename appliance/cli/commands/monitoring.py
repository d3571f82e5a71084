"""What monitoring knows: drift per feature, losses, comparisons of versions, retraining."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance import clock, zone
from appliance.cli import session
from appliance.cli.output import (
    age,
    emit,
    emit_json,
    emit_table,
    narrate,
    percent,
    share,
    three_digits,
)
from appliance.config.arguments import NEW_FILE
from appliance.config.paths import write_atomically
from appliance.errors import ConfigError

if TYPE_CHECKING:
    from appliance.domain.drift import DriftReport, LossReport
    from appliance.domain.monitoring import Monitoring


@click.command("drift")
@session.json_option
@session.project_option
@click.option(
    "--html",
    type=NEW_FILE,
    help="Write everything as one HTML page instead.",
)
def drift_command(as_json: bool, project: str | None, html: Path | None) -> None:
    """Show drift against the champion's reference profile, losses, comparisons and retraining."""
    from store.monitoring import read_monitoring

    name = session.choose_project(project)
    with session.open_store() as store:
        known = read_monitoring(store, name)
    if html is not None:
        _write_page(known, html)
    elif as_json:
        emit_json(known)
    else:
        _print(known)


def _write_page(known: Monitoring, path: Path) -> None:
    from appliance.drift.monitoring_page import monitoring_page

    try:
        write_atomically(path, monitoring_page(known, clock.now()), 0o644)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
    narrate(f"written: {path}")


def _print(known: Monitoring) -> None:
    if known.report is None:
        narrate(f"no drift report of {known.project} yet; it comes with the first monitoring run")
    else:
        _print_report(known.report)
    for trial in known.trials:
        emit(
            f"compared  version {trial.challenger} with {trial.champion} ({trial.purpose}): "
            f"{trial.state}; {trial.words or 'no common row yet'}"
        )
    if known.decision is not None:
        emit(f"decision  {known.decision.summary} ({age(known.decision.at, clock.now())} ago)")
    if known.parked is not None:
        emit(f"parked    a retrain, {age(known.parked.parked_at, clock.now())} ago:")
        emit(f"          {'; '.join(known.parked.reasons)}")
    if known.account is not None:
        account = known.account
        emit(
            f"retrains  {account.verdict}: loss {percent(account.gain)} lower than that of version "
            f"{account.model_version}, frozen, over {account.rows:,} candles"
        )


def _print_report(report: DriftReport) -> None:
    emit(
        f"{report.verdict} against version {report.model_version}, window "
        f"{zone.stamp(report.window_start_at)} to {zone.stamp_with_name(report.window_end_at)}, "
        f"computed {age(report.computed_at, clock.now())} ago"
    )
    emit_table(
        (
            "FEATURE",
            "VERDICT",
            "ROWS",
            "PSI",
            "KS",
            "WASSERSTEIN SIGMA",
            "P",
            "OUTSIDE",
            "MISSING",
            "EFFECT",
        ),
        [
            (
                *(s.feature, s.verdict, s.rows),
                *(three_digits(v) for v in (s.psi, s.ks, s.wasserstein, s.p_value)),
                share(s.outside),
                share(s.missing_rate),
                "-" if s.effect is None else percent(s.effect),
            )
            for s in report.ranked
        ],
    )
    if report.loss is not None:
        _print_loss(report.loss)


def _print_loss(loss: LossReport) -> None:
    if loss.why:
        emit(f"loss      cannot be judged: {loss.why}")
    if loss.relative is not None and loss.relative_high is not None:
        emit(
            f"loss      {loss.verdict}: {loss.relative:.3f} of the benchmark's interval over "
            f"{loss.rows:,} outcomes, alarm above {loss.relative_high:.3f}"
        )
        emit(f"          Page-Hinkley {loss.page_hinkley:.1f} of {loss.page_hinkley_limit:.1f}")
    if loss.expected is not None and loss.expected_high is not None:
        emit(
            f"expected  {1e4 * loss.expected:.2f} bp from the spread of the coming forecasts, "
            f"warning above {1e4 * loss.expected_high:.2f} bp"
        )
    if loss.track_bias is not None and loss.track_hits is not None:
        emit(
            f"          of {loss.tracked} estimates {share(loss.track_hits, 0)} came within 25 %, "
            f"bias {percent(loss.track_bias)}"
        )
