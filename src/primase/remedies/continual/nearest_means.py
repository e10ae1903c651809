"""The classifier of iCaRL in the place of the layer by which a network answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from primase.nn.structure import Structure, apply_edit, set_structure, structure_of
from primase.predictor.features import features_before
from primase.remedies.continual.answering import answer_layer
from primase.remedies.continual.herding import class_means
from primase.remedies.continual.rehearsal import Remembered

EDIT = "nearest-means"


def answer_by_means(network: nn.Module, exemplars: Remembered, labels: int) -> nn.Module:
    """Let a network answer by the class whose exemplars have the nearest mean; it is changed.

    Rebuffi et al. (2017), algorithm 1.

    Parameters
    ----------
    exemplars
        Of classes, one per example.
    labels
        The number of classes.
    """
    layer = answer_layer(network, labels)
    means = class_means(features_before(network, layer, exemplars), exemplars.targets, labels)
    edit = {"edit": EDIT, "layer": layer}
    apply_edit(network, edit)
    set_structure(network, Structure((*structure_of(network).edits, edit)))
    buffer = network.get_submodule(layer).get_buffer("means")
    buffer.copy_(torch.from_numpy(np.nan_to_num(means)).to(buffer))
    return network


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """Give the weights of a network as they are without :func:`answer_by_means`."""
    state = dict(network.state_dict())
    for edit in structure_of(network).edits:
        if edit["edit"] == EDIT:
            state = _without_means(state, str(edit["layer"]))
    return state


def is_only_by_means(network: nn.Module) -> bool:
    """Tell whether a network is as its settings have it, but perhaps for answering by means."""
    structure = structure_of(network)
    return not structure.coded and all(edit["edit"] == EDIT for edit in structure.edits)


def _without_means(state: Mapping[str, Tensor], layer: str) -> dict[str, Tensor]:
    prefix = f"{layer}."
    kept = {name: value for name, value in state.items() if name != f"{prefix}means"}
    return {name.replace(f"{prefix}layer.", prefix, 1): value for name, value in kept.items()}
