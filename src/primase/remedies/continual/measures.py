"""What was forgotten and what was carried over, by the figures of every step after every step.

``matrix[i, j]`` is the figure on the test of step j after step i was learned, the larger the better, NaN where it was
not measured. Lopez-Paz and Ranzato (2017), "Gradient episodic memory", equations 2 to 4; Chaudhry et al. (2018),
"Riemannian walk for incremental learning", equation 3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import final

import numpy as np
from jaxtyping import Float

Matrix = Float[np.ndarray, "learned tested"]


@final
@dataclass(frozen=True, slots=True)
class Transfer:
    """A forgetting matrix in four numbers; None where it has too few steps.

    Parameters
    ----------
    average
        The mean over all steps of the figure after the last one.
    forgetting
        By how much the figure of an earlier step is below the best that it ever was, on average.
    backward
        By how much the figure of an earlier step is above what it was when it was learned; below zero where it was
        forgotten.
    forward
        By how much the figure of a step that is still to be learned is above that of chance.
    """

    average: float | None
    forgetting: float | None
    backward: float | None
    forward: float | None

    def to_state(self) -> dict[str, float | None]:
        """Describe it in JSON."""
        return asdict(self)


def transfer(matrix: Matrix, chance: Float[np.ndarray, "tested"] | None = None) -> Transfer:
    """Summarise a matrix of as many rows as columns.

    Parameters
    ----------
    chance
        The figure of each step before anything was learned; without it, nothing is said of forward transfer.

    Examples
    --------
    >>> transfer(np.array([[0.9, np.nan], [0.6, 0.8]]))
    Transfer(average=0.7, forgetting=0.3, backward=-0.3, forward=None)
    """
    steps = len(matrix)
    learned = np.diag(matrix)[: steps - 1]
    last = matrix[-1]
    earlier = matrix[: steps - 1, : steps - 1] if steps > 1 else np.empty((0, 0))
    best = np.array([_largest(earlier[place:, place]) for place in range(steps - 1)])
    before = np.array([matrix[place - 1, place] for place in range(1, steps)])
    base = np.full(steps, np.nan) if chance is None else chance
    return Transfer(
        average=_mean(last),
        forgetting=_mean(best - last[: steps - 1]),
        backward=_mean(last[: steps - 1] - learned),
        forward=_mean(before - base[1:]),
    )


def _largest(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else np.nan


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 6) if len(known) else None
