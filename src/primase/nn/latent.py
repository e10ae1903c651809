"""Latent spaces: distributions of a few numbers per sample, how far they are from a prior, and how to draw new ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import Tensor, nn

SAMPLES_PER_CLUSTER: Final = 50
"""A group of samples is described by one Gaussian for so many of them; fewer leave none to tell a shape by."""
MOST_CLUSTERS: Final = 64
MOST_CLUSTERS_OF_GROUP: Final = 8
MOST_GAUSSIANS: Final = 256
_KNOWN_BEFORE: Final = 30
"""The covariance of all clusters together counts as much as so many samples of the cluster."""
_JITTER: Final = 1e-6


def drawn(
    mean: Float[Tensor, "batch latent"], log_variance: Float[Tensor, "batch latent"]
) -> Float[Tensor, "batch latent"]:
    """Draw a point per sample from its Gaussian, so that gradients flow to both (Kingma and Welling 2014)."""
    return mean + torch.randn_like(mean) * (log_variance / 2).exp()


def divergence(
    mean: Float[Tensor, "batch latent"],
    log_variance: Float[Tensor, "batch latent"],
    spread: Float[Tensor, "latent"],
) -> Float[Tensor, "batch latent"]:
    """Measure how far each sample's Gaussian is from the prior, in nats (Kullback-Leibler divergence).

    Parameters
    ----------
    spread
        The standard deviation of the prior in each dimension; its mean is 0.

    Examples
    --------
    >>> divergence(torch.zeros(1, 2), torch.zeros(1, 2), torch.ones(2))
    tensor([[0., 0.]])
    """
    relative = log_variance - 2 * spread.log()
    return ((mean / spread) ** 2 + relative.exp() - 1 - relative) / 2


def positive_part(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Map any number to a positive one: log2(1 + 2^u), which is u itself where u is large.

    If u is the log2 of a count, this is log2(count + 1).
    """
    return torch.logaddexp2(values, torch.zeros((), dtype=values.dtype, device=values.device))


def inverse_positive_part(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Undo :func:`positive_part`: log2(2^v - 1) of positive numbers.

    Examples
    --------
    >>> inverse_positive_part(torch.tensor([1.0, 2.0])).round(decimals=3)
    tensor([0.0000, 1.5850])
    """
    return values + torch.log2(-torch.expm1(-values * math.log(2)))


def clusters_for(groups: int, samples: int) -> int:
    """Choose by how many Gaussians each group is described at most, by the number of all training samples.

    Examples
    --------
    >>> clusters_for(1, 320), clusters_for(33, 8_700), clusters_for(500, 8_700)
    (6, 7, 1)
    """
    most = MOST_CLUSTERS if groups == 1 else min(MOST_CLUSTERS_OF_GROUP, MOST_GAUSSIANS // groups)
    return max(min(most, samples // SAMPLES_PER_CLUSTER), 1)


@final
class LatentMixture(nn.Module):
    """Gaussians that describe where the samples of training lie in the latent space, to draw new ones from.

    Points drawn from the prior that a variational auto-encoder is trained with need not lie where samples do. Gaussians
    are fitted to the samples instead (Ghosh et al. 2020, ex-post density estimation): to the clusters of each group,
    such as a condition. The covariance of few samples is drawn towards that of all clusters (Friedman 1989).

    Parameters
    ----------
    groups
        How many groups there are; 1 where samples are not told apart.
    clusters
        By how many Gaussians each is described at most.
    latent
        The number of dimensions.
    """

    shares: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, groups: int, clusters: int, latent: int) -> None:
        super().__init__()
        self.register_buffer("shares", torch.full((groups, clusters), 1 / (groups * clusters)))
        self.register_buffer("means", torch.zeros(groups, clusters, latent))
        self.register_buffer("factors", torch.eye(latent).expand(groups, clusters, latent, latent).clone())

    @torch.no_grad()
    def stand(self, spread: Float[Tensor, "latent"], counts: Int[np.ndarray, "groups"] | None = None) -> None:
        """Be the prior itself: independent dimensions of these standard deviations, all groups alike.

        Parameters
        ----------
        counts
            How many samples of each group there were in training, in whose shares groups are chosen; all alike if None.
        """
        groups, clusters = self.shares.shape
        sizes = np.ones(groups) if counts is None else counts.astype(np.float64)
        shares = torch.from_numpy(sizes / (max(sizes.sum(), 1) * clusters))
        self.shares.copy_(shares[:, None].expand_as(self.shares).to(self.shares))
        self.means.zero_()
        self.factors.copy_(torch.diag(spread).expand_as(self.factors))

    @torch.no_grad()
    def fit(
        self,
        means: Float[np.ndarray, "samples latent"],
        variances: Float[np.ndarray, "samples latent"],
        groups: Int[np.ndarray, "samples"] | None = None,
    ) -> None:
        """Fit to the samples of training.

        Parameters
        ----------
        means, variances
            The Gaussian of each sample.
        groups
            The group of each, counted from 0; None where there is one only. A group without samples gets the Gaussian
            of all.
        """
        points = means.astype(np.float64)
        count, most = self.shares.shape
        assigned = self._clusters(points, np.zeros(len(points), dtype=np.int64) if groups is None else groups)
        sizes = np.bincount(assigned, minlength=count * most)
        middle = points.mean(axis=0)
        centres = np.tile(middle, (count * most, 1))
        for place in np.flatnonzero(sizes).tolist():
            centres[place] = points[assigned == place].mean(axis=0)
        around = points - centres[assigned]
        shared = around.T @ around / max(len(points), 1)
        whole = (points - middle).T @ (points - middle) / max(len(points), 1)
        for place in range(count * most):
            group, cluster = divmod(place, most)
            own = around[assigned == place]
            covariance = (own.T @ own + _KNOWN_BEFORE * shared) / (len(own) + _KNOWN_BEFORE) if len(own) else whole
            noise = variances[assigned == place] if len(own) else variances
            self.factors[group, cluster] = torch.from_numpy(_root(covariance, noise.mean(axis=0))).to(self.factors)
        self.means.copy_(torch.from_numpy(centres).reshape(self.means.shape).to(self.means))
        shares = torch.from_numpy(sizes / max(sizes.sum(), 1)).reshape(self.shares.shape)
        self.shares.copy_(shares.to(self.shares))

    def _clusters(
        self, points: Float[np.ndarray, "samples latent"], groups: Int[np.ndarray, "samples"]
    ) -> Int[np.ndarray, "samples"]:
        """Find clusters in each group and number those of all, so many for each as there may be."""
        most = self.shares.shape[1]
        found = groups * most
        for group in np.unique(groups).tolist():
            rows = np.flatnonzero(groups == group)
            wanted = min(most, max(len(rows) // SAMPLES_PER_CLUSTER, 1))
            if wanted > 1:
                found[rows] += KMeans(wanted, n_init=1, max_iter=30, random_state=0).fit_predict(points[rows])
        return np.asarray(found, dtype=np.int64)

    def choose(self, count: int, generator: torch.Generator) -> Int[Tensor, "count"]:
        """Choose a group for each of some new samples, in the shares of training."""
        return torch.multinomial(self.shares.sum(dim=1), count, replacement=True, generator=generator)

    def draw(self, groups: Int[Tensor, "count"], generator: torch.Generator) -> Float[Tensor, "count latent"]:
        """Draw a point of each of these groups."""
        # A group without samples has no shares, and all of its Gaussians are alike.
        shares = self.shares[groups]
        shares = torch.where(shares.sum(dim=1, keepdim=True) > 0, shares, torch.ones_like(shares))
        clusters = torch.multinomial(shares, 1, generator=generator)[:, 0]
        noise = torch.randn(len(groups), self.means.shape[2], generator=generator)
        found = self.means[groups, clusters]
        places = groups * self.shares.shape[1] + clusters
        for place in torch.unique(places).tolist():
            own = places == place
            found[own] += noise[own] @ self.factors.flatten(0, 1)[place].T
        return found


def _root(
    covariance: Float[np.ndarray, "latent latent"], variances: Float[np.ndarray, "latent"]
) -> Float[np.ndarray, "latent latent"]:
    """Add variances, and a trace against rounding, and take the triangular root."""
    whole = covariance + np.diag(variances)
    return np.asarray(
        np.linalg.cholesky(whole + _JITTER * max(np.trace(whole), _JITTER) / len(whole) * np.eye(len(whole)))
    )


def dense(widths: Sequence[int], dropout: float) -> nn.Sequential:
    """Build dense layers of these widths, the first of which is that of the input, each with SiLU and dropout."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.SiLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
