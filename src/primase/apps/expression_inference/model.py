"""The network of expression inference: from landmark genes to all others, over a few dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Activation = Literal["silu", "gelu", "relu", "tanh"]
ACTIVATIONS: Final[dict[str, type[nn.Module]]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


@final
@dataclass(frozen=True, slots=True)
class Layers:
    """The dense part of the network.

    Parameters
    ----------
    widths
        Of the input and of each hidden layer.
    activation
        The curve behind each layer.
    dropout
        The share of values set to zero in training, 0 to 1.
    bounded
        Whether the output goes through tanh.
    """

    widths: tuple[int, ...]
    activation: Activation
    dropout: float
    bounded: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class BinTable:
    """How the values of each target are cut into bins, on the network's scale.

    Parameters
    ----------
    edges
        The inner borders of the bins of each target, ascending.
    centres
        The mean of the training values in each bin.
    """

    edges: Float[Tensor, "targets borders"]
    centres: Float[Tensor, "targets bins"]


@final
class InferenceNetwork(nn.Module):
    """Infer the expression of targets from that of landmarks, on the scale of the encoder.

    Parameters
    ----------
    layers
        The dense part.
    targets
        How many genes are inferred.
    linear
        The weights and the intercept of a ridge regression to which the dense part adds what is not linear; they do not
        change in training. None to learn everything.
    bins
        How targets are cut into bins, whose probabilities the network then learns; it says the mean over the bins.
    """

    given: ClassVar[frozenset[str]] = frozenset({"linear", "edges", "centres"})
    """What comes with the encoder, and is neither learned nor taken over from another network."""

    edges: Tensor
    centres: Tensor

    def __init__(
        self,
        layers: Layers,
        targets: int,
        *,
        linear: tuple[Float[Tensor, "targets landmarks"], Float[Tensor, "targets"]] | None = None,
        bins: BinTable | None = None,
    ) -> None:
        super().__init__()
        self.targets = targets
        self.bins = 0 if bins is None else bins.centres.shape[1]
        self.body = _body(layers)
        self.head = nn.Linear(layers.widths[-1], targets * max(self.bins, 1))
        self.bound = nn.Tanh() if layers.bounded else nn.Identity()
        self.linear = None if linear is None else _frozen(*linear)
        if linear is not None:
            # It starts as the ridge regression, and so can only improve on it.
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        if bins is not None:
            self.register_buffer("edges", bins.edges)
            self.register_buffer("centres", bins.centres)

    def forward(self, values: Float[Tensor, "batch landmarks"]) -> Float[Tensor, "batch targets"]:
        """Infer the value of each target."""
        if self.bins:
            probabilities = self.bin_logits(values).float().softmax(dim=2)  # (batch, targets, bins)
            return (probabilities * self.centres).sum(dim=2)  # (batch, targets)
        hidden = self.body(values)  # (batch, last width)
        inferred: Tensor = self.bound(self.head(hidden))  # (batch, targets)
        return inferred if self.linear is None else inferred + self.linear(values)

    def bin_logits(self, values: Float[Tensor, "batch landmarks"]) -> Float[Tensor, "batch targets bins"]:
        """Score the bins of each target."""
        logits: Tensor = self.head(self.body(values))
        return logits.view(len(values), self.targets, self.bins)

    def bin_of(self, values: Float[Tensor, "batch targets"]) -> Int[Tensor, "batch targets"]:
        """Tell in which bin each value lies; that of an unknown one (NaN) has no meaning."""
        known = torch.nan_to_num(values).T.contiguous()
        return torch.searchsorted(self.edges, known.to(self.edges.dtype), right=True).T


def _body(layers: Layers) -> nn.Sequential:
    stack: list[nn.Module] = []
    for inputs, outputs in pairwise(layers.widths):
        stack += [nn.Linear(inputs, outputs), ACTIVATIONS[layers.activation](), nn.Dropout(layers.dropout)]
        if layers.activation == "tanh":
            # A curve that is a line around zero and flat beyond keeps its signal with this start (Glorot and Bengio
            # 2010), as D-GEX has it.
            nn.init.xavier_uniform_(stack[-3].weight)  # type: ignore[arg-type]  # a linear layer
    return nn.Sequential(*stack)


def _frozen(weights: Float[Tensor, "targets landmarks"], intercept: Float[Tensor, "targets"]) -> nn.Linear:
    """Make a linear layer that training leaves alone; its weights are parameters that a control can shuffle."""
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    layer.weight = nn.Parameter(weights.clone(), requires_grad=False)
    layer.bias = nn.Parameter(intercept.clone(), requires_grad=False)
    return layer


def bin_error(
    logits: Float[Tensor, "batch targets bins"],
    bins: Int[Tensor, "batch targets"],
    known: Float[Tensor, "batch targets"],
) -> Float[Tensor, ""]:
    """Average the cross-entropy of the bins over the targets that are known."""
    losses = functional.cross_entropy(logits.float().flatten(0, 1), bins.flatten(), reduction="none")
    weights = known.flatten()
    mean: Tensor = (losses * weights).sum() / weights.sum().clamp(min=1)
    return mean
