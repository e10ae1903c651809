"""Reading mutants only where the mutation makes a difference.

A mutation changes one column, and each layer of a convolutional trunk sees a few columns only. So the trunk is run
once on the sequence itself, what it computes is kept layer by layer, and of each mutant only the places that see the
mutation are computed again. The answer is that of the whole mutant, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, TypeGuard, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from primase.insight.mutants import Columns, Logits, Mutants
from primase.nn.pooling import GlobalPooling


class LocalTrunk(Protocol):
    """The local part of a network: place ``j`` is a function of the padded columns from ``j * stride`` on.

    ``features`` are its layers; each may have a ``receptive_field`` and a ``stride`` of its own.
    """

    receptive_field: int
    stride: int
    margin: int
    features: nn.Sequential

    def pad(self, columns: Columns) -> Columns:
        """Add the columns of zeros that the places at the ends see."""
        ...

    def __call__(self, onehot: Columns) -> tuple[Tensor, Tensor]:
        """Compute the features of all places, and which of them count."""
        ...


class LocalNetwork(Protocol):
    """A network that offers its two parts: what is local, and what is left to compute from that."""

    trunk: LocalTrunk

    def head(self, features: Tensor, mask: Tensor) -> Tensor:
        """Answer from the features of all places."""
        ...


def is_local(network: Any) -> TypeGuard[LocalNetwork]:
    """Tell whether a network offers its local part apart from the rest."""
    trunk = getattr(network, "trunk", None)
    needed = ("pad", "margin", "features", "receptive_field", "stride")
    return hasattr(network, "head") and all(hasattr(trunk, name) for name in needed)


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer whose output ``j`` sees its inputs from ``j * stride`` on, and what it gets and makes of the sequences.

    Parameters
    ----------
    window
        How many of its inputs an output sees.
    """

    compute: Callable[[Tensor], Tensor]
    window: int
    stride: int
    inputs: Float[Tensor, "sequences channels places"]
    outputs: Float[Tensor, "sequences more_channels fewer_places"]

    def change(
        self,
        rows: Int[Tensor, "mutants"],
        first: Int[Tensor, "mutants"],
        changed: Float[Tensor, "mutants channels few"],
    ) -> tuple[Int[Tensor, "mutants"], Float[Tensor, "mutants more_channels more"]]:
        """Compute the outputs that see any of the changed inputs.

        Parameters
        ----------
        first
            Where the changed inputs of each mutant begin.
        """
        width, places = changed.shape[2], self.outputs.shape[2]
        # Every mutant gets as many outputs as the one that needs most, and no place that is not there.
        count = min(-(-(width + self.window - 1) // self.stride), places)
        begin = (-((self.window - 1 - first) // self.stride)).clamp(0, places - count)
        reach = (count - 1) * self.stride + self.window
        around = self.inputs.unfold(2, reach, self.stride)[rows, :, begin]  # (mutants, channels, reach)
        _put(around, first - begin * self.stride, changed)
        return begin, self.compute(around)


@final
@dataclass(frozen=True, slots=True)
class LocalReader:
    """The places that see a mutation, put in between those that do not."""

    network: LocalNetwork
    onehot: Columns
    margin: int
    layers: tuple[_Layer, ...]
    mask: Bool[Tensor, "sequences places"]

    @classmethod
    def of(cls, network: LocalNetwork, onehot: Columns) -> LocalReader:
        """Run the trunk on the sequences, and keep what each layer computes."""
        trunk = network.trunk
        steps = list(_steps(trunk))
        states = [trunk.pad(onehot)]
        for compute, _, _ in steps:
            states.append(compute(states[-1]))
        layers = [_Layer(*step, *ends) for step, ends in zip(steps, pairwise(states), strict=True)]
        _, mask = trunk(onehot)
        return cls(network, onehot, trunk.margin, tuple(layers), mask)

    def change(self, mutants: Mutants) -> tuple[Int[Tensor, "mutants"], Float[Tensor, "mutants channels few"]]:
        """Compute the features that see the mutation, and the place of the first of them."""
        first, changed = mutants.positions + self.margin, mutants.columns(self.onehot).unsqueeze(2)
        for layer in self.layers:
            first, changed = layer.change(mutants.rows, first, changed)
        return first, changed

    def __call__(self, mutants: Mutants) -> Logits:
        """Compute the logits of the mutants."""
        first, changed = self.change(mutants)
        features = self.layers[-1].outputs[mutants.rows]
        _put(features, first, changed)
        return self.network.head(features, self.mask[mutants.rows])


@final
@dataclass(frozen=True, slots=True)
class PooledReader:
    """The same for a network whose head is global pooling and an answer from that.

    The maximum and the sum over the places before and behind those that are computed again are known beforehand, so
    that a mutant costs the same in a sequence of any length.

    Parameters
    ----------
    before, behind
        The maximum and the sum of each channel over the places before each place, and from each place on.
    unpadded
        Whether all places count.
    """

    local: LocalReader
    answer: Callable[[Tensor], Tensor]
    before: tuple[Tensor, Tensor]
    behind: tuple[Tensor, Tensor]
    unpadded: bool

    @classmethod
    def of(cls, local: LocalReader) -> PooledReader | None:
        """Prepare to read mutants so, or return None if the head does anything else with the features."""
        network: Any = local.network
        features, mask = local.layers[-1].outputs, local.mask
        if not _is_pooling_then_answer(network, features, mask):
            return None
        there = mask.unsqueeze(1)
        highest = features.masked_fill(~there, torch.finfo(features.dtype).min)
        summed = features.double().masked_fill(~there, 0)
        turned = _so_far(highest.flip(2), summed.flip(2))
        return cls(
            local, network.answer, _so_far(highest, summed), (turned[0].flip(2), turned[1].flip(2)), bool(mask.all())
        )

    def __call__(self, mutants: Mutants) -> Logits:
        """Compute the logits of the mutants."""
        rows = mutants.rows
        first, changed = self.local.change(mutants)
        behind = first + changed.shape[2]
        own = own_summed = changed
        if not self.unpadded:
            places = first.unsqueeze(1) + torch.arange(changed.shape[2], device=first.device)
            hidden = ~self.local.mask[rows].gather(1, places).unsqueeze(1)  # (mutants, 1, few)
            own = changed.masked_fill(hidden, torch.finfo(changed.dtype).min)
            own_summed = changed.masked_fill(hidden, 0)
        highest = own.amax(dim=2).maximum(self.before[0][rows, :, first]).maximum(self.behind[0][rows, :, behind])
        outside = self.before[1][rows, :, first] + self.behind[1][rows, :, behind]
        total = outside + own_summed.float().sum(dim=2)
        count = self.local.mask.sum(dim=1).clamp(min=1)[rows].unsqueeze(1)
        return self.answer(torch.cat([highest.float(), total / count], dim=1))


def _is_pooling_then_answer(network: Any, features: Tensor, mask: Tensor) -> bool:
    """Watch whether the head hands the features to ``pool`` as they are, its result to ``answer``, and returns that."""
    pool, answer = getattr(network, "pool", None), getattr(network, "answer", None)
    if not isinstance(pool, GlobalPooling) or not isinstance(answer, nn.Module):
        return False
    seen: list[tuple[Tensor, Tensor]] = []
    watching = [
        part.register_forward_hook(lambda _, given, made: seen.append((given[0], made))) for part in (pool, answer)
    ]
    try:
        logits = network.head(features, mask)
    finally:
        for watch in watching:
            watch.remove()
    if len(seen) != 2:
        return False
    (pooled, summary), (asked, answered) = seen
    pairs = ((pooled, features), (asked, summary), (logits, answered))
    return all(given.shape == made.shape and torch.equal(given, made) for given, made in pairs)


def _so_far(
    highest: Float[Tensor, "sequences channels places"], summed: Float[Tensor, "sequences channels places"]
) -> tuple[Float[Tensor, "sequences channels more"], Float[Tensor, "sequences channels more"]]:
    """Take the maximum and the sum over all places before each place, and over all."""
    lowest = torch.full_like(highest[..., :1], torch.finfo(highest.dtype).min)
    sums = torch.cat([torch.zeros_like(summed[..., :1]), summed.cumsum(dim=2)], dim=2)
    return torch.cat([lowest, highest.cummax(dim=2).values], dim=2), sums.float()


def _steps(trunk: LocalTrunk) -> Iterable[tuple[Callable[[Tensor], Tensor], int, int]]:
    """List the layers with their windows and strides; a trunk that does not know those of its layers is one layer."""
    layers: list[Any] = list(trunk.features)
    if all(isinstance(getattr(layer, "receptive_field", None), int) for layer in layers):
        return [(layer, layer.receptive_field, layer.stride) for layer in layers]
    return [(trunk.features, trunk.receptive_field, trunk.stride)]


def _put(
    target: Float[Tensor, "mutants channels places"],
    first: Int[Tensor, "mutants"],
    values: Float[Tensor, "mutants channels few"],
) -> None:
    """Overwrite places of each row from ``first`` on; values that would come to lie outside are dropped."""
    places = first.unsqueeze(1) + torch.arange(values.shape[2], device=first.device)  # (mutants, few)
    inside = (places >= 0) & (places < target.shape[2])
    if bool(inside.all()):
        target.scatter_(2, places.unsqueeze(1).expand(-1, values.shape[1], -1), values)
    else:
        rows, columns = inside.nonzero(as_tuple=True)
        target[rows, :, places[inside]] = values[rows, :, columns]
