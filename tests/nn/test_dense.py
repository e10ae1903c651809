import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from primase.nn.dense import SparseLinear, dense_stack

FEATURES, OUTPUTS = 30, 7


def rows_of(generator, count, longest):
    """Draw distinct features per row, padded with 0, and a weight for each."""
    features = torch.zeros(count, longest, dtype=torch.int64)
    weights = torch.zeros(count, longest)
    for row in range(count):
        length = int(torch.randint(0, longest + 1, (1,), generator=generator))
        features[row, :length] = torch.randperm(FEATURES, generator=generator)[:length] + 1
        weights[row, :length] = torch.randn(length, generator=generator)
    return features, weights


def twin_of(layer):
    """Make the dense layer that says the same."""
    dense = nn.Linear(FEATURES, OUTPUTS)
    with torch.no_grad():
        dense.weight.copy_(layer.table[1:].T)
        dense.bias.copy_(layer.bias)
    return dense


def dense_vectors(features, weights):
    return torch.zeros(len(features), FEATURES + 1).scatter_add(1, features, weights)[:, 1:]


@pytest.fixture
def layer():
    torch.manual_seed(0)
    made = SparseLinear(FEATURES, OUTPUTS)
    with torch.no_grad():
        made.bias.copy_(torch.randn(OUTPUTS))
    return made


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 10))
def test_it_is_a_linear_layer_on_the_dense_vector(seed, count, longest):
    generator = torch.Generator().manual_seed(seed)
    made = SparseLinear(FEATURES, OUTPUTS)
    features, weights = rows_of(generator, count, longest)
    torch.testing.assert_close(made(features, weights), twin_of(made)(dense_vectors(features, weights)))


@pytest.mark.parametrize("sparse", [False, True])
def test_its_gradients_are_those_of_the_dense_layer(layer, sparse):
    layer.sparse_gradients = sparse
    features, weights = rows_of(torch.Generator().manual_seed(1), 9, 6)
    dense, own = weights.clone().requires_grad_(), weights.clone().requires_grad_()
    twin = twin_of(layer)
    twin(dense_vectors(features, dense)).square().sum().backward()
    layer(features, own).square().sum().backward()
    table = layer.table.grad.to_dense() if sparse else layer.table.grad
    assert layer.table.grad.is_sparse == sparse
    torch.testing.assert_close(table[1:], twin.weight.grad.T)
    torch.testing.assert_close(layer.bias.grad, twin.bias.grad)
    assert torch.equal(table[0], torch.zeros(OUTPUTS))
    present = features != 0
    torch.testing.assert_close(own.grad[present], dense.grad[present])


def test_padding_says_nothing_whatever_its_weight(layer):
    features = torch.tensor([[3, 9, 0, 0]])
    bare = layer(torch.tensor([[3, 9]]), torch.ones(1, 2))
    result = layer(features, torch.tensor([[1.0, 1.0, 5.0, 7.0]]))
    torch.testing.assert_close(result, bare)
    result.sum().backward()
    assert torch.equal(layer.table.grad[0], torch.zeros(OUTPUTS))


def test_padding_may_stand_anywhere(layer):
    features, weights = torch.tensor([[0, 3, 0, 9]]), torch.ones(1, 4)
    torch.testing.assert_close(layer(features, weights), layer(torch.tensor([[3, 9]]), torch.ones(1, 2)))


def test_rows_without_features_give_the_bias(layer):
    features = torch.tensor([[0, 0], [4, 0], [0, 0]])
    result = layer(features, (features != 0).float())
    torch.testing.assert_close(result[[0, 2]], layer.bias.expand(2, -1))
    assert not torch.equal(result[1], layer.bias)


def test_a_batch_of_empty_rows_alone(layer):
    result = layer(torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1))
    torch.testing.assert_close(result, layer.bias.expand(2, -1))


def test_a_feature_of_no_weight_is_not_there(layer):
    without = layer(torch.tensor([[3, 9]]), torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(without, layer(torch.tensor([[3]]), torch.ones(1, 1)))


def test_a_row_does_not_depend_on_the_others(layer):
    features, weights = rows_of(torch.Generator().manual_seed(2), 8, 5)
    alone = torch.cat([layer(features[[row]], weights[[row]]) for row in range(8)])
    torch.testing.assert_close(layer(features, weights), alone)


def test_a_stack_of_dense_layers():
    torch.manual_seed(0)
    stack = dense_stack([8, 6, 4], dropout=0.5)
    kinds = [type(layer) for layer in stack]
    assert kinds == [nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout] * 2
    assert stack(torch.randn(5, 8)).shape == (5, 4)
    assert stack[3].p == 0.5


def test_a_single_width_is_no_layer():
    values = torch.randn(3, 8)
    assert torch.equal(dense_stack([8], dropout=0.5)(values), values)
