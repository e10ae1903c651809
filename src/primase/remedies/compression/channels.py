"""Structured pruning: whole channels and units are left out, and the network gets smaller and faster."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import final

import torch
import torch_pruning
from torch import nn

from primase.data.encoding import Batch
from primase.errors import ConfigurationError
from primase.nn.dense import SparseLinear
from primase.nn.structure import Structure, changes, rebuild, set_structure, sizes_of, structure_of


def without_channels(network: nn.Module, build: Callable[[], nn.Module], batch: Batch, share: float) -> nn.Module:
    """Leave out the channels of each layer whose weights are smallest, with all that reads them.

    Which layers hang together is found by torch-pruning (Fang et al. 2023). What comes out is checked: the network must
    answer as many numbers as before, and be one that can be built again from its settings.

    Parameters
    ----------
    build
        Makes the untrained network of the settings.
    batch
        Of a few examples.
    share
        Of the channels that are left out, between 0 and 1.

    Raises
    ------
    ConfigurationError
        If the network is of a kind whose channels cannot be followed.
    """
    smaller = deepcopy(network).cpu().eval()
    before = {path: sizes for path, layer in smaller.named_modules() if (sizes := sizes_of(layer)) is not None}
    with torch.no_grad():
        answers = smaller(**batch)
    # Mixed bags of errors come from following a network that it does not know.
    try:
        _prune(smaller, batch, share)
        with torch.no_grad():
            found = smaller(**batch)
    except ConfigurationError:
        raise
    except Exception as error:
        raise _refusal(smaller, str(error)) from error
    left_out = changes(before, smaller)
    if not left_out:
        raise _refusal(smaller, "no layer before the last whose channels could be left out")
    edits = (*structure_of(network).edits, *left_out)
    structure = Structure(edits, structure_of(network).coded)
    set_structure(smaller, structure)
    if found.shape != answers.shape:
        raise _refusal(smaller, f"answers of shape {tuple(found.shape)} in the place of {tuple(answers.shape)}")
    try:
        again = rebuild(build(), structure).eval()
        again.load_state_dict(smaller.state_dict())
        with torch.no_grad():
            same = torch.allclose(again(**batch), found, atol=1e-5)
    except (ValueError, RuntimeError) as error:
        raise _refusal(smaller, " ".join(str(error).split())[:200]) from error
    if not same:
        raise _refusal(smaller, "another answer of the network that was built again")
    return again


def _prune(network: nn.Module, batch: Batch, share: float) -> None:
    for parameter in network.parameters():
        parameter.requires_grad = True
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        pruner = torch_pruning.pruner.MagnitudePruner(
            network,
            batch,
            torch_pruning.importance.MagnitudeImportance(p=2),
            pruning_ratio=share,
            ignored_layers=[_last(network, batch)],
            customized_pruners={SparseLinear: SparseUnits()},
            root_module_types=[nn.Linear, nn.Conv1d, nn.Conv2d, SparseLinear],
        )
        pruner.step()


@final
class SparseUnits(torch_pruning.pruner.function.BasePruningFunc):  # type: ignore[misc]  # it has no types
    """Tells torch-pruning what the units of a sparse first layer are; what it reads stays whole."""

    def prune_out_channels(self, layer: SparseLinear, idxs: list[int]) -> SparseLinear:
        """Leave out units; the names are those that torch-pruning calls."""
        left_out = set(idxs)
        kept = [unit for unit in range(layer.table.shape[1]) if unit not in left_out]
        layer.table = nn.Parameter(layer.table.detach()[:, kept].clone())
        layer.bias = nn.Parameter(layer.bias.detach()[kept].clone())
        return layer

    def get_out_channels(self, layer: SparseLinear) -> int:
        """Count the units."""
        return int(layer.table.shape[1])

    def get_in_channels(self, layer: SparseLinear) -> None:
        """Say that what the layer reads has no channels."""

    def prune_in_channels(self, layer: SparseLinear, idxs: list[int]) -> SparseLinear:
        """Leave the layer as it is."""
        del idxs
        return layer


def _last(network: nn.Module, batch: Batch) -> nn.Module:
    """Find the layer that answers: the last one that is asked."""
    asked: list[nn.Module] = []
    layers = [layer for layer in network.modules() if sizes_of(layer) is not None]
    hooks = [layer.register_forward_hook(lambda own, *_: asked.append(own)) for layer in layers]
    try:
        with torch.no_grad():
            network(**batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not asked:
        raise _refusal(network, "no layer with channels")
    return asked[-1]


def _refusal(network: nn.Module, found: str) -> ConfigurationError:
    what = f"the channels of a network of type {type(network).__name__} cannot be followed"
    advice = "Leave out --structured, or choose another method, such as distil or low-rank."
    return ConfigurationError(what, where="--structured", got=found.splitlines()[0] if found else None, advice=advice)
