"""The variational auto-encoder: a sample becomes a few numbers, and these become a sample again.

::

    values ─┬─ layers ───────────────▶ mean, log variance ─draw─▶ latent ─┬─ layers ───────────────▶ expectation
            └─ principal components ─▶ (batch, latent)                    └─ principal components ─▶ (batch, genes)

The principal components stay as they are: layers learn what they miss, so that few samples do no harm. The expectation
of each gene is what is reconstructed. Beside it the decoder says how values scatter about it, for new
samples: the probability of an exact zero, and the mean and spread of what is above zero (a hurdle model, Mullahy 1986).
That part learns from the latent numbers without changing them: the thousands of zeros of silent genes would otherwise
decide what the few latent numbers are about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, one_hot, softplus

from primase.apps.expression_embedding.axes import Start
from primase.apps.expression_embedding.configuration import EmbeddingNetworkSection, Likelihood
from primase.nn.latent import (
    LatentMixture,
    dense,
    divergence,
    drawn,
    inverse_positive_part,
    positive_part,
)

LEAST_LOG_SPREAD: Final = -2.0
"""Of values above zero, in units of their deviation in train: fewer of them could be learned by heart."""
MOST_LOG_SPREAD: Final = 2.0
_LOG_VARIANCES: Final = (-10.0, 6.0)
_EPSILON: Final = 1e-6

Latent = Float[Tensor, "batch latent"]
Genes = Float[Tensor, "batch genes"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Positives:
    """What is known of the values above zero in train, per gene, as :func:`inverse_positive_part` of them.

    Parameters
    ----------
    means, deviations
        Mean and standard deviation.
    zeros
        The share of samples in which the gene is exactly zero.
    """

    means: Float[Tensor, "genes"]
    deviations: Float[Tensor, "genes"]
    zeros: Float[Tensor, "genes"]


@final
@dataclass(frozen=True, slots=True)
class Shape:
    """What the settings leave open until the data are known.

    Parameters
    ----------
    genes, conditions
        How many there are; no condition where the network is told nothing but the profile.
    likelihood, dropout
        As in the settings, or as was found to suit the data.
    clusters
        By how many Gaussians new samples of each condition are described at most.
    """

    genes: int
    conditions: int
    likelihood: Likelihood
    dropout: float
    clusters: int = 1


@final
class Encoder(nn.Module):
    """From a profile to the Gaussian of its latent numbers."""

    def __init__(self, shape: Shape, settings: EmbeddingNetworkSection) -> None:
        super().__init__()
        width = shape.genes + shape.conditions
        self.layers = dense((width, *settings.hidden), shape.dropout)
        last = settings.hidden[-1] if settings.hidden else width
        self.mean = _head(last, settings.latent, settings.heads)
        self.log_variance = _head(last, settings.latent, settings.heads)

    def forward(self, values: Genes, known: Float[Tensor, "batch conditions"]) -> tuple[Latent, Latent]:
        """Return mean and logarithm of the variance."""
        hidden = self.layers(torch.cat([values, known], dim=1))
        return self.mean(hidden), self.log_variance(hidden).clamp(*_LOG_VARIANCES)


@final
class Decoder(nn.Module):
    """From latent numbers, in units of their spread, to numbers per gene: layers, beside a linear map if asked for."""

    def __init__(self, outputs: int, shape: Shape, settings: EmbeddingNetworkSection, *, linear: bool) -> None:
        super().__init__()
        width = settings.latent + shape.conditions
        self.layers = dense((width, *settings.hidden[::-1]), shape.dropout)
        self.output = nn.Linear(settings.hidden[0] if settings.hidden else width, outputs)
        self.linear = nn.Linear(width, outputs) if linear else None
        if self.linear is not None:
            _silence(self.output)
            _silence(self.linear)

    def forward(self, latent: Latent, known: Float[Tensor, "batch conditions"]) -> Float[Tensor, "batch outputs"]:
        """Return the outputs."""
        whole = torch.cat([latent, known], dim=1)
        found: Tensor = self.output(self.layers(whole))
        return found if self.linear is None else found + self.linear(whole)


@final
class ExpressionVAE(nn.Module):
    """The whole network.

    Parameters
    ----------
    start
        Where the linear path begins; None where weights are loaded, or there is no such path.
    positives
        Of a zero-inflated likelihood, likewise.
    """

    axes: Tensor
    spread: Tensor
    positive_means: Tensor
    positive_deviations: Tensor

    def __init__(
        self,
        shape: Shape,
        settings: EmbeddingNetworkSection,
        *,
        start: Start | None = None,
        positives: Positives | None = None,
    ) -> None:
        super().__init__()
        genes = shape.genes
        self.genes, self.conditions, self.latent = genes, shape.conditions, settings.latent
        self.likelihood: Final = shape.likelihood
        self.is_autoencoder: Final = settings.autoencoder
        self.has_fitted_prior: Final = settings.prior == "fitted"
        self.is_bounded: Final = settings.scaling == "minmax"
        self.encoder = Encoder(shape, settings)
        self.decoder = Decoder(genes, shape, settings, linear=False)
        self.log_noise = nn.Parameter(torch.zeros(()))
        self.scatter = None
        if shape.likelihood == "zero-inflated":
            self.scatter = Decoder(3 * genes, shape, settings, linear=True)
        self.log_spread = nn.Parameter(torch.zeros(genes)) if shape.likelihood == "gaussian" else None
        # Without such a path there are no axes.
        self.register_buffer("axes", torch.zeros(settings.latent if settings.linear_path else 0, genes))
        self.register_buffer("spread", torch.ones(settings.latent))
        self.register_buffer("positive_means", torch.zeros(genes))
        self.register_buffer("positive_deviations", torch.ones(genes))
        self.prior = LatentMixture(shape.conditions or 1, shape.clusters, settings.latent)
        self.divergence_weight = 0.0 if settings.autoencoder else settings.beta
        """How much the divergence counts in training at present: it may rise over the first epochs."""
        if start is not None:
            self._begin(start)
        if positives is not None:
            self._scatter_as(positives)

    # What the network is asked

    def forward(self, values: Genes, **others: Tensor) -> Genes:
        """Reconstruct profiles from the means of their latent distributions, on the scale of the network."""
        mean, _ = self.embed(values, **others)
        return self.decode(mean, self.known(others, values.shape[0]))

    def embed(self, values: Genes, **others: Tensor) -> tuple[Latent, Latent]:
        """Return mean and logarithm of the variance of the latent distribution of each profile."""
        mean, log_variance = self.encoder(values, self.known(others, values.shape[0]))
        return (mean + values @ self.axes.T if len(self.axes) else mean), log_variance

    def decode(self, latent: Latent, known: Float[Tensor, "batch conditions"]) -> Genes:
        """Return the expectation of each gene, on the scale of the network."""
        expected: Tensor = self.decoder(latent / self.spread, known)
        if len(self.axes):
            expected = expected + latent @ self.axes
        return expected.sigmoid() if self.is_bounded else expected

    def known(self, batch: dict[str, Tensor], count: int) -> Float[Tensor, "batch conditions"]:
        """Write the condition of each sample as one-hot; no column where there are no conditions."""
        if not self.conditions:
            return torch.zeros(count, 0, device=self.spread.device)
        return one_hot(batch["condition"], self.conditions).float()

    # What training makes small

    def objective(self, values: Genes, **others: Tensor) -> Float[Tensor, ""]:
        """Compute what training makes small, per sample and gene.

        It is the negative of the evidence lower bound (Kingma and Welling 2014, equation 7), and how badly the scatter
        of values about their expectation is described.
        """
        mean, log_variance = self.embed(values, **others)
        latent = mean if self.is_autoencoder else drawn(mean, log_variance)
        found = self._loss(latent, values, others)
        return found + self._divergence(self.divergence_weight, mean, log_variance)

    def criterion(self, weight: float, values: Genes, **others: Tensor) -> Float[Tensor, ""]:
        """Compute the same at the means of the latent distributions: what validation measures.

        Parameters
        ----------
        weight
            Of the divergence, whatever it is in training at present.
        """
        mean, log_variance = self.embed(values, **others)
        return self._loss(mean, values, others) + self._divergence(weight, mean, log_variance)

    def _loss(self, latent: Latent, values: Genes, others: dict[str, Tensor]) -> Float[Tensor, ""]:
        """Measure reconstruction and scatter, per sample and gene."""
        known = self.known(others, len(values))
        expected = self.decode(latent, known)
        loss = self._surprise(expected, values)
        if self.scatter is not None:
            loss = loss + self._hurdle(latent.detach(), known, others["modelled"])
        if self.log_spread is not None:
            loss = loss + _gaussian(values - expected.detach(), self.log_spread)
        return loss.mean()

    def _divergence(self, weight: float, mean: Latent, log_variance: Latent) -> Float[Tensor, ""]:
        """Measure how far the latent distributions are from the prior, per sample and gene."""
        if not weight:
            return mean.new_zeros(())
        return weight * divergence(mean, log_variance, self.spread).sum(dim=1).mean() / self.genes

    def _surprise(self, expected: Genes, values: Genes) -> Genes:
        """Measure how unlikely the values are, given what is expected."""
        if self.likelihood == "bernoulli":
            clipped = expected.clamp(_EPSILON, 1 - _EPSILON)
            return binary_cross_entropy(clipped, values.clamp(0, 1), reduction="none")
        if self.likelihood == "squared":
            return (values - expected) ** 2
        # One spread for all genes: what is asked is the reconstruction of each gene alike.
        return _gaussian(values - expected, self.log_noise)

    def _hurdle(self, latent: Latent, known: Float[Tensor, "batch conditions"], values: Genes) -> Genes:
        """Measure how unlikely the values are as exact zeros, or as positive ones."""
        logit, mean, log_spread = self._scattered(latent, known)
        positive = values > 0
        standard = inverse_positive_part(torch.where(positive, values, torch.ones_like(values)))
        standard = (standard - self.positive_means) / self.positive_deviations
        above = softplus(logit) + _gaussian(standard - mean, log_spread)
        return torch.where(positive, above, softplus(-logit))

    def _scattered(self, latent: Latent, known: Float[Tensor, "batch conditions"]) -> tuple[Genes, Genes, Genes]:
        """Return the log-odds of an exact zero, and mean and log spread of what is above zero."""
        assert self.scatter is not None
        logit, mean, log_spread = self.scatter(latent / self.spread, known).chunk(3, dim=1)
        return logit, mean, log_spread.clamp(LEAST_LOG_SPREAD, MOST_LOG_SPREAD)

    # New samples

    @torch.no_grad()
    def latent_of(self, conditions: Int[Tensor, "count"], generator: torch.Generator) -> Latent:
        """Draw latent numbers of new samples of these conditions; all 0 where there are none."""
        return self.prior.draw(conditions, generator)

    @torch.no_grad()
    def scattered(
        self, latent: Latent, known: Float[Tensor, "batch conditions"], generator: torch.Generator
    ) -> tuple[Genes, Bool[Tensor, "batch genes"] | None]:
        """Draw values about what is expected.

        Returns
        -------
        tuple
            Of a zero-inflated likelihood values on the modelled scale and which of them are exactly zero; else values
            on the scale of the network and None. Squared errors and cross-entropy say nothing of scatter: of these the
            expectation is returned.
        """
        if self.scatter is None:
            expected = self.decode(latent, known)
            if self.log_spread is None:
                return expected, None
            return expected + torch.randn(expected.shape, generator=generator) * self.log_spread.exp(), None
        logit, mean, log_spread = self._scattered(latent, known)
        zero = torch.rand(logit.shape, generator=generator) < logit.sigmoid()
        standard = mean + torch.randn(mean.shape, generator=generator) * log_spread.exp()
        values = positive_part(standard * self.positive_deviations + self.positive_means)
        return values.masked_fill(zero, 0.0), zero

    # Where training begins

    @torch.no_grad()
    def _begin(self, start: Start) -> None:
        found = len(start.axes)
        self.axes[:found] = start.axes
        for layer in (self.encoder.mean[0], self.encoder.log_variance[0], self.decoder.output):
            assert isinstance(layer, nn.Linear)
            _silence(layer)
            if layer is self.encoder.log_variance[0]:
                nn.init.constant_(layer.bias, math.log(start.noise))
        # A head with batch normalisation forgets a bias: behind it the latent numbers are not centred.
        middle = start.axes @ start.mean
        head = self.encoder.mean[0]
        if len(self.encoder.mean) == 1 and isinstance(head, nn.Linear):
            head.bias[:found] -= middle
            middle = torch.zeros_like(middle)
        self.decoder.output.bias.copy_(start.mean - middle @ start.axes)
        self.spread[:found] = start.spread.clamp(min=_EPSILON)
        self.log_noise.fill_(math.log(start.noise) / 2)
        if self.log_spread is not None:
            self.log_spread.fill_(math.log(start.noise) / 2)

    @torch.no_grad()
    def _scatter_as(self, positives: Positives) -> None:
        self.positive_means.copy_(positives.means)
        self.positive_deviations.copy_(positives.deviations)
        assert self.scatter is not None
        assert self.scatter.linear is not None
        self.scatter.linear.bias[: self.genes] = torch.logit(positives.zeros.clamp(0.001, 0.999))
        if len(self.axes):
            # What is above zero rises and falls with the expectation.
            means = self.scatter.linear.weight[self.genes : 2 * self.genes, : self.latent]
            means.copy_((self.axes * self.spread[:, None]).T)


def _head(width: int, latent: int, kind: str) -> nn.Sequential:
    linear = nn.Linear(width, latent)
    return nn.Sequential(linear) if kind == "linear" else nn.Sequential(linear, nn.BatchNorm1d(latent), nn.ReLU())


def _silence(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def _gaussian(difference: Genes, log_spread: Tensor) -> Genes:
    """Compute the negative log-likelihood of a Gaussian, without its constant."""
    return difference**2 * (-2 * log_spread).exp() / 2 + log_spread
