import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv, GCNConv, SAGEConv
from torch_geometric.nn.models import LightGCN

from primase.bio.graphs import Graph
from primase.nn.graph import Attention, GraphConvolution, NeighbourMean, Propagation, graph_layer, smooth
from primase.nn.message_graph import MessageGraph, WeightedLinks

NODES, INPUTS, OUTPUTS = 40, 6, 8
KINDS = {
    "gcn": (GraphConvolution, lambda: GCNConv(INPUTS, OUTPUTS)),
    "sage": (NeighbourMean, lambda: SAGEConv(INPUTS, OUTPUTS)),
    "gat": (Attention, lambda: GATConv(INPUTS, OUTPUTS // 4, heads=4)),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def graph():
    pairs = np.random.default_rng(0).integers(0, NODES - 3, (90, 2))
    return Graph.of(map(str, range(NODES)), pairs)


@pytest.fixture
def values():
    return torch.randn(NODES, INPUTS, generator=torch.Generator().manual_seed(1), requires_grad=True)


def both_ways(graph):
    return torch.from_numpy(np.concatenate([graph.edges, graph.edges[:, ::-1]]).T.copy())


def made(kind):
    """Make our layer and PyTorch Geometric's own with the same parameters, none of which is zero."""
    own, other = KINDS[kind]
    torch.manual_seed(2)
    layer, twin = own(INPUTS, OUTPUTS), other()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(0.3 * torch.randn(weight.shape))
    twin.load_state_dict(layer.state_dict())
    return layer, twin


@EVERY
@pytest.mark.parametrize("beyond", [0, 3])
def test_each_layer_is_that_of_pytorch_geometric(kind, graph, values, beyond):
    layer, twin = made(kind)
    values = torch.cat([values, torch.randn(beyond, INPUTS)])
    own, expected = layer(values, MessageGraph(graph)), twin(values, both_ways(graph))
    torch.testing.assert_close(own, expected)
    assert own.shape == (NODES + beyond, OUTPUTS)


@EVERY
def test_gradients_are_those_of_pytorch_geometric(kind, graph, values):
    layer, twin = made(kind)
    target = torch.randn(NODES, OUTPUTS)
    gradients = []
    for result, module in ((layer(values, MessageGraph(graph)), layer), (twin(values, both_ways(graph)), twin)):
        named = dict(module.named_parameters())
        found = torch.autograd.grad((result * target).sum(), [values, *named.values()])
        gradients.append(dict(zip(["values", *named], found, strict=True)))
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=lambda text, name=name: f"{name}: {text}")


@EVERY
def test_initial_parameters_are_those_of_pytorch_geometric(kind):
    own, other = KINDS[kind]
    torch.manual_seed(3)
    first = own(INPUTS, OUTPUTS).state_dict()
    torch.manual_seed(3)
    second = other().state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@EVERY
def test_weights_of_one_change_nothing(kind, graph, values):
    layer, _ = made(kind)
    message = MessageGraph(graph)
    ones = torch.ones(len(graph.edges))
    weighted = WeightedLinks(message, torch.from_numpy(graph.edges), ones)
    torch.testing.assert_close(layer(values, weighted), layer(values, message))


def test_attention_through_weighted_links_is_its_dense_formula(graph, values):
    layer, _ = made("gat")
    weights = torch.rand(len(graph.edges), generator=torch.Generator().manual_seed(0))
    weights[:4] = 0
    links = WeightedLinks(MessageGraph(graph), torch.from_numpy(graph.edges), weights)
    heads = layer.lin(values).view(NODES, 4, OUTPUTS // 4)
    scores = (heads * layer.att_dst).sum(-1)[:, None] + (heads * layer.att_src).sum(-1)[None]  # receivers, senders
    there = torch.from_numpy(graph.adjacency.toarray()) + torch.eye(NODES)
    scores = torch.nn.functional.leaky_relu(scores, 0.2).masked_fill(there[..., None] == 0, -torch.inf)
    first, second = torch.from_numpy(graph.edges).T
    counted = there.index_put((first, second), weights).index_put((second, first), weights)
    # What a link is heard with is shared out before its weight is applied.
    shares = scores.softmax(dim=1) * counted[..., None]
    expected = torch.einsum("rsh,shw->rhw", shares, heads).flatten(1) + layer.bias
    torch.testing.assert_close(layer(values, links), expected)


@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_smoothing_and_its_gradient_are_the_dense_formula(graph, values, scale):
    adjacency = torch.from_numpy(graph.adjacency.toarray())
    root = torch.diag((scale * adjacency.sum(dim=1) + 1) ** -0.5)
    matrix = root @ (adjacency + torch.eye(NODES)) @ root
    smoothed = smooth(values, MessageGraph(graph, scale=scale))
    torch.testing.assert_close(smoothed, matrix @ values)
    target = torch.randn(NODES, INPUTS)
    (own,) = torch.autograd.grad((smoothed * target).sum(), values)
    torch.testing.assert_close(own, matrix.T @ target)


def test_propagation_is_a_graph_convolution_of_identity_features(graph):
    torch.manual_seed(0)
    twin = GCNConv(NODES, OUTPUTS)
    layer = Propagation(OUTPUTS)
    torch.nn.init.normal_(twin.bias)
    layer.load_state_dict({"bias": twin.bias.detach()})
    embedding = twin.lin.weight.T
    torch.testing.assert_close(layer(embedding, MessageGraph(graph)), twin(torch.eye(NODES), both_ways(graph)))


def test_propagation_with_self_links_is_a_layer_of_light_gcn(graph, values):
    loops = torch.arange(NODES).expand(2, -1)
    layer = LightGCN(NODES, INPUTS, num_layers=1).convs[0]
    expected = layer(values, torch.cat([both_ways(graph), loops], dim=1))
    torch.testing.assert_close(Propagation(INPUTS)(values, MessageGraph(graph)), expected)


@pytest.mark.parametrize("kind", [*KINDS, "propagation"])
def test_a_node_without_neighbours_is_judged_by_itself_alone(kind, graph, values):
    torch.manual_seed(0)
    layer = graph_layer(kind, INPUTS, INPUTS if kind == "propagation" else OUTPUTS)
    alone = Graph(np.array(["a"], dtype=object), np.empty((0, 2), dtype=np.int64))
    last = layer(values, MessageGraph(graph))[-1:]
    torch.testing.assert_close(last, layer(values[-1:], MessageGraph(alone)))


def test_layers_are_made_by_name():
    made = {kind: type(graph_layer(kind, 8, 8)) for kind in ("gcn", "sage", "gat", "propagation")}
    assert made == {"gcn": GraphConvolution, "sage": NeighbourMean, "gat": Attention, "propagation": Propagation}


def test_widths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="5 cannot become 6"):
        graph_layer("propagation", 5, 6)
    with pytest.raises(ValueError, match="multiple of 4, not 6"):
        graph_layer("gat", 8, 6)
