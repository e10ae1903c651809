"""How the auto-encoder learns: what training makes small, what weighs more by and by, where new samples will lie."""

from __future__ import annotations

from typing import Final, final

import lightning.pytorch as lightning
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.apps.expression_embedding.axes import sampled
from primase.apps.expression_embedding.configuration import EmbeddingNetworkSection
from primase.apps.expression_embedding.encoding import EncodedProfiles, ProfileEncoder
from primase.apps.expression_embedding.model import ExpressionVAE, Shape
from primase.data.encoding import Batch
from primase.data.examples import evenly_spread
from primase.nn.latent import clusters_for
from primase.training.fit import FitOptions

MOST_SAMPLES: Final = 10_000
"""Gaussians of the latent space are fitted to so many samples of train at most, evenly spread."""
GRADIENT_NORM: Final = 1.0
FEW_SAMPLES: Final = 1_000
MOST_DROPOUT: Final = 0.5
LEAST_DROPOUT: Final = 0.1


def dropout_for(samples: int) -> float:
    """Choose the dropout by the number of training samples.

    Examples
    --------
    >>> dropout_for(300), round(dropout_for(8_700), 2)
    (0.5, 0.1)
    """
    held: float = MOST_DROPOUT * (FEW_SAMPLES / max(samples, 1)) ** 0.75
    return min(MOST_DROPOUT, max(LEAST_DROPOUT, held))


def build_network(own: ProfileEncoder, settings: EmbeddingNetworkSection) -> ExpressionVAE:
    """Build the untrained network; where it is trained, at the principal components."""
    shape = Shape(
        genes=len(own.genes),
        conditions=len(own.conditions),
        likelihood=own.likelihood,
        dropout=dropout_for(own.samples) if settings.dropout is None else settings.dropout,
        clusters=clusters_for(len(own.conditions) or 1, own.samples),
    )
    return ExpressionVAE(shape, settings, start=own.start, positives=own.positives)


def fit_options(encoded: EncodedProfiles, settings: EmbeddingNetworkSection) -> FitOptions:
    """Say what training makes small, and what is measured on validation: the same, with the whole divergence."""
    weight = 0.0 if settings.autoencoder else settings.beta

    def objective(network: nn.Module, batch: Batch, targets: Tensor) -> Tensor:
        del targets
        return vae(network).objective(**batch)

    def criterion(network: nn.Module, batch: Batch, targets: Tensor) -> Tensor:
        del targets
        return vae(network).criterion(weight, **batch)

    return FitOptions(
        kind="generative",
        objective=objective,
        criterion=criterion,
        callbacks=(WarmUp(weight, settings.warm_up_epochs), PriorFit(encoded)),
        trainer={"gradient_clip_val": GRADIENT_NORM},
    )


@final
class WarmUp(lightning.Callback):
    """Let the weight of the divergence rise evenly from 0 (Sønderby et al. 2016); a function of the epoch alone.

    With one epoch of it the first epoch has no divergence, as Tybalt was trained.
    """

    def __init__(self, weight: float, epochs: int) -> None:
        self.weight = weight
        self.epochs = epochs

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Set the weight of this epoch."""
        share = min(1.0, trainer.current_epoch / self.epochs) if self.epochs else 1.0
        vae(pl_module.network).divergence_weight = self.weight * share


@final
class PriorFit(lightning.Callback):
    """Fit the Gaussians that new samples are drawn from, before each validation, so that every checkpoint has them."""

    def __init__(self, train: EncodedProfiles) -> None:
        chosen = sampled(len(train), len(train.profiles.columns))
        self.positions = chosen if len(chosen) <= MOST_SAMPLES else evenly_spread(len(train), MOST_SAMPLES)
        self.train = train
        self.batches: list[Batch] = []

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Embed the training part, and fit."""
        del trainer
        network = vae(pl_module.network)
        if not network.has_fitted_prior:
            told = self.train.conditions
            counts = None if told is None else np.bincount(told, minlength=network.conditions)
            network.prior.stand(network.spread, counts)
            return
        if not self.batches:
            size = self.train.largest_batch
            places = range(0, len(self.positions), size)
            self.batches = [self.train.batch(self.positions[place : place + size]) for place in places]
        means, variances, groups = latent_of(network, self.batches)
        network.prior.fit(means, np.zeros_like(variances) if network.is_autoencoder else variances, groups)


@torch.no_grad()
def latent_of(
    network: ExpressionVAE, batches: list[Batch]
) -> tuple[Float[np.ndarray, "samples latent"], Float[np.ndarray, "samples latent"], Int[np.ndarray, "samples"] | None]:
    """Return mean and variance of the latent distribution of each sample, and its condition if there are any."""
    was_training, device = network.training, network.spread.device
    network.eval()
    means, variances = [], []
    for batch in batches:
        mean, log_variance = network.embed(**{name: tensor.to(device) for name, tensor in batch.items()})
        means.append(mean.double().cpu().numpy())
        variances.append(log_variance.double().exp().cpu().numpy())
    network.train(was_training)
    groups = np.concatenate([batch["condition"].numpy() for batch in batches]) if network.conditions else None
    return np.concatenate(means), np.concatenate(variances), groups


def vae(network: object) -> ExpressionVAE:
    """Say that a network is the one of this application."""
    assert isinstance(network, ExpressionVAE)
    return network
