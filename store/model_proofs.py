"""What models' files were when their trainings ended, and which were found to be something else.

The store is the one place for it: whoever can write a model's files, or MLflow's database, cannot write here.
"""

from __future__ import annotations

import dataclasses
import json

from appliance import clock
from appliance.domain.model_proof import ModelProof, ModelRefusal, Probe, proof_key
from appliance.domain.model_version import ModelVersion
from store.rows import scalar, utc
from store.session import Session, Statement

REGISTRY = "registry"
"""The place of a refusal that lies in the registry, as `appliance.registry.proofs.Place` names it."""
_RECORD = """
INSERT INTO model_proofs (project, run_id, sha256, probe, recorded_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_REFUSE = """
INSERT INTO model_refusals (project, run_id, place, version, reason, refused_at)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_ACCEPT = "DELETE FROM model_refusals WHERE project = ? AND run_id = ? AND place = ?"


def record_proof(session: Session, proof: ModelProof) -> None:
    """Keep what a model's files are; what is kept of a run is never replaced."""
    probe = None if proof.probe is None else json.dumps(dataclasses.asdict(proof.probe))
    values = (proof.project, proof.run_id, proof.sha256, probe, clock.now())
    session.write(Statement(_RECORD, values))


def find_proof(session: Session, version: ModelVersion) -> ModelProof | None:
    """Return what a version's files must be, None when nobody has kept it."""
    rows = session.read(
        "SELECT run_id, sha256, probe FROM model_proofs WHERE project = ? AND run_id = ?",
        [version.name, proof_key(version)],
    ).to_pylist()
    if not rows:
        return None
    return ModelProof(version.name, rows[0]["run_id"], rows[0]["sha256"], _probe(rows[0]["probe"]))


def record_refusal(session: Session, version: ModelVersion, place: str, reason: str) -> bool:
    """Note that a version's files at a place are not what they must be; False when that is known."""
    if is_refused(session, version, place):
        return False
    key = proof_key(version)
    values = (version.name, key, place, version.version, reason, clock.now())
    session.write(Statement(_REFUSE, values))
    return True


def end_refusal(session: Session, version: ModelVersion, place: str) -> bool:
    """Note that a version's files at a place are right; False when nothing else was known."""
    if not is_refused(session, version, place):
        return False
    session.write(Statement(_ACCEPT, (version.name, proof_key(version), place)))
    return True


def is_refused(session: Session, version: ModelVersion, place: str) -> bool:
    """Whether a version's files at a place are known to be something else."""
    return bool(
        scalar(
            session.read(
                "SELECT count(*) FROM model_refusals WHERE project = ? AND run_id = ? AND place = ?",
                [version.name, proof_key(version), place],
            )
        )
    )


def read_refusals(session: Session, project: str, place: str) -> list[ModelRefusal]:
    """Return the versions whose files at a place are refused, the newest version first."""
    rows = session.read(
        "SELECT version, reason, refused_at FROM model_refusals WHERE project = ? AND place = ?"
        " ORDER BY version DESC",
        [project, place],
    ).to_pylist()
    return [
        ModelRefusal(project, row["version"], row["reason"], utc(row["refused_at"])) for row in rows
    ]


def _probe(text: str | None) -> Probe | None:
    if text is None:
        return None
    stored = json.loads(text)
    return Probe(
        columns=tuple(stored["columns"]),
        rows=tuple(tuple(row) for row in stored["rows"]),
        predictions=tuple(stored["predictions"]),
    )
