"""Contrasts: the test asked in another way, such as the same true pairs beside false ones that are harder to tell.

How good a ranking looks depends on what the positives are ranked against. Where negatives were drawn so that they
differ from the positives in something easy, such as how many partners a protein has, a model can score high on that
alone; negatives that match in it show what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from jaxtyping import Float

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import FittedRival
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import compare, evaluate, evaluate_beside
from primase.evaluation.per_label import AnyCalibrator

Answers = Float[np.ndarray, "examples labels"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Other examples to ask the same question of, beside the test.

    Parameters
    ----------
    name
        What is different in them, in the plural: ``"degree-matched negatives"``.
    main_name
        What the main test has instead: ``"uniform negatives"``.
    meaning
        How these examples were made, as sentences.
    reading
        When to go by which figure, as a sentence.
    examples
        With known targets of both kinds.
    units
        What the intervals are drawn over.
    """

    name: str
    main_name: str
    meaning: str
    reading: str
    examples: Examples[Any]
    units: Units


@final
@dataclass(frozen=True, slots=True)
class ContrastFigures:
    """What the network, the baselines and the probes reach on the examples of a contrast.

    Parameters
    ----------
    name, main_name, meaning, reading
        Of the :class:`Contrast`.
    count
        The number of examples.
    test
        The metrics of the network, calibrated as for the main test.
    baselines, probes
        The metrics of each, by name.
    differences
        Per baseline or probe, the network's metrics minus its, drawn together.
    intervals
        What the intervals were drawn over, as a sentence.
    """

    name: str
    main_name: str
    meaning: str
    reading: str
    count: int
    test: Mapping[str, Interval]
    baselines: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    probes: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    differences: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    intervals: str = ""


@final
@dataclass(frozen=True, slots=True, eq=False)
class AssessedContrast:
    """The figures of a contrast, and what they can be recomputed from.

    Parameters
    ----------
    contrast
        Which examples were asked.
    answers
        The network's, calibrated as for the main test.
    others
        Those of each baseline and probe, by name.
    """

    contrast: Contrast
    figures: ContrastFigures
    answers: Answers
    others: Mapping[str, Answers] = field(default_factory=dict)


def assess_contrast(
    contrast: Contrast,
    outputs: Answers,
    calibrator: AnyCalibrator,
    task: Task,
    *,
    rivals: Sequence[FittedRival] = (),
    probes: Sequence[str] = (),
) -> AssessedContrast:
    """Measure the network, the baselines and the probes on the examples of a contrast.

    Parameters
    ----------
    outputs
        The network's on these examples, before calibration.
    calibrator
        That of the main test: nothing is fitted here.
    rivals
        Trained baselines and probes; the names in ``probes`` tell which are the latter.

    Raises
    ------
    InputError
        If no target of these examples is known.
    """
    targets, units = contrast.examples.targets, contrast.units
    answers = calibrator.answers(outputs)
    others = {rival.name: rival.answers(contrast.examples) for rival in rivals}
    metrics = {name: evaluate_beside(task, targets, values, units=units) for name, values in others.items()}
    figures = ContrastFigures(
        name=contrast.name,
        main_name=contrast.main_name,
        meaning=contrast.meaning,
        reading=contrast.reading,
        count=len(targets),
        test=evaluate(task, targets, answers, units=units),
        baselines={name: found for name, found in metrics.items() if name not in probes},
        probes={name: found for name, found in metrics.items() if name in probes},
        differences={name: compare(task, targets, answers, values, units=units) for name, values in others.items()},
        intervals=units.statement,
    )
    return AssessedContrast(contrast, figures, answers, others)
