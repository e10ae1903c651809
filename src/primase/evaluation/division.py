"""Evaluation is on the test part as it was divided: never on one that was drawn anew, thinned or filled up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Shaped

from primase.data.examples import Indices
from primase.errors import InputError


@final
@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """Which of all examples are to be judged on.

    Parameters
    ----------
    ids
        Of all examples, as they were read.
    positions
        Where those to be judged on stand among them, each once.
    """

    ids: Shaped[np.ndarray, "examples"]
    positions: Indices

    def refuse_resampled(self, tested: Shaped[np.ndarray, "tested"]) -> None:
        """Refuse to judge on anything but these examples, each once.

        Parameters
        ----------
        tested
            The ids of what is about to be judged on.

        Raises
        ------
        InputError
            If an example stands there several times, is missing, or is another one.
        """
        expected = self.ids[self.positions]
        again = len(self.positions) - len(np.unique(self.positions))
        if again or len(tested) != len(expected) or np.any(tested != expected):
            what = "the examples to judge on are not those that were set apart, each of them once"
            got = f"{len(tested):,} examples, {again:,} of them for a second time"
            wanted = f"the {len(np.unique(self.positions)):,} that were set apart"
            advice = "Up- and down-sampling are for training alone: figures on a resampled test are those of no one."
            raise InputError(what, got=got, wanted=wanted, advice=advice)
