"""The bundle: a trained model as a folder of JSON and safetensors, with no pickle anywhere.

A bundle is written under a temporary name and renamed, so that a folder called a bundle is a whole one. Every binary
file is listed with its sha256 in ``bundle.json`` and checked before it is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
from torch import Tensor

from primase.data.encoding import EncoderState
from primase.errors import BundleError

SCHEMA: Final = 1
FACTS: Final = "bundle.json"
ENCODER: Final = "encoder.safetensors"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What ``bundle.json`` and the binary files beside it say.

    Parameters
    ----------
    application
        The name of the application that can make a model of it.
    task, calibration
        The states of the task and of the calibrator.
    configuration
        The nested configuration that it was trained with.
    provenance
        Versions, seed, precision, and sha256 fingerprints of the data by part.
    """

    application: str
    task: Mapping[str, Any]
    configuration: Mapping[str, Any]
    encoder: EncoderState
    calibration: Mapping[str, Any]
    members: Sequence[Mapping[str, Tensor]]
    provenance: Mapping[str, Any] = field(default_factory=dict)


def read_member(path: Path) -> dict[str, Tensor]:
    """Read the weights of one network.

    Raises
    ------
    BundleError
        If the file is missing or no safetensors file.
    """
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        what = "a weight file of the bundle is missing"
        raise BundleError(what, where=str(path)) from None
    except (safetensors.SafetensorError, OSError) as error:
        what = "a weight file of the bundle cannot be read"
        raise BundleError(what, where=str(path), got=str(error)) from None


def member_name(number: int) -> str:
    """Name the weight file of a member, counted from 0."""
    return f"member-{number + 1}.safetensors"


def write_bundle(folder: Path, bundle: Bundle) -> None:
    """Write the model into a folder that is not yet called a bundle."""
    files = []
    for number, member in enumerate(bundle.members):
        path = folder / member_name(number)
        # save_file would let nobody but the owner read the file.
        path.write_bytes(safetensors.torch.save({name: tensor.contiguous() for name, tensor in member.items()}))
        files.append(path)
    if bundle.encoder.arrays:
        (folder / ENCODER).write_bytes(safetensors.numpy.save(dict(bundle.encoder.arrays)))
        files.append(folder / ENCODER)
    facts = {
        "schema": SCHEMA,
        "application": bundle.application,
        "task": dict(bundle.task),
        "configuration": dict(bundle.configuration),
        "encoder": bundle.encoder.facts,
        "calibration": dict(bundle.calibration),
        "files": {path.name: _sha256(path) for path in files},
        **bundle.provenance,
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """Read ``bundle.json`` alone, which is quick.

    Raises
    ------
    BundleError
        If the folder is no bundle, or one of a newer schema.
    """
    path = folder / FACTS
    wanted = "a folder that `primase train` wrote"
    if not folder.is_dir():
        what = "there is no such folder" if not folder.exists() else "this is not a folder"
        raise BundleError(what, where=str(folder), wanted=wanted)
    if not path.exists():
        what = "this folder holds no trained model"
        raise BundleError(what, where=str(folder), wanted=wanted)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        schema = int(facts["schema"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        what = "the bundle's description cannot be read"
        raise BundleError(what, where=str(path), got=repr(error)) from None
    if schema > SCHEMA:
        what = "this bundle was written by a newer version of primase"
        advice = "Install a newer primase to read it."
        raise BundleError(what, where=str(path), got=f"schema {schema}", wanted=f"schema {SCHEMA}", advice=advice)
    return dict(facts)


def read_bundle(folder: Path) -> Bundle:
    """Read a whole bundle, after checking every binary file.

    Raises
    ------
    BundleError
        If a file is missing or not the one that was written.
    """
    facts = read_facts(folder)
    try:
        files: dict[str, str] = facts["files"]
        _check(folder, files.items())
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        if ENCODER in files:
            arrays = safetensors.numpy.load_file(folder / ENCODER)
        members = [read_member(folder / name) for name in files if name.startswith("member-")]
        known = {"schema", "application", "task", "configuration", "encoder", "calibration", "files"}
        return Bundle(
            application=facts["application"],
            task=facts["task"],
            configuration=facts["configuration"],
            encoder=EncoderState(facts["encoder"], arrays),
            calibration=facts["calibration"],
            members=members,
            provenance={name: value for name, value in facts.items() if name not in known},
        )
    except (KeyError, AttributeError, TypeError) as error:
        what = "the bundle's description is incomplete"
        raise BundleError(what, where=str(folder / FACTS), got=f"no {error}") from None


def _check(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    for name, sha256 in files:
        path = folder / name
        if Path(name).name != name:
            what = "the bundle names a file outside its folder"
            raise BundleError(what, where=str(folder / FACTS), got=name)
        if not path.is_file():
            what = "a file of the bundle is missing"
            raise BundleError(what, where=str(path))
        found = _sha256(path)
        if found != sha256:
            what = "a file of the bundle is not the one that was written"
            advice = "Do not trust it; copy the bundle again or train anew."
            raise BundleError(what, where=str(path), got=f"sha256 {found}", wanted=f"sha256 {sha256}", advice=advice)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
