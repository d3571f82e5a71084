"""The configuration in `compose/`: typed, validated, layered.

Layers, later wins: the defaults below, the checkout's `compose/appliance.toml` and
`compose/projects/*.toml`, the same files under `$APPLIANCE_HOME/compose/`, environment variables
`APPLIANCE__SECTION__KEY`.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from appliance.config.paths import SOURCE_ROOT, Paths
from appliance.errors import ConfigError

Port = Annotated[int, Field(ge=0, le=65535)]
Market = Annotated[str, Field(pattern=r"^[A-Z]+-[A-Z0-9]+$")]
Timeframe = Literal[1, 3, 5, 10, 15, 30, 60, 240]
Days = Annotated[int, Field(ge=0, le=36500)]
ENVIRONMENT_PREFIX = "APPLIANCE__"


class Section(BaseModel):
    """A table of the configuration; refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(Section):
    """Where candles come from."""

    kind: Literal["auto", "upbit", "simulator"] = "auto"
    """`auto` takes Upbit when it answers at the first start, the built-in simulator otherwise."""
    rest_url: str = "https://api.upbit.com"
    """Base URL of an Upbit-compatible REST server, used when the kind is `upbit`."""
    websocket_url: str = "wss://api.upbit.com/websocket/v1"
    """WebSocket URL belonging to it."""
    requests_per_second: Annotated[int, Field(ge=1, le=10)] = 10
    """Ceiling for candle requests of this host, all processes together."""


class SimulatorSettings(Section):
    """The built-in simulator, used when the source is `simulator`."""

    port: Port = 0
    """0 takes a free one."""
    seed: int = 7
    """Same seed, same market."""
    speed: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Simulated seconds per second."""
    start: str = ""
    """ISO time at which simulated time begins; empty is now."""
    replay: dict[str, str] = {}
    """Market to parquet or CSV file."""
    scenario: str = ""
    """File with scripted regime shifts; empty is none."""
    faults: str = ""
    """File with scripted faults; empty is none."""


class IngestSettings(Section):
    """Live ingestion."""

    markets: tuple[Market, ...] = ("KRW-BTC",)
    """Upbit market codes, upper case."""
    timeframes: tuple[Timeframe, ...] = (1,)
    """Candle widths in minutes."""
    history_candles: Annotated[int, Field(ge=200, le=2_000_000)] = 20_000
    """Candles to backfill per market and timeframe on a first start."""
    audit_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "18:10"
    """UTC time, by the exchange's clock, of the nightly comparison with REST."""


class StoreSettings(Section):
    """The DuckDB store."""

    memory_limit: str = "512MB"
    """DuckDB's memory limit."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """DuckDB's threads for one statement; statements of several callers run at once anyway."""
    raw_days: Days = 90
    """Days to keep candles as the exchange sent them, since they were received; 0 for ever."""
    events_days: Days = 730
    """Days to keep events; 0 for ever."""
    reports_days: Days = 365
    """Days to keep performance and drift reports, the newest of each version longer; 0 for ever."""
    alerts_days: Days = 30
    """Days to keep messages that Slack has got; 0 for ever."""


class AirflowSettings(Section):
    """The embedded Airflow."""

    port: Port = 8080
    """Port of the API server on 127.0.0.1; another free one is taken when this is in use."""
    parallelism: Annotated[int, Field(ge=1, le=32)] = 2
    """Task slots; each costs a worker process."""
    database_url: str = ""
    """External PostgreSQL URL; empty is the bundled server."""


class MlflowSettings(Section):
    """The MLflow server."""

    port: Port = 5000
    """Port on 127.0.0.1; another free one is taken when this is in use."""
    database_url: Annotated[str, Field(pattern=r"^$|^sqlite$|^postgresql(\+\w+)?://")] = ""
    """Empty is a DuckDB file of the home, `sqlite` a SQLite file of it; or a PostgreSQL URL."""
    artifact_root: str = ""
    """Folder or s3:// URL; empty is the home's own folder."""
    deleted_runs_days: Days = 7
    """Days to keep a run after it was deleted in MLflow; 0 for ever."""
    models_days: Days = 30
    """Days to keep the files of versions that are neither named by an alias nor in use; 0 for ever."""


class S3Settings(Section):
    """S3 for artifacts; credentials are secrets (`s3_access_key_id`, `s3_secret_access_key`)."""

    endpoint_url: str = ""
    """Empty is AWS."""
    region: str = ""
    """Region name."""


class SlackSettings(Section):
    """Alerts; the webhook URL or bot token is a secret (`slack_webhook_url`, `slack_bot_token`)."""

    channel: str = ""
    """Channel for the bot token; a webhook has its own."""
    base_url: str = "https://slack.com/api/"
    """Slack's Web API."""


class ProjectSettings(Section):
    """One project."""

    enabled: bool = True
    """Whether its workflows are offered."""
    config: str = ""
    """Name of a config file in the project's `configs/` folder, without `.py`."""
    promotion: Literal["manual", "suggest", "auto"] = "auto"
    """What a verdict of `better` leads to: `auto` promotes, `suggest` names and tells, `manual` names."""
    overrides: dict[str, Any] = {}
    """Values that replace fields of the config class."""


class Settings(Section):
    """The whole configuration."""

    source: SourceSettings = SourceSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    ingest: IngestSettings = IngestSettings()
    store: StoreSettings = StoreSettings()
    airflow: AirflowSettings = AirflowSettings()
    mlflow: MlflowSettings = MlflowSettings()
    s3: S3Settings = S3Settings()
    slack: SlackSettings = SlackSettings()
    projects: dict[str, ProjectSettings] = {}

    @field_validator("projects")
    @classmethod
    def _project_names(cls, projects: dict[str, ProjectSettings]) -> dict[str, ProjectSettings]:
        for name in projects:
            if not name.isidentifier() or not name.islower():
                raise ValueError(f"project {name!r} must be a lower-case Python identifier")
        return projects


def load_settings(paths: Paths) -> Settings:
    """Read, layer and validate the configuration of a home.

    Raises:
        ConfigError: a file is not TOML, a key is unknown (the nearest known one is suggested) or a
            value is not allowed; names file or variable, key, expected and actual.
    """
    merged: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    for origin, layer in _layers(paths):
        _merge(merged, layer, origin, origins, ())
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, origins) from error


def _layers(paths: Paths) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in (SOURCE_ROOT / "compose", paths.compose):
        yield from _folder_layers(folder)
    for variable, value in sorted(os.environ.items()):
        if variable.startswith(ENVIRONMENT_PREFIX):
            yield variable, _nested(variable.removeprefix(ENVIRONMENT_PREFIX), value)


def _folder_layers(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    main = folder / "appliance.toml"
    if main.exists():
        yield str(main), _read_toml(main)
    for path in sorted((folder / "projects").glob("*.toml")):
        yield str(path), {"projects": {path.stem: _read_toml(path)}}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", hint=f"correct {path} and try again"
        ) from error


def _nested(name: str, value: str) -> dict[str, Any]:
    *sections, key = name.lower().split("__")
    try:
        parsed: Any = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        parsed = value
    layer: dict[str, Any] = {key: parsed}
    for section in reversed(sections):
        layer = {section: layer}
    return layer


def _merge(
    into: dict[str, Any],
    layer: Mapping[str, Any],
    origin: str,
    origins: dict[tuple[str, ...], str],
    path: tuple[str, ...],
) -> None:
    for key, value in layer.items():
        here = (*path, key)
        origins[here] = origin
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value, origin, origins, here)
        elif isinstance(value, Mapping):
            into[key] = {}
            _merge(into[key], value, origin, origins, here)
        else:
            into[key] = value


def _explain(error: ValidationError, origins: Mapping[tuple[str, ...], str]) -> ConfigError:
    first = error.errors()[0]
    location = tuple(str(part) for part in first["loc"])
    origin = next(
        (origins[location[:n]] for n in range(len(location), 0, -1) if location[:n] in origins), ""
    )
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return ConfigError(f"unknown key {key!r} in {origin}", code="config.unknown_key", hint=hint)
    return ConfigError(
        f"{key} in {origin}: {first['msg']} (was {first['input']!r})",
        code="config.invalid_value",
        hint=f"correct {key} in {origin}",
    )


def _known_keys(section: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in section:
        if model is Settings and part == "projects":
            continue
        field = model.model_fields.get(part)
        if field is None:
            model = ProjectSettings
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return sorted(model.model_fields)
