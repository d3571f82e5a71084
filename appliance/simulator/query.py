"""What a request asks for, and how Upbit reads its parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from appliance.config.forms import END_AT
from appliance.simulator.connections import TRANSPORT, HttpConnection
from appliance.simulator.replies import Refusal
from appliance.simulator.simulated_time import to_ms

MAX_COUNT = 200
LONGEST_QUERY = 16_384
"""Bytes; a longer query is refused, as a gateway does."""
MISSING = "Missing request parameter error. Check the required parameters!"
MISMATCH = "Type mismatch error. Check the parameters type!"
INVALID = "Invalid parameter. Check the given value!"
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
_TIME = re.compile(f"{_DATE}([T ]{_CLOCK})?")
_END_MS = to_ms(END_AT)


@dataclass(slots=True)
class Request:
    """One request of `/v1`; header names are lower case."""

    method: str
    path: str
    address: str
    headers: dict[bytes, bytes]
    connection: HttpConnection | None
    _values: dict[str, list[str]] = field(default_factory=dict)

    def value(self, *names: str) -> str:
        """Return a parameter by the first of its spellings that is given, "" when none is."""
        for name in names:
            if name in self._values:
                return self._values[name][0]
        return ""

    def joined(self, name: str) -> str:
        """Return a parameter; given several times its values count as one comma list."""
        return ",".join(self._values.get(name, ()))

    @property
    def takes_gzip(self) -> bool:
        """Whether the client takes compressed replies."""
        return b"gzip" in self.headers.get(b"accept-encoding", b"")

    def count(self) -> int:
        """Return the number of candles asked for, at most 200; the default is 1.

        Raises:
            Refusal: no number, or below 1.
        """
        text = self.value("count") or "1"
        if not _INTEGER.fullmatch(text):
            raise Refusal(400, MISMATCH)
        count = int(text)
        if count < 1:
            raise Refusal(400, INVALID)
        return min(count, MAX_COUNT)

    def to(self) -> int | None:
        """Return `to` in milliseconds since 1970, None when it is not given; without a zone it is UTC.

        A time before 1970 or after 2099 counts as the nearest one between.

        Raises:
            Refusal: no time, or not in a form that Upbit takes.
        """
        text = self.value("to")
        if not text:
            return None
        if not _TIME.fullmatch(text):
            raise Refusal(400, INVALID)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise Refusal(400, INVALID) from None
        ms = to_ms(at.replace(tzinfo=UTC) if at.tzinfo is None else at)
        return min(max(ms, 0), _END_MS)


def read_request(scope: dict[str, Any]) -> Request:
    """Return the request of an ASGI scope."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    client = scope.get("client")
    extension = (scope.get("extensions") or {}).get(TRANSPORT)
    return Request(
        method=scope["method"],
        path=scope["path"],
        address=client[0] if client else "",
        headers=dict(scope["headers"]),
        connection=extension["connection"] if extension else None,
        _values=values,
    )
