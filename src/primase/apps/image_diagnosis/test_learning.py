"""What is learned: against scikit-learn, and by counting."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from primase.apps.image_diagnosis.configuration import DiagnosisConfiguration, recipes_of, settled
from primase.apps.image_diagnosis.learning import (
    augmentation,
    class_weights,
    fit_options,
    ridge_penalty,
    weighted_loss,
)
from primase.apps.image_diagnosis.model import FrozenNetwork
from primase.configuration import configure
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.nn.structure import apply_edit
from primase.training.losses import objective_of

BINARY = Task("binary", ("no", "yes"))


@pytest.mark.parametrize("balance", [True, False])
def test_the_frozen_recipe_is_logistic_regression(balance):
    generator = np.random.default_rng(0)
    targets = (np.arange(200) % 4 == 0).astype(np.int64)
    features = generator.normal(size=(200, 6)) + targets[:, None] * 0.8
    own = settled(configure(DiagnosisConfiguration, {"penalty": 0.2, "balance": balance}), "frozen")
    options = fit_options(BINARY, targets, own)
    objective = objective_of(options.loss, options.penalty)
    network = FrozenNetwork(6, 2).double()
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=300, line_search_fn="strong_wolfe")
    batch = {"features": torch.from_numpy(features)}

    def step():
        optimizer.zero_grad()
        loss = objective(network, batch, torch.from_numpy(targets))
        loss.backward()
        return loss

    optimizer.step(step)
    # Its loss is a sum over the examples, ours the mean.
    weight = "balanced" if balance else None
    known = LogisticRegression(C=1 / (0.2 * 200), class_weight=weight, tol=1e-8, max_iter=1000).fit(features, targets)
    learned = (network.answer.weight[1] - network.answer.weight[0]).detach().numpy()
    assert learned == pytest.approx(known.coef_[0], abs=1e-4)


def test_every_class_counts_the_same():
    targets = np.array([0] * 90 + [1] * 9 + [2] * 1 + [-1] * 5)
    task = Task("multiclass", ("a", "b", "c"))
    weights = class_weights(task, targets)[0].numpy()
    assert weights[0] * 90 == pytest.approx(weights[1] * 9)
    assert weights[2] == pytest.approx(10.0)  # and no more, for one image must not decide everything


def test_several_labels_are_balanced_one_by_one_and_unknown_answers_do_not_count():
    targets = np.array([[1, 0], [0, 1], [0, 1], [0, -1]])
    task = Task("multilabel", ("a", "b"))
    weights = class_weights(task, targets)
    assert weights.numpy() == pytest.approx(np.array([[2 / 3, 1.5], [2.0, 0.75]]))
    loss = weighted_loss(task, weights, 0.0)
    logits = torch.randn(4, 2)
    changed = logits.clone()
    changed[3, 1] += 5
    truth = torch.from_numpy(targets)
    assert loss(logits, truth) == pytest.approx(float(loss(changed, truth)))
    changed[2, 1] += 5
    assert loss(logits, truth) != pytest.approx(float(loss(changed, truth)))


def test_what_the_user_says_wins_over_the_modality():
    own = configure(DiagnosisConfiguration, {"flip_horizontal": True, "rotation_degrees": 3})
    made = augmentation(own.augmentation)
    assert (made.flip_horizontal, made.rotation_degrees, made.flip_vertical) == (True, 3, False)
    assert not augmentation(DiagnosisConfiguration().augmentation).flip_horizontal
    assert augmentation(configure(DiagnosisConfiguration, {"modality": "microscopy"}).augmentation).flip_vertical
    assert augmentation(configure(DiagnosisConfiguration, {"modality": "none"}).augmentation) is None


def test_a_recipe_fills_in_what_was_not_given():
    plain = DiagnosisConfiguration()
    assert settled(plain, "frozen").training.epochs != settled(plain, "scratch").training.epochs
    assert settled(plain, "frozen").training.weight_decay == 0
    given = configure(DiagnosisConfiguration, {"epochs": 3, "recipe": "ensemble"})
    assert [settled(given, one).training.epochs for one in recipes_of(given)] == [3, 3, 3]
    assert settled(given, "scratch").network.recipe == "scratch"


def test_weights_are_a_file_or_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").write_bytes(b"")
    assert configure(DiagnosisConfiguration, {"weights": "own.pth"}).network.weights == str(tmp_path / "own.pth")
    assert configure(DiagnosisConfiguration, {"weights": "resnet50"}).network.weights == "resnet50"
    with pytest.raises(ConfigurationError, match="leave --weights out"):
        configure(DiagnosisConfiguration, {"weights": "resnet50", "recipe": "scratch"})


def test_the_penalty_holds_the_weights_of_a_compressed_network_too():
    network, task = FrozenNetwork(6, 2), Task("binary", ("no", "yes"))
    torch.nn.init.normal_(network.answer.weight)
    torch.nn.init.normal_(network.answer.bias)
    found = ridge_penalty(0.5, task)(network)
    assert torch.equal(found, 0.5 * network.answer.weight.square().sum())
    apply_edit(network, {"edit": "factorise", "layer": "answer", "rank": 1})
    first, second = network.answer.first.weight, network.answer.second.weight
    expected = 0.5 * (first.square().sum() + second.square().sum())
    assert torch.isclose(ridge_penalty(0.5, task)(network), expected)
