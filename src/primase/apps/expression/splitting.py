"""Which samples a split keeps together: those of one patient, batch, or whatever column the user names."""

from __future__ import annotations

import numpy as np

from primase.apps.expression.profiles import Profiles
from primase.data.examples import Examples
from primase.data.splits import Groups
from primase.errors import ConfigurationError


def choose_policy(examples: Examples[Profiles]) -> str:
    """Choose what ``--split auto`` stands for: given, else group where there is a group column, else random."""
    if examples.parts is not None:
        return "given"
    return "group" if examples.groups else "random"


def split_units(examples: Examples[Profiles], policy: str) -> Groups:
    """Give numbers to what a split by this policy keeps together.

    Where the parts are given, the samples of one group are one unit too: intervals are drawn over patients, and what is
    missing for validation is taken from train patient by patient.

    Raises
    ------
    ConfigurationError
        If there is no group column to split by.
    """
    if policy == "group" and not examples.groups:
        what = "there is no column to split by"
        raise ConfigurationError(what, where="--split group", advice="Name one with --group-column, such as patient.")
    if policy == "random" or not examples.groups:
        return np.arange(len(examples))
    return next(iter(examples.groups.values()))
