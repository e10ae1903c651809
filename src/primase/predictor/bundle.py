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
from primase.nn.structure import Structure
from primase.predictor.coded_weights import ENDING, encode_weights, read_coded

SCHEMA: Final = 2
"""The newest that can be read: 1 is a network as its settings have it, 2 one that was changed or coded."""
FACTS: Final = "bundle.json"
ENCODER: Final = "encoder.safetensors"
SAFEGUARDS: Final = "safeguards.safetensors"


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
    structures
        In what each member differs from the network of the configuration; empty where none does.
    safeguards
        What stands beside the answers.
    """

    application: str
    task: Mapping[str, Any]
    configuration: Mapping[str, Any]
    encoder: EncoderState
    calibration: Mapping[str, Any]
    members: Sequence[Mapping[str, Tensor]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    structures: Sequence[Structure] = ()
    safeguards: EncoderState = field(default_factory=lambda: EncoderState({}))

    def structure(self, number: int) -> Structure:
        """Tell in what a member differs, counted from 0."""
        return self.structures[number] if self.structures else Structure()


def read_member(path: Path) -> dict[str, Tensor]:
    """Read the weights of one network.

    Raises
    ------
    BundleError
        If the file is missing, or neither a safetensors file nor one of coded weights.
    """
    if path.suffix == ENDING and path.is_file():
        return read_coded(path)
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        what = "a weight file of the bundle is missing"
        raise BundleError(what, where=str(path)) from None
    except (safetensors.SafetensorError, OSError) as error:
        what = "a weight file of the bundle cannot be read"
        raise BundleError(what, where=str(path), got=str(error)) from None


def member_name(number: int, ending: str = ".safetensors") -> str:
    """Name the weight file of a member, counted from 0."""
    return f"member-{number + 1}{ending}"


def member_content(member: Mapping[str, Tensor], structure: Structure) -> bytes:
    """Write the weights of a network as its file holds them."""
    if structure.coded:
        return encode_weights(member)
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in member.items()})


def write_bundle(folder: Path, bundle: Bundle) -> None:
    """Write the model into a folder that is not yet called a bundle."""
    files = []
    for number, member in enumerate(bundle.members):
        structure = bundle.structure(number)
        path = folder / (member_name(number, ENDING) if structure.coded else member_name(number))
        # save_file would let nobody but the owner read the file.
        path.write_bytes(member_content(member, structure))
        files.append(path)
    for name, state in ((ENCODER, bundle.encoder), (SAFEGUARDS, bundle.safeguards)):
        if state.arrays:
            (folder / name).write_bytes(safetensors.numpy.save(dict(state.arrays)))
            files.append(folder / name)
    changed = any(not structure.is_plain for structure in bundle.structures)
    facts = {
        # What an older primase can read stays readable for it.
        "schema": SCHEMA if changed else 1,
        "application": bundle.application,
        "task": dict(bundle.task),
        "configuration": dict(bundle.configuration),
        "encoder": bundle.encoder.facts,
        "calibration": dict(bundle.calibration),
        **({"safeguards": bundle.safeguards.facts} if bundle.safeguards.facts else {}),
        "files": {path.name: _sha256(path) for path in files},
        **({"structures": [structure.to_state() for structure in bundle.structures]} if changed else {}),
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
        arrays: dict[str, dict[str, np.ndarray[Any, Any]]] = {
            name: safetensors.numpy.load_file(folder / name) for name in (ENCODER, SAFEGUARDS) if name in files
        }
        names = [name for name in files if name.startswith("member-")]
        known = {"schema", "application", "task", "configuration", "encoder", "calibration", "files", "structures"}
        known.add("safeguards")
        return Bundle(
            application=facts["application"],
            task=facts["task"],
            configuration=facts["configuration"],
            encoder=EncoderState(facts["encoder"], arrays.get(ENCODER, {})),
            calibration=facts["calibration"],
            members=[read_member(folder / name) for name in names],
            structures=_structures(facts.get("structures"), names),
            safeguards=EncoderState(facts.get("safeguards", {}), arrays.get(SAFEGUARDS, {})),
            provenance={name: value for name, value in facts.items() if name not in known},
        )
    except safetensors.SafetensorError as error:
        what = "a file of numbers of the bundle cannot be read"
        raise BundleError(what, where=str(folder), got=str(error)) from None
    except (KeyError, AttributeError, TypeError) as error:
        what = "the bundle's description is incomplete"
        raise BundleError(what, where=str(folder / FACTS), got=f"no {error}") from None


def _structures(edits: Sequence[Sequence[Mapping[str, Any]]] | None, names: Sequence[str]) -> list[Structure]:
    """Tell in what each member differs from the network of the configuration."""
    each = edits or [()] * len(names)
    if len(each) != len(names):
        message = f"structure of each of {len(names)} members"
        raise KeyError(message)
    return [Structure(tuple(own), name.endswith(ENDING)) for own, name in zip(each, names, strict=True)]


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


def bundle_digest(folder: Path) -> str:
    """Tell one trained model from another: the sha256 of its description, which names that of every other file."""
    return _sha256(folder / FACTS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
