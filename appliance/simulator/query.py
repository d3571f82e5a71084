"""What a request asks for, and how Upbit reads its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from appliance.simulator.connections import TRANSPORT, HttpConnection
from appliance.simulator.replies import Refusal
from appliance.simulator.simulated_time import to_ms

MAX_COUNT = 200
MISSING = "Missing request parameter error. Check the required parameters!"
MISMATCH = "Type mismatch error. Check the parameters type!"
INVALID = "Invalid parameter. Check the given value!"


@dataclass(slots=True)
class Request:
    """One request of `/v1`; header names are lower case."""

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
        try:
            count = int(text)
        except ValueError:
            raise Refusal(400, MISMATCH) from None
        if count < 1:
            raise Refusal(400, INVALID)
        return min(count, MAX_COUNT)

    def to(self) -> int | None:
        """Return `to` in milliseconds since 1970, None when it is not given; without a zone it is UTC.

        Raises:
            Refusal: no time.
        """
        text = self.value("to")
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise Refusal(400, INVALID) from None
        return to_ms(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


def read_request(scope: dict[str, Any]) -> Request:
    """Return the request of an ASGI scope."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    client = scope.get("client")
    extension = (scope.get("extensions") or {}).get(TRANSPORT)
    return Request(
        path=scope["path"],
        address=client[0] if client else "",
        headers=dict(scope["headers"]),
        connection=extension["connection"] if extension else None,
        _values=values,
    )
