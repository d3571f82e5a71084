"""Keeps secrets out of recordings: every known value, however JSON or a URL spells it, becomes `***`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from appliance.config.paths import Paths
from appliance.config.secret import Secret, read_secret
from appliance.errors import ConfigError

_SHORTEST = 6
_CREDENTIALS = re.compile(r"(://[^:/@\s\"]*):[^/@\s\"]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic) [A-Za-z0-9+/_=.~-]{8,}")
_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
"""A JSON web token."""


class Blotter:
    """Blots out `values`, passwords in URLs, authorization headers and web tokens."""

    def __init__(self, values: Iterable[str]) -> None:
        spelt = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        self._known = sorted(spelt, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return JSON text without secrets; it stays JSON."""
        for known in self._known:  # plain searches: thirty of them cost less than one pattern
            if known in text:
                text = text.replace(known, "***")
        if "://" in text:
            text = _CREDENTIALS.sub(r"\1:***@", text)
        if "earer " in text or "asic " in text:
            text = _BEARER.sub(r"\1 ***", text)
        return _TOKEN.sub("***", text) if "eyJ" in text else text


def blotter_of(paths: Paths) -> Blotter:
    """Return a blotter of every secret of a home that can be read."""
    values = []
    for secret in Secret:
        try:
            values.append(read_secret(paths, secret))
        except (ConfigError, OSError):
            continue
    return Blotter(values)


def _forms(value: str) -> set[str]:
    once = json.dumps(value)[1:-1]
    twice = json.dumps(once)[1:-1]  # rows of lists are JSON text within JSON
    return {value, once, twice, quote(value, safe=""), quote(value)}
