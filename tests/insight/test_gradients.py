"""Gradients of networks whose contributions are known by heart, and what must add up for all others."""

import numpy as np
import pytest
import torch
from torch import nn

from primase.apps.dna_function.model import DnaNetwork
from primase.apps.rna_binding.model import RnaNetwork
from primase.bio.nucleotides import FRACTIONS
from primase.bio.shuffling import shuffle_dinucleotides
from primase.errors import InputError
from primase.events import Progress
from primase.insight import gradients as module
from primase.insight.gradients import DEEPLIFT, INTEGRATED_GRADIENTS, SALIENCY, attribute_gradients
from primase.nn.letters import OneHot
from primase.nn.strands import BothStrands

LENGTH = 41
METHODS = [SALIENCY, INTEGRATED_GRADIENTS, DEEPLIFT]


def ones(count):
    return np.ones(count, dtype=np.int64)


class Linear(nn.Module):
    """The log-odds are a sum of one weight per letter and position."""

    def __init__(self):
        super().__init__()
        self.read = OneHot()
        self.weights = nn.Linear(4 * LENGTH, 2, bias=False)
        with torch.no_grad():
            self.weights.weight.normal_(generator=torch.Generator().manual_seed(0))

    @property
    def effects(self):
        return (self.weights.weight[1] - self.weights.weight[0]).detach().numpy().reshape(4, LENGTH)

    def forward(self, letters):
        return self.weights(self.read(letters).flatten(1))


class Convolutions(nn.Module):
    """Convolution, normalisation, ReLU, average pooling and dense layers: all that DeepLIFT is exact for."""

    def __init__(self, pool=None, last=None):
        super().__init__()
        self.read = OneHot()
        self.local = nn.Sequential(
            nn.Conv1d(4, 6, 7), nn.BatchNorm1d(6), nn.ReLU(), pool or nn.AvgPool1d(5), nn.Conv1d(6, 6, 3), nn.Tanh()
        )
        self.last = last or nn.Flatten()
        self.dense = nn.Sequential(nn.LazyLinear(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2))
        self.forward(torch.zeros(2, 4, LENGTH))

    def forward(self, letters):
        return self.dense(self.last(self.local(self.read(letters))))


class Highest(nn.Module):
    def forward(self, features):
        return features.amax(dim=2)


def dna(**settings):
    small = {"filters": (6,), "widths": (7,), "pools": (3,), "units": 4, "hidden": 7}
    return DnaNetwork(LENGTH, 2, **{**small, **settings})


NETWORKS = {
    "convolutions": Convolutions,
    "global pooling": lambda: RnaNetwork(filters=(6, 5), widths=(7, 3), pools=(2, 1)),
    "lstm": dna,
    "gru": lambda: dna(recurrence="gru", head="attention"),
    "both strands": lambda: BothStrands(dna()),
}


@pytest.fixture
def sequences(known):
    first, second, third, fourth = known.texts(4, LENGTH)
    return known.encoded([first, second[:20] + "N" + second[21:], third[:30], fourth[:-1]], LENGTH)


def score_of(predictor, codes):
    with torch.no_grad():
        return predictor.scorer()({"letters": torch.from_numpy(codes)}, torch.ones(len(codes), dtype=torch.int64))


@pytest.mark.parametrize("method", [INTEGRATED_GRADIENTS, DEEPLIFT])
def test_a_linear_network_is_explained_by_its_weights(known, sequences, method):
    network = Linear()
    found = attribute_gradients(known.predictor(network), sequences, ones(4), method=method, references=3, seed=5)
    codes = sequences.batch(np.arange(4))["letters"].numpy()
    compared = FRACTIONS[shuffle_dinucleotides(codes, shuffles=3, seed=5)]  # (sequences, references, length, 4)
    differences = (FRACTIONS[codes][:, None] - compared).mean(axis=1)
    np.testing.assert_allclose(found.contributions, np.einsum("slc,cl->sl", differences, network.effects), atol=1e-5)
    assert found.errors.max() < 1e-5


def test_saliency_is_the_weight_less_the_mean_of_the_four(known, sequences):
    network = Linear()
    found = attribute_gradients(known.predictor(network), sequences, ones(4), method=SALIENCY)
    codes = sequences.batch(np.arange(4))["letters"].numpy()
    centred = network.effects - network.effects.mean(axis=0)
    np.testing.assert_allclose(found.contributions, np.einsum("slc,cl->sl", FRACTIONS[codes], centred), atol=1e-5)
    assert np.isnan(found.errors).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_integrated_gradients_add_up_for_every_network(known, sequences, name):
    predictor = known.predictor(known.louder(NETWORKS[name]()))
    found = attribute_gradients(predictor, sequences, ones(4), references=4, seed=2)
    codes = sequences.batch(np.arange(4))["letters"].numpy()
    compared = shuffle_dinucleotides(codes, shuffles=4, seed=2)
    means = score_of(predictor, compared.reshape(-1, LENGTH)).view(4, 4).mean(dim=1)
    changes = (score_of(predictor, codes) - means).numpy()
    np.testing.assert_allclose(found.changes, changes, atol=1e-4)
    np.testing.assert_allclose(found.errors, np.abs(found.contributions.sum(axis=1) - changes), atol=1e-4)
    assert np.abs(changes).max() > 0.01
    assert (found.errors <= module.TOLERANCE * np.maximum(1, np.abs(changes)) + 1e-4).all()


def test_few_steps_are_not_enough(known, sequences, monkeypatch):
    """The steps that are added are what makes the shares add up."""
    predictor = known.predictor(known.louder(NETWORKS["global pooling"](), factor=4.0))
    monkeypatch.setattr(module, "STEPS", (4,))
    rough = attribute_gradients(predictor, sequences, ones(4))
    monkeypatch.setattr(module, "STEPS", (4, 2048))
    fine = attribute_gradients(predictor, sequences, ones(4))
    assert rough.errors.max() > 10 * module.TOLERANCE
    assert fine.errors.max() < rough.errors.max() / 4


def test_deeplift_adds_up_where_it_is_accepted(known, sequences):
    predictor = known.predictor(known.louder(Convolutions()))
    found = attribute_gradients(predictor, sequences, ones(4), method=DEEPLIFT)
    assert np.abs(found.changes).max() > 0.5
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.changes, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        (dna, "trunk.features.0.follow.0 (MaxPool1d)"),
        (lambda: dna(pooling="average"), "recurrence.layer (LSTM)"),
        (lambda: dna(pooling="average", recurrence="gru"), "recurrence.layer (GRU)"),
        (lambda: dna(pooling="average", recurrence="none", head="global"), "pool (GlobalPooling)"),
        (lambda: Convolutions(pool=nn.MaxPool1d(5)), "local.3 (MaxPool1d)"),
    ],
)
def test_deeplift_names_the_layer_that_it_has_no_rule_for(known, sequences, network, layer):
    with pytest.raises(InputError, match="no exact rule") as caught:
        attribute_gradients(known.predictor(network()), sequences, ones(4), method=DEEPLIFT)
    assert caught.value.got == layer
    assert "integrated gradients" in caught.value.advice


def test_deeplift_is_refused_where_it_does_not_add_up(known, sequences):
    predictor = known.predictor(known.louder(Convolutions(last=Highest())))
    with pytest.raises(InputError, match="not exact for this network") as caught:
        attribute_gradients(predictor, sequences, ones(4), method=DEEPLIFT)
    assert "miss the change of the score" in caught.value.got


def test_deeplift_is_refused_for_several_networks(known, sequences):
    with pytest.raises(InputError, match="several networks"):
        attribute_gradients(known.predictor(Linear(), Linear()), sequences, ones(4), method=DEEPLIFT)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_and_company_do_not_matter(known, sequences, monkeypatch, method):
    predictor = known.predictor(known.louder(Convolutions()))
    whole = attribute_gradients(predictor, sequences, ones(4), method=method)
    alone = attribute_gradients(predictor, known.encoded([sequences.sequences.text(3)], LENGTH), ones(1), method=method)
    monkeypatch.setitem(module.LETTERS_PER_BLOCK, "cpu", 50)
    pieces = attribute_gradients(predictor, sequences, ones(4), method=method)
    np.testing.assert_allclose(whole.contributions, pieces.contributions, atol=1e-4)
    np.testing.assert_allclose(whole.contributions[3:], alone.contributions, atol=1e-4)


def test_several_networks_are_explained_together(known, sequences):
    networks = [known.louder(Convolutions(), seed=seed) for seed in (0, 1)]
    predictor = known.predictor(*networks)
    found = attribute_gradients(predictor, sequences, ones(4))
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.changes, atol=0.05)


def test_the_network_is_as_before(known, sequences):
    network = known.louder(Convolutions())
    before = [parameter.clone() for parameter in network.parameters()]
    for method in METHODS:
        attribute_gradients(known.predictor(network), sequences, ones(4), method=method)
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    assert torch.backends.cudnn.enabled


def test_padding_contributes_nothing(known, sequences):
    found = attribute_gradients(known.predictor(known.louder(NETWORKS["lstm"]())), sequences, ones(4))
    codes = sequences.batch(np.arange(4))["letters"].numpy()
    assert (codes == 0).any()
    assert not found.contributions[codes == 0].any()


def test_nothing_to_explain_and_progress(known, sequences):
    predictor = known.predictor(Linear())
    assert attribute_gradients(predictor, known.encoded([], LENGTH), ones(0)).contributions.shape == (0, LENGTH)
    heard = []
    attribute_gradients(predictor, sequences, ones(4), listener=heard.append)
    assert heard[-1] == Progress(INTEGRATED_GRADIENTS, 4, 4, "sequences")
