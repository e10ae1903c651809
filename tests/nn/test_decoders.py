import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from primase.bio.graphs import Graph
from primase.nn import decoders
from primase.nn.decoders import decoder_of, exact_link_loss

NODES, WIDTH = 17, 6
KINDS = ["inner", "bias", "bilinear", "mlp"]
PAIRS = torch.tensor([*itertools.product(range(NODES), repeat=2)])


@pytest.fixture
def embeddings():
    return torch.randn(NODES, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def log_degrees():
    return torch.randint(0, 40, (NODES,), generator=torch.Generator().manual_seed(1)).float().log1p()


def made(kind):
    """Make a decoder none of whose weights is what it starts from."""
    torch.manual_seed(2)
    decoder = decoder_of(kind, width=WIDTH, nodes=NODES, hidden=8, dropout=0.1).eval()
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.add_(torch.randn(weight.shape))
    return decoder


def scores(decoder, embeddings, log_degrees, pairs=PAIRS):
    first, second = pairs.T
    known = torch.cat([log_degrees, log_degrees.new_zeros(len(embeddings) - len(log_degrees))])
    return decoder(embeddings[first], embeddings[second], known[pairs], pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_has_one_score_whichever_way_round(kind, embeddings, log_degrees):
    decoder = made(kind)
    matrix = scores(decoder, embeddings, log_degrees).view(NODES, NODES)
    torch.testing.assert_close(matrix, matrix.T)
    assert matrix.std() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_factors_multiply_to_the_scores_of_all_pairs(kind, embeddings, log_degrees):
    decoder = made(kind)
    factors = decoder.factors(embeddings)
    if kind == "mlp":
        assert factors is None
    else:
        left, right = factors
        torch.testing.assert_close(
            left @ right.T, scores(decoder, embeddings, log_degrees).view(NODES, NODES), rtol=1e-4, atol=1e-5
        )


def test_every_factor_starts_as_the_inner_product(embeddings, log_degrees):
    expected = embeddings @ embeddings.T
    for kind in ("inner", "bias", "bilinear"):
        decoder = decoder_of(kind, width=WIDTH, nodes=NODES, hidden=8, dropout=0.0)
        torch.testing.assert_close(scores(decoder, embeddings, log_degrees).view(NODES, NODES), expected)


def test_an_unknown_node_is_as_ready_as_the_mean(log_degrees):
    decoder, embeddings = made("bias"), torch.zeros(NODES + 2, WIDTH)
    pairs = torch.tensor([[3, NODES], [NODES + 1, 3], [NODES, NODES + 1]])
    mean = decoder.readiness.mean()
    expected = torch.stack([decoder.readiness[3] + mean] * 2 + [2 * mean])
    torch.testing.assert_close(scores(decoder, embeddings, log_degrees, pairs), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind, embeddings, log_degrees):
    decoder = made(kind)
    scores(decoder, embeddings.requires_grad_(), log_degrees).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in [embeddings, *decoder.parameters()])


# The loss over all pairs


def random_graph(nodes=NODES, links=40, seed=0):
    pairs = np.random.default_rng(seed).integers(0, max(nodes - 2, 1), (links, 2))
    return Graph.of(map(str, range(nodes)), pairs)


def linked(graph):
    matrix = graph.adjacency
    return tuple(torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))


def dense_loss(left, right, graph):
    """Compute the loss as in the code of Kipf and Welling (2016)."""
    adjacency = torch.from_numpy(graph.adjacency.toarray()).to(left.dtype)
    total, links = len(graph) ** 2, adjacency.sum()
    weight, norm = (total - links) / links, total / ((total - links) * 2)
    wanted = adjacency + torch.eye(len(graph), dtype=left.dtype)
    return norm * binary_cross_entropy_with_logits(left @ right.T, wanted, pos_weight=weight)


@pytest.mark.parametrize("rows", [1, 5, NODES, 512])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_and_its_gradient_are_those_of_the_dense_matrix(monkeypatch, rows, seed):
    monkeypatch.setattr(decoders, "ROWS_AT_ONCE", rows)
    graph = random_graph(seed=seed)
    torch.manual_seed(seed)
    factors = [torch.randn(NODES, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    own, expected = exact_link_loss(*factors, *linked(graph)), dense_loss(*factors, graph)
    torch.testing.assert_close(own, expected)
    for gradient, wanted in zip(
        torch.autograd.grad(3 * own, factors), torch.autograd.grad(3 * expected, factors), strict=True
    ):
        torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("kind", ["inner", "bias", "bilinear"])
def test_decoders_learn_by_the_loss_as_by_the_dense_one(monkeypatch, kind, embeddings):
    monkeypatch.setattr(decoders, "ROWS_AT_ONCE", 7)
    graph, decoder = random_graph(), made(kind).double()
    embedded = embeddings.double().requires_grad_()
    learned = [embedded, *decoder.parameters()]
    losses = [
        exact_link_loss(*decoder.factors(embedded), *linked(graph)),
        dense_loss(*decoder.factors(embedded), graph),
    ]
    torch.testing.assert_close(*losses)
    for gradient, wanted in zip(*(torch.autograd.grad(loss, learned) for loss in losses), strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_scores_far_from_zero_have_finite_losses_and_gradients():
    embedded = (100 * torch.randn(NODES, WIDTH, generator=torch.Generator().manual_seed(0))).requires_grad_()
    loss = exact_link_loss(embedded, embedded, *linked(random_graph()))
    torch.testing.assert_close(loss, dense_loss(embedded, embedded, random_graph()))
    (gradient,) = torch.autograd.grad(loss, embedded)
    assert torch.isfinite(gradient).all()


def test_the_matrix_of_scores_is_never_whole(monkeypatch):
    monkeypatch.setattr(decoders, "ROWS_AT_ONCE", 4)
    graph, shapes = random_graph(), []
    sigmoid = torch.sigmoid
    monkeypatch.setattr(torch, "sigmoid", lambda values: shapes.append(values.numel()) or sigmoid(values))
    exact_link_loss(torch.randn(NODES, WIDTH), torch.randn(NODES, WIDTH), *linked(graph))
    assert max(shapes) <= 4 * NODES


def test_mixed_precision_changes_no_digit():
    embedded = torch.randn(NODES, WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = exact_link_loss(embedded, embedded, *linked(random_graph()))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = exact_link_loss(embedded, embedded, *linked(random_graph()))
    assert torch.equal(mixed, expected)
    assert torch.equal(torch.autograd.grad(mixed, embedded)[0], torch.autograd.grad(expected, embedded)[0])


def test_a_graph_without_links_has_a_loss():
    graph = Graph(np.array(["a", "b"], dtype=object), np.empty((0, 2), dtype=np.int64))
    embedded = torch.zeros(2, 3, requires_grad=True)
    loss = exact_link_loss(embedded, embedded, *linked(graph))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(embedded.grad).all()
