"""What is decided on the training part alone: which genes are modelled."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, Int

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_embedding.axes import sampled
from primase.data.audit import Finding
from primase.errors import InputError

FEWEST: Final = 2


def variable_genes(train: Profiles, wanted: int, *, among: int = 0) -> tuple[tuple[str, ...], Finding]:
    """Choose the genes that vary most in train: by median absolute deviation, and by variance where that is equal.

    As for the matrix of Tybalt (Way and Greene 2018). Constant genes are never chosen. The order of the file is kept.

    Parameters
    ----------
    among
        How many genes there were before those that are hardly expressed were left out, for the finding.

    Raises
    ------
    InputError
        If fewer than two genes vary.
    """
    genes = train.genes
    rows = sampled(len(train), len(genes))
    deviations, variances = _variation(train.values(rows))
    varying = np.flatnonzero(variances > 0)
    if len(varying) < FEWEST:
        what = "hardly any gene varies in the training part"
        raise InputError(what, got=f"{len(varying)} of {len(genes):,}", wanted=f"at least {FEWEST}")
    order = varying[np.lexsort((-variances[varying], -deviations[varying]))]
    chosen = np.sort(order[:wanted])
    text = f"Modelled are {len(chosen):,} of {max(among, len(genes)):,} genes"
    if among > len(genes):
        text += f"; {among - len(genes):,} are above zero in too few samples of train"
    if len(varying) < len(genes):
        text += f"; {len(genes) - len(varying):,} are constant in train"
    if len(chosen) < len(varying):
        text += ". They vary most in train (median absolute deviation)"
        text += "." if len(rows) == len(train) else f", measured on {len(rows):,} of its {len(train):,} samples."
    else:
        text += "."
    return tuple(genes[place] for place in chosen.tolist()), Finding("genes modelled", len(chosen), "info", text)


def _variation(
    values: Float[np.ndarray, "samples genes"], columns: int = 500
) -> tuple[Float[np.ndarray, "genes"], Float[np.ndarray, "genes"]]:
    """Compute median absolute deviation and variance of each gene, some at a time; missing values do not count."""
    deviations, variances = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for start in range(0, values.shape[1], columns):
        own = values[:, start : start + columns]
        place = slice(start, start + own.shape[1])
        empty = np.isnan(own).all(axis=0)
        filled = np.where(empty, 0, own)
        middle = np.nanmedian(filled, axis=0)
        deviations[place] = np.nanmedian(np.abs(filled - middle), axis=0)
        # What differs by rounding alone is constant.
        spread = np.nanmax(filled, axis=0) - np.nanmin(filled, axis=0)
        real = spread > 1e-6 * np.maximum(np.abs(middle), 1e-6)
        variances[place] = np.where(real, np.nanvar(filled, axis=0), 0)
    return deviations, variances


def order_of_variance(embedding: Float[np.ndarray, "samples latent"]) -> Int[np.ndarray, "latent"]:
    """Order dimensions by how much they vary among samples, the most first."""
    return np.asarray(np.argsort(-embedding.var(axis=0), kind="stable"))
