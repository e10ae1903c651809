"""Decoders: from the embeddings of two nodes to a score for a link between them, the same both ways round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

DecoderKind = Literal["inner", "bias", "bilinear", "mlp"]

ROWS_AT_ONCE: Final = 128
"""With blocks of a few megabytes, which stay in the cache, the exact loss is quickest and takes least memory."""


Factors = tuple[Float[Tensor, "nodes rank"], Float[Tensor, "nodes rank"]]
"""Two matrices whose product holds the scores of all pairs of nodes."""


class Decoder(nn.Module, ABC):
    """Score pairs of nodes.

    The log of each node's degree is at hand, as far as it was known in training.
    """

    @abstractmethod
    def forward(
        self,
        first: Float[Tensor, "pairs width"],
        second: Float[Tensor, "pairs width"],
        log_degrees: Float[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs"]:
        """Score pairs; 0 is as likely as not."""

    def factors(self, embeddings: Float[Tensor, "nodes width"]) -> Factors | None:
        """Give two matrices whose product holds the scores of all pairs of known nodes; None where there are none."""
        del embeddings
        return None


@final
class InnerProduct(Decoder):
    """Nodes are linked that point the same way: the inner product (Kipf and Welling 2016)."""

    def forward(
        self,
        first: Float[Tensor, "pairs width"],
        second: Float[Tensor, "pairs width"],
        log_degrees: Float[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs"]:
        """Multiply and add up."""
        del log_degrees, nodes
        return (first * second).sum(dim=1)

    def factors(self, embeddings: Float[Tensor, "nodes width"]) -> Factors:
        """Give the embeddings twice."""
        return embeddings, embeddings


@final
class InnerProductWithBias(Decoder):
    """The inner product, and how ready each node is to be linked at all; unknown nodes have the mean readiness."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.readiness = nn.Parameter(torch.zeros(nodes))

    def forward(
        self,
        first: Float[Tensor, "pairs width"],
        second: Float[Tensor, "pairs width"],
        log_degrees: Float[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs"]:
        """Multiply, add up, and add both readinesses."""
        del log_degrees
        known = len(self.readiness)
        bias = torch.where(nodes < known, self.readiness[nodes.clamp(max=known - 1)], self.readiness.mean())
        return (first * second).sum(dim=1) + bias.sum(dim=1)

    def factors(self, embeddings: Float[Tensor, "nodes width"]) -> Factors:
        """Give the embeddings beside the readiness and a column of ones."""
        bias, one = self.readiness[:, None], torch.ones_like(self.readiness)[:, None]
        return torch.cat([embeddings, bias, one], dim=1), torch.cat([embeddings, one, bias], dim=1)


@final
class Bilinear(Decoder):
    """A weighted inner product of every dimension with every other one, the same both ways."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(width))

    def forward(
        self,
        first: Float[Tensor, "pairs width"],
        second: Float[Tensor, "pairs width"],
        log_degrees: Float[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs"]:
        """Weigh, multiply and add up."""
        del log_degrees, nodes
        return (first @ self._symmetric() * second).sum(dim=1)

    def factors(self, embeddings: Float[Tensor, "nodes width"]) -> Factors:
        """Give the weighted embeddings and the embeddings."""
        return embeddings @ self._symmetric(), embeddings

    def _symmetric(self) -> Float[Tensor, "width width"]:
        return (self.matrix + self.matrix.T) / 2


@final
class PairPerceptron(Decoder):
    """Dense layers on the products of both embeddings, dimension by dimension, and on the smaller and larger degree."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width + 2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden // 2),
            nn.ReLU(),
            nn.Linear(hidden // 2, 1),
        )

    def forward(
        self,
        first: Float[Tensor, "pairs width"],
        second: Float[Tensor, "pairs width"],
        log_degrees: Float[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs"]:
        """Look at what both have in common."""
        del nodes
        # The sixth of a logarithm of up to some thousands of links is about 1.
        degrees = log_degrees.sort(dim=1).values / 6
        scores: Tensor = self.layers(torch.cat([first * second, degrees], dim=1))[:, 0]
        return scores


def decoder_of(kind: DecoderKind, *, width: int, nodes: int, hidden: int, dropout: float) -> Decoder:
    """Make a decoder of a kind."""
    if kind == "inner":
        return InnerProduct()
    if kind == "bias":
        return InnerProductWithBias(nodes)
    if kind == "bilinear":
        return Bilinear(width)
    return PairPerceptron(width, hidden, dropout)


class ExactLinkLoss(torch.autograd.Function):
    """The weighted cross-entropy over all pairs of nodes, in blocks of rows, with its gradient.

    The matrix of all scores, which an ordinary inner-product decoder keeps for its gradient, is never in memory whole.
    """

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, starts: Tensor, neighbours: Tensor, weight: float) -> Tensor:
        """Add up the loss of each block, and its gradient with it."""
        loss = left.new_zeros(())
        left_gradient, right_gradient = torch.zeros_like(left), torch.zeros_like(right)
        for start in range(0, len(left), ROWS_AT_ONCE):
            rows = slice(start, min(start + ROWS_AT_ONCE, len(left)))
            scores = left[rows] @ right.T
            here = torch.arange(rows.start, rows.stop, device=left.device)
            counts = starts[here + 1] - starts[here]
            linked = (
                torch.cat([torch.repeat_interleave(here - start, counts), here - start]),
                torch.cat([neighbours[starts[rows.start] : starts[rows.stop]], here]),
            )
            positive = scores[linked]
            gradient = torch.sigmoid(scores)
            loss += functional.softplus(scores).sum()
            loss += (weight * functional.softplus(-positive) - functional.softplus(positive)).sum()
            gradient[linked] = -weight * torch.sigmoid(-positive)
            left_gradient[rows] = gradient @ right
            right_gradient += gradient.T @ left[rows]
        ctx.save_for_backward(left_gradient, right_gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None, None, None]:
        """Scale the gradient that was computed on the way forward."""
        left, right = ctx.saved_tensors
        return gradients[0] * left, gradients[0] * right, None, None, None


def exact_link_loss(
    left: Float[Tensor, "nodes rank"],
    right: Float[Tensor, "nodes rank"],
    starts: Int[Tensor, "nodes_and_one"],
    neighbours: Int[Tensor, "links"],
) -> Float[Tensor, ""]:
    """Compute the loss of a graph auto-encoder over all pairs of nodes (Kipf and Welling 2016).

    Links, with which every node counts as linked to itself, weigh as much as all other pairs together: they are
    multiplied by the number of other pairs over that of links, the mean by N^2 over twice the number of other pairs.

    Parameters
    ----------
    left, right
        Their product holds the scores.
    starts, neighbours
        The links in both directions, row by row (CSR), without self-loops.
    """
    pairs, links = len(left) ** 2, len(neighbours)
    weight = (pairs - links) / max(links, 1)
    # Half precision would lose in the sum over millions of pairs what it gains in time.
    left, right = (factor.to(torch.promote_types(factor.dtype, torch.float32)) for factor in (left, right))
    with torch.autocast(left.device.type, enabled=False):
        total: Tensor = ExactLinkLoss.apply(left, right, starts, neighbours, weight)  # type: ignore[no-untyped-call]  # torch's own
    return total / pairs * (pairs / (2 * max(pairs - links, 1)))
