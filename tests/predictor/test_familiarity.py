import json

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import nn

from primase.data.encoding import EncoderState
from primase.errors import BundleError
from primase.evaluation.prediction_sets import PredictionSets
from primase.evaluation.prevalence import Prevalence
from primase.predictor.familiarity import (
    LEAST_KEPT,
    Familiarity,
    fit_familiarity,
    last_dense_layer,
)
from primase.predictor.features import features_before
from primase.predictor.safeguards import Safeguards


class Rows:
    def __init__(self, values):
        self.values = torch.as_tensor(values).float()

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"values": self.values[torch.from_numpy(indices)]}


class Network(nn.Module):
    """Its last dense layer comes first in the order of the attributes, and a dense layer reads other things."""

    def __init__(self, outputs=2):
        super().__init__()
        torch.manual_seed(0)
        self.answer = nn.Linear(8, outputs)
        self.read = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.eval()

    def forward(self, values):
        return self.answer(self.read(values))


class BothWays(Network):
    """Reads each example forwards and backwards, as networks of DNA read both strands."""

    def forward(self, values):
        return super().forward(values) + super().forward(values.flip(1))


class OfNodes(nn.Module):
    """Answers for pairs of three nodes: what is dense reads the nodes and not the pairs."""

    def __init__(self):
        super().__init__()
        self.place = nn.Linear(4, 2)

    def forward(self, values):
        nodes = self.place(torch.ones(3, 4))
        return values[:, :2] * nodes.sum()


@pytest.fixture
def draws():
    generator = np.random.default_rng(0)
    return generator.normal(size=(400, 4)), generator.normal(size=(200, 4))


def test_the_last_dense_layer_is_the_one_that_is_used_last(draws):
    assert last_dense_layer(Network(), Rows(draws[0]), 2) == "answer"
    assert last_dense_layer(Network(6), Rows(draws[0]), 2) == "answer"  # three bins of each answer


def test_what_reads_other_things_than_examples_is_none(draws):
    assert last_dense_layer(OfNodes(), Rows(draws[0]), 2) is None
    assert last_dense_layer(Network(5), Rows(draws[0]), 2) is None
    assert fit_familiarity(OfNodes(), Rows(draws[0]), Rows(draws[1]), 2) is None


def test_few_examples_say_nothing(draws):
    few = Rows(draws[0][: LEAST_KEPT - 1])
    assert fit_familiarity(Network(), few, Rows(draws[1]), 2) is None
    assert fit_familiarity(Network(), Rows(draws[0]), few, 2) is None


def test_distances_are_those_of_another_library(draws):
    network, (train, new) = Network(), draws
    found = fit_familiarity(network, Rows(train), Rows(new), 2)
    assert found.layer == "answer"
    with torch.inference_mode():
        seen, asked = (network.read(Rows(part).values).numpy() for part in draws)
    seen, asked = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-30) for part in (seen, asked))
    wanted = NearestNeighbors(n_neighbors=10).fit(seen).kneighbors(asked)[0][:, -1]
    np.testing.assert_allclose(found.distances(network, Rows(new)), wanted, atol=2e-3)


def test_ranks_are_shares_of_validation(draws):
    network, (train, new) = Network(), draws
    found = fit_familiarity(network, Rows(train), Rows(new), 2)
    distances = found.distances(network, Rows(new))
    ranks = found.ranks(distances)
    for rank, distance in zip(ranks, distances, strict=True):
        assert rank == pytest.approx((distances < distance).mean(), abs=0.02)
    assert found.ranks(np.array([-1.0, 3.0])).tolist() == [0.0, 1.0]


def test_what_was_never_seen_is_far(draws):
    generator = np.random.default_rng(1)
    near = np.abs(generator.normal(size=(400, 4))) * [1, 1, 0.05, 0.05]
    far = np.abs(generator.normal(size=(100, 4))) * [0.05, 0.05, -1, -1]
    network = Network()
    found = fit_familiarity(network, Rows(near[:300]), Rows(near[300:]), 2)
    assert np.mean(found.ranks(found.distances(network, Rows(far))) >= 0.95) > 0.95


@pytest.mark.parametrize("size", [1, 7, 200])
def test_batches_do_not_matter(draws, monkeypatch, size):
    network, (train, new) = Network(), draws
    found = fit_familiarity(network, Rows(train), Rows(new), 2)
    wanted = found.distances(network, Rows(new))
    monkeypatch.setattr("primase.data.encoding.LARGEST_BATCH", size)
    distances = found.distances(network, Rows(new))
    np.testing.assert_allclose(distances, wanted, atol=1e-6)
    np.testing.assert_allclose(found.ranks(distances), found.ranks(wanted), atol=1e-4)
    assert features_before(network, "answer", Rows(new[:0])).shape == (0, 0)


def test_hooks_are_taken_off(draws):
    network = Network()
    fit_familiarity(network, Rows(draws[0]), Rows(draws[1]), 2)
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_everything_survives_the_bundle(draws):
    known = fit_familiarity(Network(), Rows(draws[0]), Rows(draws[1]), 2)
    state = Safeguards(PredictionSets(0.9, (0.2,), 40), known, Prevalence(0.5, 0.1)).to_state()
    again = Safeguards.from_state(EncoderState(json.loads(json.dumps(state.facts)), state.arrays))
    assert (again.sets, again.prevalence) == (PredictionSets(0.9, (0.2,), 40), Prevalence(0.5, 0.1))
    assert again.familiarity.layer == known.layer
    assert np.array_equal(again.familiarity.reference, known.reference)
    assert np.array_equal(again.familiarity.quantiles, known.quantiles)
    assert known.reference.dtype == np.float16
    nothing = Safeguards.from_state(EncoderState({}))
    assert (nothing.sets, nothing.familiarity, nothing.prevalence) == (None, None, None)
    with pytest.raises(BundleError, match="training examples"):
        Familiarity.from_state(EncoderState({"layer": "answer", "quantiles": [0.0]}))


def test_what_is_read_both_ways_is_seen_the_same_from_either_side(draws):
    network, values = BothWays(), np.asarray(draws[0])
    seen = features_before(network, "answer", Rows(values))
    turned = features_before(network, "answer", Rows(values[:, ::-1].copy()))
    np.testing.assert_allclose(seen, turned, atol=1e-6)
    assert seen.std() > 0.01
    assert not np.allclose(seen, features_before(Network(), "answer", Rows(values)))
