"""Which genes are there at all: above zero in enough samples."""

from __future__ import annotations

import numpy as np

from primase.apps.expression.profiles import Profiles
from primase.errors import InputError


def only_expressed(train: Profiles, share: float) -> Profiles:
    """Keep the genes that are above zero in at least this share of the samples; 0 keeps all.

    Raises
    ------
    InputError
        If no gene is.
    """
    if not share:
        return train
    above, known = np.zeros(len(train.columns)), np.zeros(len(train.columns))
    for _, values in train.blocks():
        there = ~np.isnan(values)
        above += ((values > 0) & there).sum(axis=0)
        known += there.sum(axis=0)
    kept = above >= share * np.maximum(known, 1)
    if not kept.any():
        what = "no gene is expressed in so many of the training samples"
        raise InputError(what, where="--minimum-expressed", got=str(share), wanted="a smaller share")
    return train.only([gene for gene, there in zip(train.genes, kept.tolist(), strict=True) if there])
