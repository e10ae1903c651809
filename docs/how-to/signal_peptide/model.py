"""The network: two dense layers. ``features`` and ``weights`` are (batch, letters); the answer is (batch, labels)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.nn.dense import SparseLinear


@final
class SignalNetwork(nn.Module):
    """A hidden layer on the composition of the start of a protein.

    Parameters
    ----------
    letters
        The number of amino acids that are counted.
    hidden
        The width of the hidden layer.
    labels
        The number of answers.
    """

    def __init__(self, letters: int, hidden: int, labels: int) -> None:
        super().__init__()
        self.read = SparseLinear(letters, hidden)
        self.answer = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(hidden), nn.Linear(hidden, labels))

    def forward(
        self, features: Int[Tensor, "batch letters"], weights: Float[Tensor, "batch letters"]
    ) -> Float[Tensor, "batch labels"]:
        """Compute the logits of each label."""
        logits: Tensor = self.answer(self.read(features, weights))  # (batch, hidden) inside
        return logits
