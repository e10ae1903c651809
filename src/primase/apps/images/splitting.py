"""Which images a split keeps together: those of one patient, or file, or whatever the user names."""

from __future__ import annotations

import numpy as np

from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples
from primase.data.splits import Groups
from primase.errors import ConfigurationError


def choose_policy(examples: Examples[Pictures]) -> str:
    """Choose what ``--split auto`` stands for: given where there is a test part, else group, else random."""
    if examples.parts is not None and (examples.parts == "test").any():
        return "given"
    return "group" if examples.groups else "random"


def split_units(examples: Examples[Pictures], policy: str) -> Groups:
    """Give numbers to what a split by this policy keeps together.

    Where the parts are given, the images of one group are one unit too: intervals are drawn over patients, and what is
    missing for validation is taken from train patient by patient.

    Raises
    ------
    ConfigurationError
        If there is nothing to split by.
    """
    if policy == "group" and not examples.groups:
        what = "there is nothing to split by"
        advice = "Name a column with --group-column, such as patient, or a --group-pattern of paths."
        raise ConfigurationError(what, where="--split group", advice=advice)
    if policy == "random" or not examples.groups:
        return np.arange(len(examples))
    return next(iter(examples.groups.values()))
