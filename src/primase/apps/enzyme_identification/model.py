"""The network of the paper's section 3.1: dense layers on the vector of Pfam domains, read sparsely.

Tensors: ``features`` (batch, slots) are numbers of what a protein has, padded with 0: first the domains, then the
pieces of their names and the rest; ``weights`` (batch, slots) are their values, 0 where one is taken out. The answer is
(batch, labels) logits, to be read through a softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.nn.dense import SparseLinear, dense_stack


@final
class EnzymeNetwork(nn.Module):
    """Dense layers with ReLU, batch normalisation and dropout on a sparse domain vector.

    Parameters
    ----------
    features
        The number of features.
    domains
        How many of them, the first ones, are domains.
    hidden
        Widths of the layers, the first of which reads the domain vector.
    labels
        The number of answers.
    dropout
        Share of hidden values set to zero in training.
    domain_dropout
        Share of domains hidden in training; the pieces of their names stay.
    """

    def __init__(
        self, features: int, domains: int, hidden: Sequence[int], labels: int, *, dropout: float, domain_dropout: float
    ) -> None:
        super().__init__()
        first = hidden[0]
        self.domains = domains
        self.domain_dropout = domain_dropout
        self.read = SparseLinear(features, first)
        self.activate = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(first), nn.Dropout(dropout))
        self.hidden = dense_stack(hidden, dropout)
        self.answer = nn.Linear(hidden[-1], labels)

    def forward(
        self, features: Int[Tensor, "batch slots"], weights: Float[Tensor, "batch slots"]
    ) -> Float[Tensor, "batch labels"]:
        """Compute the logits of each label."""
        if self.training and self.domain_dropout:
            hidden = (features <= self.domains) & (torch.rand_like(weights) < self.domain_dropout)
            weights = weights.masked_fill(hidden, 0.0)
        sparse = self.activate(self.read(features, weights))  # (batch, hidden[0])
        logits: Tensor = self.answer(self.hidden(sparse))  # (batch, labels)
        return logits
