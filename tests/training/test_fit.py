import logging
import warnings
from dataclasses import replace
from itertools import pairwise

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from primase.data.encoding import SupervisedBatches
from primase.errors import Interrupted
from primase.events import Epoch, Progress
from primase.training.callbacks import AtomicCheckpoints
from primase.training.configuration import TrainingConfiguration
from primase.training.ensemble import MemberPlan, fit_members
from primase.training.fit import FitOptions, fit
from primase.training.losses import loss_of
from primase.training.sampling import OrderedBatches

SETTINGS = TrainingConfiguration(epochs=6, batch_size=16, learning_rate=0.02, patience=6, precision="32")


class Points:
    """Points of a plane."""

    def __init__(self, values):
        self.values = torch.from_numpy(values).float()

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"points": self.values[torch.from_numpy(indices)]}


class Network(nn.Module):
    """A small network with dropout and batch normalisation, whose random numbers must be kept in order."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 2))

    def forward(self, points):
        return self.layers(points)


def batches(count, seed):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, 2))
    return SupervisedBatches(Points(values), (values[:, 0] * values[:, 1] > 0).astype(np.int64))


@pytest.fixture
def data():
    return batches(200, 0), batches(60, 1)


def build(seed=0):
    torch.manual_seed(seed)
    return Network()


def state(fitted):
    return torch.cat([tensor.flatten().double() for tensor in fitted.network.state_dict().values()])


def test_it_learns(data, tmp_path):
    fitted = fit(build(), *data, SETTINGS.model_copy(update={"epochs": 30, "patience": 30}), seed=0, folder=tmp_path)
    assert fitted.history[fitted.best_epoch - 1]["validation_accuracy"] > 0.85
    assert not fitted.network.training
    assert fitted.precision == "32-true"


def test_the_history_has_a_row_per_epoch(data, tmp_path):
    fitted = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path)
    assert [row["epoch"] for row in fitted.history] == [1, 2, 3, 4, 5, 6]
    assert all({"train_loss", "validation_loss", "validation_accuracy"} <= set(row) for row in fitted.history)


def test_the_weights_are_those_of_the_best_epoch(data, tmp_path):
    fitted = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path)
    losses = [row["validation_loss"] for row in fitted.history]
    assert fitted.best_epoch == losses.index(min(losses)) + 1
    inputs, targets = data[1][np.arange(60)]
    with torch.inference_mode():
        loss = functional.cross_entropy(fitted.network(**inputs), targets)
    assert loss.item() == pytest.approx(min(losses), abs=1e-5)


def test_training_stops_when_validation_no_longer_improves(data, tmp_path):
    train, validation = data
    noise = SupervisedBatches(validation.inputs, np.random.default_rng(0).integers(2, size=60))
    settings = SETTINGS.model_copy(update={"epochs": 60, "patience": 2, "learning_rate": 0.1})
    fitted = fit(build(), train, noise, settings, seed=0, folder=tmp_path)
    assert len(fitted.history) == fitted.best_epoch + 2 < 60


def test_the_same_seed_gives_the_same_weights(data, tmp_path):
    first, second, other = (
        fit(build(), *data, SETTINGS, seed=seed, folder=tmp_path / str(number)) for number, seed in enumerate([4, 4, 5])
    )
    assert torch.equal(state(first), state(second))
    assert first.history == second.history
    assert not torch.equal(state(first), state(other))


def test_training_does_not_depend_on_random_numbers_drawn_before_or_change_those_after(data, tmp_path):
    first = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path / "first")
    network = build()
    torch.manual_seed(99)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(99))
    second = fit(network, *data, SETTINGS, seed=0, folder=tmp_path / "second")
    assert torch.equal(state(first), state(second))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("epoch", [1, 3, 6])
def test_a_resumed_training_ends_where_the_whole_one_ends(data, tmp_path, epoch):
    whole = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path / "whole")

    def interrupt(event):
        if isinstance(event, Epoch) and event.epoch == epoch:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        fit(build(), *data, SETTINGS, seed=0, folder=tmp_path / "parts", listener=interrupt)
    resumed = fit(build(7), *data, SETTINGS, seed=0, folder=tmp_path / "parts")
    if epoch > 1:  # before the first checkpoint, the network is what the caller hands over
        assert torch.equal(state(whole), state(resumed))
        assert whole.history == resumed.history
    assert len(resumed.history) == 6


def test_events(data, tmp_path):
    heard = []
    fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, listener=heard.append)
    epochs = [event for event in heard if isinstance(event, Epoch)]
    steps = [event for event in heard if isinstance(event, Progress)]
    assert [(event.epoch, event.epochs) for event in epochs] == [(number, 6) for number in range(1, 7)]
    assert all(later.done > earlier.done for earlier, later in pairwise(steps))
    assert steps[-1].done <= steps[-1].total


def test_nothing_is_printed_and_loggers_and_filters_stay_as_they_were(data, tmp_path, capfd):
    logger = logging.getLogger("lightning.pytorch")
    before = (logger.level, list(warnings.filters))
    fit(build(), *data, SETTINGS, seed=0, folder=tmp_path)
    assert capfd.readouterr() == ("", "")
    assert (logger.level, list(warnings.filters)) == before


def test_a_loss_of_ones_own_is_used_in_training_alone(data, tmp_path):
    def constant(logits, _targets):
        return logits.sum() * 0 + 3.0

    fitted = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, options=FitOptions(loss=constant))
    assert all(row["train_loss"] == pytest.approx(3.0) for row in fitted.history)
    assert all(0 < row["validation_loss"] < 2.9 for row in fitted.history)


def test_a_transform_sees_training_batches_alone(data, tmp_path):
    seen = []

    def transform(inputs, targets):
        seen.append(len(targets))
        return inputs, targets

    fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, options=FitOptions(transform=transform))
    assert sum(seen) == 200 * 6


def test_a_sampler_of_ones_own(data, tmp_path):
    options = FitOptions(sampler=OrderedBatches(200, 100))
    heard = []
    fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, options=options, listener=heard.append)
    assert next(event.total for event in heard if isinstance(event, Progress)) == 2 * 6


def test_an_objective_of_the_network_is_used_in_training_alone(data, tmp_path):
    asked = []

    def objective(network, inputs, targets):
        asked.append(len(targets))
        assert network.training
        return functional.cross_entropy(network(**inputs), 1 - targets) + 7

    fitted = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, options=FitOptions(objective=objective))
    assert sum(asked) == 200 * 6
    assert all(row["train_loss"] > 7 for row in fitted.history)
    assert all(row["validation_loss"] < 7 for row in fitted.history)
    # It learned the opposite.
    assert fitted.history[-1]["validation_accuracy"] < 0.5


def test_the_loss_of_logits_as_an_objective_changes_nothing(data, tmp_path):
    def objective(network, inputs, targets):
        return functional.cross_entropy(network(**inputs), targets)

    plain = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path / "plain")
    own = fit(build(), *data, SETTINGS, seed=0, folder=tmp_path / "own", options=FitOptions(objective=objective))
    assert torch.equal(state(plain), state(own))


def test_batches_are_of_one_group_where_there_are_groups(data, tmp_path):
    train, _ = data
    sides = (train.inputs.values[:, 0] > 0).long().numpy()
    seen, heard = [], []

    def transform(inputs, targets):
        seen.append((inputs["points"][:, 0] > 0).tolist())
        return inputs, targets

    options = FitOptions(groups=sides, transform=transform)
    fit(build(), *data, SETTINGS, seed=0, folder=tmp_path, options=options, listener=heard.append)
    assert all(len(set(batch)) == 1 for batch in seen)
    assert {batch[0] for batch in seen} == {False, True}
    assert sum(map(len, seen)) == 200 * 6
    assert next(event.total for event in heard if isinstance(event, Progress)) == len(seen)


def test_a_resumed_training_in_groups_ends_where_the_whole_one_ends(data, tmp_path):
    options = FitOptions(groups=np.arange(200) % 3)
    settings = SETTINGS.model_copy(update={"schedule": "constant"})
    whole = fit(build(), *data, settings, seed=0, folder=tmp_path / "whole", options=options)

    def interrupt(event):
        if isinstance(event, Epoch) and event.epoch == 4:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        fit(build(), *data, settings, seed=0, folder=tmp_path / "parts", options=options, listener=interrupt)
    resumed = fit(build(7), *data, settings, seed=0, folder=tmp_path / "parts", options=options)
    assert torch.equal(state(whole), state(resumed))
    assert whole.history == resumed.history


class Rates(lightning.Callback):
    """Notes the size of each step before it is made."""

    def __init__(self):
        self.found = []

    def on_train_batch_start(self, trainer, *_):
        self.found.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("schedule", ["one-cycle", "constant"])
def test_the_step_size_rises_and_falls_or_stays(data, tmp_path, schedule):
    rates = Rates()
    settings = SETTINGS.model_copy(update={"schedule": schedule})
    fit(build(), *data, settings, seed=0, folder=tmp_path, options=FitOptions(callbacks=[rates]))
    assert len(rates.found) == 13 * 6
    if schedule == "constant":
        assert set(rates.found) == {SETTINGS.learning_rate}
    else:
        top = rates.found.index(max(rates.found))
        assert max(rates.found) == pytest.approx(SETTINGS.learning_rate, rel=0.02)
        assert rates.found[:top] == sorted(rates.found[:top])
        assert rates.found[top:] == sorted(rates.found[top:], reverse=True)
        assert rates.found[-1] < 0.01 * SETTINGS.learning_rate


def test_label_smoothing():
    logits, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    smoothed = torch.full((5, 3), 0.1 / 3).scatter(1, targets[:, None], 0.9 + 0.1 / 3)
    expected = -(smoothed * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(loss_of("multiclass", 0.1)(logits, targets), expected)


# Members


def members(data, folder, seen=None, **settings):
    def listener(event):
        if seen is not None and isinstance(event, Epoch):
            seen.append(event.epoch)

    chosen = SETTINGS.model_copy(update={"epochs": 2, "members": 3, **settings})
    plans = [MemberPlan(Network, chosen)] * chosen.members
    return fit_members(plans, *data, seed=0, folder=folder, listener=listener)


def test_members_differ(data, tmp_path):
    first, second, third = map(state, members(data, tmp_path))
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_finished_members_are_read_again(data, tmp_path):
    seen = []
    before = members(data, tmp_path)
    again = members(data, tmp_path, seen)
    assert seen == []
    assert all(torch.equal(state(first), state(second)) for first, second in zip(before, again, strict=True))
    assert [member.history for member in before] == [member.history for member in again]
    assert [member.best_epoch for member in before] == [member.best_epoch for member in again]


def test_an_unfinished_member_is_not_taken_for_a_finished_one(data, tmp_path):
    seen = []
    before = members(data, tmp_path)
    (tmp_path / "member-2" / "finished.json").unlink()
    again = members(data, tmp_path, seen)
    assert all(torch.equal(state(first), state(second)) for first, second in zip(before, again, strict=True))
    assert load_file(tmp_path / "member-2" / "weights.safetensors")


def test_a_first_member_is_that_of_a_run_without_an_ensemble(data, tmp_path):
    alone = members(data, tmp_path / "alone", members=1)
    assert torch.equal(state(alone[0]), state(members(data, tmp_path / "three")[0]))


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path):
    place = tmp_path / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, place)
    with pytest.raises(Exception, match="pickle"):
        AtomicCheckpoints().save_checkpoint({"epoch": lambda: 2}, place)
    assert torch.load(place, weights_only=True) == {"epoch": 1}


@pytest.mark.parametrize("epochs", range(1, 12))
def test_any_number_of_steps_can_be_trained(data, tmp_path, epochs):
    train, validation = data
    settings = TrainingConfiguration(epochs=epochs, batch_size=256, patience=20, precision="32")
    small = SupervisedBatches(Points(train.inputs.values[:16].numpy()), train.targets[:16].numpy())
    assert len(fit(build(), small, validation, settings, seed=0, folder=tmp_path).history) == epochs


def test_a_run_that_had_stopped_is_not_trained_on(data, tmp_path):
    settings = SETTINGS.model_copy(update={"epochs": 30, "patience": 2, "learning_rate": 0.2})
    whole = fit(build(), *data, settings, seed=0, folder=tmp_path)
    assert len(whole.history) < 30
    again = fit(build(1), *data, settings, seed=0, folder=tmp_path)
    assert again.history == whole.history
    assert again.best_epoch == whole.best_epoch
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name])


def test_the_loss_of_several_labels_leaves_out_what_is_not_known():
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], requires_grad=True)
    targets = torch.tensor([[1, -1], [0, -1]], dtype=torch.int8)
    loss = loss_of("multilabel", 0.0)(logits, targets)
    expected = functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert torch.equal(logits.grad[:, 1], torch.zeros(2))


@pytest.mark.parametrize(("capabilities", "expected"), [({"avx512_bf16": True}, "bf16-mixed"), ({}, "32-true")])
def test_the_processor_decides_the_precision(data, tmp_path, monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    settings = SETTINGS.model_copy(update={"epochs": 1, "precision": "auto", "device": "cpu"})
    assert fit(build(), *data, settings, seed=0, folder=tmp_path).precision == expected


def test_members_may_differ_in_kind_and_settings(data, tmp_path):
    longer = SETTINGS.model_copy(update={"epochs": 3})
    plans = [MemberPlan(Network, SETTINGS.model_copy(update={"epochs": 2})), MemberPlan(Wide, longer)]
    first, second = fit_members(plans, *data, seed=0, folder=tmp_path)
    assert isinstance(second.network, Wide)
    assert (len(first.history), len(second.history)) == (2, 3)


class Wide(Network):
    """Another network than the first."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(2, 2)


def test_a_further_phase_goes_on_with_the_fitted_network_and_is_kept(data, tmp_path):
    seen = []

    def then(fitted, course):
        seen.append((len(course.train), len(course.validation), course.seed, course.folder.name))
        with torch.no_grad():
            fitted.network.layers[0].bias.fill_(7.0)
        return replace(fitted, phases={"second": [{"epoch": 1, "loss": 0.5}]})

    plans = [MemberPlan(Network, SETTINGS, FitOptions(then=then))]
    (before,) = fit_members(plans, *data, seed=3, folder=tmp_path)
    (again,) = fit_members(plans, *data, seed=3, folder=tmp_path)
    assert seen == [(200, 60, 3, "member-1")]
    assert before.phases == again.phases == {"second": [{"epoch": 1, "loss": 0.5}]}
    assert torch.equal(again.network.layers[0].bias, torch.full((16,), 7.0))


def test_groups_of_weights_learn_at_their_rates_and_frozen_ones_not_at_all(data, tmp_path):
    network = build()
    before = {name: value.clone() for name, value in network.named_parameters()}
    network.layers[2].requires_grad_(requires_grad=False)

    def parameters(own):
        return [{"params": own.layers[0].parameters(), "rate": 0.0}, {"params": own.layers[4].parameters()}]

    fit(network, *data, SETTINGS, seed=0, folder=tmp_path / "groups", options=FitOptions(parameters=parameters))
    after = dict(network.named_parameters())
    assert torch.equal(after["layers.0.weight"], before["layers.0.weight"])
    assert torch.equal(after["layers.2.weight"], before["layers.2.weight"])
    assert not torch.equal(after["layers.4.weight"], before["layers.4.weight"])
    network = build()
    network.layers[2].requires_grad_(requires_grad=False)
    fit(network, *data, SETTINGS, seed=0, folder=tmp_path / "default")
    assert torch.equal(network.layers[2].weight, before["layers.2.weight"])
    assert not torch.equal(network.layers[0].weight, before["layers.0.weight"])
