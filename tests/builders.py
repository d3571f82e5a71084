"""Domain objects with sensible values; every builder takes what a test cares about."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from appliance.control.api import (
    ApplianceStatus,
    MarketStatus,
    Problem,
    ProjectStatus,
    SourceStatus,
)
from appliance.domain.candle import Candle, Gap, IngestionStatus, LiveCandle
from appliance.domain.coverage import MarketCoverage
from appliance.domain.drift import DriftReport, DriftScore, DriftVerdict
from appliance.domain.event import Event, EventKind, Severity
from appliance.domain.forecast import Forecast, Performance, Quantiles
from appliance.domain.history_job import CoverageCell, HistoryJob, HistoryKind, JobState
from appliance.domain.model_comparison import (
    ModelComparison,
    RegimeLosses,
    RowScores,
    SameRows,
    TrainingFacts,
)
from appliance.domain.model_version import ModelVersion
from appliance.domain.origin import Origin, Through
from appliance.domain.service import ServiceState, ServiceStatus
from appliance.domain.workflow import (
    DagRun,
    RunState,
    TaskInstance,
    WorkflowKind,
    WorkflowStatus,
    dag_id,
)

NOW = datetime(2026, 3, 14, 5, 2, 31, tzinfo=UTC)
"""The fixed instant of the tests: 14:02:31 KST."""
PROJECT = "crypto_forecast"
MARKET = "KRW-BTC"
KIM = Origin("kim", Through.CONSOLE, terminal="pts/3", host="vm1", client="10.0.0.5")


def ago(**parts: float) -> datetime:
    """Return an instant before NOW."""
    return NOW - timedelta(**parts)


def candles(count: int = 180, end: datetime = NOW, seed: int = 7) -> list[Candle]:
    """Return a plausible walk of closed one-minute candles that ends before `end`."""
    rng = random.Random(seed)
    opens_at = end.replace(second=0, microsecond=0) - timedelta(minutes=count)
    price, volatility, result = 158_200_000.0, 0.0004, []
    for index in range(count):
        volatility = 0.9 * volatility + 0.1 * abs(rng.gauss(0, 0.0008))
        drift = 0.00018 * math.sin(index / 17) + 0.00008 * math.sin(index / 5)
        close = price * math.exp(rng.gauss(drift, volatility))
        wick = price * volatility * 0.7
        high = max(price, close) + abs(rng.gauss(0, wick))
        low = min(price, close) - abs(rng.gauss(0, wick))
        at = opens_at + timedelta(minutes=index)
        prices = [round(value, -3) for value in (price, high, low, close)]
        volume = round(rng.uniform(0.4, 3.0), 4)
        result.append(Candle(MARKET, 1, at, *prices, volume, prices[3] * volume))
        price = close
    return result


def live(closed: list[Candle], now: datetime = NOW) -> LiveCandle:
    """Return the candle that is forming after `closed`."""
    price = closed[-1].close
    at = now.replace(second=0, microsecond=0)
    forming = Candle(MARKET, 1, at, price, price + 61_000, price - 24_000, price + 38_000, 0.6, 1e8)
    return LiveCandle(forming, now - timedelta(seconds=1))


def forecast(closed: list[Candle], version: int = 12, now: datetime = NOW) -> Forecast:
    """Return a forecast made at the newest closed candle."""
    last = closed[-1]
    return Forecast(
        PROJECT,
        MARKET,
        1,
        last.candle_date_time_utc,
        30,
        last.candle_date_time_utc + timedelta(minutes=30),
        version,
        last.close,
        Quantiles(-0.0024, 0.0004, 0.0031),
        Quantiles(-0.0031, 0.0, 0.0031),
        Quantiles(-0.0027, 0.0, 0.0027),
        now - timedelta(seconds=29),
    )


def service(
    name: str,
    observed: ServiceState = ServiceState.READY,
    reason: str = "",
    restarts: int = 0,
    endpoint: str = "",
) -> ServiceStatus:
    """Return one supervised service that should be ready."""
    return ServiceStatus(
        name, ServiceState.READY, observed, reason, ago(hours=3), 4242, restarts, endpoint
    )


def services() -> tuple[ServiceStatus, ...]:
    """Return the usual eight, all ready."""
    return (
        service("store", reason="query 0.9 ms", endpoint="store.sock"),
        service("postgres", reason="SELECT 1 in 2 ms"),
        service("mlflow", reason="registry read 11 ms", endpoint="127.0.0.1:5000"),
        service("airflow-api-server", reason="heartbeat 3 s", endpoint="127.0.0.1:8080"),
        service("airflow-scheduler", reason="heartbeat 2 s"),
        service("airflow-dag-processor", reason="heartbeat 5 s"),
        service("ingestor", reason="tick 1 s", restarts=1),
        service("simulator", reason="HTTP 200 in 1 ms", endpoint="127.0.0.1:18000"),
    )


def dag_run(
    kind: WorkflowKind,
    state: RunState = RunState.SUCCESS,
    started_at: datetime | None = None,
    duration: float | None = 4.1,
    run_id: str = "",
    tasks: tuple[TaskInstance, ...] = (),
) -> DagRun:
    """Return one run of a workflow."""
    started = started_at or ago(seconds=40)
    ended = None if duration is None else started + timedelta(seconds=duration)
    name = run_id or f"scheduled__{started:%Y-%m-%dT%H:%M:%S}"
    kind_id = dag_id(PROJECT, kind)
    run_type = "manual" if name.startswith("manual") else "scheduled"
    return DagRun(kind_id, name, state, run_type, started, started, ended, duration, tasks)


def workflows() -> tuple[WorkflowStatus, ...]:
    """Return the four, in the states of a healthy appliance with a train run under way."""
    data, train, inference, monitoring = WorkflowKind
    return (
        WorkflowStatus(
            PROJECT,
            data,
            dag_run(data),
            ago(seconds=36),
            NOW + timedelta(seconds=29),
            "every minute",
        ),
        WorkflowStatus(
            PROJECT,
            train,
            dag_run(train, RunState.RUNNING, ago(seconds=21), None, "manual__2026-03-14T05:02:10"),
            ago(hours=3),
            None,
            "on request",
        ),
        WorkflowStatus(
            PROJECT,
            inference,
            dag_run(inference, duration=2.6),
            ago(seconds=33),
            None,
            "after data",
        ),
        WorkflowStatus(
            PROJECT,
            monitoring,
            dag_run(monitoring, duration=1.8, started_at=ago(minutes=4)),
            ago(minutes=4),
            None,
            "after inference",
        ),
    )


def model_version(version: int, *aliases: str, skill: float = 0.021) -> ModelVersion:
    """Return one registered version."""
    metrics = {
        "pinball": 0.000412 - skill / 1000,
        "skill_ewma": skill,
        "skill_static": skill + 0.047,
        "coverage": 0.804,
        "mae": 0.00094,
        "rmse": 0.00131,
        "direction": 0.513,
    }
    tags = {"rows": "43200", "market": MARKET, "unit": "1", "horizon": "30"}
    made = ago(hours=3 + 9 * (12 - version) if version < 12 else 3.2 - (version - 12) * 2)
    run_id = f"{version:02d}c1f9e07b5a4d52a8e31f6c2b7d90aa"
    return ModelVersion(PROJECT, version, run_id, made, tuple(aliases), metrics, tags)


def models() -> list[ModelVersion]:
    """Return five versions, newest first, v12 in production."""
    return [
        model_version(13, "challenger", skill=0.026),
        model_version(12, "champion", skill=0.021),
        model_version(11, "previous", skill=0.017),
        model_version(10, skill=-0.004),
        model_version(9, skill=0.009),
    ]


def metrics_of(
    first: ModelVersion, second: ModelVersion
) -> dict[str, tuple[float | None, float | None]]:
    """Return the metrics of two versions beside each other."""
    names = sorted({*first.metrics, *second.metrics})
    return {name: (first.metrics.get(name), second.metrics.get(name)) for name in names}


def same_rows(**changes: object) -> SameRows:
    """Return 1,204 common rows on which the second version leads, but not by enough yet."""
    values: dict[str, object] = {
        "start_at": ago(hours=20),
        "end_at": ago(minutes=31),
        "rows": 1204,
        "live_rows": 1180,
        "first": RowScores(0.000398, 0.025, 0.071, 0.793),
        "second": RowScores(0.000391, 0.042, 0.087, 0.802),
        "words": "not enough evidence: loss 1.76 % lower on 1204 rows that neither was trained on,"
        " 1180 of them live (p = 0.180, about 1830 more candles would tell)",
        "verdict": "not_enough_evidence",
        "rows_missing": 1830,
        "rows_per_hour": 60.0,
        "regimes": (
            RegimeLosses("KRW-BTC calm", 401, 0.031),
            RegimeLosses("KRW-BTC normal", 402, 0.019),
            RegimeLosses("KRW-BTC turbulent", 401, -0.004),
        ),
    }
    return SameRows(**(values | changes))  # type: ignore[arg-type]


def comparison(**changes: object) -> ModelComparison:
    """Return v13 beside the champion v12."""
    first, second = model_version(12, "champion"), model_version(13, "challenger", skill=0.026)
    values: dict[str, object] = {
        "project": PROJECT,
        "first": first,
        "second": second,
        "metrics": metrics_of(first, second),
        "differing": {
            "learner.quantile_iter": ("120", "160"),
            "training_rows": ("43200", "50000"),
            "features only here": ("", "volume_trend_60"),
        },
        "same_rows": same_rows(),
        "why_not": "",
        "trials": (),
        "trainings": (TrainingFacts(38.2, 1_412_096), TrainingFacts(51.7, 1_880_064)),
    }
    return ModelComparison(**(values | changes))  # type: ignore[arg-type]


def performance(version: int = 12) -> Performance:
    """Return realised performance that beats both benchmarks."""
    return Performance(
        PROJECT, MARKET, 1, version, ago(days=1), ago(minutes=1), 1204, 0.000398, 0.071, 0.025,
        0.793, 0.00091, 0.517, ago(minutes=1), live_rows=1204,
    )  # fmt: skip


def drift_report() -> DriftReport:
    """Return a report with one feature drifted and two that moved."""
    rows = (
        ("return_1", DriftVerdict.STABLE, 0.012, 0.02, 0.61, 0.03),
        ("volatility_30", DriftVerdict.DRIFTED, 0.341, 0.27, 0.0001, 0.62),
        ("volatility_120", DriftVerdict.WARNING, 0.164, 0.15, 0.004, 0.31),
        ("volume_ratio", DriftVerdict.WARNING, 0.121, 0.11, 0.018, 0.24),
        ("range_15", DriftVerdict.STABLE, 0.061, 0.06, 0.12, 0.11),
        ("return_30", DriftVerdict.STABLE, 0.024, 0.03, 0.44, 0.05),
        ("hour_sin", DriftVerdict.STABLE, 0.008, 0.02, 0.83, 0.02),
        ("gap_minutes", DriftVerdict.INSUFFICIENT, None, None, None, None),
    )
    scores = tuple(
        DriftScore(name, verdict, 480 if psi else 12, psi, ks, p, w)
        for name, verdict, psi, ks, p, w in rows
    )
    return DriftReport(PROJECT, 12, DriftVerdict.WARNING, ago(hours=8), NOW, ago(minutes=4), scores)


def project(**changes: object) -> ProjectStatus:
    """Return the crypto_forecast project with v12 in production."""
    closed = candles()
    values: dict[str, object] = {
        "workflows": workflows(),
        "champion": model_version(12, "champion"),
        "previous_champion": 11,
        "challenger": 13,
        "newest_version": 13,
        "performance": performance(),
        "drift": drift_report(),
        "forecast": forecast(closed),
        "forecast_count": 1871,
    }
    return ProjectStatus(PROJECT, MARKET, 1, 30, **(values | changes))  # type: ignore[arg-type]


def market(**changes: object) -> MarketStatus:
    """Return live state of the project's market."""
    ingestion = IngestionStatus(
        MARKET, 1, "streaming", ago(seconds=1), ago(seconds=1), ago(seconds=31)
    )
    values: dict[str, object] = {
        "live": live(candles()),
        "ingestion": ingestion,
        "lag_seconds": 3.0,
        "stored_candles": 86_412,
        "gaps": 0,
        "coverage": coverage(),
    }
    return MarketStatus(MARKET, 1, **(values | changes))  # type: ignore[arg-type]


def gap(
    start: datetime | None = None, minutes: int = 3, cause: str = "outage", **changes: object
) -> Gap:
    """Return an open gap of the project's market."""
    start_at = start or ago(minutes=52, seconds=31)
    found_at = start_at + timedelta(minutes=minutes)
    return replace(
        Gap(MARKET, 1, start_at, found_at, found_at, cause),
        **changes,  # type: ignore[arg-type]
    )


def coverage(*gaps: Gap, **changes: object) -> MarketCoverage:
    """Return sixty days of minutes, a few of them without a trade."""
    end_at = NOW.replace(second=0)
    known = {g: (g.end_at - g.start_at) // timedelta(minutes=1) for g in gaps}
    missing = sum(known.values())
    return replace(
        MarketCoverage(
            market=MARKET,
            unit=1,
            start_at=end_at - timedelta(days=60),
            end_at=end_at,
            watermark_at=gaps[0].start_at if gaps else end_at,
            expected=86_400,
            candles=86_141 - missing,
            no_trade=213,
            repaired=46,
            missing=missing,
            gaps=gaps,
            audited_at=ago(hours=10.9),
        ),
        **changes,  # type: ignore[arg-type]
    )


def strip(cells: int, width: timedelta = timedelta(minutes=20)) -> list[CoverageCell]:
    """Return cells of every sort: before the history, full, with few and many no-trades, gap."""
    kinds = (
        (0, 0, 0, 0),
        (20, 0, 0, 0),
        (17, 3, 0, 0),
        (4, 16, 0, 0),
        (12, 0, 8, 0),
        (18, 0, 0, 2),
    )
    end_at = NOW.replace(second=0)
    counts = [kinds[0]] * 3 + [kinds[1]] * max(cells - 11, 1) + [*kinds[2:]] * 2
    counts = (counts + [kinds[1]] * cells)[:cells]
    return [
        CoverageCell(end_at - (cells - i) * width, end_at - (cells - i - 1) * width, *count)
        for i, count in enumerate(counts)
    ]


def job(**changes: object) -> HistoryJob:
    """Return a backfill under way."""
    known = HistoryJob(
        1, HistoryKind.BACKFILL, MARKET, 1, JobState.RUNNING, ago(seconds=21), ago(days=90),
        ago(days=60), 17_280, 43_200, 38_912, 20.5,
    )  # fmt: skip
    return replace(known, **changes)  # type: ignore[arg-type]


BASES = "BTC ETH XRP SOL DOGE ADA TRX AVAX LINK SUI SHIB DOT BCH ETC XLM HBAR NEAR APT ARB AAVE"
CODES = tuple(f"KRW-{base}" for base in BASES.split())


def markets(count: int = 20, units: tuple[int, ...] = (1,)) -> tuple[MarketStatus, ...]:
    """Return live state of the first `count` markets, each with its own price."""
    return tuple(_other_market(code, unit) for code in CODES[:count] for unit in units)


def _other_market(code: str, unit: int) -> MarketStatus:
    known = market()
    if (code, unit) == (MARKET, 1) or known.live is None or known.ingestion is None:
        return known
    number = CODES.index(code) + 1
    candle = replace(known.live.candle, market=code, unit=unit, close=158_238_000.0 / number**3)
    return replace(
        known,
        market=code,
        unit=unit,
        live=replace(known.live, candle=candle),
        ingestion=replace(known.ingestion, market=code, unit=unit),
    )


SIMULATOR = SourceStatus("simulator", "SIMULATOR - synthetic prices", True)
UPBIT = SourceStatus("upbit", "Upbit", False)


def status(**changes: object) -> ApplianceStatus:
    """Return a healthy appliance on the simulator."""
    values: dict[str, object] = {
        "at": NOW,
        "version": "0.1.0",
        "home": "/home/op/.local/share/appliance",
        "started_at": ago(hours=3),
        "source": SIMULATOR,
        "services": services(),
        "markets": (market(),),
        "projects": (project(),),
        "airflow_url": "http://127.0.0.1:8080",
        "mlflow_url": "http://127.0.0.1:5000",
    }
    return ApplianceStatus(**(values | changes))  # type: ignore[arg-type]


def problem(number: int = 1) -> Problem:
    """Return one of two problems."""
    if number == 1:
        return Problem(
            "disk.low",
            "Only 1.2 GB are free on /home; the store needs 2 GB to checkpoint.",
            "free space, or move the home: `appliance config set home PATH`",
            ago(minutes=7),
        )
    return Problem(
        "airflow.import_error",
        "crypto_forecast_train_wf.py does not parse: SyntaxError: invalid syntax (line 12)",
        "mend the file; Airflow reads it again within 30 s",
        ago(minutes=2),
    )


def event(
    number: int,
    kind: EventKind,
    summary: str,
    at: datetime,
    severity: Severity = Severity.INFO,
    **details: object,
) -> Event:
    """Return one recorded event."""
    return Event(kind, summary, "monitoring_wf", at, severity, PROJECT, details, number)


def events() -> list[Event]:
    """Return what happened in the last three hours, oldest first."""
    return [
        event(
            1,
            EventKind.SOURCE_CHOSEN,
            "source: built-in simulator, Upbit unreachable",
            ago(hours=3),
        ),
        event(
            2, EventKind.BACKFILLED, "KRW-BTC 1m: 86,400 candles backfilled in 44 s", ago(hours=2.9)
        ),
        replace(
            event(3, EventKind.TRAINED, "v12 trained on 43,200 rows in 38 s", ago(hours=2.8)),
            actor="kim",
            origin=Origin("train_wf", Through.WORKFLOW, run_id="manual__7", cause=KIM),
        ),
        replace(
            event(
                4, EventKind.PROMOTED, "v12 promoted: better than v11, p = 0.004", ago(hours=2.8)
            ),
            actor="kim",
            origin=KIM,
        ),
        event(5, EventKind.GAP_FOUND, "gap of 3 min at 11:40", ago(hours=1.2), Severity.WARNING),
        event(6, EventKind.GAP_REPAIRED, "gap of 3 min at 11:40 repaired", ago(hours=1.1)),
        event(
            7,
            EventKind.SERVICE_STATE,
            "ingestor died (signal 9), restarted in 1.1 s",
            ago(minutes=32),
            Severity.ERROR,
        ),
        event(8, EventKind.TRAINED, "v13 trained on 43,200 rows in 41 s", ago(minutes=14)),
        event(
            9,
            EventKind.GATE_VERDICT,
            "v13 against v12: not enough evidence, about 380 more candles",
            ago(minutes=14),
            statistic=0.84,
            p_value=0.201,
            rows=220,
            rows_needed=600,
        ),
        event(
            10,
            EventKind.DRIFT_VERDICT,
            "drift: warning, volatility_30 PSI 0.341",
            ago(minutes=4),
            Severity.WARNING,
        ),
        event(
            11,
            EventKind.RETRAIN_DECIDED,
            "retrain: volatility_30 drifted in 3 windows",
            ago(minutes=4),
        ),
        event(12, EventKind.WORKFLOW_REQUESTED, "train run requested by operator", ago(seconds=22)),
    ]
