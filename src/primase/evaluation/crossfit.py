"""What a calibration says of examples that it was not fitted to, although every example is used."""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Float, Integer, Shaped

from primase.data.tasks import Task
from primase.evaluation.per_label import fit_calibrator_of, uncalibrated

Outputs = Float[np.ndarray, "examples outputs"]
Truth = Shaped[np.ndarray, "examples *labels"]
Groups = Integer[np.ndarray, "examples"]

FOLDS: Final = 5


def folds_of(task: Task, truth: Truth, units: Groups, *, seed: int, folds: int = FOLDS) -> Groups:
    """Deal units into folds, so that each has its share of every label as far as whole units allow.

    Parameters
    ----------
    units
        What must not be parted.

    Returns
    -------
    array
        The fold of each example, from 0; fewer folds where there are fewer units.

    Examples
    --------
    >>> task = Task("binary", ("no", "yes"))
    >>> sorted(folds_of(task, np.array([0, 1, 0, 1]), np.array([3, 3, 5, 5]), seed=0).tolist())
    [0, 0, 1, 1]
    """
    _, first, dense = np.unique(units, return_index=True, return_inverse=True)
    # The kind of the first example stands for its unit: units are mostly of one kind, or of one example.
    kinds = task.strata(truth)[first]
    shuffled = np.random.default_rng(seed).permutation(len(first))
    ordered = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    fold_of_unit = np.empty(len(first), dtype=np.int64)
    fold_of_unit[ordered] = np.arange(len(first)) % min(folds, len(first))
    return np.asarray(fold_of_unit[dense])


def cross_fitted(task: Task, method: str, outputs: Outputs, truth: Truth, folds: Groups) -> Outputs:
    """Answer for each fold by the calibration that was fitted to the others.

    Parameters
    ----------
    outputs
        Of the network, before calibration.
    folds
        Of :func:`folds_of`; where there is one only, answers are as the network gave them.
    """
    answers = uncalibrated(task).answers(outputs)
    several = np.unique(folds)
    if len(several) < 2:
        return answers
    for fold in several:
        held = folds == fold
        answers[held] = fit_calibrator_of(task, method, outputs[~held], truth[~held]).answers(outputs[held])
    return answers
