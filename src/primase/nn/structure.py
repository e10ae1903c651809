"""In what a network differs from the one that its settings describe: layers that were made smaller, or taken apart.

A compressed network carries a list of such edits with it, in JSON, so that it can be built again before its weights are
read: first the network of the settings, then one edit after another.

``{"edit": "factorise", "layer": "answer.1", "rank": 5}``
    A layer becomes two: the first has as many outputs as the rank, and the second makes of them what the layer gave.
``{"edit": "resize", "layer": "answer.1", "inputs": 40, "outputs": 2}``
    A layer reads and gives fewer channels. A batch normalisation has ``outputs`` only.
``{"edit": "nearest-means", "layer": "answer.1"}``
    A network answers by the class whose mean its features are nearest to; see :mod:`primase.nn.nearest_means`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

import torch
from torch import Tensor, nn

from primase.nn.dense import PADDING, SparseLinear
from primase.nn.nearest_means import NearestMeans

Edit: TypeAlias = Mapping[str, Any]
Convolution: TypeAlias = nn.Conv1d | nn.Conv2d
Factorable: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d | SparseLinear

FACTORABLE: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, SparseLinear)
NORMALISATIONS: Final = (nn.BatchNorm1d, nn.BatchNorm2d)

_ATTRIBUTE: Final = "primase_structure"


@final
@dataclass(frozen=True, slots=True)
class Structure:
    """What there is to know of a network beside its settings and weights.

    Parameters
    ----------
    edits
        What was changed, in this order.
    coded
        Whether its weights are kept in the shortest file that holds them exactly.
    """

    edits: tuple[Edit, ...] = ()
    coded: bool = False

    def to_state(self) -> list[dict[str, Any]]:
        """List the edits in JSON."""
        return [dict(edit) for edit in self.edits]

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing particular about the network."""
        return not self.edits and not self.coded


def structure_of(network: nn.Module) -> Structure:
    """Tell what a network carries with it; nothing, if nobody has changed it."""
    found = getattr(network, _ATTRIBUTE, None)
    return found if isinstance(found, Structure) else Structure()


def set_structure(network: nn.Module, structure: Structure) -> None:
    """Let a network carry with it what was changed in it."""
    setattr(network, _ATTRIBUTE, structure)


def rebuild(network: nn.Module, structure: Structure) -> nn.Module:
    """Change a new network of the same settings as another was changed; its weights are to be read afterwards.

    Raises
    ------
    ValueError
        If an edit does not fit the network.
    """
    for edit in structure.edits:
        apply_edit(network, edit)
    set_structure(network, structure)
    return network


def apply_edit(network: nn.Module, edit: Edit) -> None:
    """Change one layer of a network; its weights are not what they were.

    Raises
    ------
    ValueError
        If there is no such edit, or it does not fit the layer.
    """
    try:
        kind, path = edit["edit"], str(edit["layer"])
        layer = network.get_submodule(path)
        if kind == "factorise":
            changed: nn.Module = Factorised.of_rank(layer, int(edit["rank"]))
        elif kind == "resize":
            changed = resized(layer, edit.get("inputs"), int(edit["outputs"]))
        elif kind == "nearest-means" and isinstance(layer, nn.Linear):
            changed = NearestMeans(layer)
        else:
            message = f"there is no edit called {kind!r}"
            raise ValueError(message)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        message = f"the edit {edit!r} does not fit the network: {error}"
        raise ValueError(message) from None
    replace_layer(network, path, changed)


def replace_layer(network: nn.Module, path: str, layer: nn.Module) -> None:
    """Put another layer in the place of one."""
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, layer)


@final
class Factorised(nn.Module):
    """Two layers in the place of one, with few numbers between them: a matrix of low rank as a product of two.

    Parameters
    ----------
    first, second
        Applied one behind the other.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, *inputs: Tensor) -> Tensor:
        """Apply both."""
        result: Tensor = self.second(self.first(*inputs))
        return result

    @classmethod
    def of_rank(cls, layer: nn.Module, rank: int) -> Factorised:
        """Make both layers, with weights that are still to be set.

        Raises
        ------
        ValueError
            If the layer cannot be taken apart, or the rank is none of its.
        """
        if not is_factorable(layer):
            message = f"a layer of type {type(layer).__name__} cannot be taken apart"
            raise ValueError(message)
        assert isinstance(layer, FACTORABLE)
        most = min(as_matrix(layer).shape)
        if not 1 <= rank <= most:
            message = f"a rank of {rank} is not between 1 and {most}"
            raise ValueError(message)
        if isinstance(layer, SparseLinear):
            features, outputs = layer.table.shape
            first: nn.Module = SparseLinear(features - 1, rank, sparse_gradients=layer.sparse_gradients)
            return cls(first, nn.Linear(rank, outputs))
        biased = layer.bias is not None
        if isinstance(layer, nn.Linear):
            return cls(nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=biased))
        kind: Any = type(layer)
        first = kind(
            layer.in_channels,
            rank,
            layer.kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            padding_mode=layer.padding_mode,
            bias=False,
        )
        return cls(first, kind(rank, layer.out_channels, 1, bias=biased))


def is_factorable(layer: nn.Module) -> bool:
    """Tell whether a layer multiplies with one matrix that can be taken apart."""
    if isinstance(layer, Convolution):
        return layer.groups == 1
    return isinstance(layer, FACTORABLE)


def as_matrix(layer: Factorable) -> Tensor:
    """Write the weights of a layer as a matrix of outputs by inputs.

    The row of :class:`SparseLinear` that stands for nothing is left out.
    """
    if isinstance(layer, SparseLinear):
        return layer.table[PADDING + 1 :].T
    return layer.weight.flatten(1)


def resized(layer: nn.Module, inputs: object, outputs: int) -> nn.Module:
    """Make a layer of the same kind that reads and gives fewer channels.

    Raises
    ------
    ValueError
        If it is of a kind that has no such sizes, or is not to get smaller.
    """
    before = sizes_of(layer)
    if before is None:
        message = f"a layer of type {type(layer).__name__} has no channels to leave out"
        raise ValueError(message)
    after = (int(str(inputs)) if before[0] is not None else None, outputs)
    for old, new in zip(before, after, strict=True):
        if old is not None and new is not None and not 1 <= new <= old:
            message = f"{new} channels are not between 1 and {old}"
            raise ValueError(message)
    kind: Any = type(layer)
    read = after[0]
    if isinstance(layer, NORMALISATIONS):
        normalisation: nn.Module = kind(
            outputs,
            eps=layer.eps,
            momentum=layer.momentum,
            affine=layer.affine,
            track_running_stats=layer.track_running_stats,
        )
        return normalisation
    if isinstance(layer, SparseLinear):
        return SparseLinear(layer.table.shape[0] - 1, outputs, sparse_gradients=layer.sparse_gradients)
    assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    biased = layer.bias is not None
    if isinstance(layer, nn.Linear):
        assert read is not None
        return nn.Linear(read, outputs, bias=biased)
    convolution: nn.Module = kind(
        read,
        outputs,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        # A convolution of each channel apart stays one.
        groups=read if layer.groups == layer.in_channels > 1 else layer.groups,
        padding_mode=layer.padding_mode,
        bias=biased,
    )
    return convolution


def sizes_of(layer: nn.Module) -> tuple[int | None, int] | None:
    """Tell how many channels a layer reads and gives; None if it is of a kind that has no such sizes.

    What is read is None where it is what is given, or no channels.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, Convolution):
        return layer.in_channels, layer.out_channels
    if isinstance(layer, NORMALISATIONS):
        return None, layer.num_features
    return (None, layer.table.shape[1]) if isinstance(layer, SparseLinear) else None


def changes(before: Mapping[str, tuple[int | None, int]], network: nn.Module) -> Sequence[Edit]:
    """List the edits that make a network with the sizes of before into one of this network's."""
    edits: list[Edit] = []
    for path, layer in network.named_modules():
        sizes = sizes_of(layer)
        if sizes is not None and path in before and before[path] != sizes:
            read, given = sizes
            edit: dict[str, Any] = {"edit": "resize", "layer": path, "outputs": given}
            edits.append(edit if read is None else {**edit, "inputs": read})
    return edits


def frozen_like(new: nn.Module, old: nn.Module) -> None:
    """Let a new layer learn only where the old one does."""
    learns = any(parameter.requires_grad for parameter in old.parameters())
    for parameter in new.parameters():
        parameter.requires_grad = learns


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """List the learning weights of a network that are worth compressing: those of at least two dimensions."""
    return {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.ndim >= 2 and parameter.requires_grad and parameter.dtype == torch.float32
    }
