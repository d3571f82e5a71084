"""Who or what did something, and through what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ORIGIN = "origin"
"""The key under which a DAG run's configuration holds who asked for it, as JSON."""


class Through(StrEnum):
    """What carried out what somebody wanted."""

    CONSOLE = "console"
    COMMAND = "command"
    WORKFLOW = "workflow"
    SERVICE = "service"
    SLACK = "slack"
    AIRFLOW_PAGE = "Airflow's page"
    MLFLOW_PAGE = "MLflow's page"
    UNKNOWN = "unknown"


_NAMED = (Through.CONSOLE, Through.COMMAND, Through.SLACK)
_PAGES = (Through.AIRFLOW_PAGE, Through.MLFLOW_PAGE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who or what acted; empty fields are not known.

    `name` is a user, a workflow (`train_wf`) or a service (`supervisor`). `login` is who logged in, where
    that is another than the user who acted. `client` is the address that a remote terminal is used from.
    `run_id` is the DAG run of a workflow, `cause` who or what asked for it.
    """

    name: str
    through: Through = Through.UNKNOWN
    login: str = ""
    terminal: str = ""
    host: str = ""
    client: str = ""
    run_id: str = ""
    cause: Origin | None = None

    @property
    def root(self) -> Origin:
        """Where the chain of causes begins: the person, or what acted on its own."""
        return self if self.cause is None else self.cause.root

    @property
    def brief(self) -> str:
        """The origin in a few words: `kim on pts/3`, `train for kim`, `supervisor`."""
        if self.through is Through.WORKFLOW:
            asked = f" for {self.root.name}" if self.cause else ""
            return f"{self.name.removesuffix('_wf')}{asked}"
        return f"{self.name} on {self.terminal}" if self.terminal else self.name

    @property
    def words(self) -> str:
        """The origin in words: `train run X, asked for by kim on pts/3 of vm1 (console)`."""
        if self.through is Through.WORKFLOW:
            run = f" run {self.run_id}" if self.run_id else ""
            asked = f", asked for by {self.cause.words}" if self.cause else ""
            return f"{self.name.removesuffix('_wf')}{run}{asked}"
        parts = [self.name]
        if self.login and self.login != self.name:
            parts.append(f"(logged in as {self.login})")
        parts += [
            f"{word} {value}"
            for word, value in (("on", self.terminal), ("of", self.host), ("from", self.client))
            if value
        ]
        if self.through in _NAMED:
            parts.append(f"({self.through})")
        elif self.through in _PAGES:
            parts.append(f"in {self.through}")
        return " ".join(parts)


def origin_to_json(origin: Origin) -> str:
    """Return an origin as JSON in one line; unknown fields are left out."""
    return json.dumps(_plain(origin), ensure_ascii=False)


def origin_from_json(text: str) -> Origin | None:
    """Return an origin from its JSON, None when the text is empty or is none."""
    try:
        return _origin(json.loads(text)) if text else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def run_cause(conf: object, user: str | None) -> Origin | None:
    """Return who asked for a DAG run, None when nobody did.

    Args:
        conf: the run's configuration, where a request through the appliance has left its origin.
        user: who triggered the run in Airflow, as Airflow says.
    """
    asked = conf.get(ORIGIN, "") if isinstance(conf, Mapping) else ""
    cause = origin_from_json(str(asked))
    return Origin(user, Through.AIRFLOW_PAGE) if cause is None and user else cause


def _plain(origin: Origin) -> dict[str, object]:
    cause = {} if origin.cause is None else {"cause": _plain(origin.cause)}
    fields = {name: str(getattr(origin, name)) for name in _TEXTS}
    known = {name: value for name, value in fields.items() if value}
    return {"name": origin.name, "through": origin.through.value, **known, **cause}


def _origin(raw: dict[str, object]) -> Origin:
    through, cause = str(raw.get("through", "")), raw.get("cause")
    return Origin(
        str(raw["name"]),
        Through(through) if through in set(Through) else Through.UNKNOWN,
        cause=_origin(cause) if isinstance(cause, dict) else None,
        **{name: str(raw.get(name, "")) for name in _TEXTS},
    )


_TEXTS = ("login", "terminal", "host", "client", "run_id")
