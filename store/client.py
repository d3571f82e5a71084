"""A session over Arrow Flight to the process that owns the store file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pyarrow as pa
from pyarrow import flight

from appliance.errors import StoreError, StoreUnavailable
from store.migrate import schema_version
from store.received import FlightRows
from store.rows_in_flight import pieces
from store.session import Session, Statement
from store.wire import (
    BACKUP_ACTION,
    HEALTH_ACTION,
    Command,
    decode_error,
    encode_command,
    refuse_other_protocol,
)

_CHUNK_ROWS = 65_536

_CHANNEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
"""Channels share nothing, so that a new one does not inherit the back-off of a failed one."""


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What the service says about itself after a real query; `schema` is the file's version."""

    version: str
    schema: int
    pid: int


class FlightSession(Session):
    """A `Session` on the service that listens on a unix socket; see `Session` for the methods."""

    def __init__(
        self,
        socket: Path,
        *,
        read_seconds: float = 60.0,
        write_seconds: float = 300.0,
        stream_seconds: float = 3600.0,
    ) -> None:
        """Prepare the channel; nothing is sent yet."""
        self._socket = socket
        self._is_closed = False
        self._streams: WeakSet[FlightRows] = WeakSet()
        self._schema = schema_version()
        self._read_options = flight.FlightCallOptions(timeout=read_seconds)
        self._stream_options = flight.FlightCallOptions(timeout=stream_seconds)
        self._write_options = flight.FlightCallOptions(timeout=write_seconds)
        self._client = self._channel()

    def read(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """See `Session.read`."""
        command = Command(self._schema, (Statement(sql, tuple(parameters)),))
        ticket = flight.Ticket(encode_command(command))
        with self._translated():
            return _table(self._client.do_get(ticket, self._read_options))

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> FlightRows:
        """See `Session.stream`."""
        command = Command(self._schema, (Statement(sql, tuple(parameters)),))
        ticket = flight.Ticket(encode_command(command))
        with self._translated():
            reader = self._client.do_get(ticket, self._stream_options)
        rows = FlightRows(reader, self._translated)
        self._streams.add(rows)
        return rows

    def write(self, *statements: Statement, batch: pa.Table | None = None) -> pa.Table:
        """See `Session.write`."""
        rows = None if batch is None else batch.num_rows
        command = encode_command(Command(self._schema, statements, rows))
        descriptor = flight.FlightDescriptor.for_command(command)
        with self._translated():
            writer, reader = self._client.do_exchange(descriptor, self._write_options)
            try:
                return _answered(writer, reader, batch)
            finally:
                with suppress(pa.ArrowException, OSError):
                    writer.close()

    def health(self, seconds: float = 5.0) -> StoreHealth:
        """Let the service run a query and say who it is.

        Raises:
            StoreUnavailable: no answer within `seconds`.
            StoreError: the service has another schema or protocol version than this code.
        """
        options = flight.FlightCallOptions(timeout=seconds)
        action = flight.Action(HEALTH_ACTION, encode_command(Command(self._schema, ())))
        with self._translated():
            (result,) = self._client.do_action(action, options)
        answer = json.loads(result.body.to_pybytes())
        refuse_other_protocol("store service", answer.get("protocol", 1))
        return StoreHealth(str(answer["version"]), int(answer["schema"]), int(answer["pid"]))

    def backup(self, target: Path) -> Iterator[dict[str, Any]]:
        """Let the service copy the store; yields its progress and at last `facts`.

        Leaving the iterator early makes the service give up. See `store.backup` for the errors.
        """
        command = Command(self._schema, (), target=str(target))
        with self._translated():
            for result in self._client.do_action(
                flight.Action(BACKUP_ACTION, encode_command(command))
            ):
                yield json.loads(result.body.to_pybytes())

    def cancel(self) -> None:
        """Stop the streams; a call that has no answer yet ends with its time or with this process."""
        for rows in list(self._streams):
            rows.cancel()

    def close(self) -> None:
        """Close the channel."""
        self._is_closed = True
        self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._is_closed:
            raise StoreError("the store session is closed", code="store.closed")
        try:
            yield
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            raise self._translate(error) from error

    def _channel(self) -> Any:
        return flight.FlightClient(f"grpc+unix://{self._socket}", generic_options=_CHANNEL)

    def _translate(self, error: Exception) -> StoreError:
        told = decode_error(getattr(error, "extra_info", b"") or b"")
        if told is not None:
            return told
        if isinstance(error, flight.FlightTimedOutError):
            return StoreUnavailable(
                "the store service did not answer in time",
                code="store.timeout",
                hint="ask for fewer rows, or see: appliance logs store",
            )
        if isinstance(error, _LOST):
            # A failed channel waits longer and longer before it connects again; a new one does not.
            self._client = self._channel()
            return StoreUnavailable(
                f"the store service on {self._socket} does not answer",
                hint="appliance status shows whether it is being restarted; try again",
            )
        return StoreError(str(error), hint="see: appliance logs store")


_LOST = (flight.FlightUnavailableError, flight.FlightCancelledError, OSError)
"""How a connection ends; a write into one that has ended is an `OSError`."""


def _table(reader: Any) -> pa.Table:
    """Return all rows of a reader; not by its `read_all`, which simulates Ctrl-C when the server cancels.

    A store that is ended cancels its calls, and SIGINT would end the caller as well.
    """
    return pa.Table.from_batches([chunk.data for chunk in reader], reader.schema)


def _answered(writer: Any, reader: Any, batch: pa.Table | None) -> pa.Table:
    """Send a batch and return the rows that answer it."""
    try:
        _send(writer, batch)
    except OSError:
        _table(reader)  # raises what the service said when it ended the call
        raise
    return _table(reader)


def _send(writer: Any, batch: pa.Table | None) -> None:
    table = pa.table({}) if batch is None else batch
    writer.begin(table.schema)
    for each in table.to_batches(max_chunksize=_CHUNK_ROWS):
        for piece in pieces(each):
            writer.write_batch(piece)
    writer.done_writing()
