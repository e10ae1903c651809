from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from primase.data.encoding import SupervisedBatches
from primase.events import Progress
from primase.nn.adversarial import Discriminator, ResidualGenerator
from primase.training.adversarial import AVERAGED_STEPS, AdversarialModule, AdversarialPlan, fit_adversarial
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import Course, loader, quiet_trainer
from primase.training.sampling import OrderedBatches, ShuffledBatches


class Crops:
    def __init__(self, count):
        generator = torch.Generator().manual_seed(0)
        self.sharp = torch.rand(count, 1, 16, 16, generator=generator)
        self.low = torch.nn.functional.avg_pool2d(self.sharp, 2)

    def __len__(self):
        return len(self.low)

    def batch(self, indices):
        return {"low": self.low[indices], "sharp": self.sharp[indices]}


def batches(count):
    return SupervisedBatches(Crops(count), np.empty((count, 0), dtype=np.float32))


def mean_difference(made, truth):
    return (made.mean(dim=(2, 3)) - truth.mean(dim=(2, 3))).abs().mean()


def plan(**changes):
    usual = AdversarialPlan(
        truth="sharp",
        perceptual=mean_difference,
        pattern=mean_difference,
        pixel_weight=1.0,
        perceptual_weight=0.1,
        pattern_weight=0.1,
        adversarial_weight=0.01,
        epochs=3,
        learning_rate=1e-3,
        sampler=ShuffledBatches(16, 4, seed=5),
    )
    return replace(usual, **changes)


def networks():
    torch.manual_seed(3)
    return ResidualGenerator(1, width=4, blocks=1, scale=2), Discriminator(1, width=4)


def course(folder, listener=lambda event: None):
    settings = TrainingConfiguration(device="cpu", precision="32")
    return Course(batches(16), batches(4), settings, 7, folder, listener)


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_both_networks_learn_and_all_parts_are_in_the_history(tmp_path):
    generator, discriminator = networks()
    before = weights(generator), weights(discriminator)
    history = fit_adversarial(generator, discriminator, plan(), course(tmp_path))
    for network, old in zip((generator, discriminator), before, strict=True):
        assert any((value != old[name]).any() for name, value in network.state_dict().items())
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert set(history[0]) >= {
        "discriminator_loss",
        "discriminator_accuracy",
        "pixel_loss",
        "perceptual_loss",
        "pattern_loss",
        "adversarial_loss",
        "validation_error",
    }


def test_steps_are_told_up_to_their_end_and_no_further(tmp_path):
    told = []
    fit_adversarial(*networks(), plan(), course(tmp_path, told.append))
    progress = [(event.done, event.total) for event in told if isinstance(event, Progress)]
    assert progress == [(number, 12) for number in range(1, 13)]


def test_an_interrupted_phase_ends_at_the_same_weights(tmp_path):
    whole, _ = networks()
    history = fit_adversarial(whole, networks()[1], plan(), course(tmp_path / "whole"))

    class StopError(Exception):
        pass

    def interrupting(event):
        if getattr(event, "epoch", 0) == 2:
            raise StopError

    generator, discriminator = networks()
    with pytest.raises(StopError):
        fit_adversarial(generator, discriminator, plan(), course(tmp_path / "cut", interrupting))
    generator, discriminator = networks()
    again = fit_adversarial(
        generator, discriminator, plan(sampler=ShuffledBatches(16, 4, seed=5)), course(tmp_path / "cut")
    )
    assert again == history
    for name, value in generator.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name


def test_a_finished_phase_is_not_begun_again(tmp_path):
    generator, discriminator = networks()
    first = fit_adversarial(generator, discriminator, plan(), course(tmp_path))
    learned = weights(generator)
    again, _ = networks()
    assert fit_adversarial(again, networks()[1], plan(), course(tmp_path)) == first
    assert all(torch.equal(value, learned[name]) for name, value in again.state_dict().items())


def test_what_weighs_nothing_changes_nothing(tmp_path):
    frozen = plan(pixel_weight=0.0, perceptual_weight=0.0, pattern_weight=0.0, adversarial_weight=0.0)
    generator, discriminator = networks()
    before = weights(generator)
    fit_adversarial(generator, discriminator, frozen, course(tmp_path))
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


@pytest.mark.parametrize("part", ["perceptual", "pattern"])
def test_what_pictures_look_like_reaches_the_generator(part, tmp_path):
    nothing = dict.fromkeys(("pixel_weight", "perceptual_weight", "pattern_weight", "adversarial_weight"), 0.0)
    only = plan(**{**nothing, f"{part}_weight": 1.0}, epochs=20)
    generator, discriminator = networks()
    nn.init.constant_(generator.tail.bias, 0.3)
    history = fit_adversarial(generator, discriminator, only, course(tmp_path))
    assert history[-1]["validation_loss"] < history[0]["validation_loss"] / 2


def test_the_discriminator_learns_alone_at_first(tmp_path):
    generator, discriminator = networks()
    before = weights(generator), weights(discriminator)
    # One of ten steps is the head start.
    few = AdversarialModule(generator, discriminator, plan(), steps=40)
    settings = TrainingConfiguration(device="cpu")
    with quiet_trainer(settings, 1, tmp_path, [], {"precision": "32-true"}) as trainer:
        trainer.fit(few, loader(batches(16), ShuffledBatches(16, 4, seed=5)), loader(batches(4), OrderedBatches(4, 4)))
    assert all(torch.equal(value, before[0][name]) for name, value in generator.state_dict().items())
    assert any((value != before[1][name]).any() for name, value in discriminator.state_dict().items())


def test_what_is_kept_is_a_moving_average():
    generator, discriminator = networks()
    start = weights(generator)
    last = AdversarialModule(generator, discriminator, plan(), steps=1000)
    with torch.no_grad():
        for parameter in last.generator.parameters():
            parameter.add_(1.0)
    last._average()  # as no step of training moves weights by a known amount
    for name, value in last.averaged.state_dict().items():
        torch.testing.assert_close(value, start[name] + 1 / AVERAGED_STEPS)


def test_all_is_computed_in_32_bits(tmp_path):
    seen = []

    def watched(made, truth):
        seen.append((made.dtype, torch.is_autocast_enabled("cpu")))
        return mean_difference(made, truth)

    settings = TrainingConfiguration(device="cpu", precision="bf16")
    generator, discriminator = networks()
    rough = Course(batches(16), batches(4), settings, 7, tmp_path)
    fit_adversarial(generator, discriminator, plan(epochs=1, perceptual=watched), rough)
    assert set(seen) == {(torch.float32, False)}


def test_the_discriminator_passes_gradients_on_and_gathers_its_own_again(tmp_path):
    generator, discriminator = networks()
    fit_adversarial(generator, discriminator, plan(epochs=1), course(tmp_path))
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
