"""Graph layers: how a node's numbers become those of its neighbourhood.

The layers are those of PyTorch Geometric, with its parameters and initialisation; where nothing stands against it their
sum over neighbours is one sparse product (:class:`~primase.nn.message_graph.MessageGraph`) instead of a message per
link, which takes a tenth of the time and memory. A test holds that both ways agree.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, SAGEConv
from torch_geometric.utils import softmax

from primase.nn.message_graph import Neighbourhoods

LayerKind = Literal["gcn", "sage", "gat", "propagation"]


@final
class GraphConvolution(GCNConv):  # type: ignore[misc]  # PyTorch Geometric has no annotations
    """Average a node with its neighbours, each divided by the roots of both degrees (Kipf and Welling 2017)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, normalize=False)

    def forward(self, values: Float[Tensor, "nodes inputs"], graph: Neighbourhoods) -> Float[Tensor, "nodes outputs"]:
        """Transform, then average."""
        averaged: Tensor = smooth(self.lin(values), graph) + self.bias
        return averaged


@final
class Propagation(nn.Module):
    """Average a node with its neighbours as :class:`GraphConvolution` does, with nothing to learn but a bias.

    On a learned embedding per node this is a graph convolution of the identity matrix; without the bias, a layer of
    LightGCN (He et al. 2020).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, values: Float[Tensor, "nodes width"], graph: Neighbourhoods) -> Float[Tensor, "nodes width"]:
        """Average."""
        return smooth(values, graph) + self.bias


@final
class NeighbourMean(SAGEConv):  # type: ignore[misc]  # PyTorch Geometric has no annotations
    """Weigh a node and the mean of its neighbours apart (GraphSAGE; Hamilton et al. 2017).

    What a node is itself is never mixed with its neighbours, so that one without any can be judged, too.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)

    def forward(self, values: Float[Tensor, "nodes inputs"], graph: Neighbourhoods) -> Float[Tensor, "nodes outputs"]:
        """Average the neighbours, then transform and add."""
        degrees = _degrees(values, graph)
        combined: Tensor = self.lin_l(graph.total(values) / degrees.clamp(min=1)) + self.lin_r(values)
        return combined


@final
class Attention(GATConv):  # type: ignore[misc]  # PyTorch Geometric has no annotations
    """Let each node choose which neighbours to hear (Veličković et al. 2018); needs memory for every link."""

    HEADS = 4

    def __init__(self, inputs: int, outputs: int) -> None:
        if outputs % self.HEADS:
            message = f"the width of a layer with attention is a multiple of {self.HEADS}, not {outputs}"
            raise ValueError(message)
        super().__init__(inputs, outputs // self.HEADS, heads=self.HEADS, add_self_loops=False)

    def forward(self, values: Float[Tensor, "nodes inputs"], graph: Neighbourhoods) -> Float[Tensor, "nodes outputs"]:
        """Weigh the node and its neighbours, then add them up."""
        links, weights = graph.directed()
        loops = torch.arange(len(values), device=values.device).expand(2, -1)
        every = torch.cat([links, loops], dim=1)
        if weights is None:
            attended: Tensor = super().forward(values, every)
            return attended
        # A link that stands for several, or for none, counts so many times where the neighbours are added up.
        heads = self.lin(values).view(-1, self.HEADS, self.out_channels)
        scores = (heads * self.att_src).sum(-1)[every[0]] + (heads * self.att_dst).sum(-1)[every[1]]
        shares = softmax(nn.functional.leaky_relu(scores, self.negative_slope), every[1], num_nodes=len(values))
        counted = torch.cat([weights, weights.new_ones(len(values))])
        messages = heads[every[0]] * (shares * counted[:, None])[..., None]
        attended = messages.new_zeros(heads.shape).index_add(0, every[1], messages).flatten(1)
        biased: Tensor = attended + self.bias
        return biased


def smooth(values: Float[Tensor, "nodes *lists width"], graph: Neighbourhoods) -> Float[Tensor, "nodes *lists width"]:
    """Average a node with its neighbours: (D + I)^-1/2 (A + I) (D + I)^-1/2 of Kipf and Welling (2017)."""
    scale = (_degrees(values, graph) + 1).rsqrt()
    scaled = scale * values
    return scale * (graph.total(scaled) + scaled)


def graph_layer(kind: LayerKind, inputs: int, outputs: int) -> nn.Module:
    """Make a layer of a kind."""
    if kind == "propagation":
        if inputs != outputs:
            message = f"propagation keeps the width: {inputs} cannot become {outputs}"
            raise ValueError(message)
        return Propagation(inputs)
    layers: dict[str, type[nn.Module]] = {"gcn": GraphConvolution, "sage": NeighbourMean, "gat": Attention}
    return layers[kind](inputs, outputs)


def _degrees(values: Float[Tensor, "nodes *lists width"], graph: Neighbourhoods) -> Float[Tensor, "nodes *ones"]:
    """Give the degrees, 0 for nodes beyond those of the graph, in a shape that multiplies the values."""
    degrees = graph.degrees
    missing = len(values) - len(degrees)
    every = degrees if not missing else torch.cat([degrees, degrees.new_zeros(missing)])
    return every.view(-1, *[1] * (values.dim() - 1))
