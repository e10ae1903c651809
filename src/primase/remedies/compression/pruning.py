"""Pruning: the smallest weights become zero, and the others learn to do without them (Han et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from primase.nn.structure import Structure, set_structure, structure_of, weights_of
from primase.remedies.compression.tuning import Projection, Tuner, in_phases
from primase.training.fitted import Fitted

STEPS = 3
"""In so many steps the weights become zero, each followed by training."""


def pruned(network: nn.Module, tuner: Tuner, sparsity: float, *, steps: int = STEPS) -> Fitted:
    """Make the smallest weights of a network zero, little by little, and let it learn again after each step.

    Parameters
    ----------
    sparsity
        The share of the weights that is zero in the end, between 0 and 1: of all layers together. Biases and
        normalisation are kept.
    """
    fitted = []
    for step in range(1, steps + 1):
        masks = smallest_first(weights_of(network), sparsity_after(step, steps, sparsity))
        project = zeroing(network, masks)
        project()
        fitted.append((f"pruning step {step}", tuner.tune(network, f"prune-{step}", project=project)))
    set_structure(network, Structure(structure_of(network).edits, coded=True))
    return in_phases(fitted)


def sparsity_after(step: int, steps: int, final: float) -> float:
    """Tell which share of the weights is zero after a step: many of the first, few of the last (Zhu and Gupta 2018).

    Examples
    --------
    >>> [round(sparsity_after(step, 3, 0.9), 3) for step in (1, 2, 3)]
    [0.633, 0.867, 0.9]
    """
    return final * (1 - (1 - step / steps) ** 3)


def smallest_first(weights: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Choose which weights are kept: the largest of all layers together.

    Returns
    -------
    dict
        By the name of the weights, 1 where they are kept and 0 where not.
    """
    if not weights:
        return {}
    flat = torch.cat([tensor.detach().cpu().reshape(-1) for tensor in weights.values()])
    count = round(sparsity * len(flat))
    ranking = prune.L1Unstructured(amount=count) if count else prune.Identity()
    mask: Tensor = ranking.compute_mask(flat, torch.ones_like(flat))  # type: ignore[no-untyped-call]  # torch's own
    parts = torch.split(mask, [tensor.numel() for tensor in weights.values()])
    return {name: part.view_as(tensor) for (name, tensor), part in zip(weights.items(), parts, strict=True)}


def zeroing(network: nn.Module, masks: Mapping[str, Tensor]) -> Projection:
    """Make what sets weights to zero where they are not kept."""
    parameters = dict(network.named_parameters())

    @torch.no_grad()
    def project() -> None:
        for name, mask in masks.items():
            parameters[name].mul_(mask.to(parameters[name].device))

    return project
