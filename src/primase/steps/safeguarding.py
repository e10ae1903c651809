"""Learn at the end of training when a model is not to be believed, and say how that turned out on the test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Integer
from torch.utils.flop_counter import FlopCounterMode

from primase.data.examples import Examples
from primase.data.splits import Part
from primase.evaluation.intervals import Interval, Units, percentile_interval
from primase.evaluation.prediction_sets import fit_sets, set_figures
from primase.evaluation.prevalence import Prevalence
from primase.evaluation.values import Draw
from primase.predictor.familiarity import BEYOND, MOST_KEPT, Familiarity, fit_familiarity
from primase.predictor.predictor import Predictor
from primase.predictor.safeguards import Safeguards
from primase.report.run import Remedy
from primase.report.uncertainty import familiarity_remedy, prevalence_remedy, sets_remedy

Parts = Mapping[Part, Examples[Any]]
Array = np.ndarray[Any, Any]

_RESAMPLES = 1000
_FEWEST_LOOKED_AT = 200
_MOST_WORK = 50_000_000_000
"""So many floating-point operations a network spends on each part at most: it is to take little time."""


def fit_safeguards(
    predictor: Predictor[Any],
    parts: Parts,
    outputs: Array,
    truth: Array,
    *,
    units: Integer[np.ndarray, "validation"],
    remedies: Mapping[str, Any],
    seed: int,
) -> Safeguards:
    """Learn from validation what stands beside the answers of a model.

    Parameters
    ----------
    predictor
        With its calibration.
    outputs, truth
        Of validation: what the networks say before calibration, and what they should.
    units
        What the split keeps together, of validation.
    remedies
        The settings of that section.
    """
    task, coverage = predictor.task, remedies.get("coverage")
    sets = None
    if task.has_labels and coverage is not None:
        method = remedies["calibration"]
        sets = fit_sets(task, method, outputs, truth, coverage=coverage, units=units, seed=seed)
    return Safeguards(
        sets=sets,
        familiarity=_familiarity(predictor, parts, seed),
        prevalence=Prevalence.fit(task, truth, remedies.get("prevalence")) if task.has_labels else None,
    )


def judged_safeguards(
    predictor: Predictor[Any], safeguards: Safeguards, test: Examples[Any], answers: Array, truth: Array, units: Units
) -> list[Remedy]:
    """Say how what stands beside the answers turned out on the test.

    Parameters
    ----------
    answers, truth
        Of the test: calibrated answers, and what they should be.
    """
    told = []
    if safeguards.sets is not None:
        told.append(sets_remedy(predictor.task, set_figures(safeguards.sets, predictor.task, truth, answers, units)))
    familiarity = safeguards.familiarity
    if familiarity is not None:
        beyond = _share_beyond(predictor, familiarity, test, units)
        told.append(familiarity_remedy(beyond, threshold=BEYOND, kept=len(familiarity.reference)))
    if safeguards.prevalence is not None and safeguards.prevalence.changes:
        told.append(prevalence_remedy(safeguards.prevalence))
    return told


def _familiarity(predictor: Predictor[Any], parts: Parts, seed: int) -> Familiarity | None:
    """Compare a sample of validation with a sample of train; of an ensemble, as its first network sees them."""
    if predictor.task.is_image:
        return None
    most = _most_looked_at(predictor, parts["train"])
    train, validation = (
        predictor.encoder.encode(parts[name].take(_chosen(len(parts[name]), most, seed)).inputs)
        for name in ("train", "validation")
    )
    return fit_familiarity(predictor.members[0], train, validation, predictor.task.outputs)


def _share_beyond(predictor: Predictor[Any], familiarity: Familiarity, test: Examples[Any], units: Units) -> Interval:
    """Measure on a sample of the test how many are farther from train than nearly all of validation."""
    chosen = _chosen(len(test), _most_looked_at(predictor, test), 0)
    encoded = predictor.encoder.encode(test.take(chosen).inputs)
    beyond = familiarity.ranks(familiarity.distances(predictor.members[0], encoded)) >= BEYOND
    value, draw = float(beyond.mean()), Draw(units.take(chosen), _RESAMPLES, seed=0)
    sums = draw.sums(np.stack([beyond, np.ones(len(beyond))], axis=1))
    return percentile_interval(value, sums[:, 0] / sums[:, 1])


def _most_looked_at(predictor: Predictor[Any], examples: Examples[Any]) -> int:
    """Count the examples that are looked at: the fewer, the more work one is."""
    if not len(examples):
        return MOST_KEPT
    one = predictor.encoder.encode(examples.take(np.arange(1)).inputs).batch(np.arange(1))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        predictor.members[0](**one)
    return int(np.clip(_MOST_WORK // max(1, counter.get_total_flops()), _FEWEST_LOOKED_AT, MOST_KEPT))


def _chosen(count: int, most: int, seed: int) -> Integer[np.ndarray, "chosen"]:
    """Choose so many of the examples at random that it takes little time."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
