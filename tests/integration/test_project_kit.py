"""A project made from the template conforms; one that breaks a rule is told what to change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import appliance.pipelines
from appliance.config.settings import ProjectSettings, Settings
from appliance.project_kit.check import check_project
from appliance.project_kit.finding import Report
from appliance.project_kit.scaffold import create_project

NAME = "scratch"
CONFIG = "configs/krw_btc_1m.py"
FEATURES = "preprocessor/feature_engineering.py"
SMALL = """    horizon: Horizon = 30
    training_rows: int = 4_000
    learner: LearnerSpec = LearnerSpec(scale_iter=5, quantile_iter=3)
    monitoring: MonitoringSpec = MonitoringSpec(window_rows=300)
"""
LAST_FEATURE = "    for length in spec.half_lives:\n"


@dataclass(frozen=True)
class Made:
    """A project outside the source tree, importable as one of `appliance.pipelines`."""

    root: Path

    @property
    def package(self) -> Path:
        return self.root / "appliance" / "pipelines" / NAME

    def change(self, path: str, old: str, new: str) -> None:
        """Edit a file of the package, or (with `dags/`) of the source tree."""
        file = (self.root if path.startswith("dags/") else self.package) / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    def check(self) -> Report:
        settings = Settings(projects={NAME: ProjectSettings(config="krw_btc_1m")})
        return check_project(NAME, settings, self.root)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    create_project(NAME, tmp_path)
    folders = [*appliance.pipelines.__path__, str(tmp_path / "appliance" / "pipelines")]
    monkeypatch.setattr(appliance.pipelines, "__path__", folders)
    project = Made(tmp_path)
    project.change(CONFIG, "    horizon: Horizon = 30\n", SMALL)
    project.change(
        CONFIG, "    EvaluationSpec,\n", "    EvaluationSpec, LearnerSpec, MonitoringSpec,\n"
    )
    yield project
    for module in [name for name in sys.modules if name.startswith(f"appliance.pipelines.{NAME}")]:
        del sys.modules[module]


def test_a_new_project_conforms(made: Made) -> None:
    report = made.check()
    assert [finding.words for finding in report.findings] == []
    assert report.skipped == ()
    assert report.is_conforming


@pytest.mark.long
def test_the_first_project_conforms_with_every_config() -> None:
    report = check_project("crypto_forecast", Settings())
    assert [finding.words for finding in report.findings] == []
    assert report.is_conforming


@dataclass(frozen=True)
class Break:
    """An edit that breaks a rule: which check finds it, and words of its message and its hint."""

    path: str
    old: str
    new: str
    check: str
    message: str
    hint: str


BROKEN = {
    "a DAG of another name": Break(
        "dags/scratch_train_wf.py",
        '"scratch_train_wf"',
        '"scratch_training_wf"',
        "dags",
        "dags/scratch_train_wf.py defines the DAG scratch_training_wf",
        'call it "scratch_train_wf"',
    ),
    "a DAG file without a stage": Break(
        "dags/scratch_inference_wf.py",
        '    join = stage_task(PROJECT, "join_outcomes")\n',
        "    join = forecast\n",
        "stages",
        "runs forecast_candles, measure_performance",
        "the same stages in both",
    ),
    "a config that is not registered": Break(
        CONFIG,
        "class KrwBtc1m(",
        "class Other(ScratchSpec):\n"
        '    """Forgotten."""\n\n'
        '    market: Market = "KRW-ETH"\n    unit: Timeframe = 1\n    horizon: Horizon = 5\n\n\n'
        "class KrwBtc1m(",
        "configs",
        "Other in configs/krw_btc_1m.py is not registered",
        "to CONFIGS in utils/load_spec_from_config.py",
    ),
    "a config that loads pandas": Break(
        CONFIG,
        "from typing import Annotated\n",
        "from typing import Annotated\n\nimport pandas as pd  # noqa: F401\n",
        "light import",
        "load pandas",
        "import it inside functions",
    ),
    "a feature of the next candle": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = np.roll(features["range_now"], -1)\n' + LAST_FEATURE,
        "look-ahead",
        "is no longer there",
        "no negative shift",
    ),
    "a feature relative to the mean of all candles": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = series.span / np.nanmean(series.span)\n' + LAST_FEATURE,
        "look-ahead",
        "feature range_now",
        "no mean or fit over the whole window",
    ),
    "a feature that reaches back to the first candle": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = np.nancumsum(series.span)\n' + LAST_FEATURE,
        "parity",
        "computed from the 961 candles that lookback() asks for",
        "let features.lookback() in configs/ count every candle",
    ),
    "a random feature": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = features["range_now"] + 1e-12 * np.random.rand(scale.size)\n'
        + LAST_FEATURE,
        "determinism",
        "feature range_now",
        "no unseeded random numbers",
    ),
    "a feature that has no name": Break(
        FEATURES,
        '        "range_now",\n',
        '        "range_now",\n        "range_then",\n',
        "schema",
        "no values for the features range_then",
        "the same names in feature_names and engineer_features",
    ),
    "a feature that never changes": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = series.span * 0.0\n' + LAST_FEATURE,
        "schema",
        "range_now is the same in all",
        "it says nothing",
    ),
    "features that take a matrix of windows": Break(
        FEATURES,
        LAST_FEATURE,
        "    np.empty((scale.size, 100_000)).shape\n" + LAST_FEATURE,
        "budget",
        "MiB, 1024 are allowed",
        "keep no matrix of windows",
    ),
    "a model that holds a function": Break(
        "trainer/training.py",
        "    return QuantileForecaster(",
        "    return _Loose(",
        "artifact",
        "types that are not trusted: ",
        "define estimators in appliance/pipelines/<project>/trainer/",
    ),
    "a pickle": Break(
        "trainer/training.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nimport joblib  # noqa: F401\n",
        "artifact",
        "trainer/training.py, line 5: imports joblib",
        "kept with skops",
    ),
    "a market that nobody watches": Break(
        "core/recipe.py",
        "    unwatched=CALENDAR,\n",
        "    unwatched=tuple(feature_names(FeatureSpec())),\n",
        "drift",
        "no feature is watched",
        "leave features out of `unwatched`",
    ),
    "code of another project": Break(
        "trainer/training.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\n"
        "from appliance.pipelines.crypto_forecast.trainer import training  # noqa: F401\n",
        "imports",
        "imports appliance.pipelines.crypto_forecast.trainer",
        "projects stand alone",
    ),
    "a config that does not import": Break(
        CONFIG,
        "class KrwBtc1m(",
        "NOTHING = 1 / 0\n\n\nclass KrwBtc1m(",
        "configs",
        "cannot be imported: ZeroDivisionError: division by zero",
        "correct it",
    ),
    "a task that is a class": Break(
        "core/load.py",
        "__all__ =",
        'class Loader:\n    """Loads."""\n\n\n__all__ =',
        "core",
        "class Loader",
        "make its stages functions",
    ),
    "a feature that raises": Break(
        FEATURES,
        LAST_FEATURE,
        '    features["range_now"] = features["rnge_now"]\n' + LAST_FEATURE,
        "schema",
        "KeyError in scratch/preprocessor/feature_engineering.py, line",
        "could not go on",
    ),
}
FURTHER = {
    "a model that holds a function": (
        "trainer/training.py",
        "def new_model(",
        "class _Loose(QuantileForecaster):\n"
        '    """Keeps a function of its own."""\n\n'
        "    def fit(self, X, y, realised=None):\n"
        "        self.transform_ = print\n"
        "        return super().fit(X, y, realised)\n\n\n"
        "def new_model(",
    ),
    "a market that nobody watches": (
        "core/recipe.py",
        "    ScratchSpec,\n",
        "    FeatureSpec,\n    ScratchSpec,\n",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_project_is_told_what_to_change(made: Made, case: str) -> None:
    broken = BROKEN[case]
    made.change(broken.path, broken.old, broken.new)
    if case in FURTHER:
        made.change(*FURTHER[case])
    report = made.check()
    assert not report.is_conforming
    assert report.findings[0].check == broken.check, report.findings
    assert any(
        broken.message in finding.message and broken.hint in finding.hint
        for finding in report.findings
    ), report.findings


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("preprocessor/transformation.py", "scratch/preprocessor/transformation.py is missing"),
        ("core/monitor.py", "scratch/core/monitor.py is missing"),
    ],
)
def test_a_missing_file_ends_the_check_early(made: Made, gone: str, message: str) -> None:
    (made.package / gone).unlink()
    report = made.check()
    assert message in [finding.message for finding in report.findings]
    assert {"look-ahead", "drift"} <= set(report.skipped)


def test_a_project_that_does_not_parse_is_a_finding(made: Made) -> None:
    (made.package / CONFIG).write_text("class KrwBtc1m(\n")
    words = [finding.words for finding in made.check().findings]
    assert "layout: scratch/configs/krw_btc_1m.py is not valid Python - correct its syntax" in words
