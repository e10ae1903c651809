"""The adversarial phase: a generator trained on pixels learns to be taken for the truth by a second network."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, cast, final

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import l1_loss, softplus
from torch.utils.data import DataLoader, Sampler

from primase.data.encoding import Batch, largest_batch
from primase.training.callbacks import EpochEvents, EpochSeed
from primase.training.fit import Course, quiet_trainer
from primase.training.modules import VALIDATION_LOSS, BatchTransform
from primase.training.sampling import OrderedBatches

CHECKPOINT: Final = "adversarial"
STAGE: Final = "adversarial"
HEAD_START: Final = 0.1
"""For this share of the steps the discriminator learns alone, so that it knows something before it is listened to."""
GRADIENT_NORM: Final = 1.0
MOMENTA: Final = (0.9, 0.99)
AVERAGED_STEPS: Final = 50
"""The generator that is kept is a moving average over about so many steps, or over a tenth of them all if that is less:
one player's last step is an answer to the other's last step."""

PictureDistance = Callable[[Tensor, Tensor], Tensor]
"""Of made and true pictures, shape (batch, channels, height, width): one number, small where they look alike."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class AdversarialPlan:
    """How the two networks play against each other.

    Parameters
    ----------
    truth
        The name of the true pictures in a batch; the generator is given the rest of it.
    perceptual
        How differently a third network, which does not learn, sees made and true pictures.
    pattern
        How much of a regular pattern made pictures have that true ones have not.
    pixel_weight, perceptual_weight, pattern_weight, adversarial_weight
        By how much each part counts in what the generator makes small.
    epochs, learning_rate
        Of both networks.
    sampler
        Batches of training positions.
    transform
        Changes a training batch before the networks see it.
    """

    truth: str
    perceptual: PictureDistance
    pattern: PictureDistance
    pixel_weight: float
    perceptual_weight: float
    pattern_weight: float
    adversarial_weight: float
    epochs: int
    learning_rate: float
    sampler: Sampler[Any]
    transform: BatchTransform | None = None


@final
class AdversarialModule(lightning.LightningModule):
    """Learn in turns: the discriminator to tell true from made pictures, the generator to be mistaken for the truth.

    The generator makes small: the absolute error of pixels, the distance that the perceptual network sees, regular
    patterns, and the discriminator's certainty that a made picture is made (Goodfellow et al. 2014, in the form that
    does not saturate). What is kept of it is a moving average of its weights.
    """

    taken: Tensor

    def __init__(self, generator: nn.Module, discriminator: nn.Module, plan: AdversarialPlan, *, steps: int) -> None:
        super().__init__()
        self.generator = generator
        self.averaged = deepcopy(generator).requires_grad_(requires_grad=False)
        self.discriminator = discriminator
        self.plan = plan
        self.steps = steps
        # Kept with the weights, so that an interrupted run goes on where it was.
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))
        # Lightning's own loop knows one optimiser.
        self.automatic_optimization = False

    def training_step(self, batch: tuple[Batch, Tensor], _index: int) -> None:
        """Take one step of each network, or of the discriminator alone."""
        inputs, _ = batch if self.plan.transform is None else self.plan.transform(*batch)
        given = {name: tensor for name, tensor in inputs.items() if name != self.plan.truth}
        truth = inputs[self.plan.truth]
        of_generator, of_discriminator = cast("list[Any]", self.optimizers())
        made = self.generator(**given)
        told = self._step_of_discriminator(truth, made.detach(), of_discriminator)
        alone = int(self.taken) < int(self.steps * HEAD_START)
        judged = self._step_of_generator(truth, made, None if alone else of_generator)
        schedules = cast("list[Any]", self.lr_schedulers())
        for schedule in schedules[1:] if alone else schedules:
            schedule.step()
        self.taken += 1
        self._average()
        self.log_dict({**told, **judged}, on_step=False, on_epoch=True, batch_size=len(truth), sync_dist=True)

    def _average(self) -> None:
        """Bring the averaged weights a little nearer to those of now."""
        share = 1 / max(min(AVERAGED_STEPS, int(self.steps * HEAD_START)), 1)
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(now, share)

    def _step_of_discriminator(self, truth: Tensor, made: Tensor, optimiser: Any) -> dict[str, Tensor]:
        of_truth, of_made = self.discriminator(truth), self.discriminator(made)
        loss = (softplus(-of_truth) + softplus(of_made)).mean()
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        right = torch.cat([of_truth > 0, of_made <= 0]).float().mean()
        return {"discriminator_loss": loss.detach(), "discriminator_accuracy": right}

    def _step_of_generator(self, truth: Tensor, made: Tensor, optimiser: Any | None) -> dict[str, Tensor]:
        """Measure what the generator makes small, and take a step where it has an optimiser."""
        plan = self.plan
        # The discriminator passes gradients on, and gathers none itself.
        self.discriminator.requires_grad_(requires_grad=False)
        parts = {
            "pixel_loss": l1_loss(made, truth) * plan.pixel_weight,
            "perceptual_loss": plan.perceptual(made, truth) * plan.perceptual_weight,
            "pattern_loss": plan.pattern(made, truth) * plan.pattern_weight,
            "adversarial_loss": softplus(-self.discriminator(made)).mean() * plan.adversarial_weight,
        }
        if optimiser is not None:
            optimiser.zero_grad()
            self.manual_backward(torch.stack([*parts.values()]).sum())
            nn.utils.clip_grad_norm_(self.generator.parameters(), GRADIENT_NORM)
            optimiser.step()
        self.discriminator.requires_grad_(requires_grad=True)
        return {name: part.detach() for name, part in parts.items()}

    def validation_step(self, batch: tuple[Batch, Tensor], _index: int) -> None:
        """Measure on validation what training makes small beside the game itself."""
        inputs, _ = batch
        truth = inputs[self.plan.truth]
        plan = self.plan
        made = self.averaged(**{name: tensor for name, tensor in inputs.items() if name != plan.truth})
        pixel, perceptual, pattern = l1_loss(made, truth), plan.perceptual(made, truth), plan.pattern(made, truth)
        together = pixel * plan.pixel_weight + perceptual * plan.perceptual_weight + pattern * plan.pattern_weight
        measured = {
            VALIDATION_LOSS: together,
            "validation_error": pixel,
            "validation_perceptual_loss": perceptual,
            "validation_pattern": pattern,
        }
        self.log_dict(measured, on_step=False, on_epoch=True, batch_size=len(truth), sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Make an Adam for each network, whose step size halves at half of the time, and again at three quarters."""
        optimisers = [
            torch.optim.Adam(network.parameters(), lr=self.plan.learning_rate, betas=MOMENTA)
            for network in (self.generator, self.discriminator)
        ]
        milestones = sorted({max(self.steps // 2, 1), max(self.steps * 3 // 4, 1)})
        # The generator's comes first, as it is left out while the discriminator learns alone.
        schedules = [torch.optim.lr_scheduler.MultiStepLR(one, milestones, gamma=0.5) for one in optimisers]
        return optimisers, schedules


def fit_adversarial(
    generator: nn.Module, discriminator: nn.Module, plan: AdversarialPlan, course: Course
) -> list[dict[str, float]]:
    """Train a generator further, in place, against a discriminator, and return the learning curves.

    The averaged weights at the end are taken: what the networks are to each other shows in no loss that could be
    stopped by. All is computed in 32 bits, as bfloat16 has no finer steps of intensity than a picture of 8 bits.
    After every epoch both are kept in the folder, so that an interrupted run goes on and ends at the same weights.

    Parameters
    ----------
    generator, discriminator
        Take the tensors of a batch, but for the truth, as keyword arguments; and pictures.
    """
    steps = plan.epochs * len(plan.sampler)  # type: ignore[arg-type]  # Sampler declares no __len__; ours have it
    module = AdversarialModule(generator, discriminator, plan, steps=steps)
    events = EpochEvents(STAGE, course.listener)
    last = ModelCheckpoint(course.folder, CHECKPOINT, enable_version_counter=False)
    resumed = course.folder / f"{CHECKPOINT}.ckpt"
    callbacks = [EpochSeed(course.seed, plan.sampler), events, last]
    validation = OrderedBatches(len(course.validation), largest_batch(course.validation.inputs))
    exact = {"precision": "32-true"}
    with quiet_trainer(course.configuration, plan.epochs, course.folder, callbacks, exact) as trainer:
        trainer.fit(
            module,
            DataLoader(course.train, sampler=plan.sampler, batch_size=None, generator=torch.Generator()),
            DataLoader(course.validation, sampler=validation, batch_size=None, generator=torch.Generator()),
            ckpt_path=resumed if resumed.exists() else None,
            weights_only=True,
        )
    generator.load_state_dict(module.averaged.state_dict())
    generator.cpu().eval()
    return events.history
