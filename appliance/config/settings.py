"""The configuration in `compose/`: typed, validated, layered.

Layers, later wins: the defaults below, the checkout's `compose/appliance.toml` and
`compose/projects/*.toml`, the same files under `$APPLIANCE_HOME/compose/`, environment variables
`APPLIANCE__SECTION__KEY`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from appliance.config import values
from appliance.config.exchanges import ExchangeEntry, entry_of
from appliance.config.forms import is_project_name
from appliance.config.layers import Layers, read_layers
from appliance.config.paths import Paths
from appliance.config.validation import InvalidValues, validated
from appliance.config.values import Market, Timeframe

# Configs of projects import Market and Timeframe from here.
__all__ = [
    "AirflowSettings",
    "DisplaySettings",
    "IngestSettings",
    "Market",
    "MlflowSettings",
    "ProjectSettings",
    "RecorderSettings",
    "S3Settings",
    "Section",
    "Settings",
    "SimulatorSettings",
    "SlackSettings",
    "SourceSettings",
    "StoreSettings",
    "Timeframe",
    "load_settings",
    "settings_of",
]


class Section(BaseModel):
    """A table of the configuration; refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _exchange(chosen: dict[str, Any]) -> ExchangeEntry:
    """Return the exchange of the fields before."""
    return entry_of(str(chosen.get("kind", "auto")))


class SourceSettings(Section):
    """Where candles come from."""

    kind: values.SourceKind = "auto"
    """`auto` takes the exchange when it answers at the first start, the built-in simulator otherwise."""
    rest_url: values.HttpUrl = Field(default_factory=lambda set_: _exchange(set_).rest_url)
    """Base URL of a REST server that behaves like the exchange of that kind; its own by default."""
    websocket_url: values.WebSocketUrl = Field(
        default_factory=lambda set_: _exchange(set_).websocket_url
    )
    """WebSocket URL belonging to it."""
    requests_per_second: Annotated[int, Field(ge=1, le=10)] = 10
    """Ceiling for candle requests of this host, all processes together."""


class SimulatorSettings(Section):
    """The built-in simulator, used when the source is `simulator`."""

    port: values.Port = 0
    """0 takes a free one."""
    seed: values.Seed = 7
    """Same seed, same market."""
    speed: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Simulated seconds per second."""
    start: values.Instant = ""
    """ISO time at which simulated time begins; empty is now."""
    replay: dict[Market, values.File] = {}
    """Market to parquet or CSV file."""
    scenario: values.OptionalFile = ""
    """File with scripted regime shifts and unusual markets; empty is none."""
    faults: values.OptionalFile = ""
    """File with scripted faults; empty is none."""


class IngestSettings(Section):
    """Live ingestion."""

    markets: values.Markets = ("KRW-BTC",)
    """Market codes, upper case."""
    timeframes: values.Timeframes = (1,)
    """Candle widths in minutes."""
    history_candles: Annotated[int, Field(ge=200, le=2_000_000)] = 20_000
    """Candles to backfill per market and timeframe on a first start."""
    audit_at: values.TimeOfDay = "18:10"
    """UTC time, by the exchange's clock, of the nightly comparison with REST."""


class StoreSettings(Section):
    """The DuckDB store."""

    memory_limit: values.MemorySize = "512MB"
    """DuckDB's memory limit; the whole process stays below this plus 640 MB, whatever is asked."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """DuckDB's threads for one statement; statements of several callers run at once anyway."""
    raw_days: values.Days = 90
    """Days to keep candles as the exchange sent them, since they were received; 0 for ever."""
    events_days: values.Days = 730
    """Days to keep events; 0 for ever."""
    reports_days: values.Days = 365
    """Days to keep performance and drift reports, the newest of each version longer; 0 for ever."""
    rows_days: values.Days = 30
    """Days to keep prepared rows of code or parameters that no longer make any; 0 for ever."""
    alerts_days: values.Days = 30
    """Days to keep messages that Slack has got; 0 for ever."""


class AirflowSettings(Section):
    """The embedded Airflow."""

    port: values.Port = 8080
    """Port of the API server on 127.0.0.1; another free one is taken when this is in use."""
    parallelism: Annotated[int, Field(ge=1, le=32)] = 2
    """Task slots; each costs a worker process."""
    database_url: values.AirflowDatabase = ""
    """External PostgreSQL URL; empty is the bundled server."""


class MlflowSettings(Section):
    """The MLflow server."""

    port: values.Port = 5000
    """Port on 127.0.0.1; another free one is taken when this is in use."""
    database_url: values.MlflowDatabase = ""
    """Empty is a DuckDB file of the home, `sqlite` a SQLite file of it; or a PostgreSQL URL."""
    artifact_root: values.ArtifactRoot = ""
    """Folder or s3:// URL; empty is the home's own folder."""
    deleted_runs_days: values.Days = 7
    """Days to keep a run after it was deleted in MLflow; 0 for ever."""
    models_days: values.Days = 30
    """Days to keep the files of versions that are neither named by an alias nor in use; 0 for ever."""


class S3Settings(Section):
    """S3 for artifacts; credentials are secrets (`s3_access_key_id`, `s3_secret_access_key`)."""

    endpoint_url: values.OptionalHttpUrl = ""
    """Empty is AWS."""
    region: values.Region = ""
    """Region name."""


class SlackSettings(Section):
    """Alerts; the webhook URL or bot token is a secret (`slack_webhook_url`, `slack_bot_token`)."""

    channel: values.SlackChannel = ""
    """Channel for the bot token; a webhook has its own."""
    base_url: values.TokenUrl = "https://slack.com/api/"
    """Slack's Web API."""


class DisplaySettings(Section):
    """What dashboard, command line and messages look like."""

    timezone: values.TimeZone = ""
    """IANA zone of times that people read and type, such as `Asia/Seoul`; empty is the machine's."""
    theme: Literal["auto", "night", "day", "contrast", "16"] = "auto"
    """Colours: `contrast` is safe for the colour-blind, `auto` is `night`, with 16 colours `16`."""
    keys: dict[str, values.Text] = {}
    """Keys of the dashboard by action, such as `retrain = "R"`; `:` completes the actions' names."""


class RecorderSettings(Section):
    """The flight recorder: what the screens showed, for `appliance --at`."""

    enabled: bool = True
    """Whether anything is recorded."""
    days: values.Days = 7
    """Days to keep recordings; 0 for ever."""
    max_size: values.MemorySize = "1GB"
    """All recordings together; the oldest hours go first."""


class ProjectSettings(Section):
    """One project."""

    enabled: bool = True
    """Whether its workflows are offered."""
    config: values.Text = ""
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
    display: DisplaySettings = DisplaySettings()
    recorder: RecorderSettings = RecorderSettings()
    projects: dict[str, ProjectSettings] = {}

    @field_validator("projects")
    @classmethod
    def _project_names(cls, projects: dict[str, ProjectSettings]) -> dict[str, ProjectSettings]:
        for name in projects:
            if not is_project_name(name):
                raise PydanticCustomError(
                    "expected",
                    "must be named by a lower-case Python identifier",
                    {"key": ("projects", name)},
                )
        return projects

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        chosen: dict[int, str] = {}
        for name in ("mlflow", "airflow", "simulator"):
            section: MlflowSettings | AirflowSettings | SimulatorSettings = getattr(self, name)
            is_set = "port" in section.model_fields_set and section.port != 0
            other = chosen.setdefault(section.port, name) if is_set else name
            if other != name:
                raise PydanticCustomError(
                    "expected",
                    "must differ from {other}.port, both are {port}",
                    {"key": (name, "port"), "other": other, "port": section.port},
                )
        return self


def load_settings(paths: Paths) -> Settings:
    """Read, layer and validate the configuration of a home.

    Raises:
        InvalidValues: a file is not TOML, a key is unknown (the nearest known one is suggested) or a
            value is not allowed; names file and line or variable, key, expected and actual value.
    """
    return settings_of(read_layers(paths))


def settings_of(layers: Layers) -> Settings:
    """Return the settings that some layers make; raises like `load_settings`, with every problem."""
    problems = list(layers.problems)
    try:
        settings = validated(Settings, layers.values)
    except InvalidValues as error:
        problems += error.located((), layers.place).problems
    if problems:
        raise InvalidValues(problems)
    return settings
