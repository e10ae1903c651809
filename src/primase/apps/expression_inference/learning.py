"""How the network of expression inference is built and learns, by what the settings and the number of samples say."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from primase.apps.expression_inference.configuration import InferenceNetworkSection
from primase.apps.expression_inference.encoding import EncodedProfiles, InferenceEncoder
from primase.apps.expression_inference.model import BinTable, InferenceNetwork, Layers, bin_error
from primase.data.encoding import Batch
from primase.training.fit import FitOptions
from primase.training.losses import absolute_error, objective_of, squared_error

FEW_SAMPLES: Final = 1_000
"""Up to so many training samples the network is held back most, and the less the more there are."""

MOST_DROPOUT: Final = 0.5
LEAST_DROPOUT: Final = 0.05
MOST_NOISE: Final = 0.6
LEAST_NOISE: Final = 0.1
COMPARED: Final = 2_000
"""How far samples are from each other is measured on so many at most, evenly spread."""


def dropout_for(samples: int) -> float:
    """Choose the dropout by the number of training samples.

    Examples
    --------
    >>> dropout_for(300), round(dropout_for(8_700), 2)
    (0.5, 0.21)
    """
    return float(np.clip(MOST_DROPOUT * (FEW_SAMPLES / max(samples, 1)) ** 0.4, LEAST_DROPOUT, MOST_DROPOUT))


def noise_for(samples: int) -> float:
    """Choose the noise on the landmarks, as a share of :func:`nearest_spread`, by the number of training samples.

    Examples
    --------
    >>> noise_for(300), round(noise_for(8_700), 2)
    (0.6, 0.25)
    """
    return float(np.clip(MOST_NOISE * (FEW_SAMPLES / max(samples, 1)) ** 0.4, LEAST_NOISE, MOST_NOISE))


def nearest_spread(values: Float[Tensor, "samples landmarks"]) -> Float[Tensor, "landmarks"]:
    """Measure how much each landmark varies between samples that are most alike, as a standard deviation.

    It is about that of the whole where samples are of one kind. Where batches or tissues lie far apart it is what
    varies within them, which noise must not drown.
    """
    rows = torch.linspace(0, len(values) - 1, min(len(values), COMPARED)).round().long()
    drawn = values[rows]
    distances = torch.cdist(drawn, drawn).fill_diagonal_(torch.inf)
    nearest = drawn[distances.argmin(dim=1)]
    spread: Tensor = ((drawn - nearest).square().mean(dim=0) / 2).sqrt()
    return spread


def build_network(own: InferenceEncoder, settings: InferenceNetworkSection) -> InferenceNetwork:
    """Build the untrained network."""
    layers = Layers(
        widths=(len(own.landmarks), *settings.hidden),
        activation=settings.activation,
        dropout=dropout_for(own.samples) if settings.dropout is None else settings.dropout,
        bounded=settings.output == "tanh",
    )
    ridge, bins = own.ridge, own.bins
    return InferenceNetwork(
        layers,
        own.targets,
        linear=None if ridge is None else (torch.from_numpy(ridge.weights), torch.from_numpy(ridge.intercept)),
        bins=None if bins is None else BinTable(torch.from_numpy(bins.edges), torch.from_numpy(bins.centres)),
    )


def fit_options(own: InferenceEncoder, encoded: EncodedProfiles, settings: InferenceNetworkSection) -> FitOptions:
    """Say what training makes small, what is measured on validation, and what noise makes it harder.

    Validation measures absolute errors, in which the figures are, unless training makes squared ones small.
    """
    share = noise_for(own.samples) if settings.noise is None else settings.noise
    spread = nearest_spread(encoded.values) * share

    def noisy(batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        values = batch["values"]
        return {**batch, "values": values + torch.randn_like(values) * spread.to(values.device)}, targets

    def cross_entropy(network: nn.Module, batch: Batch, targets: Tensor) -> Tensor:
        assert isinstance(network, InferenceNetwork)
        known = ~targets.isnan()
        return bin_error(network.bin_logits(batch["values"]), network.bin_of(targets), known.float())

    measured = objective_of(squared_error if settings.loss == "squared" else absolute_error)
    return FitOptions(
        kind="regression",
        objective=cross_entropy if settings.loss == "bins" else measured,
        criterion=measured,
        transform=noisy if share > 0 else None,
    )
