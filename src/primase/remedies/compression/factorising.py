"""Low-rank factorisation: a layer becomes two with few numbers between them (Denton et al. 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from primase.nn.dense import PADDING, SparseLinear
from primase.nn.structure import (
    FACTORABLE,
    Edit,
    Factorable,
    Factorised,
    Structure,
    as_matrix,
    frozen_like,
    is_factorable,
    replace_layer,
    set_structure,
    structure_of,
)


def factorise(network: nn.Module, *, energy: float, rank: int | None = None) -> tuple[Edit, ...]:
    """Take the layers of a network apart by their singular values; those that would get larger are left as they are.

    Parameters
    ----------
    energy
        The share of the sum of squared singular values that is kept: between 0 and 1.
    rank
        The rank of every layer, in the place of what the energy asks for.

    Returns
    -------
    tuple
        What was changed.
    """
    edits: list[Edit] = []
    layers = [(path, layer) for path, layer in network.named_modules() if path and is_factorable(layer)]
    for path, layer in layers:
        assert isinstance(layer, FACTORABLE)
        if not any(parameter.requires_grad for parameter in layer.parameters()):
            continue
        matrix = as_matrix(layer).detach().float()
        chosen = min(*matrix.shape, rank or rank_of(torch.linalg.svdvals(matrix), energy))
        if not pays(matrix, chosen):
            continue
        replace_layer(network, path, in_two(layer, chosen))
        edits.append({"edit": "factorise", "layer": path, "rank": chosen})
    before = structure_of(network)
    set_structure(network, Structure((*before.edits, *edits), before.coded))
    return tuple(edits)


def pays(matrix: Tensor, rank: int) -> bool:
    """Tell whether two matrices of a rank have fewer numbers than the one."""
    rows, columns = matrix.shape
    return rank * (rows + columns) < rows * columns


def rank_of(singular_values: Tensor, energy: float) -> int:
    """Find the smallest rank that keeps a share of the sum of squared singular values.

    Examples
    --------
    >>> rank_of(torch.tensor([3.0, 0.5, 0.1]), 0.9)
    1
    """
    squares = singular_values.double() ** 2
    kept = squares.cumsum(0) / squares.sum().clamp(min=torch.finfo(torch.float64).tiny)
    return min(int((kept < energy).sum()) + 1, len(squares))


@torch.no_grad()
def in_two(layer: Factorable, rank: int) -> Factorised:
    """Make of a layer two whose product is the nearest of that rank (Eckart and Young 1936)."""
    two = Factorised.of_rank(layer, rank)
    matrix = as_matrix(layer)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    roots = values[:rank].sqrt()
    outer, inner = left[:, :rank] * roots, roots[:, None] * right[:rank]
    second = two.second
    assert isinstance(second, nn.Linear | nn.Conv1d | nn.Conv2d)
    second.weight.copy_(outer.view_as(second.weight))
    if isinstance(layer, SparseLinear):
        assert isinstance(two.first, SparseLinear)
        two.first.table[PADDING].zero_()
        two.first.table[PADDING + 1 :] = inner.T
        two.first.bias.zero_()
    else:
        assert isinstance(two.first, nn.Linear | nn.Conv1d | nn.Conv2d)
        two.first.weight.copy_(inner.view_as(two.first.weight))
    if layer.bias is not None:
        assert second.bias is not None
        second.bias.copy_(layer.bias)
    frozen_like(two, layer)
    return two.train(layer.training)
