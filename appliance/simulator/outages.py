"""Breaks connections when a fault says so: the only faults that act by themselves."""

from __future__ import annotations

import asyncio

from appliance.simulator.connections import Connections
from appliance.simulator.exchange import Exchange
from appliance.simulator.faults import FaultKind

_LONGEST_WAIT_SECONDS = 0.25


def break_connections(exchange: Exchange, connections: Connections) -> int:
    """Carry out the drops and outages that have begun; return how many connections broke."""
    broken = 0
    for fault in exchange.faults.take_begun(exchange.time.now()):
        if fault.kind is FaultKind.DROP:
            count = connections.drop_sockets()
        elif fault.kind is FaultKind.OUTAGE:
            count = connections.drop_all()
        else:
            continue
        exchange.faults.note(fault.kind, count)
        broken += count
    return broken


async def watch(exchange: Exchange, connections: Connections) -> None:
    """Break connections whenever a scripted fault begins, for ever."""
    while True:
        break_connections(exchange, connections)
        due = exchange.faults.next_change(exchange.time.now())
        wait = exchange.time.real_seconds_until(due)
        await asyncio.sleep(min(max(wait, 0.001), _LONGEST_WAIT_SECONDS))
