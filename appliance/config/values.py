"""What single settings may be: types that say in words what they expect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from appliance import zone
from appliance.config.exchanges import kinds
from appliance.config.forms import MARKET, has_control_characters, parse_instant

Item = TypeVar("Item")

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_CHANNEL = re.compile(r"([#@]?[\w.-]{1,80})?")
_REGION = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,62})?")
TEXT_LIMIT = 4096
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([KMGT])(i?)B?", re.IGNORECASE)
_LEAST_MEMORY = 64_000_000
_MOST_MEMORY = 1_000_000_000_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]+")


def expected(what: str) -> PydanticCustomError:
    """Return the error of a value that is not `what`."""
    return PydanticCustomError("expected", "must be {what}", {"what": what})


def _text(value: str) -> str:
    if has_control_characters(value):
        raise expected("text without control characters")
    return value


def _integer(value: object) -> object:
    if isinstance(value, bool | float):
        raise expected("a whole number")
    return value


def _port(value: int) -> int:
    if value != 0 and not 1024 <= value <= 65535:
        raise expected("a port from 1024 to 65535, or 0 for a free one")
    return value


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise expected(what)
        return value

    return AfterValidator(check)


def _set(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if not values:
        raise expected("a list of at least one")
    doubled = sorted({str(value) for value in values if values.count(value) > 1})
    if doubled:
        raise expected(f"a list that names {doubled[0]} once")
    return values


def _memory(value: str) -> str:
    size = memory_bytes(value)
    if size is None or not _LEAST_MEMORY <= size <= _MOST_MEMORY:
        raise expected("a size from 64MB to 1TB, such as 512MB or 1.5GB")
    return value


def memory_bytes(text: str) -> int | None:
    """Return the bytes of a size such as 512MB or 1GiB, None when it is none."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    power = "KMGT".index(found[2].upper()) + 1
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def _instant(value: str) -> str:
    try:
        if value:
            parse_instant(value)
    except ValueError as error:
        raise expected(str(error)) from None
    return value


def _time_zone(value: str) -> str:
    try:
        zone.named(value)
    except ValueError as error:
        raise expected(str(error)) from None
    return value


def _split(value: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    """Return the parts of a URL with one of the schemes, a host and a possible port."""
    try:
        parts = urlsplit(value)
        is_right = parts.scheme in schemes and parts.port != 0
    except ValueError:  # a port out of range, half an IPv6 address
        raise expected(what) from None
    if not is_right or any(character.isspace() for character in value) or "\\" in value:
        raise expected(what)
    return parts


def _server(value: str, schemes: tuple[str, str]) -> SplitResult:
    what = f"a URL such as {schemes[-1]}://host, without credentials, query or fragment"
    parts = _split(value, schemes, what)
    if not _HOST.fullmatch(parts.hostname or "") or parts.username is not None:
        raise expected(what)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise expected(what)
    return parts


def _http_url(value: str) -> str:
    _server(value, ("http", "https"))
    return value


def _source_kind(value: str) -> str:
    allowed = ("auto", *kinds())
    if value not in allowed:
        raise expected(f"one of {', '.join(allowed)}")
    return value


def _optional_http_url(value: str) -> str:
    return _http_url(value) if value else value


def _websocket_url(value: str) -> str:
    _server(value, ("ws", "wss"))
    return value


def _token_url(value: str) -> str:
    parts = _server(value, ("http", "https"))
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise expected("a https:// URL, since a token is sent there")
    return value


def _postgres_url(value: str) -> str:
    what = "a URL such as postgresql://user:password@host:5432/database"
    scheme = re.match(r"postgresql(\+\w+)?(?=://)", value)
    parts = _split(value, (scheme[0] if scheme else "",), what)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    if not host or not parts.path.strip("/") or parts.fragment:
        raise expected(what)
    return value


def _airflow_database(value: str) -> str:
    return _postgres_url(value) if value else value


def _mlflow_database(value: str) -> str:
    return value if value in {"", "sqlite"} else _postgres_url(value)


def _artifact_root(value: str) -> str:
    if "://" not in value and not value.startswith("file:"):
        return value
    parts = _split(value, ("s3", "file"), "a folder or a URL such as s3://bucket/folder")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise expected("a URL such as s3://bucket/folder, without credentials or query")
    if parts.scheme == "s3" and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", parts.netloc):
        raise expected("a URL such as s3://bucket/folder, the bucket in lower case")
    if parts.scheme == "file" and (parts.netloc or parts.path.strip("/") == ""):
        raise expected("a folder or a URL such as s3://bucket/folder")
    return value


def _file(value: str) -> str:
    if value and Path(value).name in {"", ".", ".."}:
        raise expected("the path of a file")
    return value


def _required(value: str) -> str:
    if not value.strip():
        raise expected("the path of a file")
    return _file(value)


def cron(value: str) -> str:
    """Return a cron expression of five fields, or an empty one; raises `PydanticCustomError`."""
    if value and not _is_cron(value):
        raise expected("a cron expression of five fields (UTC) such as 17 3 * * 1")
    return value


def _is_cron(value: str) -> bool:
    from croniter import croniter

    return len(value.split()) == 5 and bool(croniter.is_valid(value))


Text = Annotated[str, Field(max_length=TEXT_LIMIT), AfterValidator(_text)]
Port = Annotated[int, AfterValidator(_port)]
SourceKind = Annotated[str, AfterValidator(_source_kind)]
Market = Annotated[str, _matching(MARKET, "a market code in upper case such as KRW-BTC")]
Markets = Annotated[tuple[Market, ...], Field(max_length=1000), AfterValidator(_set)]
Timeframe = Annotated[Literal[1, 3, 5, 10, 15, 30, 60, 240], BeforeValidator(_integer)]
Timeframes = Annotated[tuple[Timeframe, ...], AfterValidator(_set)]
Days = Annotated[int, Field(ge=0, le=36500)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
TimeOfDay = Annotated[str, _matching(_TIME_OF_DAY, "a time of day (UTC) such as 18:10")]
MemorySize = Annotated[Text, AfterValidator(_memory)]
Instant = Annotated[Text, AfterValidator(_instant)]
TimeZone = Annotated[Text, AfterValidator(_time_zone)]
HttpUrl = Annotated[Text, AfterValidator(_http_url)]
OptionalHttpUrl = Annotated[Text, AfterValidator(_optional_http_url)]
WebSocketUrl = Annotated[Text, AfterValidator(_websocket_url)]
TokenUrl = Annotated[Text, AfterValidator(_token_url)]
AirflowDatabase = Annotated[Text, AfterValidator(_airflow_database)]
MlflowDatabase = Annotated[Text, AfterValidator(_mlflow_database)]
ArtifactRoot = Annotated[Text, AfterValidator(_artifact_root)]
OptionalFile = Annotated[Text, AfterValidator(_file)]
File = Annotated[Text, AfterValidator(_required)]
SlackChannel = Annotated[str, _matching(_CHANNEL, "a channel such as #alerts or C0123456789")]
Region = Annotated[str, _matching(_REGION, "a region such as ap-northeast-2")]
