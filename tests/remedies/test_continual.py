"""Learning on without forgetting: each part against a formula, or against going through all possibilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from torch import Tensor, nn

from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task
from primase.errors import BundleError, InputError
from primase.nn.structure import rebuild, structure_of
from primase.predictor.features import features_before
from primase.remedies.continual import fisher, memory
from primase.remedies.continual.answering import answer_layer, outputs_of
from primase.remedies.continual.dual_memory import DualMemory, dual, follow
from primase.remedies.continual.fisher import Anchor, add_information, diagonal_fisher
from primase.remedies.continual.growing import grow
from primase.remedies.continual.herding import choose_exemplars, herd, unit_length
from primase.remedies.continual.measures import transfer
from primase.remedies.continual.memory import Memory, Step, read_memory, write_memory
from primase.remedies.continual.nearest_means import answer_by_means, is_only_by_means, plain_state
from primase.remedies.continual.objectives import absent_labels, distillation, distilled, elastic
from primase.remedies.continual.rehearsal import REMEMBERED, HalfRemembered, Remembered, apart, rehearsed
from primase.remedies.continual.scoring import averaged, chance, score
from primase.training.losses import loss_of, objective_of

THREE = Task("multiclass", ("a", "b", "c"))
SEVERAL = Task("multilabel", ("a", "b"))
VALUES = Task("regression", ("x", "y"))


class Net(nn.Module):
    """Two dense layers with batch normalisation between them."""

    def __init__(self, inputs: int = 4, hidden: int = 5, outputs: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU())
        self.head = nn.Linear(hidden, outputs)

    def forward(self, values: Tensor) -> Tensor:
        answered: Tensor = self.head(self.body(values))
        return answered


class Logistic(nn.Module):
    """A linear layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, outputs)

    def forward(self, values: Tensor) -> Tensor:
        answered: Tensor = self.head(values)
        return answered


def examples(count: int = 30, width: int = 4, seed: int = 0, labels: int = 3) -> Remembered:
    generator = np.random.default_rng(seed)
    tensors = {"values": torch.from_numpy(generator.normal(size=(count, width)).astype(np.float32))}
    return Remembered(tensors, generator.integers(labels, size=count))


def batches(part: Remembered) -> SupervisedBatches:
    return SupervisedBatches(part, part.targets)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# Elastic weight consolidation


def dense_softmax_fisher(network: Logistic, values: np.ndarray) -> np.ndarray:
    """F = mean over examples of (diag(p) - p p') on the diagonal, times the squared inputs: logistic regression."""
    with torch.no_grad():
        likely = network(torch.from_numpy(values)).softmax(dim=1).double().numpy()
    return np.einsum("nl,nf->lf", likely * (1 - likely), np.square(values.astype(np.float64))) / len(values)


def test_fisher_of_a_logistic_regression_is_that_of_the_formula() -> None:
    network, part = Logistic(4, 3), examples()
    found = diagonal_fisher(network, part, "multiclass", exact=True)
    dense = dense_softmax_fisher(network, part.tensors["values"].numpy())
    np.testing.assert_allclose(found["head.weight"].numpy(), dense, rtol=1e-4)


def test_drawn_answers_give_the_same_information_on_average() -> None:
    network, part = Logistic(4, 3), examples(10)
    exact = diagonal_fisher(network, part, "multiclass", exact=True)["head.weight"]
    drawn = [diagonal_fisher(network, part, "multiclass", seed=seed)["head.weight"] for seed in range(400)]
    torch.testing.assert_close(torch.stack(drawn).mean(dim=0), exact, rtol=0.15, atol=0.01)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
def test_information_is_the_curvature_of_the_loss(kind: str) -> None:
    network, part = Logistic(3, 2), examples(12, 3)
    values = part.tensors["values"]
    truth = network(values).detach().sigmoid() if kind == "multilabel" else network(values).detach()

    def loss(weight: Tensor) -> Tensor:
        outputs = values @ weight.T + network.head.bias.detach()
        if kind == "multilabel":
            return nn.functional.binary_cross_entropy_with_logits(outputs, truth)
        return nn.functional.mse_loss(outputs, truth)

    weight = network.head.weight.detach()
    hessian = torch.autograd.functional.hessian(loss, weight).reshape(6, 6).diagonal().reshape(2, 3)
    found = diagonal_fisher(network, part, kind, exact=True)["head.weight"]  # type: ignore[arg-type]  # of pytest
    torch.testing.assert_close(found, hessian, rtol=1e-4, atol=1e-6)


def test_the_penalty_is_half_the_weighted_squared_distance() -> None:
    network = Logistic(2, 3)
    old = {name: torch.randn_like(weight) for name, weight in network.named_parameters()}
    information = {name: torch.rand_like(weight) for name, weight in network.named_parameters()}
    own = dict(network.named_parameters())
    wanted = sum(float((information[name] * (own[name].detach() - old[name]) ** 2).sum()) / 2 for name in old)
    assert Anchor(old, information).penalty(network).item() == pytest.approx(wanted, rel=1e-5)


def test_new_outputs_are_held_by_nothing() -> None:
    small, large = Logistic(2, 2), Logistic(2, 3)
    grow(large, small.state_dict())
    anchor = Anchor(small.state_dict(), {name: torch.ones_like(value) for name, value in small.state_dict().items()})
    with torch.no_grad():
        large.head.weight[2] += 5
    assert anchor.penalty(large).item() == 0
    with torch.no_grad():
        large.head.weight[0, 0] += 2
    assert anchor.penalty(large).item() == pytest.approx(2.0)


def test_only_some_examples_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fisher, "MOST_EXAMPLES", 3)
    network, part = Logistic(4, 3), examples(50)
    drawn = np.sort(np.random.default_rng(0).permutation(50)[:3])
    found = diagonal_fisher(network, part, "multiclass", exact=True)["head.weight"]
    np.testing.assert_allclose(found, dense_softmax_fisher(network, part.tensors["values"].numpy()[drawn]), rtol=1e-4)


def test_information_of_steps_adds_up() -> None:
    added = add_information({"w": torch.ones(2, 3)}, {"w": torch.full((4, 3), 2.0)})
    torch.testing.assert_close(added["w"], torch.tensor([[3.0] * 3] * 2 + [[2.0] * 3] * 2))


def test_absent_labels_take_no_part_in_the_softmax() -> None:
    network, part = Net(), examples()
    targets = torch.full((30,), 2)
    assert absent_labels(targets, 3) == [0, 1]
    anchor = Anchor({}, {})
    plain = objective_of(loss_of("multiclass", 0.0))
    held = elastic(plain, anchor, 1.0, [0, 1])
    # Only one label is left to choose from: there is nothing to be wrong about.
    assert held(network, part.batch(np.arange(30)), targets).item() == pytest.approx(0.0, abs=1e-6)
    assert plain(network, part.batch(np.arange(30)), targets).item() > 0.1


def test_the_strength_says_how_much_the_penalty_counts() -> None:
    network, part = Logistic(4, 3), examples()
    plain = objective_of(loss_of("multiclass", 0.0))
    old = {name: weight.detach() + 1 for name, weight in network.named_parameters()}
    anchor = Anchor(old, {name: torch.ones_like(weight) for name, weight in old.items()})
    batch, targets = part.batch(np.arange(30)), torch.from_numpy(part.targets)
    held = elastic(plain, anchor, 10.0)(network, batch, targets).item()
    # Twelve weights and three biases, each one off, of which half the square counts ten times.
    assert held == pytest.approx(plain(network, batch, targets).item() + 10 * 15 / 2, rel=1e-5)


def test_statistics_of_normalisation_stay() -> None:
    network, part = Net().train(), examples()
    before = network.body[1].running_mean.clone()
    held = elastic(objective_of(loss_of("multiclass", 0.0)), Anchor({}, {}), 1.0)
    held(network, part.batch(np.arange(30)), torch.from_numpy(part.targets))
    assert torch.equal(network.body[1].running_mean, before)


# Exemplars and nearest means


def test_herding_takes_whatever_is_best_at_each_step() -> None:
    features = np.random.default_rng(1).normal(size=(9, 3))
    units = unit_length(features)
    chosen: list[int] = []
    for _ in range(5):
        left = [number for number in range(9) if number not in chosen]
        distances = [np.linalg.norm(units.mean(axis=0) - units[[*chosen, one]].mean(axis=0)) for one in left]
        chosen.append(left[int(np.argmin(distances))])
    assert herd(features, 5).tolist() == chosen


def test_herding_is_near_the_best_of_all_choices() -> None:
    features = np.random.default_rng(2).normal(size=(10, 2)) + 1
    units = unit_length(features)

    def distance(rows: tuple[int, ...]) -> float:
        return float(np.linalg.norm(units.mean(axis=0) - units[list(rows)].mean(axis=0)))

    every = sorted(map(distance, itertools.combinations(range(10), 4)))
    assert distance(tuple(herd(features, 4))) <= every[len(every) // 4]


@given(st.integers(0, 12), st.integers(1, 12))
def test_herding_repeats_nothing_and_begins_alike(fewer: int, count: int) -> None:
    features = np.random.default_rng(count).normal(size=(count, 3))
    more = herd(features, fewer + 1).tolist()
    assert len(set(more)) == len(more) == min(fewer + 1, count)
    assert herd(features, fewer).tolist() == more[:fewer]


def test_every_label_has_exemplars() -> None:
    part = examples(60)
    chosen = choose_exemplars(part.tensors["values"].numpy(), part.targets, THREE, 4)
    assert np.bincount(part.targets[chosen]).tolist() == [4, 4, 4]
    several = np.array([[1, 0], [1, 1], [0, 0], [0, -1], [0, 1]])
    chosen = choose_exemplars(part.tensors["values"].numpy()[:5], several, SEVERAL, 1)
    assert (several[chosen] > 0).any(axis=0).all()
    assert (several[chosen] <= 0).all(axis=1).any()
    assert len(choose_exemplars(part.tensors["values"].numpy(), np.zeros((60, 2)), VALUES, 2)) == 20


def test_the_nearest_mean_answers() -> None:
    network, part = Net().eval(), examples(40)
    features = unit_length(features_before(network, "head", part))
    means = unit_length(np.stack([features[part.targets == label].mean(axis=0) for label in range(3)]))
    nearest = np.linalg.norm(features[:, None] - means[None], axis=2).argmin(axis=1)
    answer_by_means(network, part, 3)
    # Features that are all zero are as near to every mean.
    somewhere = features.any(axis=1)
    assert outputs_of(network, part).argmax(axis=1)[somewhere].tolist() == nearest[somewhere].tolist()


def test_a_class_without_exemplars_is_never_nearest() -> None:
    network, part = Net().eval(), examples(40)
    part = Remembered(part.tensors, np.where(part.targets == 2, 1, part.targets))
    answer_by_means(network, part, 3)
    outputs = outputs_of(network, part)
    assert np.isfinite(outputs).all()
    assert 2 not in outputs.argmax(axis=1)


def test_nearest_means_are_built_again_and_taken_off() -> None:
    plain, part = Net().eval(), examples(40)
    weights = {name: value.clone() for name, value in plain.state_dict().items()}
    network = answer_by_means(plain, part, 3)
    again = rebuild(Net(), structure_of(network))
    again.load_state_dict(network.state_dict())
    np.testing.assert_array_equal(outputs_of(network, part), outputs_of(again.eval(), part))
    assert is_only_by_means(again)
    for name, value in plain_state(again).items():
        assert torch.equal(value, weights[name])


def test_the_last_layer_that_learns_answers() -> None:
    network = Net()
    network.fixed = nn.Linear(4, 3).requires_grad_(requires_grad=False)
    assert answer_layer(network, 3) == "head"
    with pytest.raises(InputError, match="no dense layer"):
        answer_layer(network, 7)


def test_growing_keeps_the_old_answers() -> None:
    small, large, part = Net(outputs=2).eval(), Net(outputs=5).eval(), examples()
    fresh = large.head.weight[2:].clone()
    grow(large, small.state_dict())
    np.testing.assert_allclose(outputs_of(large, part)[:, :2], outputs_of(small, part), rtol=1e-6)
    assert torch.equal(large.head.weight[2:], fresh)
    with pytest.raises(BundleError, match="can grow into one with more answers"):
        grow(Net(hidden=6, outputs=2), small.state_dict())


# Distillation, rehearsal, dual memory


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_distillation_is_least_where_nothing_changed(kind: str) -> None:
    then = torch.randn(6, 3)
    same = distillation(then.clone(), then, kind).item()  # type: ignore[arg-type]  # of pytest
    assert same == pytest.approx(0.0, abs=1e-5)
    assert distillation(then + torch.randn(6, 3), then, kind).item() > 0.01  # type: ignore[arg-type]  # of pytest


def test_distillation_is_that_of_the_formula() -> None:
    now, then = torch.randn(6, 3), torch.randn(6, 3)
    taught = (then / 2).softmax(dim=1)
    wanted = 4 * (taught * (taught.log() - (now / 2).log_softmax(dim=1))).sum(dim=1).mean()
    assert distillation(now, then, "multiclass").item() == pytest.approx(wanted.item(), rel=1e-5)
    likely, taught = now.sigmoid(), then.sigmoid()
    divergence = taught * (taught / likely).log() + (1 - taught) * ((1 - taught) / (1 - likely)).log()
    assert distillation(now, then, "multilabel").item() == pytest.approx(divergence.mean().item(), rel=1e-4)


def test_the_old_answers_are_distilled_and_new_labels_left_alone() -> None:
    old, part = Net(outputs=2), examples(labels=2)
    new = grow(Net(outputs=3), old.state_dict()).eval()
    plain = objective_of(loss_of("multiclass", 0.0))
    batch, targets = part.batch(np.arange(30)), torch.from_numpy(part.targets)
    kept = distilled(plain, old, "multiclass")
    assert kept(new, batch, targets).item() == pytest.approx(plain(new, batch, targets).item(), abs=1e-5)
    with torch.no_grad():
        new.head.weight[0] += 1
    assert kept(new, batch, targets).item() > plain(new, batch, targets).item() + 1e-3


def test_remembered_rows_stand_where_they_were_asked_for() -> None:
    new, old = examples(5), examples(4, seed=1)
    wide = Remembered({"values": torch.cat([old.tensors["values"], torch.ones(4, 2)], dim=1)}, old.targets)
    both = rehearsed(batches(new), wide, marked=True)
    batch, targets = both[np.array([7, 0, 5, 3])]
    rows, remembered = apart(batch)
    assert remembered is not None
    assert remembered.tolist() == [True, False, True, False]
    assert REMEMBERED not in rows
    assert torch.equal(rows["values"][0], wide.tensors["values"][2])
    assert torch.equal(rows["values"][3, :4], new.tensors["values"][3])
    assert rows["values"][3, 4:].tolist() == [0, 0]
    assert targets.tolist() == [old.targets[2], new.targets[0], old.targets[0], new.targets[3]]


def test_old_targets_of_new_labels_are_unknown() -> None:
    one = Remembered({"values": torch.zeros(2, 1)}, np.array([[1], [0]], dtype=np.int8))
    other = Remembered({"values": torch.zeros(1, 1)}, np.array([[0, 1]], dtype=np.int8))
    assert one.joined(other).targets.tolist() == [[1, -1], [0, -1], [0, 1]]


def test_half_of_every_batch_is_remembered() -> None:
    sampler = HalfRemembered(100, 7, 16, seed=0)
    every = list(sampler)
    assert len(every) == len(sampler)
    assert sorted(position for batch in every for position in batch if position < 100) == list(range(100))
    assert all((batch >= 100).sum() == len(batch) / 2 for batch in every)
    again = list(sampler)
    assert all((one == other).all() for one, other in zip(every, again, strict=True))
    sampler.set_epoch(1)
    assert any((one != other).any() for one, other in zip(every, sampler, strict=True))


def test_a_memory_follows_the_working_network() -> None:
    memory_network, working = Net(), Net()
    wanted = 0.9 * memory_network.head.weight.detach() + 0.1 * working.head.weight.detach()
    follow(memory_network, working, 0.9)
    torch.testing.assert_close(memory_network.head.weight, wanted)


def test_the_stable_memory_answers_and_only_the_working_network_learns() -> None:
    network, part = DualMemory(Net()), examples()
    batch = part.batch(np.arange(30))
    with torch.no_grad():
        network.working.head.weight.zero_()
        network.working.head.bias.zero_()
    assert not network.train()(**batch).any()
    assert torch.equal(network.eval()(**batch), network.stable(**batch))
    assert not network.train().stable.training
    assert {name.split(".")[0] for name, weight in network.named_parameters() if weight.requires_grad} == {"working"}


def test_the_working_network_is_held_to_the_surer_memory() -> None:
    network, part = DualMemory(Net()).train(), examples()
    batch = {**part.batch(np.arange(30)), REMEMBERED: torch.ones(30, dtype=torch.bool)}
    targets = torch.from_numpy(part.targets)
    plain = objective_of(loss_of("multiclass", 0.0))
    network.working.eval()
    own = dual(plain, "multiclass")
    # All three begin alike, so that there is nothing to disagree about.
    assert own(network, batch, targets).item() == pytest.approx(
        plain(network.working, apart(batch)[0], targets).item(), abs=1e-5
    )
    with torch.no_grad():
        network.stable.head.bias.add_(nn.functional.one_hot(torch.tensor(0), 3) * 100)
    rows = part.batch(np.arange(30))
    sure, network.stepped = targets == 0, False
    wanted = torch.where(sure[:, None], network.stable(**rows), network.plastic(**rows))
    expected = plain(network.working, rows, targets) + 0.15 * nn.functional.mse_loss(network.working(**rows), wanted)
    assert own(network, batch, targets).item() == pytest.approx(expected.item(), rel=1e-5)


# Measures and scores


def test_forgetting_and_transfer_by_hand() -> None:
    matrix = np.array([[0.9, 0.4, np.nan], [0.95, 0.8, 0.3], [0.5, 0.7, 0.6]])
    found = transfer(matrix, np.array([0.1, 0.2, 0.1]))
    assert found.average == pytest.approx(0.6)
    assert found.forgetting == pytest.approx(((0.95 - 0.5) + (0.8 - 0.7)) / 2)
    assert found.backward == pytest.approx(((0.5 - 0.9) + (0.7 - 0.8)) / 2)
    assert found.forward == pytest.approx(((0.4 - 0.2) + (0.3 - 0.1)) / 2)


def test_one_step_forgets_nothing() -> None:
    found = transfer(np.array([[0.9]]))
    assert (found.average, found.forgetting, found.backward, found.forward) == (0.9, None, None, None)


def test_scores_choose_among_all_labels_or_those_of_the_step() -> None:
    outputs = np.array([[0.0, 3.0, 5.0], [4.0, 1.0, 5.0], [1.0, 2.0, 0.0]])
    assert score(THREE, outputs, np.array([1, 0, 1])) == pytest.approx(1 / 3)
    assert score(THREE, outputs, np.array([1, 0, 1]), ["a", "b"]) == 1.0
    assert chance(THREE, ["a", "b"]) == 0.5


def test_scores_of_values_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(20, 2))
    values = truth + generator.normal(size=(20, 2)) / 3
    assert score(VALUES, values, truth) == pytest.approx(r2_score(truth, values))
    missing = truth.copy()
    missing[:5, 1] = np.nan
    wanted = (r2_score(truth[:, 0], values[:, 0]) + r2_score(truth[5:, 1], values[5:, 1])) / 2
    assert score(VALUES, values, missing) == pytest.approx(wanted)


def test_scores_of_several_labels_are_mean_areas() -> None:
    outputs = np.array([[1.0, -1.0], [2.0, 1.0], [0.0, 3.0], [-1.0, 0.0]])
    assert score(SEVERAL, outputs, np.array([[1, 0], [1, 1], [0, 1], [0, 0]])) == 1.0
    assert score(SEVERAL, outputs, np.array([[0, -1], [0, -1], [1, -1], [1, -1]])) == 0.0


def test_members_are_averaged_by_their_probabilities() -> None:
    members, part = [Logistic(4, 3), Logistic(4, 3)], examples(6)
    likely = np.mean([torch.from_numpy(outputs_of(one, part)).softmax(dim=1).numpy() for one in members], axis=0)
    np.testing.assert_allclose(np.exp(averaged(members, part, THREE)), likely, rtol=1e-5)


# What is kept


def kept() -> Memory:
    step = Step("one.csv", "train", ("a", "b"), 30, {"table": "one.csv"}, (0.9,), (0.95,), None, 0.5)
    return Memory((step,), (examples(5),), examples(6, seed=1), ({"head.weight": torch.rand(3, 4)},))


def test_a_memory_is_read_as_it_was_written(tmp_path) -> None:
    assert read_memory(tmp_path) is None
    write_memory(tmp_path, kept())
    again = read_memory(tmp_path)
    assert again is not None
    assert again.steps == kept().steps
    assert torch.equal(again.exemplars.tensors["values"], examples(6, seed=1).tensors["values"])
    assert again.tests[0].targets.tolist() == examples(5).targets.tolist()
    assert set(again.information[0]) == {"head.weight"}


def test_an_altered_memory_is_refused(tmp_path) -> None:
    write_memory(tmp_path, kept())
    content = bytearray((tmp_path / memory.NUMBERS).read_bytes())
    content[-1] ^= 1
    (tmp_path / memory.NUMBERS).write_bytes(content)
    with pytest.raises(BundleError, match="not the one that was written"):
        read_memory(tmp_path)


def test_tests_are_kept_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(memory.kept_for_test(batches(examples(30)), 0)) == 30
    monkeypatch.setattr(memory, "MOST_TESTED", 7)
    assert len(memory.kept_for_test(batches(examples(30)), 0)) == 7
    monkeypatch.setattr(memory, "MOST_BYTES", 3 * 16)
    assert len(memory.kept_for_test(batches(examples(30)), 0)) == 3
