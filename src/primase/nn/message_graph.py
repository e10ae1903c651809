"""Who hears from whom: the links of a graph as a sum over neighbours that is quick in both directions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.bio.graphs import Graph


class Neighbourhoods(Protocol):
    """What a graph layer needs to know of a graph."""

    @property
    def degrees(self) -> Float[Tensor, "nodes"]:
        """How many neighbours each node has."""
        ...

    def total(self, values: Float[Tensor, "nodes width"]) -> Float[Tensor, "nodes width"]:
        """Sum the values of the neighbours of each node."""
        ...

    def directed(self) -> tuple[Int[Tensor, "2 links"], Float[Tensor, "links"] | None]:
        """List every link in both directions, sender above receiver, with its weight; None for 1 everywhere."""
        ...


class SparseProduct(torch.autograd.Function):
    """A sparse matrix times a dense one, whose gradient uses a transposed matrix that is at hand.

    PyTorch would transpose the sparse matrix anew in each step, which takes ten times as long as the product.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, values: Tensor) -> Tensor:
        """Multiply."""
        ctx.transposed = transposed
        return _product(matrix, values)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, None, Tensor]:
        """Multiply the gradient by the transposed matrix."""
        return None, None, _product(ctx.transposed, gradients[0].contiguous())


def sparse_matrix(
    starts: Int[Tensor, "rows_and_one"],
    columns: Int[Tensor, "entries"],
    values: Float[Tensor, "entries"],
    shape: tuple[int, int],
) -> Tensor:
    """Make a sparse matrix (CSR) of its parts, which are not copied."""
    with warnings.catch_warnings():
        # PyTorch calls these matrices a beta feature, once per process.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(starts, columns, values, size=shape, check_invariants=False)


def sparse_product(matrix: Tensor, transposed: Tensor, values: Float[Tensor, "rows width"]) -> Tensor:
    """Multiply a sparse matrix (CSR) by a dense one; gradients flow to the dense one."""
    product: Tensor = SparseProduct.apply(matrix, transposed, values)  # type: ignore[no-untyped-call]  # torch's own
    return product


@final
class MessageGraph(nn.Module):
    """The links of a graph, ready for message passing; it has nothing to learn and is not part of the weights.

    Nodes beyond those of the graph, such as proteins that were not known in training, have no neighbours.

    Parameters
    ----------
    scale
        What degrees are multiplied by where links have been taken out of the graph.
    """

    starts: Tensor
    neighbours: Tensor
    known_degrees: Tensor

    def __init__(self, graph: Graph, *, scale: float = 1.0) -> None:
        super().__init__()
        matrix = graph.adjacency
        # Buffers move with the network to another device.
        self.register_buffer("starts", torch.from_numpy(matrix.indptr.astype(np.int64)), persistent=False)
        self.register_buffer("neighbours", torch.from_numpy(matrix.indices.astype(np.int64)), persistent=False)
        degrees = torch.from_numpy(graph.degrees.astype(np.float32) * np.float32(scale))
        self.register_buffer("known_degrees", degrees, persistent=False)

    @property
    def degrees(self) -> Float[Tensor, "nodes"]:
        """How many neighbours each node has, scaled."""
        return self.known_degrees

    def total(self, values: Float[Tensor, "nodes *lists width"]) -> Float[Tensor, "nodes *lists width"]:
        """Sum the values of the neighbours of each node."""
        nodes, values = len(self.known_degrees), _whole_digits(values)
        ones = torch.ones(len(self.neighbours), dtype=values.dtype, device=values.device)
        matrix = sparse_matrix(self.starts, self.neighbours, ones, (nodes, nodes))
        # Links go both ways, so that the matrix is its own transposed.
        sums = sparse_product(matrix, matrix, values[:nodes].flatten(start_dim=1))
        return _padded(sums, len(values)).view(values.shape)

    def directed(self) -> tuple[Int[Tensor, "2 links"], None]:
        """List every link in both directions, sender above receiver."""
        return torch.stack([self.neighbours, self._receivers()]), None

    def _receivers(self) -> Int[Tensor, "links"]:
        nodes = torch.arange(len(self.known_degrees), device=self.starts.device)
        return nodes.repeat_interleave(self.starts.diff())


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightedLinks:
    """A graph some of whose links count more or less than 1; gradients flow to their weights.

    What is not a matter of a weight, such as the degrees by which sums are divided, stays as it is: through a link of
    weight 0 the average sender of a link is heard, so that sums keep their size.

    Parameters
    ----------
    pairs
        The links, shape (links, 2), each once.
    weights
        One weight for both directions; or several such lists at once, for values of the shape (nodes, lists, width).
    """

    graph: MessageGraph
    pairs: Int[Tensor, "links 2"]
    weights: Float[Tensor, "*lists links"]

    @property
    def degrees(self) -> Float[Tensor, "nodes"]:
        """How many neighbours each node has."""
        return self.graph.degrees

    def total(self, values: Float[Tensor, "nodes *lists width"]) -> Float[Tensor, "nodes *lists width"]:
        """Sum the weighted values of the neighbours of each node."""
        values = _whole_digits(values)
        return spread_change(self.graph.total(values), values, self)

    def directed(self) -> tuple[Int[Tensor, "2 links"], Float[Tensor, "links"]]:
        """List every link in both directions with its weight."""
        links, _ = self.graph.directed()
        nodes = len(self.graph.known_degrees)
        keys = links.amin(dim=0) * nodes + links.amax(dim=0)
        changed, order = (self.pairs.amin(dim=1) * nodes + self.pairs.amax(dim=1)).sort()
        place = torch.searchsorted(changed, keys).clamp(max=max(len(changed) - 1, 0))
        listed = changed[place] == keys if len(changed) else torch.zeros_like(keys, dtype=torch.bool)
        weights = torch.ones(len(keys), dtype=self.weights.dtype, device=keys.device)
        return links, torch.where(listed, self.weights[order[place]], weights) if len(changed) else weights


def spread_change(
    total: Float[Tensor, "nodes *lists width"],
    values: Float[Tensor, "nodes *lists width"],
    links: WeightedLinks,
    scales: Float[Tensor, "links"] | None = None,
) -> Float[Tensor, "nodes *lists width"]:
    """Change sums over neighbours by the links whose weight is not 1.

    Parameters
    ----------
    scales
        What each link is multiplied by beside its weight; 1 where not given.
    """
    first, second = links.pairs.T
    degrees = links.degrees
    average = torch.tensordot(degrees, values[: len(degrees)], dims=1) / degrees.sum().clamp(min=1)
    change = links.weights - 1 if scales is None else (links.weights - 1) * scales
    change = change.movedim(-1, 0)[..., None]
    total = total.index_add(0, first, change * (values[second] - average))
    return total.index_add(0, second, change * (values[first] - average))


@final
@dataclass(frozen=True, slots=True, eq=False)
class SampledLinks:
    """A few neighbours of each node that matters to a batch, drawn at random, for graphs too large to pass whole.

    Parameters
    ----------
    nodes
        The numbers in the graph of the nodes at hand; everything else is about their places in this list.
    links
        Sender above receiver.
    weights
        How many neighbours each drawn one stands for.
    degrees
        Those in the whole graph.
    """

    nodes: Int[Tensor, "at_hand"]
    links: Int[Tensor, "2 links"]
    weights: Float[Tensor, "links"]
    degrees: Float[Tensor, "at_hand"]

    def total(self, values: Float[Tensor, "at_hand width"]) -> Float[Tensor, "at_hand width"]:
        """Estimate the sum of the values of the neighbours of each node, without bias."""
        senders, receivers = self.links
        values = _whole_digits(values)
        return torch.zeros_like(values).index_add(0, receivers, self.weights[:, None] * values[senders])

    def directed(self) -> tuple[Int[Tensor, "2 links"], None]:
        """List the drawn links; attention divides by the sum over them, whatever they stand for."""
        return self.links, None


def sample_neighbours(graph: MessageGraph, seeds: Int[Tensor, "seeds"], fan_out: tuple[int, ...]) -> SampledLinks:
    """Draw neighbours of some nodes, neighbours of those, and so on (Hamilton et al. 2017, algorithm 2).

    A node with more neighbours than the fan-out has so many drawn, with replacement; others have all of theirs.

    Parameters
    ----------
    seeds
        Different nodes.
    fan_out
        The most neighbours to draw of a node, per layer, the last layer first.
    """
    device = seeds.device
    nodes, frontier = seeds, seeds
    links, weights = [torch.empty((2, 0), dtype=torch.long, device=device)], [torch.empty(0, device=device)]
    for most in fan_out:
        counts = graph.starts[frontier + 1] - graph.starts[frontier]
        drawn = counts.clamp(max=most)
        receivers = torch.repeat_interleave(frontier, drawn)
        within = torch.arange(len(receivers), device=device) - torch.repeat_interleave(drawn.cumsum(0) - drawn, drawn)
        all_of_them = torch.repeat_interleave(counts, drawn)
        random = (torch.rand(len(receivers), dtype=torch.float64, device=device) * all_of_them).long()
        chosen = torch.where(all_of_them > most, random, within)
        senders = graph.neighbours[graph.starts[receivers] + chosen]
        links.append(torch.stack([senders, receivers]))
        weights.append(all_of_them / torch.repeat_interleave(drawn, drawn))
        new = torch.unique(senders)
        frontier = new[~torch.isin(new, nodes)]
        nodes = torch.cat([nodes, frontier])
    place = torch.empty(len(graph.known_degrees), dtype=torch.long, device=device)
    place[nodes] = torch.arange(len(nodes), device=device)
    return SampledLinks(nodes, place[torch.cat(links, dim=1)], torch.cat(weights).float(), graph.degrees[nodes])


def _product(matrix: Tensor, values: Float[Tensor, "rows width"]) -> Tensor:
    # PyTorch has no sparse product in half precision, which automatic casting would ask for.
    with torch.autocast(values.device.type, enabled=False):
        return matrix @ values


def _whole_digits(values: Float[Tensor, "nodes width"]) -> Float[Tensor, "nodes width"]:
    """Sum over neighbours, of whom there may be thousands, in 32 bits at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _padded(values: Float[Tensor, "known width"], rows: int) -> Float[Tensor, "rows width"]:
    missing = rows - len(values)
    return values if not missing else torch.cat([values, values.new_zeros(missing, values.shape[1])])
