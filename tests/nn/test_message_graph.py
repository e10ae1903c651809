import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from primase.bio.graphs import Graph
from primase.nn.graph import Attention, GraphConvolution, NeighbourMean
from primase.nn.message_graph import (
    MessageGraph,
    SampledLinks,
    WeightedLinks,
    sample_neighbours,
    sparse_matrix,
    sparse_product,
)

NODES = 30


def random_graph(links: int = 70, nodes: int = NODES, seed: int = 0) -> Graph:
    """Draw a graph whose last three nodes have no links, and whose first has many."""
    generator = np.random.default_rng(seed)
    star = np.stack([np.zeros(12, dtype=np.int64), np.arange(1, 13)], axis=1)
    return Graph.of(map(str, range(nodes)), np.concatenate([generator.integers(0, nodes - 3, (links, 2)), star]))


def dense(graph: Graph) -> torch.Tensor:
    return torch.from_numpy(graph.adjacency.toarray())


def values_of(rows: int = NODES, width: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def weighted_matrix(graph: Graph, pairs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Write the weights of some links into the dense matrix, both ways."""
    matrix = dense(graph).to(weights.dtype)
    first, second = pairs.T
    return matrix.index_put((first, second), weights).index_put((second, first), weights)


@given(st.integers(0, 200), st.integers(0, 1000))
def test_the_sum_over_neighbours_is_the_product_with_the_adjacency(links, seed):
    graph = random_graph(links, seed=seed)
    torch.testing.assert_close(MessageGraph(graph).total(values_of()), dense(graph) @ values_of())


def test_the_gradient_is_that_of_the_dense_product():
    graph, values = random_graph(), values_of()
    weights = torch.randn(NODES, 5)
    (own,) = torch.autograd.grad((MessageGraph(graph).total(values) * weights).sum(), values)
    (expected,) = torch.autograd.grad((dense(graph) @ values * weights).sum(), values)
    torch.testing.assert_close(own, expected)


def test_the_gradient_is_right_where_values_do_not_lie_in_rows():
    graph, values = random_graph(), values_of()
    (own,) = torch.autograd.grad(MessageGraph(graph).total(values).T.contiguous().T.sum(dim=0)[0], values)
    (expected,) = torch.autograd.grad((dense(graph) @ values)[:, 0].sum(), values)
    torch.testing.assert_close(own, expected)
    turned = torch.randn(5, NODES).T
    torch.testing.assert_close(MessageGraph(graph).total(turned), dense(graph) @ turned)


def test_a_sparse_product_that_is_not_square_has_the_gradient_of_the_transposed():
    generator = np.random.default_rng(0)
    table = generator.random((7, 4)) * (generator.random((7, 4)) < 0.5)
    both = []
    for matrix in (sparse.csr_array(table), sparse.csr_array(table.T)):
        starts, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
        both.append(sparse_matrix(starts, columns, torch.from_numpy(matrix.data), matrix.shape))
    values = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    product = sparse_product(*both, values)
    torch.testing.assert_close(product, torch.from_numpy(table) @ values)
    assert torch.autograd.gradcheck(lambda given: sparse_product(*both, given), values)


def test_nodes_beyond_the_graph_have_no_neighbours():
    graph, values = MessageGraph(random_graph()), values_of(NODES + 4)
    total = graph.total(values)
    assert total.shape == values.shape
    assert not total[NODES:].any()
    torch.testing.assert_close(total[:NODES], graph.total(values[:NODES]))
    (gradient,) = torch.autograd.grad(total.sum(), values)
    assert not gradient[NODES:].any()


def test_links_are_listed_both_ways_as_often_as_degrees_say():
    graph = random_graph()
    links, weights = MessageGraph(graph).directed()
    assert weights is None
    listed = {tuple(pair) for pair in links.T.tolist()}
    both = {tuple(pair) for pair in graph.edges.tolist()} | {tuple(pair) for pair in graph.edges[:, ::-1].tolist()}
    assert listed == both
    assert len(listed) == links.shape[1]
    assert MessageGraph(graph).degrees.tolist() == graph.degrees.tolist()
    assert MessageGraph(graph, scale=1.25).degrees.tolist() == (graph.degrees * 1.25).tolist()


def test_it_is_no_part_of_the_weights():
    made = MessageGraph(random_graph())
    assert not made.state_dict()
    assert not list(made.parameters())
    made.load_state_dict(MessageGraph(random_graph(seed=1)).state_dict())


def test_a_copy_sums_alike():
    made = MessageGraph(random_graph())
    again = copy.deepcopy(made)
    made.neighbours.zero_()
    torch.testing.assert_close(again.total(values_of()), dense(random_graph()) @ values_of())


def test_a_network_may_be_moved_to_another_precision():
    made = MessageGraph(random_graph()).double()
    values = values_of().double()
    torch.testing.assert_close(made.total(values), dense(random_graph()).double() @ values)
    assert made.neighbours.dtype == torch.int64


@pytest.mark.parametrize("layer", [GraphConvolution, NeighbourMean, Attention])
@pytest.mark.parametrize("kind", ["whole", "weighted", "drawn"])
def test_mixed_precision_differs_in_the_last_of_few_digits(layer, kind):
    graph, values = random_graph(), values_of()
    torch.manual_seed(0)
    made, message = layer(5, 4), MessageGraph(graph)
    links = {
        "whole": message,
        "weighted": WeightedLinks(message, torch.from_numpy(graph.edges[:9]), torch.rand(9)),
        "drawn": sample_neighbours(message, torch.arange(NODES), (5,)),
    }[kind]
    with torch.autocast("cpu", torch.bfloat16):
        mixed = made(values, links)
        mixed.float().square().sum().backward()
    torch.testing.assert_close(mixed.float(), made(values, links), rtol=0.05, atol=0.05)
    assert torch.isfinite(values.grad).all()


def test_values_of_half_precision_are_summed_in_whole():
    graph, values = random_graph(), values_of().detach().bfloat16()
    message = MessageGraph(graph)
    expected = dense(graph) @ values.float()
    torch.testing.assert_close(message.total(values), expected)
    drawn = sample_neighbours(message, torch.arange(NODES), (NODES,))
    torch.testing.assert_close(drawn.total(values[drawn.nodes]), expected)
    links = WeightedLinks(message, torch.from_numpy(graph.edges[:9]), torch.ones(9))
    torch.testing.assert_close(links.total(values), expected)


# Links that count more or less


@pytest.fixture
def weighted():
    graph = random_graph()
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(graph.edges), generator=generator)[:20]
    pairs = torch.from_numpy(graph.edges)[chosen]
    # A link may be named either way round.
    pairs[::2] = pairs[::2].flip(1)
    return graph, pairs, torch.rand(20, generator=generator)


def test_weights_of_one_are_the_graph_itself(weighted):
    graph, pairs, weights = weighted
    message = MessageGraph(graph)
    links = WeightedLinks(message, pairs, torch.ones_like(weights))
    torch.testing.assert_close(links.total(values_of()), message.total(values_of()))
    assert links.degrees.tolist() == graph.degrees.tolist()
    listed, ones = links.directed()
    assert torch.equal(listed, message.directed()[0])
    assert (ones == 1).all()


def test_through_a_link_that_counts_less_the_average_sender_is_heard(weighted):
    graph, pairs, weights = weighted
    weights[:3] = 0
    values, links = values_of(), WeightedLinks(MessageGraph(graph), pairs, weights)
    matrix, there = weighted_matrix(graph, pairs, weights), dense(graph)
    average = there.sum(dim=0) @ values / there.sum()
    expected = matrix @ values + (there - matrix).sum(dim=1)[:, None] * average
    torch.testing.assert_close(links.total(values), expected)
    target = torch.randn(expected.shape)
    own, other = (torch.autograd.grad((sums * target).sum(), values)[0] for sums in (links.total(values), expected))
    torch.testing.assert_close(own, other)


def test_weighted_links_are_listed_with_their_weights(weighted):
    graph, pairs, weights = weighted
    links, listed = WeightedLinks(MessageGraph(graph), pairs, weights).directed()
    matrix = torch.zeros(NODES, NODES).index_put((links[0], links[1]), listed)
    assert torch.equal(matrix, weighted_matrix(graph, pairs, weights))


def test_no_weighted_link_at_all_is_the_graph(weighted):
    graph = MessageGraph(weighted[0])
    links = WeightedLinks(graph, torch.empty((0, 2), dtype=torch.int64), torch.empty(0))
    torch.testing.assert_close(links.total(values_of()), graph.total(values_of()))
    assert (links.directed()[1] == 1).all()


@pytest.mark.parametrize("layer", [GraphConvolution, NeighbourMean, Attention])
def test_gradients_to_weights_are_those_of_differences(weighted, layer):
    graph, pairs, weights = weighted
    torch.manual_seed(0)
    made, message = layer(5, 4).double(), MessageGraph(graph).double()
    values = values_of(NODES + 2).detach().double()
    changed = weights.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: made(values, WeightedLinks(message, pairs, given)), changed)


# Neighbours drawn


def sampled_sum(graph: MessageGraph, seeds: torch.Tensor, fan_out: int, values: torch.Tensor) -> torch.Tensor:
    drawn = sample_neighbours(graph, seeds, (fan_out,))
    return drawn.total(values[drawn.nodes])[: len(seeds)]


def test_a_fan_out_above_every_degree_is_the_whole_graph():
    graph, seeds, values = MessageGraph(random_graph()), torch.tensor([7, 0, 29]), values_of()
    whole = graph.total(graph.total(values))[seeds]
    drawn = sample_neighbours(graph, seeds, (NODES, NODES))
    at_hand = drawn.total(drawn.total(values[drawn.nodes]))
    torch.testing.assert_close(at_hand[: len(seeds)], whole)
    assert torch.equal(drawn.nodes[: len(seeds)], seeds)
    assert (drawn.weights == 1).all()
    assert torch.equal(drawn.degrees, graph.degrees[drawn.nodes])


@pytest.mark.parametrize("layer", [GraphConvolution, NeighbourMean, Attention])
def test_layers_hear_the_same_through_all_neighbours_drawn(layer):
    torch.manual_seed(0)
    graph, seeds, values = MessageGraph(random_graph()), torch.tensor([0, 5, 28]), values_of()
    first, second = layer(5, 8), layer(8, 4)
    drawn = sample_neighbours(graph, seeds, (NODES, NODES))
    own = second(torch.relu(first(values[drawn.nodes], drawn)), drawn)[: len(seeds)]
    expected = second(torch.relu(first(values, graph)), graph)[seeds]
    torch.testing.assert_close(own, expected)


def test_every_node_at_hand_is_listed_once_and_links_are_links():
    torch.manual_seed(0)
    graph = random_graph()
    drawn = sample_neighbours(MessageGraph(graph), torch.tensor([3, 0]), (2, 3, 1))
    nodes = drawn.nodes.tolist()
    assert len(set(nodes)) == len(nodes)
    senders, receivers = drawn.nodes[drawn.links]
    assert graph.links(torch.stack([senders, receivers], dim=1).numpy()).all()


def test_no_more_are_drawn_than_the_fan_out():
    torch.manual_seed(0)
    graph = MessageGraph(random_graph())
    drawn = sample_neighbours(graph, torch.arange(NODES), (4,))
    counts = torch.bincount(drawn.links[1], minlength=NODES)
    assert torch.equal(counts, graph.degrees.long().clamp(max=4))
    # Each stands for as many neighbours as make up the degree.
    stand_for = torch.zeros(NODES).index_add(0, drawn.links[1], drawn.weights)
    torch.testing.assert_close(stand_for, graph.degrees)


def test_drawn_sums_are_right_in_the_mean():
    torch.manual_seed(0)
    graph, seeds, values = MessageGraph(random_graph()), torch.tensor([0, 4, 11]), values_of().detach()
    draws = torch.stack([sampled_sum(graph, seeds, 3, values) for _ in range(4000)])
    error = draws.std(dim=0) / len(draws) ** 0.5
    assert graph.degrees[0] > 3
    assert (error[0] > 0).all()
    assert ((draws.mean(dim=0) - graph.total(values)[seeds]).abs() <= 4 * error + 1e-5).all()


def test_two_linear_layers_of_drawn_neighbours_are_right_in_the_mean():
    torch.manual_seed(0)
    graph, seeds, values = MessageGraph(random_graph()), torch.tensor([0, 4]), values_of(width=1).detach()
    first, second = NeighbourMean(1, 2), NeighbourMean(2, 1)
    with torch.no_grad():
        expected = second(first(values, graph), graph)[seeds]
        draws = []
        for _ in range(4000):
            drawn = sample_neighbours(graph, seeds, (2, 2))
            draws.append(second(first(values[drawn.nodes], drawn), drawn)[: len(seeds)])
    sample = torch.stack(draws)
    error = sample.std(dim=0) / len(sample) ** 0.5
    assert (error > 0).all()
    assert ((sample.mean(dim=0) - expected).abs() <= 4 * error).all()


def test_a_node_without_neighbours_hears_nothing():
    drawn = sample_neighbours(MessageGraph(random_graph()), torch.tensor([NODES - 1]), (3, 3))
    assert drawn.nodes.tolist() == [NODES - 1]
    assert not drawn.total(torch.ones(1, 2)).any()


def test_gradients_through_drawn_links_are_those_of_differences():
    links = SampledLinks(
        nodes=torch.arange(4),
        links=torch.tensor([[1, 2, 2], [0, 0, 3]]),
        weights=torch.tensor([2.0, 2.0, 1.0]).double(),
        degrees=torch.tensor([4.0, 1.0, 2.0, 1.0]).double(),
    )
    values = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(links.total, values)
