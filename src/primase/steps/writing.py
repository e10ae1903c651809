"""Write the bundle, and know the data again that it was made of."""

from __future__ import annotations

import json
import resource
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from primase.apps.contract import Configuration
from primase.configuration import to_toml
from primase.data.audit import Fingerprints
from primase.data.splits import PARTS, Part, Partition
from primase.errors import InputError
from primase.models import OPERATING_POINT
from primase.nn.structure import structure_of
from primase.predictor.bundle import Bundle, write_bundle
from primase.predictor.predictor import Predictor
from primase.predictor.workspace import CONFIGURATION
from primase.report.records import input_hashes, write_json, write_records
from primase.report.run import TrainingRun
from primase.steps.preparing import Audited
from primase.steps.starting import Start
from primase.versions import versions


def write(
    folder: Path, run: TrainingRun, predictor: Predictor[Any], configuration: Configuration, start: Start | None
) -> dict[str, Any]:
    """Write the bundle: what every later verb reads, and what people read."""
    metrics = write_records(folder, run)
    bundle = Bundle(
        application=run.subject.application,
        task=predictor.task.to_state(),
        configuration=run.configuration,
        encoder=predictor.encoder.state(),
        calibration=predictor.calibrator.to_state(),
        members=[member.state_dict() for member in predictor.members],
        safeguards=predictor.safeguards.to_state(),
        structures=[structure_of(member) for member in predictor.members],
        provenance={
            "versions": versions(),
            "seed": configuration.seed,
            "precision": run.members[0].precision,
            "data": _data_digests(run.identities, run.partition),
            **({} if start is None else start.provenance),
            **({} if predictor.operating is None else {OPERATING_POINT: predictor.operating.to_state()}),
        },
    )
    write_bundle(folder, bundle)
    (folder / CONFIGURATION).write_text(to_toml(configuration), encoding="utf-8")
    return metrics


def data_digests(audited: Audited) -> dict[Part, str]:
    """Fingerprint the examples of each part: equal where, whatever their order, the inputs are."""
    return _data_digests(audited.identities, audited.partition)


def _data_digests(identities: Fingerprints, partition: Partition) -> dict[Part, str]:
    hashes = input_hashes(identities)
    return {name: _digest(hashes.gather(partition.part(name))) for name in PARTS}


def _digest(hashes: pl.Series) -> str:
    """Fingerprint a part of the data, whatever the order of its examples."""
    return blake2b("\n".join(hashes.sort()).encode(), digest_size=16).hexdigest()


def refuse_changed_data(workspace: Path, audited: Audited) -> None:
    """Go on with an interrupted run only on the data that it was started with."""
    examples = audited.labelled.examples
    texts = [examples.ids, audited.identities, audited.partition.names(len(examples))]
    content = "\n".join(str(column.tolist()) for column in texts).encode()
    digest = blake2b(content, digest_size=16)
    digest.update(np.ascontiguousarray(examples.targets).tobytes())
    found = digest.hexdigest()
    path = workspace / "data.json"
    if not path.exists():
        write_json(path, {"fingerprint": found})
    elif json.loads(path.read_text(encoding="utf-8"))["fingerprint"] != found:
        what = "the data are not those that the interrupted run was started with"
        raise InputError(what, where=str(workspace), advice="Delete the folder to start again.")


def peak_memory_mib() -> float:
    """Measure the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
