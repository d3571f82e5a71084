"""Stored data: candles, SQL, reset."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from appliance.cli import session
from appliance.cli.output import emit_json, emit_table, narrate
from appliance.cli.query_output import FORMATS
from appliance.cli.question import require_yes
from appliance.cli.read_ahead import ReadAhead
from appliance.cli.timeframe import TIMEFRAME
from appliance.config import arguments
from appliance.errors import ServiceError

if TYPE_CHECKING:
    import pyarrow as pa

QUERY_SECONDS = 60.0
"""How long a query may run."""


_QUERY = arguments.Text(1_000_000, has_lines=True)


@click.command("candles")
@click.argument("market", type=arguments.MARKET, required=False)
@click.option(
    "--unit",
    type=TIMEFRAME,
    help="Candle width in minutes; the first configured by default.",
)
@session.limit_option(20, 1_000_000)
@session.json_option
def candles_command(market: str | None, unit: int | None, limit: int, as_json: bool) -> None:
    """Show the newest stored candles of MARKET, oldest first."""
    from store import candles

    ingest = session.settings().ingest
    chosen_market, chosen_unit = market or ingest.markets[0], unit or ingest.timeframes[0]
    with session.open_store() as store:
        found = candles.latest_candles(store, chosen_market, chosen_unit, limit)
        if not found:
            session.require_known_market(chosen_market, store)
    if as_json:
        emit_json(found)
        return
    if not found:
        narrate(
            f"no {chosen_unit}m candle of {chosen_market} stored; "
            f"configured: {', '.join(ingest.markets)}"
        )
        return
    emit_table(
        ("TIME", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME"),
        [(c.candle_date_time_utc, c.open, c.high, c.low, c.close, c.volume) for c in found],
    )


@click.command("sql")
@click.argument("query", type=_QUERY, required=False)
@session.limit_option(1000, 1_000_000_000, "At most so many rows.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    default="table",
    show_default=True,
    help="How the rows are printed; --json is --format json.",
)
@session.json_option
def sql_command(query: str | None, limit: int, output_format: str, as_json: bool) -> None:
    """Run a reading QUERY on the live store; from standard input when it is - or missing."""
    from store import query as store_query

    if query in (None, "-"):
        query = _QUERY.convert(sys.stdin.buffer.read().decode(errors="replace"), None, None)
    show, count = FORMATS["json" if as_json else output_format], 0

    def counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in batches:
            count += batch.num_rows
            yield batch

    with (
        session.open_store(read_seconds=QUERY_SECONDS) as store,
        ReadAhead(store, lambda store: store_query.run_query(store, str(query), limit)) as rows,
    ):
        show(rows.schema(), counted(rows))
    if count >= limit:
        narrate(f"stopped at {limit:,} rows; -n takes more")


@click.command("reset")
@click.option("--store", "reset_store", is_flag=True, help="Delete all stored market data.")
@session.yes_option
@session.json_option
def reset_command(reset_store: bool, yes: bool, as_json: bool) -> None:
    """Delete state for good, such as the store before another market source."""
    from appliance.cli.results import StoreReset

    if not reset_store:
        raise click.UsageError("say what to reset: --store")
    if session.is_supervised():
        raise ServiceError("the appliance is running", hint="appliance down")
    home = session.paths()
    changed = home.store_file.exists()
    if not yes and changed:
        require_yes(f"Delete every candle, forecast, report and event in {home.store_file}?")
    from appliance.exchange.source import forget_source
    from store.reset import reset_store as delete_store

    delete_store(home)
    forget_source(home)
    if as_json:
        emit_json(StoreReset(changed, home.store_file))
    narrate(
        "the store is empty; the next start settles the market source anew"
        if changed
        else "there is no store; nothing was changed"
    )
