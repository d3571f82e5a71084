"""A notebook's way in: a home's data, as Arrow, read-only; made by `appliance.connect()`.

A composition root like the command line's: it puts store, registry and projects together for a reader.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, cast

from appliance.config.instance_lock import is_supervised
from appliance.config.ownership import may_open_files_of
from appliance.config.paths import Paths
from appliance.domain.event import EventKind
from appliance.domain.event_filter import EventFilter
from appliance.domain.model_version import ModelVersion
from appliance.errors import (
    ApplianceNotRunning,
    ConfigError,
    RegistryError,
    StoreError,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from appliance.registry.rest import RegistryRest
    from store.session import Session

T = TypeVar("T")

_WAIT_SECONDS = 5.0
_READ_SECONDS = 300.0
"""A notebook may ask for much."""
_PROBE = "SELECT 1"


class Home:
    """What a home has stored, for a notebook or script; made by `appliance.connect`.

    Each method returns a `pyarrow.Table`: `.to_pandas()` makes a DataFrame of it, polars, DuckDB and ibis
    take it as it is, and instants are aware UTC in all of them. DuckDB's users know it so; an argument
    `as_pandas` would have each method return either of two types.

    Nothing can be changed: while the appliance runs, reads go to its store's reading call, and otherwise
    the file is opened read-only, only as long as a read lasts, so that the appliance can start at any time.
    A home that is started or stopped in between stays connected.

    Every method raises `StoreUnavailable` when the store does not answer, and another `ApplianceError` when
    it refuses; its `hint` is the next step.
    """

    def __init__(self, paths: Paths, session: Session) -> None:
        """Take over a session that cannot write."""
        self._paths = paths
        self._session = session

    @property
    def path(self) -> Path:
        """The home's folder."""
        return self._paths.home

    def candles(
        self, market: str, unit: int, start: datetime | None = None, end: datetime | None = None
    ) -> pa.Table:
        """Return the candles of a market that open in [start, end), ascending.

        Columns: market, unit, candle_date_time_utc, open, high, low, close, volume, value.

        Args:
            market: the market's code, such as `KRW-BTC`.
            unit: candle width in minutes.
            start: first instant, aware; all candles from the first on where it is None.
            end: instant after the last, aware.

        Raises:
            ConfigError: nothing of that market and width is stored; says what is.
        """
        from store.candles import count_candles, read_candles

        table = self._answer(lambda store: read_candles(store, market, unit, start, end))
        if not table.num_rows and not self._answer(
            lambda store: count_candles(store, market, unit)
        ):
            raise self._no_candles(market, unit)
        return table

    def rows(
        self, project: str, start: datetime | None = None, end: datetime | None = None
    ) -> pa.Table:
        """Return a project's prepared rows of candles in [start, end), ascending: what models learn from.

        Only those that the project's code and parameters of today made. Columns: candle_date_time_utc,
        close, then a column for each feature; without any row the first two.

        Raises:
            ConfigError: no such project, or its configuration is wrong.
        """
        from appliance.config.settings import load_settings
        from appliance.pipelines.forecasting.forecast_spec import ForecastSpec
        from appliance.pipelines.forecasting.row_digest import row_digest
        from appliance.pipelines.spec import describe_project
        from store.features import read_features

        spec = cast("ForecastSpec", describe_project(load_settings(self._paths), project))
        made_by = row_digest(spec)
        return self._answer(
            lambda store: read_features(store, project, spec.market, spec.unit, made_by, start, end)
        )

    def predictions(
        self,
        project: str,
        start: datetime | None = None,
        end: datetime | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Return a project's forecasts of candles in [start, end), ascending, outcomes and losses beside.

        Columns: market, unit, candle_date_time_utc, horizon, model_version, target_at, base_price, made_at,
        is_production; lower, median, upper (log returns) and the same of the benchmarks (static_*, ewma_*);
        is_live; realised_return, pinball, pinball_static, pinball_ewma, is_inside, which are null until the
        forecast has matured. `version` keeps those of one model.

        Raises:
            ConfigError: no such project.
        """
        from store.forecasts import read_predictions

        table = self._answer(
            lambda store: read_predictions(store, project, start, end, model_version=version)
        )
        return self._of_project(project, table)

    def events(
        self,
        project: str = "",
        kinds: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Return what was decided or happened in [start, end), oldest first; `limit` keeps the newest.

        Columns: id, occurred_at, kind, severity, project, actor, done_by, summary, details (JSON).

        Args:
            project: of one project only; "" is all.
            kinds: such as `["model.promoted"]`; none is all.
            start: first instant, aware.
            end: instant after the last, aware.
            limit: how many of the newest.

        Raises:
            ConfigError: no such kind; says which there are.
        """
        from store.events import read_event_rows

        wanted = EventFilter(
            kinds=tuple(_kind(each) for each in kinds), project=project, since=start, until=end
        )
        return self._answer(lambda store: read_event_rows(store, wanted, limit))

    def champion(self, project: str) -> ModelVersion:
        """Return the version in production: `version`, `run_id`, `created_at`, `metrics`, `promoted`.

        `promoted.at` and `promoted.done_by` say when and by whom it was put there. A running MLflow is
        asked; otherwise its DuckDB file is read, as the store's is.

        Raises:
            ModelNotFound: there is none yet.
            RegistryUnavailable: the appliance runs but MLflow does not answer.
            RegistryError: the appliance is down, and MLflow's database is no DuckDB file.
        """
        from store.promotions import with_promotions

        with self._server() as server:
            version = self._champion(project, server)
        return self._answer(lambda store: with_promotions(store, project, [version]))[0]

    def load_champion(self, project: str) -> object:
        """Return the estimator in production, whose `predict` takes a DataFrame of `rows`' features.

        Loaded as the pipelines do: without pickle, types of an allow-list only, and only when its files
        are what was registered.

        Raises:
            ModelRefused: they are not.
            RegistryError: see `champion`; or the files are damaged or gone.
        """
        from appliance.registry.read_only import ReadOnlyProofs, load_for_reader
        from store.model_proofs import find_proof

        proofs = ReadOnlyProofs(lambda each: self._answer(lambda store: find_proof(store, each)))
        with self._server() as server:
            return load_for_reader(self._paths, self._champion(project, server), proofs, server)

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Return the rows of one reading statement; `?` in it are the parameters.

        `SHOW ALL TABLES` names tables and columns.

        Raises:
            StoreError: (`store.sql`) it would write, is not one statement, or is no SQL.
        """
        statement = query.strip().rstrip(";").rstrip()
        if not statement:
            raise StoreError("no statement was given", code="store.sql", hint="SHOW ALL TABLES")
        return self._answer(lambda store: store.read(statement, parameters))

    def close(self) -> None:
        """Give back the connection; a second call does nothing."""
        self._session.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        return f"<appliance home {self.path}, read-only>"

    def _answer(self, ask: Callable[[Session], T]) -> T:
        """Return what the store answers; of one that is silent the reason is the supervisor's, if it is."""
        try:
            return ask(self._session)
        except StoreUnavailable as error:
            if error.code == "store.unavailable" and is_supervised(self._paths):
                _require_answering(self._paths, error)
            raise

    def _of_project(self, project: str, table: pa.Table) -> pa.Table:
        """Return a table that has rows, or is of a project that is there."""
        from appliance.pipelines.spec import project_folder

        if not table.num_rows:
            project_folder(project)
        return table

    def _no_candles(self, market: str, unit: int) -> ConfigError:
        from store.coverage import proven_feeds

        feeds = self._answer(proven_feeds)
        stored = ", ".join(f"{code} {width}" for code, width in feeds[:20]) or "nothing yet"
        return ConfigError(
            f"no candle of {market!r} with {unit!r} minutes is stored; there is: {stored}",
            code="store.no_candles",
            hint="ingest.markets and ingest.timeframes in compose/appliance.toml say what is taken in",
            market=market,
        )

    @contextmanager
    def _server(self) -> Iterator[RegistryRest | None]:
        """Yield the client of MLflow's server, None where its file may be read instead."""
        from appliance.registry.rest import RegistryRest

        if may_open_files_of("mlflow", self._paths):
            yield None
            return
        server = RegistryRest.of_home(self._paths)
        try:
            yield server
        finally:
            server.close()

    def _champion(self, project: str, server: RegistryRest | None) -> ModelVersion:
        from appliance.config.settings import load_settings
        from appliance.pipelines.spec import project_folder
        from appliance.registry.aliases import no_champion
        from appliance.registry.location import has_sqlite_to_move
        from store.registered import read_champion

        if server is not None:
            return server.champion(project)
        settings = load_settings(self._paths)
        if settings.mlflow.database_url or has_sqlite_to_move(self._paths, settings):
            raise RegistryError(
                f"the appliance of {self.path} is down, and its MLflow keeps versions in another database"
                " than a DuckDB file",
                code="registry.not_readable",
                hint="appliance up",
            )
        champion = read_champion(self._paths.mlflow_database, project)
        if champion is None:
            project_folder(project)
            raise no_champion(project)
        return champion


def connect(home: str | os.PathLike[str] | None = None) -> Home:
    """Return a home's data, read-only; see `appliance.connect`."""
    from store.read_only import ReadOnlySession

    paths = Paths.from_environment() if home is None else Paths.at(os.fspath(home))
    _require_store(paths)
    session = ReadOnlySession(paths, wait_seconds=_WAIT_SECONDS, read_seconds=_READ_SECONDS)
    connected = Home(paths, session)
    try:
        connected.sql(_PROBE)
    except BaseException:
        connected.close()
        raise
    return connected


def _require_store(paths: Paths) -> None:
    if is_supervised(paths):
        return
    if not paths.home.is_dir():
        raise ConfigError(
            f"there is no appliance home in {paths.home}",
            code="home.absent",
            hint="appliance up makes it; for another: appliance.connect(PATH), or set APPLIANCE_HOME",
        )
    if not paths.store_file.is_file():
        raise ConfigError(
            f"{paths.home} has no store: {paths.store_file} is not there, and no appliance runs",
            code="store.absent",
            hint="appliance up; for another home: appliance.connect(PATH), or set APPLIANCE_HOME",
        )


def _require_answering(paths: Paths, silent: StoreUnavailable) -> None:
    """Raise what is to be said of a supervisor that does not answer either."""
    from appliance.control.client import ControlClient

    try:
        ControlClient(paths, is_read_only=True).status()
    except ApplianceNotRunning as error:
        raise error from silent


def _kind(name: str) -> EventKind:
    try:
        return EventKind(name)
    except ValueError:
        from appliance.config.forms import nearest

        raise ConfigError(
            f"there is no kind of event {name!r}",
            code="event.unknown_kind",
            hint=nearest(name, sorted(EventKind)),
        ) from None
