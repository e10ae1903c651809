"""Where training begins: principal components, turned so that each is about few genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import PCA
from torch import Tensor

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler
from primase.data.examples import Indices, evenly_spread

MOST_VALUES: Final = 10_000_000
"""So many values (40 MB) are held at once at most, of samples evenly spread: for principal components, for the genes
that vary most, and in each part that is judged."""
ROUNDS: Final = 100
_ENOUGH: Final = 1e-5
_LEAST_NOISE: Final = 1e-3

Axes = Float[np.ndarray, "latent genes"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where training begins: the principal components of train.

    Parameters
    ----------
    mean
        The mean of each gene on the scale of the network, about which the components are.
    axes
        Orthogonal directions of length 1 in the space of genes.
    spread
        The standard deviation of train along each.
    noise
        The mean variance of a gene that they leave over.
    """

    mean: Float[Tensor, "genes"]
    axes: Float[Tensor, "latent genes"]
    spread: Float[Tensor, "latent"]
    noise: float


def sampled(count: int, genes: int, most_values: int = MOST_VALUES) -> Indices:
    """Choose samples evenly spread over the training part, so that their values fit in memory.

    Examples
    --------
    >>> sampled(10, 5, most_values=20).tolist()
    [0, 3, 6, 9]
    """
    return evenly_spread(count, max(most_values // max(genes, 1), 1))


def starting_axes(train: Profiles, scaler: Scaler, latent: int) -> Start:
    """Find the principal components of the training part on the scale of the network.

    They are turned among themselves (varimax; Kaiser 1958), which changes no distance and loses nothing, so that each
    is about few genes and can be read.
    """
    values = scaler.scaled(train.values(sampled(len(train), len(train.genes))))
    found = fitted_components(values, latent)
    axes = varimax(found.components_)
    mean = values.mean(axis=0, dtype=np.float64)
    scores = (values - mean) @ axes.T
    spread = scores.std(axis=0)
    order = np.argsort(-spread, kind="stable")
    total = float(values.var(axis=0).sum())
    noise = max((total - float((spread**2).sum())) / values.shape[1], _LEAST_NOISE)
    middle, turned, widths = (torch.from_numpy(one.astype(np.float32)) for one in (mean, axes[order], spread[order]))
    return Start(middle, turned, widths, noise)


def fitted_components(values: Float[np.ndarray, "samples genes"], latent: int) -> PCA:
    """Fit principal components, as many as asked for or as there can be; the same each time."""
    most = min(len(values) - 1, values.shape[1])
    wanted = max(min(latent, most), 1)
    solver = "full" if wanted > 0.8 * most else "randomized"
    return PCA(wanted, svd_solver=solver, random_state=0).fit(values)


def varimax(axes: Axes, rounds: int = ROUNDS) -> Axes:
    """Turn orthogonal axes among themselves so that each has few large entries (Kaiser 1958)."""
    loadings = np.asarray(axes.T, dtype=np.float64)
    genes, count = loadings.shape
    rotation, before = np.eye(count), 0.0
    for _ in range(rounds):
        turned = loadings @ rotation
        gradient = loadings.T @ (turned**3 - turned * ((turned**2).sum(axis=0) / genes))
        left, values, right = np.linalg.svd(gradient)
        rotation = left @ right
        if values.sum() <= before * (1 + _ENOUGH):
            break
        before = float(values.sum())
    return np.asarray((loadings @ rotation).T)
