"""Dense layers, and the sparse first layer that makes them affordable on thousands of yes-or-no features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

PADDING: Final = 0  # the row of the feature table that stands for "nothing here"; it stays zero


@final
class SparseLinear(nn.Module):
    """A linear layer on a long vector that is almost all zeros, given by the positions of its non-zero entries.

    It computes what ``nn.Linear`` computes on the dense vector, but reads only the rows of the features that are
    there (an embedding bag), so that time and memory follow the number of features present rather than possible.

    Parameters
    ----------
    features
        The number of possible features. They are numbered from 1; 0 pads short rows.
    outputs
        The width of the result.
    sparse_gradients
        Hand gradients to the optimiser for the rows that were read only.
    """

    def __init__(self, features: int, outputs: int, *, sparse_gradients: bool = False) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(features + 1, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.sparse_gradients = sparse_gradients
        # Rows hold a handful of features, so the usual 1 / sqrt(all features) would start the network almost silent.
        nn.init.normal_(self.table, std=0.05)
        with torch.no_grad():
            self.table[PADDING].zero_()

    def forward(self, features: Int[Tensor, "batch slots"], weights: Float[Tensor, "batch slots"]) -> Tensor:
        """Sum the weighted rows of the features.

        Parameters
        ----------
        features
            Numbers of the features that are there, padded with 0.
        weights
            The value of each feature: 1 where it is there, 0 in padding and where it is taken out.

        Returns
        -------
        Tensor
            Shape (batch, outputs).
        """
        present = features != PADDING
        counts = present.sum(dim=1)
        summed = functional.embedding_bag(
            features[present],
            self.table,
            offsets=counts.cumsum(dim=0) - counts,
            per_sample_weights=weights[present],
            mode="sum",
            sparse=self.sparse_gradients,
        )
        return summed + self.bias


def dense_stack(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Stack dense layers, each followed by ReLU, batch normalisation and dropout.

    Parameters
    ----------
    widths
        The width of the input and of each layer after it; a single width gives an empty stack.
    dropout
        The share of values set to zero in training, 0 to 1.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.BatchNorm1d(outputs), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
