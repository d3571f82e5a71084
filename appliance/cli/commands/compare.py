"""`appliance models compare`: two versions beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance import clock
from appliance.cli import session
from appliance.cli.output import age, emit, emit_json, emit_table, percent
from appliance.config.arguments import VERSION
from appliance.domain.trial import describe_trials

if TYPE_CHECKING:
    from appliance.domain.model_comparison import (
        ModelComparison,
        RowScores,
        SameRows,
        TrainingFacts,
    )
    from appliance.domain.model_version import ModelVersion


@click.command("compare")
@click.argument("version", type=VERSION)
@click.argument("other", type=VERSION)
@session.project_option
@session.json_option
def compare_command(version: int, other: int, project: str | None, as_json: bool) -> None:
    """Show VERSION beside OTHER: metrics, what differs, both on the same rows, and the gate's verdicts."""
    if version == other:
        raise click.UsageError(f"version {version} beside itself says nothing; name two versions")
    name = session.choose_project(project)
    if session.is_supervised():
        compared = session.control().compare(name, other, version)
    else:
        compared = _from_files(name, other, version)
    if as_json:
        emit_json(compared)
    else:
        _print(compared)


def _from_files(project: str, first: int, second: int) -> ModelComparison:
    from appliance.pipelines.context import Resources
    from appliance.pipelines.model_comparison import compare_versions, gate_alpha

    settings = session.settings()
    resources = Resources.of_home(session.paths(), settings)
    try:
        alpha = gate_alpha(settings, project)
        return compare_versions(
            resources.session, resources.registry, project, first, second, alpha
        )
    finally:
        resources.close()


def _print(compared: ModelComparison) -> None:
    first, second = compared.first, compared.second
    emit(f"{compared.project}: {_named(second)} beside {_named(first)}")
    emit("")
    _print_same_rows(compared)
    for sentence in describe_trials(compared.trials, first.version, second.version):
        emit(sentence)
    emit("")
    emit_table(
        ("METRIC", f"V{second.version}", f"V{first.version}", "DIFFERENCE"),
        [(name, two, one, _difference(one, two)) for name, (one, two) in compared.metrics.items()],
    )
    emit("")
    if compared.differing:
        rows = [(name, two, one) for name, (one, two) in compared.differing.items()]
        emit_table(("DIFFERS", f"V{second.version}", f"V{first.version}"), rows)
    else:
        emit("parameters and features are the same")
    for version, facts in zip((second, first), compared.trainings[::-1], strict=True):
        emit(f"version {version.version}: {_training(facts)}")


def _print_same_rows(compared: ModelComparison) -> None:
    same = compared.same_rows
    if same is None:
        emit(f"the same rows: cannot be judged: {compared.why_not}")
        return
    emit(f"the same rows, {same.start_at.isoformat()} to {same.end_at.isoformat()}: {same.words}")
    emit(f"  {same.missing_words}")
    emit_table(
        ("ON THE SAME ROWS", f"V{compared.second.version}", f"V{compared.first.version}", "TARGET"),
        _score_rows(same),
    )
    for regime in same.regimes:
        word = "lower" if regime.improvement >= 0 else "higher"
        harm = ", significantly" if regime.is_harmed else ""
        emit(
            f"  {regime.regime}: loss {100 * abs(regime.improvement):.2f} % {word}{harm}"
            f" on {regime.rows:,} rows"
        )


def _score_rows(same: SameRows) -> list[tuple[object, ...]]:
    from appliance.domain.model_comparison import COVERAGE_TARGET

    def row(name: str, show: str, target: str) -> tuple[object, ...]:
        values = [getattr(scores, show) for scores in (same.second, same.first)]
        return (name, *(percent(value) for value in values), target)

    losses = (same.second.loss, same.first.loss)
    return [
        ("loss", *(f"{loss:.6g}" for loss in losses), "lower"),
        row("skill against EWMA", "skill_ewma", "> 0 %"),
        row("skill against static", "skill_static", "> 0 %"),
        (
            "coverage",
            *(_share(scores) for scores in (same.second, same.first)),
            f"{COVERAGE_TARGET:.0%}",
        ),
    ]


def _share(scores: RowScores) -> str:
    return f"{scores.coverage:.1%}"


def _training(facts: TrainingFacts) -> str:
    took = "not recorded how long training took"
    if facts.seconds is not None:
        took = f"trained in {facts.seconds:,.1f} s"
    size = "size not known" if facts.model_bytes is None else f"{facts.model_bytes / 1e6:.2f} MB"
    return f"{took}, {size}"


def _named(version: ModelVersion) -> str:
    aliases = f", {' and '.join(version.aliases)}" if version.aliases else ""
    return f"version {version.version} ({age(version.created_at, clock.now())} old{aliases})"


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first
