"""Reads published weights into a network: strictly, and without running anything that a file may contain."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

import h5py
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from primase.errors import InputError, ReadError
from primase.nn.backbones import BACKBONES, build_backbone

# What training programs put around the weights and before their names, and what is taken off again.
_CONTAINERS: Final = ("state_dict", "model_state_dict", "model")
_PREFIXES: Final = ("module.", "model.", "backbone.", "encoder.")
# How often the statistics of a normalisation were updated: older files have no such count, and nothing depends on it.
_UPDATES: Final = ".num_batches_tracked"
_NAMED: Final = 3


class Published(Protocol):
    """A network for which weights are published, perhaps in several layouts."""

    @property
    def name(self) -> str:
        """What users call the network."""

    @property
    def classifier_name(self) -> str:
        """What the names of the parameters of the classifier start with."""

    def translated(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Give published weights of another layout the names and scales that the network uses."""

    def state_dict(self) -> dict[str, Any]:
        """Name every parameter and statistic."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file of weights, by its ending.

    Parameters
    ----------
    path
        ``.pth``, ``.pt``, ``.th``, ``.bin`` or ``.ckpt`` as PyTorch writes them, of which nothing but tensors is ever
        unpickled; ``.safetensors``; ``.npz``; ``.h5`` or ``.hdf5``, where dots are put between the names of groups.

    Returns
    -------
    dict of str to Tensor
        By name. What training programs put around them (``{"state_dict": ...}``) and before all names (``module.``)
        is taken off.

    Raises
    ------
    ReadError
        The file is missing, broken, of another kind, or holds anything but tensors.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        got = f"the ending {path.suffix}" if path.suffix else "no ending"
        what = "this is no file of weights"
        raise ReadError(what, where=str(path), got=got, wanted=", ".join(_READERS))
    if not path.is_file():
        what = "there is no such file"
        raise ReadError(what, where=str(path), wanted="a file of weights")
    try:
        content = reader(path)
    # A broken file can fail anywhere in the libraries that read it, with almost any error.
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, IndexError, AttributeError, TypeError) as error:
        raise _unreadable(path, error) from error
    except (pickle.UnpicklingError, zipfile.BadZipFile, SafetensorError) as error:
        raise _unreadable(path, error) from error
    weights = _unwrapped(content)
    if not weights:
        what = "the file holds no weights"
        raise ReadError(what, where=str(path), wanted="tensors, each with a name")
    return weights


def load_weights(network: Published, path: Path, *, classifier: Literal["keep", "drop"] = "keep") -> None:
    """Load published weights into a network: all of them, or none if anything differs.

    Parameters
    ----------
    network
        A backbone, or another network that knows the layouts of its published weights; it is changed in place.
    path
        The file, see :func:`read_weights`.
    classifier
        ``"drop"`` leaves the classifier as it is, whatever the file has for it: for another number of classes.

    Raises
    ------
    ReadError
        The file cannot be read.
    InputError
        The file holds the weights of another network; the message names the first names and shapes that differ.
    """
    read = read_weights(path)
    weights, own = network.translated(read), network.state_dict()
    if classifier == "drop":
        prefix = network.classifier_name + "."
        own = {name: value for name, value in own.items() if not name.startswith(prefix)}
        weights = {name: value for name, value in weights.items() if not name.startswith(prefix)}
    differences = _differences(own, weights)
    if differences:
        what = f"these are not the weights of {network.name}"
        wanted = f"{len(own)} tensors of the names and shapes of this network, and no others"
        advice = _advice(network.name, _fitting(read))
        raise InputError(what, where=str(path), got="; ".join(differences), wanted=wanted, advice=advice)
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        what = "the weights hold values that are no finite numbers"
        raise ReadError(what, where=str(path), got=", ".join(broken[:_NAMED]), wanted="finite numbers")
    with torch.no_grad():
        for name in own.keys() & weights.keys():
            own[name].copy_(weights[name])


def _differences(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    """Say what is missing, what is too much and what has another shape, the first few of each."""
    missing = [name for name in own if name not in weights and not name.endswith(_UPDATES)]
    unexpected = [name for name in weights if name not in own]
    shapes = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    described = {name: f"{name} ({_shape(weights[name])} instead of {_shape(own[name])})" for name in shapes}
    return [
        f"{len(names)} {kind}: {', '.join(described.get(name, name) for name in names[:_NAMED])}"
        + (", …" if len(names) > _NAMED else "")
        for kind, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if names
    ]


def _fitting(weights: Mapping[str, Tensor]) -> list[str]:
    """Name the networks that the weights do fit, whatever the number of classes."""
    fitting = []
    for name in BACKBONES:
        with torch.device("meta"):  # names and shapes alone
            network = build_backbone(name)
        prefix = network.classifier_name + "."
        mine = {key: value for key, value in network.state_dict().items() if not key.startswith(prefix)}
        theirs = {key: value for key, value in network.translated(weights).items() if not key.startswith(prefix)}
        if not _differences(mine, theirs):
            fitting.append(name)
    return fitting


def _advice(name: str, fitting: list[str]) -> str | None:
    if name in fitting:
        return "All but the classifier fits, which is for other classes: load the weights without it."
    return f"The file fits {' and '.join(fitting)}." if fitting else None


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"


def _unwrapped(content: object) -> dict[str, Tensor]:
    """Take off what training programs put around the weights and before their names."""
    if not isinstance(content, Mapping):
        return {}
    for container in _CONTAINERS:
        if isinstance(content.get(container), Mapping):
            return _unwrapped(content[container])
    weights = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _unreadable(path: Path, error: Exception) -> ReadError:
    # PyTorch answers at length, with advice to switch its safety off.
    reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0].partition('. ')[0][:200]}"
    return ReadError(
        "the weights cannot be read",
        where=str(path),
        got=reason,
        wanted=f"a complete {path.suffix} file that holds tensors and nothing else",
    )


def _read_torch(path: Path) -> object:
    with warnings.catch_warnings():
        # That a file was written in an unusual way tells a user nothing: it can be read, or it cannot.
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _read_safetensors(path: Path) -> object:
    return load_file(path)


def _read_npz(path: Path) -> object:
    # NumPy leaves a file open that it opened itself and cannot read.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def _read_hdf5(path: Path) -> object:
    weights: dict[str, Tensor] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name.replace("/", ".")] = torch.from_numpy(np.asarray(item[()]))

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return weights


_READERS: Final[Mapping[str, Callable[[Path], object]]] = MappingProxyType(
    {
        **dict.fromkeys((".pth", ".pt", ".th", ".bin", ".ckpt"), _read_torch),
        ".safetensors": _read_safetensors,
        ".npz": _read_npz,
        **dict.fromkeys((".h5", ".hdf5"), _read_hdf5),
    }
)
