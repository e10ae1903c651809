import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from primase.data.examples import Examples, Indices
from primase.data.tasks import Task
from primase.evaluation.assessment import assess, fit_rivals
from primase.evaluation.baselines import FittedRival
from primase.evaluation.conformal import Conformal, NoIntervals
from primase.evaluation.contrasts import Contrast, assess_contrast
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.value_assessment import errors_of_targets

GENES = Task("regression", ("TP53", "MYC"))
OVERALL = {"macro_mae", "macro_r2", "macro_mse", "macro_pearson"}


@dataclass(frozen=True, eq=False)
class Matrix:
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Indices) -> "Matrix":
        return Matrix(self.rows[indices])

    @classmethod
    def concatenate(cls, blocks: Any) -> "Matrix":
        return cls(np.concatenate([block.rows for block in blocks]))


@dataclass(frozen=True)
class Blurred:
    """A rival that knows the truth but for some noise."""

    name: str
    noise: float

    @property
    def description(self) -> str:
        return "Knows nearly everything."

    def fit(self, task: Task, train: Examples[Any], validation: Examples[Any]) -> FittedRival:
        del task, train, validation
        return self

    def answers(self, examples: Examples[Any]) -> np.ndarray:
        noise = np.random.default_rng(len(self.name)).normal(size=examples.inputs.rows.shape)
        return np.asarray(examples.inputs.rows + self.noise * noise)


def examples(seed: int = 0, count: int = 80) -> Examples[Matrix]:
    truth = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return Examples(np.array([f"s{place}" for place in range(count)], dtype=object), Matrix(truth), truth)


RIVALS = [Blurred("ridge", 0.5), Blurred("mean", 2.0)]
PROBES = [Blurred("batch alone", 0.2)]


def judged(task: Task = GENES, *, truth: np.ndarray | None = None, targets: np.ndarray | None = None) -> Any:
    test = examples()
    if targets is not None:
        test = Examples(test.ids, test.inputs, targets)
    fitted = fit_rivals(RIVALS, PROBES, task, test, test)
    calibrator = NoIntervals() if task.kind == "generative" else Conformal(0.8, np.array([0.5, 0.3]), 50)
    outputs = Blurred("network", 0.3).answers(test)
    half = np.arange(80) < 40
    return outputs, assess(
        outputs,
        calibrator,
        test,
        task,
        units=Units.of(np.arange(80) // 2, "patient"),
        subsets={"first half": half},
        rivals=fitted,
        probes=["batch alone"],
        truth=truth,
    )


def test_everything_is_measured_on_the_same_test() -> None:
    outputs, assessment = judged()
    test, units = examples(), np.arange(80) // 2
    evaluation = assessment.evaluation
    alone = evaluate(GENES, test.targets, outputs.astype(np.float32), units=units)
    assert evaluation.test == alone
    assert list(evaluation.baselines) == ["ridge", "mean"]
    assert list(evaluation.probes) == ["batch alone"]
    assert evaluation.reference == "ridge"
    for name, metrics in {**evaluation.baselines, **evaluation.probes, **evaluation.subsets}.items():
        assert set(metrics) == OVERALL, name
    rival = evaluate(GENES, test.targets, assessment.others["mean"], units=units)
    assert evaluation.baselines["mean"] == {name: rival[name] for name in evaluation.baselines["mean"]}
    difference = evaluation.differences["batch alone"]["macro_mae"]
    assert difference.value == pytest.approx(
        alone["macro_mae"].value - evaluation.probes["batch alone"]["macro_mae"].value
    )
    assert difference.excludes(0.0)
    assert np.array_equal(assessment.before, assessment.after)
    assert assessment.after.dtype == np.float32
    low, high = assessment.bounds
    assert (high - low)[0] == pytest.approx([1.0, 0.6])


def test_gains_are_over_baselines_and_per_target_over_the_best() -> None:
    _, assessment = judged()
    gains = assessment.evaluation.gains
    assert list(gains) == ["ridge", "mean"]
    assert gains["mean"].relative.value > gains["ridge"].relative.value > 0.2
    assert gains["mean"].of_targets is None
    assert gains["ridge"].of_targets is not None
    errors = {
        name: np.abs(values - examples().targets).mean(axis=0)
        for name, values in {"network": assessment.after, **assessment.others}.items()
    }
    assert gains["ridge"].of_targets.value == pytest.approx(1 - errors["network"] / errors["ridge"], rel=1e-5)
    state = json.loads(json.dumps(assessment.evaluation.to_state(), allow_nan=False))
    assert state["gains"]["mean"]["share_better"] == 1.0
    assert state["calibration"]["coverage_stated"] == 0.8


def test_coverage_is_judged_on_the_test() -> None:
    _, assessment = judged()
    figures = assessment.evaluation.calibration
    assert isinstance(figures, CoverageFigures)
    low, high = assessment.bounds
    truth = examples().targets
    assert figures.found.value == pytest.approx(((low <= truth) & (truth <= high)).mean(), abs=0.01)


def test_a_generative_task_is_measured_against_the_truth_that_is_given() -> None:
    task = Task("generative", GENES.labels)
    truth = examples().targets
    outputs, assessment = judged(task, truth=truth, targets=np.empty((80, 0), dtype=np.float32))
    assert assessment.bounds is None
    assert assessment.evaluation.calibration.method == "none"
    assert next(iter(assessment.evaluation.test)) == "macro_r2"
    assert assessment.evaluation.test["macro_mse"].value == pytest.approx(((outputs - truth) ** 2).mean(), rel=1e-4)
    assert list(assessment.evaluation.gains["ridge"].to_state()) == ["macro_mse", "share_better"]


def test_errors_of_targets_leave_out_what_is_not_known() -> None:
    truth = examples().targets.copy()
    truth[:10] = np.nan
    truth[20, 1] = np.nan
    found = errors_of_targets(GENES, truth, np.zeros_like(truth))
    assert found["mae"] == pytest.approx(np.nanmean(np.abs(truth), axis=0))


def test_a_contrast_of_values_has_the_figures_of_both() -> None:
    other = examples(3, 40)
    contrast = Contrast("another cohort", "this cohort", "", "", other, Units.examples(40))
    rivals = fit_rivals(RIVALS, [], GENES, other, other)
    found = assess_contrast(contrast, other.inputs.rows + 0.1, NoIntervals(), GENES, rivals=rivals)
    assert found.figures.test["macro_mae"].value == pytest.approx(0.1, rel=1e-4)
    assert set(found.figures.baselines["ridge"]) == OVERALL
    assert set(found.figures.differences["ridge"]) == OVERALL


def test_coverage_where_most_targets_are_not_known() -> None:
    truth = np.full((40, 600), np.nan, dtype=np.float32)
    truth[:, -1] = np.random.default_rng(0).normal(size=40)
    intervals = Conformal(0.9, np.full(600, 10.0), 40)
    task = Task("regression", tuple(f"G{place}" for place in range(600)))
    few = Examples(np.arange(40).astype(object), Matrix(truth), truth)
    found = assess(np.zeros((40, 600), dtype=np.float32), intervals, few, task, units=Units.examples(40), subsets={})
    figures = found.evaluation.calibration
    assert isinstance(figures, CoverageFigures)
    assert figures.found.value == 1.0
    assert np.isnan(figures.of_targets[:-1]).all()
