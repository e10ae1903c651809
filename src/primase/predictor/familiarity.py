"""How unlike the training examples an input is, as the network sees it: the distance to its nearest neighbours.

What the network has computed just before its last dense layer is compared with the same of training examples (Sun,
Ming, Zhu and Li, 2022, Out-of-distribution detection with deep nearest neighbors): on the unit sphere, the distance to
the tenth nearest of them. How far is far is told by validation examples, which the network was not fitted to either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.data.encoding import EncodedInputs, EncoderState
from primase.errors import BundleError
from primase.predictor.features import Features, features_before

MOST_KEPT: Final = 1000
"""The most training examples that are kept."""
MOST_NUMBERS: Final = 1_000_000
"""The most numbers that are kept of them: two megabytes."""
LEAST_KEPT: Final = 20
"""With fewer examples of either part nothing is said."""
NEIGHBOUR: Final = 10
BEYOND: Final = 0.95
"""The rank among validation examples from which an input is called unlike the training examples."""

_STEPS: Final = 200
_REFERENCE: Final = "familiarity.reference"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """Ranks inputs by how far they are from the training examples.

    Parameters
    ----------
    layer
        The name of the last dense layer within the network.
    reference
        What comes into it for some training examples, each of length one.
    quantiles
        Of the distances of validation examples, at equal steps from the least to the greatest.
    """

    layer: str
    reference: Float[np.ndarray, "kept width"]
    quantiles: Float[np.ndarray, "steps"]

    @classmethod
    def fit(cls, layer: str, train: Features, validation: Features) -> Self:
        """Keep training examples, and learn from validation examples how far is far.

        Parameters
        ----------
        train, validation
            What comes into the layer; at least one example each.
        """
        reference = _on_sphere(train).astype(np.float16)
        distances = _distances(_on_sphere(validation), reference)
        return cls(layer, reference, np.quantile(distances, np.linspace(0, 1, _STEPS + 1)))

    def distances(self, network: nn.Module, inputs: EncodedInputs) -> Float[np.ndarray, "examples"]:
        """Return the distance of each input to its tenth nearest training example, from 0 to 2."""
        return _distances(_on_sphere(features_before(network, self.layer, inputs)), self.reference)

    def ranks(self, distances: Float[np.ndarray, "examples"]) -> Float[np.ndarray, "examples"]:
        """Return for each distance the share of validation examples that are nearer, from 0 to 1."""
        below = np.searchsorted(self.quantiles, distances, side="left")
        places = np.linspace(0, 1, len(self.quantiles))
        inside = np.interp(distances, self.quantiles, places)
        return np.where(below == 0, 0.0, np.where(below == len(self.quantiles), 1.0, inside))

    def to_state(self) -> EncoderState:
        """Describe what was learned."""
        facts = {"layer": self.layer, "neighbour": NEIGHBOUR, "quantiles": self.quantiles.tolist()}
        return EncoderState(facts, {_REFERENCE: self.reference})

    @classmethod
    def from_state(cls, state: EncoderState) -> Self:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If it is something else.
        """
        try:
            quantiles = np.asarray(state.facts["quantiles"], dtype=np.float64)
            return cls(str(state.facts["layer"]), state.arrays[_REFERENCE], quantiles)
        except (KeyError, TypeError, ValueError) as error:
            what = "what the model keeps of its training examples cannot be read"
            raise BundleError(what, where="familiarity", got=repr(error)) from error


def last_dense_layer(network: nn.Module, inputs: EncodedInputs, outputs: int) -> str | None:
    """Find the dense layer that a network ends with; None where it has none, or one that reads other things.

    Parameters
    ----------
    inputs
        At least three examples, by which it is found.
    outputs
        How many answers the network gives for each.
    """
    found = None
    for count in (3, 2):  # a layer that reads other things than examples may by chance read as many of them once
        order: list[tuple[str, Tensor]] = []
        with _listening(network, order), torch.inference_mode():
            network(**inputs.batch(np.arange(count)))
        ends = [name for name, values in order if values.ndim == 2 and len(values) == count]
        if not order or not ends or order[-1][0] != ends[-1]:
            return None
        found = ends[-1]
    layer = network.get_submodule(str(found))
    return found if isinstance(layer, nn.Linear) and layer.out_features % outputs == 0 else None


@contextmanager
def _listening(network: nn.Module, order: list[tuple[str, Tensor]]) -> Iterator[None]:
    """Note which dense layers are used, in their order, and what comes into each."""

    def hook(name: str) -> Any:
        return lambda _, values: order.append((name, values[0]))

    hooks = [
        module.register_forward_pre_hook(hook(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()


def _on_sphere(features: Features) -> Features:
    """Bring every row to length one; one that is nil stays so."""
    lengths = np.linalg.norm(features.astype(np.float32), axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1))


def _distances(features: Features, reference: Features) -> Float[np.ndarray, "examples"]:
    """Measure from each row to its tenth nearest in the reference, or to the farthest of fewer."""
    if not len(features):
        return np.empty(0)
    # In double precision, so that a short distance is not made of what rounding leaves.
    features, kept = features.astype(np.float64), reference.astype(np.float64)
    near = min(NEIGHBOUR, len(kept)) - 1
    squared = np.maximum((features**2).sum(1)[:, None] - 2 * features @ kept.T + (kept**2).sum(1), 0)
    return np.asarray(np.sqrt(np.partition(squared, near, axis=1)[:, near]))


def fit_familiarity(
    network: nn.Module, train: EncodedInputs, validation: EncodedInputs, outputs: int
) -> Familiarity | None:
    """Learn how far is far from encoded examples; None where the network has no last dense layer, or they are few.

    Parameters
    ----------
    outputs
        How many answers the network gives for each.
    """
    if len(train) < LEAST_KEPT or len(validation) < LEAST_KEPT:
        return None
    layer = last_dense_layer(network, validation, outputs)
    if layer is None:
        return None
    seen, new = (features_before(network, layer, part) for part in (train, validation))
    return Familiarity.fit(layer, seen[: max(LEAST_KEPT, MOST_NUMBERS // seen.shape[1])], new)
