"""The model registry in memory; keeps models as skops bytes, as the real one does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import skops.io

from appliance.domain.model_version import ModelVersion
from appliance.errors import ModelNotFound
from appliance.registry.aliases import AliasMove
from appliance.registry.production import Production


@dataclass
class FakeRun:
    """What was logged to one run."""

    model: bytes
    params: dict[str, object]
    metrics: dict[str, float]
    documents: dict[str, object]
    figures: set[str]
    pages: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeRegistry(Production):
    """Same methods and errors as `appliance.registry.client.Registry`."""

    runs: dict[str, FakeRun] = field(default_factory=dict)
    registered: list[ModelVersion] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    loads: int = 0

    def __post_init__(self) -> None:
        super().__init__(lock=None)

    def log_training(
        self,
        project: str,
        *,
        run_name: str,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        model: object,
        signature_example: object,
        figures: Mapping[str, object],
        documents: Mapping[str, object],
        dataset: object = None,
    ) -> str:
        run_id = f"run-{len(self.runs) + 1}"
        self.runs[run_id] = FakeRun(
            skops.io.dumps(model), dict(params), dict(metrics), dict(documents), set(figures)
        )
        return run_id

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        self.runs[run_id].metrics.update(metrics)

    def log_documents(self, run_id: str, documents: Mapping[str, object]) -> None:
        self.runs[run_id].documents.update(documents)

    def params(self, run_id: str) -> dict[str, str]:
        return {name: str(value) for name, value in self.runs[run_id].params.items()}

    def model_bytes(self, project: str, number: int) -> int:
        return len(self.runs[self.version(project, number).run_id].model)

    def document(self, run_id: str, name: str) -> object:
        if name not in self.runs[run_id].documents:
            raise ModelNotFound(f"run {run_id} has no document {name!r}")
        return json.loads(json.dumps(self.runs[run_id].documents[name]))

    def close_abandoned(self, project: str) -> int:
        return 0

    def log_figures(self, run_id: str, figures: Mapping[str, object]) -> None:
        self.runs[run_id].figures.update(figures)

    def log_page(self, run_id: str, name: str, html: str) -> None:
        self.runs[run_id].pages[name] = html

    def register(
        self, project: str, run_id: str, tags: Mapping[str, str] | None = None, above: int = 0
    ) -> ModelVersion:
        newest = max((known.version for known in self.registered), default=0)
        number = max(newest, above) + 1
        at = datetime(2026, 1, 1, tzinfo=UTC)
        self.registered.append(ModelVersion(project, number, run_id, at, tags=dict(tags or {})))
        return self.version(project, number)

    def versions(self, project: str) -> list[ModelVersion]:
        return [self.version(project, known.version) for known in reversed(self.registered)]

    def version(self, project: str, number: int) -> ModelVersion:
        known = self._registered(project, number)
        moved = tuple(alias for alias, at in self.aliases.items() if at == number)
        return replace(known, aliases=moved, metrics=dict(self.runs[known.run_id].metrics))

    def _registered(self, project: str, number: int) -> ModelVersion:
        for known in self.registered:
            if known.version == number:
                return known
        raise ModelNotFound(f"{project} has no version {number}")

    def champion(self, project: str) -> ModelVersion:
        if "champion" not in self.aliases:
            raise ModelNotFound(f"{project} has no champion")
        return self.version(project, self.aliases["champion"])

    def challenger(self, project: str) -> ModelVersion:
        if "challenger" not in self.aliases:
            raise ModelNotFound(f"{project} has no challenger")
        return self.version(project, self.aliases["challenger"])

    def load_model(self, project: str, version: int) -> object:
        self.loads += 1
        stored = self.runs[self.version(project, version).run_id].model
        return skops.io.loads(stored, trusted=skops.io.get_untrusted_types(data=stored))

    def _aliases(self, project: str) -> dict[str, int]:
        return dict(self.aliases)

    def _apply(self, project: str, moves: Sequence[AliasMove]) -> None:
        for move in moves:
            if move.version is None:
                self.aliases.pop(move.alias, None)
            else:
                self.aliases[move.alias] = move.version

    def set_tags(self, project: str, version: int, tags: Mapping[str, str]) -> None:
        known = self._registered(project, version)
        tagged = replace(known, tags={**known.tags, **tags})
        self.registered[self.registered.index(known)] = tagged
