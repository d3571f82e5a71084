"""Completeness of stored candles, and history on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from typing import TYPE_CHECKING

import click

from appliance import clock, zone
from appliance.cli import session
from appliance.cli.commands.progress_line import ProgressLine
from appliance.cli.exit_code import ExitCode
from appliance.cli.output import age, emit, emit_json, emit_line, emit_table, narrate
from appliance.cli.timeframe import TIMEFRAME
from appliance.config import arguments
from appliance.errors import ExchangeCode, ExchangeRejected

if TYPE_CHECKING:
    from datetime import datetime

    from appliance.cli.results import BackfillProgress, BackfillResult, CoverageReport
    from appliance.config.paths import Paths
    from appliance.config.settings import Settings
    from appliance.domain.coverage import MarketCoverage
    from appliance.ingest.fill_range import RangeProgress, RangeResult
    from appliance.ingest.intake import Intake
    from store.audits import Audit

_GONE = ExchangeCode.DELISTED
"""Code of the error about a market that is stored and that the exchange knows no longer."""
_unit_option = click.option("--unit", type=TIMEFRAME, help="Candle width in minutes.")


@click.command("coverage")
@click.argument("market", type=arguments.MARKET, required=False)
@_unit_option
@session.json_option
def coverage_command(market: str | None, unit: int | None, as_json: bool) -> None:
    """Show how complete the stored candles are: of MARKET, or of all.

    Every interval from the first proven instant to the newest close is a candle, proven without a trade,
    repaired (proven late, or found wrong by an audit), or a gap. The watermark is where the first gap
    begins.
    """
    from store import coverage

    with session.open_store() as store:
        if market is not None:
            session.require_known_market(market, store)
        found = [
            coverage.summarise(store, *feed)
            for feed in coverage.proven_feeds(store)
            if market in {None, feed[0]} and unit in {None, feed[1]}
        ]
    summaries = [summary for summary in found if summary is not None]
    if as_json:
        emit_json([_report(summary) for summary in summaries])
    elif summaries:
        _print_coverage(summaries)
    else:
        narrate(f"nothing is proven yet{'' if market is None else f' of {market}'}")


def _report(summary: MarketCoverage) -> CoverageReport:
    from appliance.cli.results import CoverageReport, GapReport

    now = clock.now()
    gaps = tuple(
        GapReport(
            start_at=gap.start_at,
            end_at=gap.end_at,
            missing=_intervals(gap.start_at, gap.end_at, gap.unit),
            age_seconds=round((now - (gap.found_at or gap.start_at)).total_seconds(), 1),
            found_at=gap.found_at,
            cause=gap.cause or "not yet on record",
        )
        for gap in summary.gaps
    )
    known = {f.name: getattr(summary, f.name) for f in fields(summary)}
    shares = {
        f"{name}_share": known[name] / summary.expected
        for name in ("candles", "no_trade", "repaired", "missing")
    }
    return CoverageReport(**{**known, **shares, "gaps": gaps})


def _print_coverage(summaries: list[MarketCoverage]) -> None:
    emit_table(
        (
            *("MARKET", "UNIT", "SINCE", "WATERMARK", "EXPECTED"),
            *("CANDLE", "NO TRADE", "REPAIRED", "GAP", "AUDITED AGO"),
        ),
        [
            (
                each.market,
                each.unit,
                each.start_at,
                each.watermark_at,
                each.expected,
                *(_share(n, each.expected) for n in _parts(each)),
                "never" if each.audited_at is None else age(each.audited_at, clock.now()),
            )
            for each in summaries
        ],
    )
    gaps = [gap for summary in summaries for gap in summary.gaps]
    if gaps:
        emit("")
        emit_table(
            ("GAP OF", "UNIT", "SINCE", "UNTIL", "MISSING", "CAUSE", "AGE"),
            [
                (
                    gap.market,
                    gap.unit,
                    gap.start_at,
                    gap.end_at,
                    _intervals(gap.start_at, gap.end_at, gap.unit),
                    gap.cause or "not yet on record",
                    age(gap.found_at or gap.start_at, clock.now()),
                )
                for gap in gaps
            ],
        )


def _parts(summary: MarketCoverage) -> tuple[int, int, int, int]:
    return summary.candles, summary.no_trade, summary.repaired, summary.missing


def _share(part: int, whole: int) -> str:
    """Return a percentage that is 0 or 100 only when it is exactly that."""
    share = 100 * part / whole
    if 0 < part < whole:
        share = min(max(share, 0.001), 99.999)
    return f"{share:.3f} %"


def _intervals(start_at: datetime, end_at: datetime, unit: int) -> int:
    return int((end_at - start_at).total_seconds() // (60 * unit))


@click.command("backfill")
@click.argument("market", type=arguments.MARKET)
@click.option(
    "--from",
    "start_at",
    type=arguments.INSTANT,
    required=True,
    metavar="ISO",
    help="In your zone unless it has an offset.",
)
@click.option(
    "--to",
    "end_at",
    type=arguments.INSTANT,
    metavar="ISO",
    help="Exclusive; the newest closed candle if left out.",
)
@_unit_option
@session.json_option
def backfill_command(
    market: str, start_at: datetime, end_at: datetime | None, unit: int | None, as_json: bool
) -> int:
    """Load what is missing of MARKET's history, at the exchange's limit, newest first.

    Works with the appliance up and down. What is stored stays: after Ctrl-C the same command resumes. Exit
    code 1 when the range has no closed candle, or lies before all that the exchange has. With --json each
    line is a value: how far it is, at last the result.
    """
    from appliance.cli.results import BackfillLine
    from appliance.ingest.fill_range import fill_range

    arguments.require_order(start_at, end_at)
    settings = session.settings()
    line = ProgressLine()
    with _feed(session.paths(), settings, market, unit) as feed:
        _require_past(feed, start_at)

        def show(progress: RangeProgress) -> None:
            line.show(str(progress), progress.done >= progress.wanted)
            if as_json:
                emit_line(BackfillLine(progress=_progress(feed, progress)))

        try:
            result = fill_range(feed, start_at, end_at, show)
        except KeyboardInterrupt:
            line.end()
            narrate("what has arrived is stored; the same command resumes")
            raise
        finally:
            line.end()
        if as_json:
            emit_line(BackfillLine(result=_result(feed, result)))
        _tell(feed, result)
    return ExitCode.FAILED if _is_nothing(result) else ExitCode.DONE


def _progress(feed: Intake, progress: RangeProgress) -> BackfillProgress:
    from appliance.cli.results import BackfillProgress

    return BackfillProgress(
        market=feed.market,
        unit=feed.unit,
        done=progress.done,
        wanted=progress.wanted,
        fetched=progress.fetched,
        rate=progress.rate,
        seconds_left=progress.seconds_left,
    )


def _result(feed: Intake, result: RangeResult) -> BackfillResult:
    from appliance.cli.results import BackfillResult, UnknownSpan
    from store.coverage import gaps

    return BackfillResult(
        changed=bool(result.fetched),
        market=feed.market,
        unit=feed.unit,
        start_at=result.start_at,
        end_at=result.end_at,
        fetched=result.fetched,
        inserted=result.inserted,
        first_at=result.first_at,
        is_extended=result.is_extended,
        unknown=tuple(
            UnknownSpan(gap.start_at, gap.end_at)
            for gap in gaps(feed.session, feed.market, feed.unit)
        ),
    )


@click.command("audit")
@click.argument("market", type=arguments.MARKET, required=False)
@click.option(
    "--from",
    "start_at",
    type=arguments.INSTANT,
    metavar="ISO",
    help="A week before the end if left out; in your zone unless it has an offset.",
)
@click.option(
    "--to",
    "end_at",
    type=arguments.INSTANT,
    metavar="ISO",
    help="Exclusive; the newest settled candle.",
)
@_unit_option
@session.json_option
def audit_command(
    market: str | None,
    start_at: datetime | None,
    end_at: datetime | None,
    unit: int | None,
    as_json: bool,
) -> int:
    """Compare stored candles of MARKET, or of all, with the exchange once more, and correct them.

    Works with the appliance up and down. The same runs every night at `ingest.audit_at`. Exit code 1 when
    nothing of what was asked for could be compared.
    """
    arguments.require_order(start_at, end_at)
    settings = session.settings()
    codes = settings.ingest.markets if market is None else (market,)
    units = settings.ingest.timeframes if unit is None else (unit,)
    done = []
    for code in codes:
        for width in units:
            try:
                with _feed(session.paths(), settings, code, width) as feed:
                    session.require_known_market(code, feed.session)
                    if start_at is not None:
                        _require_past(feed, start_at)
                    done.append(_audit(feed, start_at, end_at))
            except ExchangeRejected as error:
                if market is not None or error.code != _GONE:
                    raise
                narrate(f"{code} {width}m cannot be judged: {error.message}")
    results = [result for result in done if result is not None]
    if as_json:
        emit_json(results)
    else:
        emit_table(
            ("MARKET", "UNIT", "FROM", "TO", "CHECKED", "CORRECTED", "RECOVERED", "REMOVED"),
            [(*(r.market, r.unit, r.start_at, r.end_at), *_counts(r)) for r in results],
        )
    if sum(result.checked for result in results) == 0:
        narrate("cannot be judged: no interval was compared")
        narrate("next:  `appliance coverage` shows what is proven; `appliance backfill` loads more")
        return ExitCode.FAILED
    return ExitCode.DONE


def _counts(result: Audit) -> tuple[int, int, int, int]:
    return result.checked, result.corrected, result.recovered, result.removed


def _audit(feed: Intake, start_at: datetime | None, end_at: datetime | None) -> Audit | None:
    """Audit one feed between the bounds, as far as it is proven."""
    from appliance.ingest.audit import audit, settled_window

    window = settled_window(feed, start_at, end_at)
    if window is None:
        narrate(f"nothing of {feed.market} {feed.unit}m is proven there")
        return None
    line = ProgressLine()
    try:
        return audit(feed, *window, lambda progress: line.show(str(progress), progress.is_done))
    finally:
        line.end()


@contextmanager
def _feed(home: Paths, settings: Settings, market: str, unit: int | None) -> Iterator[Intake]:
    """Yield a feed on the home's store, source and shared request budget, up or down."""
    from appliance.cli.embedded_simulator import simulator_for
    from appliance.exchange.source import open_source, resolve_source
    from appliance.ingest.intake import Intake
    from store.coverage import proven_until
    from store.open import open_store
    from store.source import claim_source

    home.create()
    is_running = session.is_supervised()
    with nullcontext() if is_running else simulator_for(settings, home):
        source = resolve_source(settings, home)
        with (
            open_source(source, settings, home) as client,
            open_store(home) as store,
        ):
            claim_source(store, source.source_id)
            width = settings.ingest.timeframes[0] if unit is None else unit
            try:
                yield Intake(store, client, market, width, source.source_id, session.origin())
            except ExchangeRejected as error:
                if error.code != ExchangeCode.UNKNOWN_MARKET:
                    raise
                if proven_until(store, market, width) is None:
                    raise arguments.unknown("market", market, client.markets()) from error
                raise ExchangeRejected(
                    f"{market} is not a market of the exchange any more, delisted or renamed;"
                    " what is stored of it stays",
                    code=_GONE,
                    hint=f"remove {market} from ingest.markets, or put its new code there",
                    market=market,
                ) from error


def _require_past(feed: Intake, start_at: datetime) -> None:
    """Raise a usage error when a period begins after the exchange's present."""
    now_at = feed.client.exchange_now()
    if start_at > now_at:
        raise click.UsageError(
            f"--from {zone.stamp(start_at)} is in the future: the exchange's time is "
            f"{zone.stamp_with_name(now_at)}"
        )


def _is_nothing(result: RangeResult) -> bool:
    """Whether there was nothing to load: no closed interval, or none that the exchange has."""
    is_before_all = result.first_at is not None and result.first_at >= result.end_at
    return result.start_at >= result.end_at or (is_before_all and not result.fetched)


def _nothing_words(result: RangeResult) -> str:
    if result.start_at >= result.end_at:
        return "no interval of the range has closed yet"
    return "nothing to load there" if _is_nothing(result) else "nothing was missing"


def _tell(feed: Intake, result: RangeResult) -> None:
    from store.coverage import gaps

    what = f"{feed.market} {feed.unit}m"
    if result.is_extended:
        narrate(
            f"extended to {zone.utc_text(result.end_at)}, where the proven history begins, "
            "so that no gap is left between"
        )
    if result.first_at is not None:
        narrate(f"the exchange has nothing before {zone.utc_text(result.first_at)}")
    narrate(
        f"{what}: {result.fetched:,} candles received, {result.inserted:,} new"
        if result.fetched
        else f"{what}: {_nothing_words(result)}"
    )
    for gap in gaps(feed.session, feed.market, feed.unit):
        narrate(
            f"still unknown: {zone.utc_span(gap.start_at, gap.end_at)}; "
            f"next: appliance backfill {feed.market} --unit {feed.unit} "
            f"--from {zone.utc_argument(gap.start_at)} --to {zone.utc_argument(gap.end_at)}"
        )
