"""The control of every explanation: the same network after its weights were shuffled, which knows nothing any more."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from primase.predictor.predictor import Predictor

CONTROLS: Final = 5
"""So many shuffled networks are asked: a single one agrees or disagrees by chance."""


def randomised(predictor: Predictor[Any], seed: int) -> Predictor[Any]:
    """Copy a predictor with the weights of every tensor in random order."""
    generator = torch.Generator().manual_seed(seed)
    members = []
    for member in predictor.members:
        shuffled = copy.deepcopy(member)
        with torch.no_grad():
            for parameter in shuffled.parameters():
                order = torch.randperm(parameter.numel(), generator=generator)
                parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
        members.append(shuffled)
    return replace(predictor, members=tuple(members))


def mean_of_defined(values: Sequence[float]) -> float:
    """Take the mean of those values that are defined; NaN if none is."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
