import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import nn

from primase.data.tasks import Task
from primase.evaluation.calibration import NoCalibration, fit_calibrator
from primase.evaluation.per_label import uncalibrated
from primase.predictor.predictor import Predictor

TASK = Task("multiclass", ("a", "b", "c"))


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


class Network(nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, values):
        return self.layers(values)


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(50, 4))


def predictor_of(*seeds, calibrator=None):
    return Predictor(TASK, RowEncoder(), tuple(Network(seed) for seed in seeds), calibrator or NoCalibration())


def raw(network, inputs):
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(inputs).float()).double().numpy()


def test_one_network_gives_its_softmax(inputs):
    predictor = predictor_of(1)
    expected = softmax(raw(predictor.members[0], inputs), axis=1)
    np.testing.assert_allclose(predictor.answers(inputs), expected, atol=1e-6)


def test_members_are_averaged_as_probabilities(inputs):
    predictor = predictor_of(1, 2, 3)
    expected = np.mean([softmax(raw(member, inputs), axis=1) for member in predictor.members], axis=0)
    np.testing.assert_allclose(predictor.answers(inputs), expected, atol=1e-6)
    np.testing.assert_allclose(np.exp(predictor.outputs(inputs)), expected, atol=1e-6)


def test_probabilities_are_calibrated(inputs):
    targets = np.random.default_rng(1).integers(3, size=50)
    calibrator = fit_calibrator("temperature", predictor_of(1).outputs(inputs), targets)
    predictor = predictor_of(1, calibrator=calibrator)
    np.testing.assert_allclose(predictor.answers(inputs), calibrator.answers(predictor.outputs(inputs)))
    assert not np.allclose(predictor.answers(inputs), predictor_of(1).answers(inputs))


@pytest.mark.parametrize("size", [1, 7, 49, 50, 51])
def test_batches_do_not_matter(inputs, monkeypatch, size):
    expected = predictor_of(1, 2).outputs(inputs)
    monkeypatch.setattr("primase.data.encoding.LARGEST_BATCH", size)
    np.testing.assert_allclose(predictor_of(1, 2).outputs(inputs), expected, atol=1e-5)


def test_nothing_to_predict():
    assert predictor_of(1).answers(np.empty((0, 4))).shape == (0, 3)


def test_predicting_does_not_change_the_network(inputs):
    predictor = predictor_of(1)
    before = {name: tensor.clone() for name, tensor in predictor.members[0].state_dict().items()}
    predictor.members[0].train()
    first = predictor.outputs(inputs)
    assert predictor.members[0].training
    np.testing.assert_array_equal(predictor.outputs(inputs), first)
    after = predictor.members[0].state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_log_odds(inputs):
    predictor = predictor_of(1, 2)
    labels = np.random.default_rng(2).integers(3, size=50)
    probabilities = predictor.answers(inputs)[np.arange(50), labels]
    score = predictor.scorer()({"values": torch.from_numpy(inputs).float()}, torch.from_numpy(labels))
    np.testing.assert_allclose(score.detach().numpy(), np.log(probabilities / (1 - probabilities)), atol=1e-4)


def test_log_odds_of_two_labels_are_the_difference_of_the_logits(inputs):
    network = nn.Linear(4, 2)
    network.forward = lambda values: nn.functional.linear(values, network.weight, network.bias)
    predictor = Predictor(Task("binary", ("n", "y")), RowEncoder(), (network,), NoCalibration())
    values = torch.from_numpy(inputs).float()
    logits = network(values)
    score = predictor.scorer()({"values": values}, torch.ones(50, dtype=torch.int64))
    torch.testing.assert_close(score, logits[:, 1] - logits[:, 0], atol=1e-5, rtol=1e-4)


def test_gradients_flow_to_the_batch(inputs):
    values = torch.from_numpy(inputs).float().requires_grad_()
    predictor_of(1).scorer()({"values": values}, torch.zeros(50, dtype=torch.int64)).sum().backward()
    assert values.grad.abs().sum() > 0


def test_logits_are_log_probabilities(inputs):
    predictor = predictor_of(3)
    np.testing.assert_allclose(
        predictor.outputs(inputs), log_softmax(raw(predictor.members[0], inputs), axis=1), atol=1e-5
    )


def test_the_members_of_a_multilabel_task_are_averaged_as_probabilities_of_each_label(inputs):
    task = Task("multilabel", TASK.labels)
    members = tuple(Network(seed) for seed in (1, 2))
    predictor = Predictor(task, RowEncoder(), members, uncalibrated(task))
    expected = np.mean([1 / (1 + np.exp(-raw(member, inputs))) for member in members], axis=0)
    np.testing.assert_allclose(predictor.answers(inputs), expected, atol=1e-6)
    batch = {"values": torch.from_numpy(inputs).float()}
    asked = predictor.log_odds(batch, torch.full((50,), 2)).detach().numpy()
    np.testing.assert_allclose(asked, np.log(expected[:, 2] / (1 - expected[:, 2])), atol=1e-4)
