"""Elastic weight consolidation: weights that mattered for what was learned before are held where they are.

Kirkpatrick et al. (2017), "Overcoming catastrophic forgetting in neural networks", equation 3. After several steps the
informations are added up and the weights held where they were last, as the recursion of Laplace's approximation has it
(Huszár, 2018, "Note on the quadratic penalties in elastic weight consolidation").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.data.encoding import EncodedInputs
from primase.data.tasks import MULTILABEL, VALUE_KINDS, TaskKind
from primase.events import Listener, Progress, silent

MOST_EXAMPLES: Final = 1_000
"""The information is estimated from so many training examples at most."""

Fisher = Mapping[str, Tensor]


def diagonal_fisher(
    network: nn.Module,
    inputs: EncodedInputs,
    kind: TaskKind,
    *,
    seed: int = 0,
    exact: bool = False,
    listener: Listener = silent,
) -> dict[str, Tensor]:
    """Measure how much the answers of a network depend on each of its weights: the diagonal of Fisher's information.

    It is that of the answers that the network itself holds likely, not of the labels that the examples have (Kunstner,
    Hennig and Balles, 2019), as a mean over the examples. Where answers are values it is the curvature of the mean
    squared error.

    Parameters
    ----------
    inputs
        Training examples; :data:`MOST_EXAMPLES`, drawn at random, are looked at.
    exact
        Take all answers, each as often as the network expects it, and not one drawn at random for each example.

    Returns
    -------
    dict
        Per weight that learns, of the shape of the weight, on the processor.
    """
    learning = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    device = next(iter(learning.values())).device
    total = {name: torch.zeros_like(weight) for name, weight in learning.items()}
    generator = torch.Generator().manual_seed(seed)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(inputs))[:MOST_EXAMPLES])
    mode = network.training
    network.eval()
    for done, position in enumerate(drawn):
        batch = inputs.batch(np.array([position]))
        outputs = network(**{name: tensor.to(device) for name, tensor in batch.items()})[0].float()
        for direction in _directions(outputs.detach(), kind, None if exact else generator):
            slopes = torch.autograd.grad(
                outputs, list(learning.values()), direction.to(outputs), retain_graph=exact, allow_unused=True
            )
            for name, slope in zip(learning, slopes, strict=True):
                if slope is not None:
                    total[name] += slope.square() / len(drawn)
        if done % 100 == 0:
            listener(Progress("fisher", done, len(drawn), "examples"))
    network.train(mode)
    return {name: value.cpu() for name, value in total.items()}


def _directions(
    outputs: Float[Tensor, "outputs"], kind: TaskKind, generator: torch.Generator | None
) -> Iterator[Float[Tensor, "outputs"]]:
    """Yield directions whose outer products add up to the curvature of the loss in the outputs of the network.

    One drawn at random, where there is a generator, that does so on average.
    """
    count = len(outputs)
    if kind == MULTILABEL or kind in VALUE_KINDS:
        likely = outputs.sigmoid()
        curvature = likely * (1 - likely) / count if kind == MULTILABEL else torch.full((count,), 2 / count)
        size = curvature.to(outputs.device).sqrt()
        if generator is None:
            yield from torch.diag(size)
            return
        signs = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
        yield size * signs.to(size.device)
        return
    likely = outputs.softmax(dim=0)
    identity = torch.eye(count, device=outputs.device)
    if generator is None:
        yield from (likely[label].sqrt() * (identity[label] - likely) for label in range(count))
        return
    label = int(torch.multinomial(likely.cpu(), 1, generator=generator))
    yield identity[label] - likely


def add_information(old: Fisher, new: Fisher) -> dict[str, Tensor]:
    """Add up what several steps say of each weight; those of outputs that are new have nothing from before."""
    total = {name: value.clone() for name, value in new.items()}
    for name, value in old.items():
        if name in total:
            total[name][: len(value)] += value
    return total


@final
@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """Where the weights of a network were, and how much each matters.

    Parameters
    ----------
    weights
        By name; those of a network with fewer outputs hold the first rows only.
    information
        Per weight, as :func:`diagonal_fisher` measures it.
    """

    weights: Mapping[str, Tensor]
    information: Fisher
    _placed: dict[torch.device, list[tuple[str, Tensor, Tensor]]] = field(default_factory=dict)

    def penalty(self, network: nn.Module) -> Tensor:
        """Measure how far a network is from there: half the squared distances, each times how much it matters."""
        own = dict(network.named_parameters())
        device = next(iter(own.values())).device
        if device not in self._placed:
            self._placed[device] = [
                (name, self.weights[name].to(device), value.to(device)) for name, value in self.information.items()
            ]
        total = torch.zeros((), device=device)
        for name, weight, information in self._placed[device]:
            total = total + (information * (own[name][: len(weight)] - weight).square()).sum()
        return total / 2
