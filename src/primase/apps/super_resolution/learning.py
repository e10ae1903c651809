"""How the generator learns: to miss few intensities, and then to be mistaken for the truth."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final, final

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss, pixel_unshuffle

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.apps.super_resolution.crops import DrawnBatches, crop_count, plane_sizes
from primase.apps.super_resolution.encoding import PictureEncoder
from primase.apps.super_resolution.model import SuperResolutionNetwork, super_resolution_network
from primase.data.encoding import Batch
from primase.nn.adversarial import Discriminator
from primase.training.adversarial import AdversarialPlan, PictureDistance, fit_adversarial
from primase.training.fit import Course, FitOptions
from primase.training.fitted import Fitted

GRADIENT_NORM: Final = 1.0
TRUTH: Final = "sharp"
PHASE: Final = "adversarial"
PATTERN_REACH: Final = 6
"""A pattern is what repeats over so many pixels of low resolution."""
PATTERN_WEIGHT: Final = 30.0
"""By how much it counts, beside the absolute error of pixels: less leaves hatching in even areas."""


def fit_options(
    encoder: PictureEncoder,
    train: Pictures,
    configuration: SuperResolutionConfiguration,
    perceptual: PictureDistance | None,
) -> FitOptions:
    """Say what both phases of training make small, and what crops they see.

    Parameters
    ----------
    perceptual
        For the adversarial phase; None where there is to be none.
    """
    settings = configuration.training
    count = crop_count(plane_sizes(encoder, train, settings.zooms), settings.patch, encoder.scale)
    then = None
    if perceptual is not None:
        plan = AdversarialPlan(
            truth=TRUTH,
            perceptual=perceptual,
            pattern=partial(pattern_error, scale=encoder.scale),
            pixel_weight=settings.pixel_weight,
            perceptual_weight=settings.perceptual_weight,
            pattern_weight=PATTERN_WEIGHT,
            adversarial_weight=settings.adversarial_weight,
            epochs=settings.adversarial_epochs,
            learning_rate=settings.adversarial_learning_rate,
            # Other crops than those of the first phase, whose seeds are small.
            sampler=DrawnBatches(
                count, settings.adversarial_batch_size, settings.adversarial_steps, configuration.seed + 2**32
            ),
        )
        then = partial(adversarial_phase, plan=plan, width=configuration.network.discriminator_width)
    return FitOptions(
        kind="image",
        objective=pixel_error,
        criterion=pixel_error,
        sampler=DrawnBatches(count, settings.batch_size, settings.steps, configuration.seed),
        callbacks=(ClippedGradients(),),
        then=then,
    )


@final
class ClippedGradients(lightning.Callback):
    """Keep steps small where gradients are large, which the high step size of the pixel phase needs now and then.

    Lightning's own way refuses the fused optimiser under mixed precision; in bfloat16 gradients are not scaled.
    """

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Scale all gradients down together where their norm is too large."""
        del trainer, optimizer
        nn.utils.clip_grad_norm_(pl_module.parameters(), GRADIENT_NORM)


def pixel_error(network: nn.Module, batch: Batch, targets: Tensor) -> Tensor:
    """Measure the mean absolute error of intensities, which blurs edges less than squared errors do."""
    del targets
    return l1_loss(network(**batch), batch[TRUTH])


def pattern_error(made: Tensor, truth: Tensor, *, scale: int) -> Tensor:
    """Measure what repeats from each pixel of low resolution to the next in made pictures and not in true ones.

    A generator that is to add texture where it sees none draws the same sub-pixels again and again: a checkerboard
    (Odena et al. 2016). Each of the scale x scale sub-pixels is averaged over neighbouring pixels of low resolution,
    where texture that does not keep to their grid vanishes and such a pattern stays.
    """
    places = pixel_unshuffle(made.float() - truth.float(), scale)  # (batch, scale², height, width) at low resolution
    reach = min(PATTERN_REACH, *places.shape[2:])
    return avg_pool2d(places, reach, stride=1).abs().mean()


def adversarial_phase(fitted: Fitted, course: Course, *, plan: AdversarialPlan, width: int) -> Fitted:
    """Let the second generator begin where the first ended, and go on against a discriminator."""
    network = super_resolution_network(fitted.network)
    generator = network.generator(adversarial=True)
    generator.load_state_dict(network.pixel.state_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(course.seed)
        discriminator = Discriminator(1, width)
    discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from the declarations
    generator.requires_grad_(requires_grad=True)
    history = fit_adversarial(generator, discriminator, plan, course)
    generator.requires_grad_(requires_grad=False)
    return replace(fitted, network=network.eval(), phases={**fitted.phases, PHASE: history})


def build_network(encoder: PictureEncoder, configuration: SuperResolutionConfiguration) -> SuperResolutionNetwork:
    """Build the untrained network."""
    return SuperResolutionNetwork(configuration.network, encoder.scale, adversarial=encoder.adversarial)
