"""What a split keeps together where examples come in groups: those of one patient, batch, or whatever is named."""

from __future__ import annotations

from typing import Any

import numpy as np

from primase.data.examples import Examples
from primase.data.splits import Groups
from primase.errors import ConfigurationError


def usual_policy(examples: Examples[Any]) -> str:
    """Choose what ``--split auto`` stands for: given, else group where groups are known, else random."""
    if examples.parts is not None:
        return "given"
    return "group" if examples.groups else "random"


def grouped_units(examples: Examples[Any], policy: str, *, advice: str) -> Groups:
    """Give numbers to what a split by this policy keeps together.

    Where the parts are given, the examples of one group are one unit too: intervals are drawn over patients, and what
    is missing for validation is taken from train patient by patient.

    Parameters
    ----------
    advice
        How a user names groups.

    Raises
    ------
    ConfigurationError
        If there is nothing to split by.
    """
    if policy == "group" and not examples.groups:
        what = "there is nothing to split by"
        raise ConfigurationError(what, where="--split group", advice=advice)
    if policy == "random" or not examples.groups:
        return np.arange(len(examples))
    return next(iter(examples.groups.values()))
