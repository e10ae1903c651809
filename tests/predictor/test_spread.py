import numpy as np
import pytest
import torch
from torch import nn

from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.calibration import NoCalibration, TemperatureScaling
from primase.evaluation.per_label import uncalibrated
from primase.evaluation.prediction_sets import PredictionSets
from primase.evaluation.prevalence import Prevalence
from primase.predictor.familiarity import fit_familiarity
from primase.predictor.precautions import Precautions
from primase.predictor.predictor import Predictor
from primase.predictor.safeguards import Safeguards
from primase.predictor.spread import dropout_spread, ensemble_spread

SEVERAL = Task("multiclass", ("a", "b", "c"))
BINARY = Task("binary", ("no", "yes"))
EACH = Task("multilabel", ("a", "b"))


class Rows:
    def __init__(self, values):
        self.values = torch.as_tensor(values).float()

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"values": self.values[torch.from_numpy(indices)]}


class RowEncoder:
    def encode(self, inputs):
        return Rows(inputs)

    def decode(self, values):
        return values

    def to_file(self, values):
        return 10 * values


class Network(nn.Module):
    def __init__(self, seed, outputs=3, dropout=0.5):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.Dropout(dropout), nn.Linear(16, outputs))

    def forward(self, values):
        return self.layers(values)


class OfPlaces(nn.Module):
    """Drops values of (batch, channels, places), and sums over the places that there are."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, values):
        dropped = self.drop(values[:, None, :].expand(-1, 3, -1))
        return dropped[:, :, :4].sum(dim=2)


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(50, 4))


def predictor_of(*seeds, task=SEVERAL, dropout=0.5, **more):
    members = tuple(Network(seed, task.outputs, dropout) for seed in seeds)
    return Predictor(task, RowEncoder(), members, more.pop("calibrator", uncalibrated(task)), **more)


def answers_of(predictor, inputs):
    return [
        Predictor(predictor.task, predictor.encoder, (member,), predictor.calibrator).answers(inputs)
        for member in predictor.members
    ]


def test_the_spread_of_an_ensemble_is_that_of_its_members(inputs):
    predictor = predictor_of(1, 2, 3, calibrator=TemperatureScaling(2.0))
    table = ensemble_spread(predictor, inputs).columns()
    answers = np.stack(answers_of(predictor, inputs))
    assert table.columns == [
        "uncertainty_a",
        "uncertainty_b",
        "uncertainty_c",
        "predictive_entropy",
        "mutual_information",
    ]
    np.testing.assert_allclose(table.to_numpy()[:, :3], answers.std(axis=0), atol=1e-9)
    mean = answers.mean(axis=0)
    whole, each = (-(p * np.log(p)).sum(axis=-1) for p in (mean, answers))
    np.testing.assert_allclose(table["predictive_entropy"], whole)
    np.testing.assert_allclose(table["mutual_information"], whole - each.mean(axis=0), atol=1e-9)


def test_several_labels_and_values(inputs):
    labels = predictor_of(1, 2, task=EACH)
    answers = np.stack(answers_of(labels, inputs))
    whole, each = (-(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=-1) for p in (answers.mean(axis=0), answers))
    table = ensemble_spread(labels, inputs).columns()
    np.testing.assert_allclose(table["mutual_information"], whole - each.mean(axis=0), atol=1e-9)
    values = predictor_of(1, 2, task=Task("regression", ("x", "y")))
    table = ensemble_spread(values, inputs).columns()
    assert table.columns == ["uncertainty_x", "uncertainty_y"]
    np.testing.assert_allclose(table.to_numpy(), 10 * np.stack(answers_of(values, inputs)).std(axis=0), rtol=1e-4)


def test_samples_of_dropout_are_networks_with_parts_left_out(inputs):
    """The spread of a linear network's logits is known: each of 16 values is doubled or dropped."""
    values = predictor_of(1, task=Task("regression", ("x", "y", "z")))
    network = values.members[0].eval()
    with torch.inference_mode():
        hidden = network.layers[0](Rows(inputs).values)
        wanted = (hidden[:, None, :] * network.layers[2].weight).square().sum(dim=2).sqrt().numpy() * 10
    found = dropout_spread(values, inputs, samples=600).deviations
    np.testing.assert_allclose(found, wanted, rtol=0.15)


def test_the_seed_decides(inputs):
    predictor = predictor_of(1, 2)
    first, again, other = (dropout_spread(predictor, inputs, samples=5, seed=seed).columns() for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_batches_and_order_do_not_matter(inputs, monkeypatch, size):
    predictor = predictor_of(1)
    wanted = dropout_spread(predictor, inputs, samples=6).deviations
    monkeypatch.setattr("primase.data.encoding.LARGEST_BATCH", size)
    order = np.random.default_rng(1).permutation(50)
    np.testing.assert_allclose(dropout_spread(predictor, inputs[order], samples=6).deviations, wanted[order], atol=1e-5)


def test_longer_sequences_in_the_batch_do_not_matter(inputs):
    predictor = Predictor(SEVERAL, RowEncoder(), (OfPlaces(),), NoCalibration())
    longer = np.concatenate([inputs, np.ones((50, 3))], axis=1)
    found = [dropout_spread(predictor, values, samples=4).deviations for values in (inputs, longer)]
    np.testing.assert_allclose(*found, atol=1e-6)
    assert found[0].min() > 0


def test_prediction_itself_is_unchanged(inputs):
    predictor = predictor_of(1)
    before = predictor.answers(inputs)
    dropout_spread(predictor, inputs, samples=3)
    np.testing.assert_array_equal(predictor.answers(inputs), before)
    assert not any(module._forward_hooks for module in predictor.members[0].modules())


def test_what_cannot_be_asked_is_refused(inputs):
    with pytest.raises(ConfigurationError, match="no dropout"):
        dropout_spread(predictor_of(1, dropout=0.0), inputs, samples=5)
    with pytest.raises(ConfigurationError, match="few samples"):
        dropout_spread(predictor_of(1), inputs, samples=1)
    with pytest.raises(ConfigurationError, match="single network"):
        ensemble_spread(predictor_of(1), inputs)
    with pytest.raises(ConfigurationError, match="one of the two"):
        Precautions(ensemble_spread=True, dropout_samples=5)
    with pytest.raises(ConfigurationError, match="decides nothing"):
        Precautions(dropout_seed=3)
    with pytest.raises(ConfigurationError, match="training examples"):
        Precautions(flag_unlike=True).taken_by(predictor_of(1))
    with pytest.raises(ConfigurationError, match="multiclass"):
        Precautions(prevalence=0.1).taken_by(predictor_of(1))


def test_probabilities_are_for_the_stated_prevalence(inputs):
    predictor = predictor_of(1, task=BINARY, safeguards=Safeguards(prevalence=Prevalence(0.4, 0.1)))
    raw = predictor_of(1, task=BINARY).answers(inputs)
    np.testing.assert_array_equal(predictor.answers(inputs), Prevalence(0.4, 0.1).corrected(raw))
    asked = Precautions(prevalence=0.01).taken_by(predictor)
    (table,) = Precautions(prevalence=0.01).tables(asked, inputs, raw)
    np.testing.assert_allclose(table["probability_yes"], Prevalence(0.4, 0.01).corrected(raw)[:, 1])


def test_sets_are_of_the_probabilities_that_their_thresholds_were_learned_on(inputs):
    sets = PredictionSets(0.9, (0.4,), 100)
    predictor = predictor_of(1, task=BINARY, safeguards=Safeguards(sets=sets, prevalence=Prevalence(0.5, 0.5)))
    raw = predictor.answers(inputs)
    asked = Precautions(prevalence=0.001)
    table, column = asked.tables(asked.taken_by(predictor), inputs, raw)
    assert (table["probability_yes"] < 0.1).all()
    assert column["prediction_set"].to_list() == sets.column(BINARY, raw).to_list()
    assert column["prediction_set"].str.contains("yes").any()


def test_the_flag_is_the_rank_of_the_distance_and_no_matter_of_order(inputs):
    network = Network(1, 2)
    generator = np.random.default_rng(5)
    parts = [Rows(generator.normal(size=(60, 4))) for _ in range(2)]
    known = fit_familiarity(network.eval(), *parts, 2)
    predictor = Predictor(BINARY, RowEncoder(), (network,), uncalibrated(BINARY), Safeguards(familiarity=known))
    asked = Precautions(flag_unlike=True)
    order = generator.permutation(50)
    found, shuffled = (
        asked.tables(predictor, values, predictor.answers(values))[1]["unlike_training"].to_numpy()
        for values in (inputs, inputs[order])
    )
    np.testing.assert_allclose(shuffled, found[order], atol=1e-6)
    np.testing.assert_allclose(found, known.ranks(known.distances(network, Rows(inputs))))
    assert np.ptp(found) > 0.5


def test_settings_are_told_apart():
    own, left = Precautions.among({"dropout_samples": 5, "profiles": "x.hmm"})
    assert (own, left) == (Precautions(dropout_samples=5), {"profiles": "x.hmm"})
