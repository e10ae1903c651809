"""Weight sharing: the weights of a layer take one of few values, which then learn together (Han et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from primase.nn.structure import Structure, set_structure, structure_of, weights_of
from primase.remedies.compression.tuning import Projection, Tuner
from primase.training.fitted import Fitted

ROUNDS = 50


def shared(network: nn.Module, tuner: Tuner, bits: int) -> Fitted:
    """Let the weights of each layer that are not zero take at most 2 to the power of ``bits`` values, and tune these.

    After each step of training, the weights that share a value take the mean of what they have become: the value moves
    as all of them together would.
    """
    groups = {name: assigned(tensor.detach().cpu(), 2**bits) for name, tensor in weights_of(network).items()}
    project = joining(network, groups)
    project()
    fitted = tuner.tune(network, "share", project=project)
    set_structure(network, Structure(structure_of(network).edits, coded=True))
    return fitted


def assigned(weights: Tensor, values: int) -> Tensor:
    """Assign each weight to one of few values by k-means; zeros stay zeros.

    Returns
    -------
    Tensor
        Of the shape of the weights: 0 where they are zero, else the number of their group from 1.
    """
    groups = torch.zeros(weights.shape, dtype=torch.int64)
    kept = weights != 0
    if kept.any():
        centres = k_means(weights[kept].double().numpy(), values)
        borders = torch.from_numpy((centres[1:] + centres[:-1]) / 2)
        groups[kept] = torch.bucketize(weights[kept].double(), borders) + 1
    return groups


def k_means(
    numbers: np.ndarray[tuple[int], np.dtype[np.float64]], count: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Find few values near which all numbers lie (Lloyd 1982), beginning with values at equal distances.

    Equal distances keep the few large weights apart, which matter most (Han et al. 2016, section 3.1).

    Returns
    -------
    array
        The values in ascending order, at most ``count``; a value that nothing is nearest to is left out.
    """
    ordered = np.sort(numbers)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = np.unique(np.linspace(ordered[0], ordered[-1], count))
    for _ in range(ROUNDS):
        borders = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2)
        ends = np.concatenate([[0], borders, [len(ordered)]])
        counts = np.diff(ends)
        means = np.unique((np.diff(sums[ends]))[counts > 0] / counts[counts > 0])
        if len(means) == len(centres) and np.array_equal(means, centres):
            break
        centres = means
    return centres


def joining(network: nn.Module, groups: Mapping[str, Tensor]) -> Projection:
    """Make what gives weights of one group their mean."""
    parameters = dict(network.named_parameters())
    flat = {name: own.reshape(-1) for name, own in groups.items()}
    counts = {name: torch.bincount(own).clamp(min=1) for name, own in flat.items()}

    @torch.no_grad()
    def project() -> None:
        for name, own in flat.items():
            parameter = parameters[name]
            places, sizes = own.to(parameter.device), counts[name].to(parameter.device)
            sums = torch.zeros(len(sizes), dtype=torch.float64, device=parameter.device)
            sums.index_add_(0, places, parameter.reshape(-1).double())
            means = (sums / sizes).to(parameter.dtype)
            means[0] = 0
            parameter.copy_(means[places].view_as(parameter))

    return project
