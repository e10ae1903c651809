"""Losses and draws against imbalance: against scikit-learn, numpy and the properties that define them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional

from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.imbalance import (
    AucMargin,
    focal_loss,
    inverse_frequencies,
    positive_shares,
    weighted_cross_entropy,
)
from primase.training.losses import loss_of
from primase.training.remedies import KINDS, SAMPLING, TrainingRemedies, with_remedies
from primase.training.sampling import BalancedBatches

BINARY, THREE = Task("binary", ("no", "yes")), Task("multiclass", ("a", "b", "c"))
SEVERAL = Task("multilabel", ("a", "b", "c"))
TASKS = {"binary": BINARY, "multiclass": THREE, "multilabel": SEVERAL}


def drawn(task, count=60, seed=0, *, unknown=False):
    """Draw logits and targets, of which some may be unknown."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, task.outputs))
    shape = (count, task.outputs) if task.is_multilabel else count
    targets = generator.integers(0, 2 if task.is_multilabel else task.outputs, shape)
    if unknown:
        targets[generator.random(shape) < 0.2] = -1
    return torch.from_numpy(logits), torch.from_numpy(targets)


# Weights


def test_weights_are_those_of_scikit_learn():
    targets = np.array([0] * 90 + [1] * 9 + [2] * 1 + [-1] * 5)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets[targets >= 0])
    assert inverse_frequencies(THREE, targets)[0].numpy() == pytest.approx(expected)


def test_each_label_is_weighed_by_itself_and_what_does_not_occur_weighs_nothing():
    targets = np.array([[1, 0, 0], [0, 1, 0], [0, 1, -1], [0, -1, 0]])
    assert inverse_frequencies(SEVERAL, targets).numpy() == pytest.approx(
        np.array([[2 / 3, 1.5, 1.0], [2.0, 0.75, 1.0]])
    )


def test_weighted_loss_is_that_of_scikit_learn():
    logits, targets = drawn(THREE)
    weights = inverse_frequencies(THREE, targets.numpy())
    expected = log_loss(targets, torch.softmax(logits, 1), sample_weight=weights[0].double()[targets])
    assert weighted_cross_entropy("multiclass", weights)(logits, targets) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_without_weights_and_without_focus_the_losses_are_the_plain_one(kind, smoothing):
    task = TASKS[kind]
    logits, targets = drawn(task)
    plain = loss_of(kind, smoothing)(logits, targets)
    even = torch.ones(2 if task.is_multilabel else 1, task.outputs)
    assert weighted_cross_entropy(kind, even, smoothing)(logits, targets) == pytest.approx(plain.item(), rel=1e-6)
    assert focal_loss(kind, 0.0, smoothing)(logits, targets).item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize("kind", TASKS)
def test_unknown_answers_do_not_count(kind):
    task = TASKS[kind]
    logits, targets = drawn(task, unknown=True)
    changed = (
        logits + 5 * (targets < 0)
        if task.is_multilabel
        else logits + 5 * (targets < 0)[:, None] * torch.eye(task.outputs)[0]
    )
    assert not torch.equal(changed, logits)
    losses = [weighted_cross_entropy(kind, inverse_frequencies(task, targets.numpy())), focal_loss(kind, 2.0)]
    if kind != "multiclass":
        losses.append(AucMargin(kind, positive_shares(task, targets.numpy())))
    for loss in losses:
        assert loss(changed, targets).item() == pytest.approx(loss(logits, targets).item(), rel=1e-6)


# Focal loss


@given(st.floats(0, 5), st.integers(0, 50))
def test_focal_loss_is_the_formula(gamma, seed):
    logits, targets = drawn(THREE, 20, seed)
    right = torch.softmax(logits, 1).gather(1, targets[:, None])[:, 0].numpy()
    expected = (-((1 - right) ** gamma) * np.log(right)).mean()
    assert focal_loss("multiclass", gamma)(logits, targets).item() == pytest.approx(expected, rel=1e-4)
    logits, targets = drawn(SEVERAL, 20, seed)
    yes = torch.sigmoid(logits).numpy()
    right = np.where(targets.numpy() == 1, yes, 1 - yes)
    expected = (-((1 - right) ** gamma) * np.log(right)).mean()
    assert focal_loss("multilabel", gamma)(logits, targets).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_has_a_slope_where_the_network_is_certain(gamma):
    logits = torch.tensor([[60.0, -60.0], [-60.0, 60.0]], requires_grad=True)
    focal_loss("binary", gamma)(logits, torch.tensor([0, 0])).backward()
    assert torch.isfinite(logits.grad).all()


# AUC margin


def auc_formula(scores, truth, a, b, alpha, margin=1.0):
    """Yuan et al. (2021), equation 8 with the two means in the place of the sums over all examples."""
    positive, negative = scores[truth == 1], scores[truth == 0]
    squares = ((positive - a) ** 2).mean() + ((negative - b) ** 2).mean()
    return squares + 2 * alpha * (margin - positive.mean() + negative.mean()) - alpha**2


def of_pairs(scores, truth, margin=1.0):
    """The square loss of all pairs of a positive and a negative (Ying et al. 2016)."""
    positive, negative = scores[truth == 1], scores[truth == 0]
    return ((margin - positive[:, None] + negative[None]) ** 2).mean()


def at(loss, a, b, alpha):
    with torch.no_grad():
        for parameter, value in zip((loss.a, loss.b, loss.alpha), (a, b, alpha), strict=True):
            parameter.copy_(torch.as_tensor(value).broadcast_to(parameter.shape))
    return loss


@given(st.integers(0, 100), st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 2))
def test_auc_margin_is_the_formula(seed, a, b, alpha):
    logits, targets = drawn(BINARY, 40, seed)
    loss = at(AucMargin("binary", positive_shares(BINARY, targets.numpy())), a, b, alpha)
    scores = torch.softmax(logits, 1)[:, 1].numpy()
    assert loss(logits, targets).item() == pytest.approx(auc_formula(scores, targets.numpy(), a, b, alpha), abs=1e-5)


@given(st.integers(0, 100), st.sampled_from([0.2, 1.0]))
def test_at_the_saddle_point_it_is_the_square_loss_of_pairs(seed, margin):
    logits, targets = drawn(BINARY, 40, seed)
    scores, truth = torch.softmax(logits, 1)[:, 1].numpy(), targets.numpy()
    means = scores[truth == 1].mean(), scores[truth == 0].mean()
    lacking = margin + means[1] - means[0]
    loss = AucMargin("binary", positive_shares(BINARY, truth), margin)
    value = at(loss, *means, max(lacking, 0.0))(logits, targets).item()
    pairs = of_pairs(scores, truth, margin)
    # Beyond the margin there is nothing more to be gained.
    assert value == pytest.approx(pairs if lacking >= 0 else pairs - lacking**2, abs=1e-5)
    for a, b in ((0.1, 0.0), (0.0, -0.2)):
        assert at(loss, means[0] + a, means[1] + b, max(lacking, 0.0))(logits, targets).item() > value
    for change in (-0.1, 0.1):
        if lacking + change >= 0 and lacking >= 0:
            assert at(loss, *means, lacking + change)(logits, targets).item() < value


def test_descending_finds_the_saddle_point():
    logits, targets = drawn(SEVERAL, 200, unknown=True)
    loss = AucMargin("multilabel", positive_shares(SEVERAL, targets.numpy()))
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.2)
    for _ in range(400):
        optimizer.zero_grad()
        loss(logits, targets).backward()
        optimizer.step()
    scores, truth = torch.sigmoid(logits).numpy(), targets.numpy()
    for place in range(3):
        own = [scores[truth[:, place] == answer, place].mean() for answer in (1, 0)]
        found = [loss.a[place].item(), loss.b[place].item(), loss.alpha[place].item()]
        assert found == pytest.approx([*own, 1 - own[0] + own[1]], abs=1e-3)
    known = [truth[:, place] >= 0 for place in range(3)]
    expected = np.mean([of_pairs(scores[own, place], truth[own, place]) for place, own in enumerate(known)])
    assert loss(logits, targets).item() == pytest.approx(expected, abs=1e-3)


def test_alpha_is_never_below_zero_and_a_label_with_one_answer_does_not_count():
    targets = torch.tensor([[1, 0], [0, 0], [1, 0]])
    loss = at(AucMargin("multilabel", positive_shares(Task("multilabel", ("a", "b")), targets.numpy())), 0.5, 0.5, -1.0)
    logits = torch.randn(3, 2)
    value = loss(logits, targets)
    assert (loss.alpha >= 0).all()
    changed = logits.clone()
    changed[:, 1] += 3
    assert loss(changed, targets).item() == value.item()


# Draws

many_classes = st.lists(st.integers(-1, 3), min_size=4, max_size=200).map(np.array).filter(lambda own: own.max() >= 0)


@given(many_classes, st.integers(2, 32), st.booleans(), st.integers(0, 9))
def test_all_classes_come_equally_often_and_unknown_ones_never(classes, size, down, epoch):
    sampler = BalancedBatches(classes, size, 3, down=down)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    positions = np.concatenate(batches)
    sizes = np.unique(classes[classes >= 0], return_counts=True)[1]
    counts = np.unique(classes[positions], return_counts=True)
    assert set(counts[0].tolist()) == set(classes[classes >= 0].tolist())
    assert set(counts[1].tolist()) == {sizes.min() if down else sizes.max()}
    # None comes twice before all others of its class have come.
    times = np.bincount(positions, minlength=len(classes))
    for one in counts[0].tolist():
        assert np.ptp(times[classes == one]) <= 1


def test_a_draw_is_a_function_of_seed_and_epoch_and_shows_other_negatives_each_time():
    classes = np.repeat([0, 1], [90, 10])

    def epoch(number, seed=0):
        sampler = BalancedBatches(classes, 8, seed, down=True)
        sampler.set_epoch(number)
        return np.concatenate(list(sampler))

    assert epoch(4).tolist() == epoch(4).tolist()
    assert epoch(4).tolist() != epoch(4, seed=1).tolist()
    first, second = (set(epoch(number)[classes[epoch(number)] == 0].tolist()) for number in (0, 1))
    assert len(first) == len(second) == 10
    assert first != second


def test_small_classes_are_drawn_from_in_several_rounds():
    classes = np.repeat([0, 1], [900, 10])
    positions = np.concatenate(list(BalancedBatches(classes, 16, 0, down=True, least=640)))
    assert len(positions) == 640
    assert len(set(positions[classes[positions] == 0].tolist())) == 320


# In training


class Points:
    """Points of a plane."""

    def __init__(self, values):
        self.values = torch.from_numpy(values).float()

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"points": self.values[torch.from_numpy(indices)]}


class Network(nn.Module):
    """A small network with dropout, whose random numbers must be kept in order."""

    def __init__(self, outputs=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, outputs))

    def forward(self, points):
        return self.layers(points)


def rare(count=200, seed=0):
    generator = np.random.default_rng(seed)
    targets = (np.arange(count) % 10 == 0).astype(np.int64)
    return SupervisedBatches(Points(generator.normal(size=(count, 2)) + targets[:, None]), targets)


SETTINGS = TrainingConfiguration(epochs=3, batch_size=16, learning_rate=0.02, patience=9, precision="32", device="cpu")


def fitted(folder, options, **settings):
    torch.manual_seed(0)
    own = SETTINGS.model_copy(update=settings)
    return fit(Network(), rare(), rare(80, 1), own, seed=0, folder=folder, options=options)


def weights_of(found):
    return torch.cat([value.flatten() for value in found.network.state_dict().values()])


@pytest.mark.parametrize("strategy", ["auc-margin", "down-sampling"])
def test_an_interrupted_run_ends_where_a_whole_one_does(tmp_path, strategy):
    options = with_remedies(FitOptions(kind="binary"), TrainingRemedies(strategy), BINARY, rare())
    whole = fitted(tmp_path / "whole", options, schedule="constant")
    fitted(tmp_path / "parts", options, schedule="constant", epochs=1)
    parts = fitted(tmp_path / "parts", options, schedule="constant")
    assert torch.equal(weights_of(whole), weights_of(parts))
    assert parts.history == whole.history


def test_what_a_loss_learns_is_no_part_of_the_network_and_not_shared(tmp_path):
    options = with_remedies(FitOptions(kind="binary"), TrainingRemedies("auc-margin"), BINARY, rare())
    before = options.loss.alpha.clone()
    found = fitted(tmp_path, options)
    assert set(found.network.state_dict()) == set(Network().state_dict())
    assert torch.equal(options.loss.alpha, before)


@pytest.mark.parametrize("strategy", sorted(KINDS))
def test_validation_is_judged_by_what_training_makes_small(strategy, tmp_path):
    data = rare(80, 1)
    options = with_remedies(FitOptions(kind="binary"), TrainingRemedies(strategy, focal_gamma=1.5), BINARY, rare())
    if strategy == "auc-margin":
        assert options.criterion is None
        return
    network = Network().eval()
    inputs, targets = data[np.arange(80)]
    found = options.criterion(network, inputs, targets).item()
    logits = network(**inputs)
    surprise = functional.cross_entropy(logits, targets, reduction="none")
    right = torch.softmax(logits, 1).gather(1, targets[:, None])[:, 0]
    weights = torch.where(targets > 0, 5.0, 1 / 1.8)
    expected = surprise * (1 - right) ** 1.5 if strategy == "focal" else surprise * weights
    assert found == pytest.approx(expected.mean().item(), rel=1e-5)


def test_without_remedies_nothing_changes():
    options = FitOptions(kind="binary")
    assert with_remedies(options, TrainingRemedies(), BINARY, rare()) is options


# What it is not for


@pytest.mark.parametrize("strategy", sorted(KINDS))
@pytest.mark.parametrize("kind", TASKS)
def test_what_a_strategy_is_not_for_is_refused(strategy, kind):
    task = TASKS[kind]
    _, targets = drawn(task)
    train = SupervisedBatches(Points(np.zeros((60, 2))), targets.numpy())
    if kind in KINDS[strategy]:
        chosen = with_remedies(FitOptions(kind=kind), TrainingRemedies(strategy), task, train)
        assert (chosen.draw is not None) == (strategy in SAMPLING)
        return
    with pytest.raises(ConfigurationError, match=rf"{strategy} is for .* this one is {kind}"):
        with_remedies(FitOptions(kind=kind), TrainingRemedies(strategy), task, train)


def test_an_own_objective_and_an_own_order_are_refused():
    own = FitOptions(kind="binary", objective=lambda *_: torch.tensor(math.nan))
    with pytest.raises(ConfigurationError, match="objective of its own"):
        with_remedies(own, TrainingRemedies("weighted"), BINARY, rare())
    with pytest.raises(ConfigurationError, match="in a way of its own"):
        with_remedies(FitOptions(groups=np.zeros(200)), TrainingRemedies("up-sampling"), BINARY, rare())
    with pytest.raises(ConfigurationError, match="none is half of each"):
        with_remedies(FitOptions(kind="binary"), TrainingRemedies("auc-margin"), BINARY, rare(), 0.1)
