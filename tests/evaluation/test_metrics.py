import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as scikit

from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.intervals import Units, percentile_interval, resampled_weights
from primase.evaluation.metrics import compare, evaluate, evaluate_subsets, metric_title
from primase.evaluation.scorer import Scorer, metric_names

BINARY = Task("binary", ("no", "yes"))
COLOURS = Task("multiclass", ("red", "green", "blue", "grey"))


def draw_probabilities(generator: np.random.Generator, examples: int, labels: int, levels: int) -> np.ndarray:
    """Probabilities on a coarse grid, so that ties are many; each row sums to one."""
    raw = generator.integers(1, levels + 1, size=(examples, labels)).astype(float)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def slow_ece(targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
    gathered: dict[int, list[tuple[float, float, float]]] = {}
    for target, row, weight in zip(targets, probabilities, weights, strict=True):
        confidence = row.max()
        place = next(b for b in range(15) if confidence <= np.linspace(0, 1, 16)[b + 1])
        gathered.setdefault(place, []).append((weight, confidence, float(row.argmax() == target)))
    gaps = [abs(sum(w * c for w, c, _ in members) - sum(w * r for w, _, r in members)) for members in gathered.values()]
    return float(sum(gaps) / weights.sum())


def one_against_rest(metric: Callable[..., float], label: int) -> Callable[..., float]:
    def measure(targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
        positive = targets == label
        present = weights[positive].sum() > 0 and weights[~positive].sum() > 0
        return metric(positive, probabilities[:, label], sample_weight=weights) if present else math.nan

    return measure


def one_f1(label: int) -> Callable[..., float]:
    def measure(targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
        positive, predicted = targets == label, probabilities.argmax(axis=1) == label
        if weights[positive].sum() == 0:
            return math.nan
        return float(scikit.f1_score(positive, predicted, sample_weight=weights, zero_division=0))

    return measure


def oracle(task: Task, targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    predicted = probabilities.argmax(axis=1)
    truth = np.eye(task.outputs)[targets]
    brier = ((probabilities - truth) ** 2).sum(axis=1)
    figures = {
        "accuracy": scikit.accuracy_score(targets, predicted, sample_weight=weights),
        "mcc": scikit.matthews_corrcoef(targets, predicted, sample_weight=weights),
        "ece": slow_ece(targets, probabilities, weights),
        "brier": float(np.average(brier, weights=weights)),
    }
    ranking = {"auroc": scikit.roc_auc_score, "auprc": scikit.average_precision_score}
    if task.kind == "binary":
        figures["brier"] = scikit.brier_score_loss(targets, probabilities[:, 1], sample_weight=weights)
        figures["f1"] = one_f1(1)(targets, probabilities, weights)
        for name, metric in ranking.items():
            figures[name] = one_against_rest(metric, 1)(targets, probabilities, weights)
        return figures
    for index, label in enumerate(task.labels):
        figures[f"{label}_f1"] = one_f1(index)(targets, probabilities, weights)
        for name, metric in ranking.items():
            figures[f"{label}_{name}"] = one_against_rest(metric, index)(targets, probabilities, weights)
    for name in ("f1", "auroc", "auprc"):
        known = [figures[f"{label}_{name}"] for label in task.labels if not math.isnan(figures[f"{label}_{name}"])]
        figures[f"macro_{name}"] = sum(known) / len(known) if known else math.nan
    return figures


@settings(max_examples=60, deadline=None)
@given(
    task=st.sampled_from([BINARY, COLOURS]),
    examples=st.integers(1, 40),
    levels=st.integers(1, 30),
    seed=st.integers(0, 10**6),
)
def test_every_metric_is_that_of_scikit_learn(task: Task, examples: int, levels: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, task.outputs, size=examples)
    probabilities = draw_probabilities(generator, examples, task.outputs, levels)
    weights = generator.integers(0, 4, size=(3, examples)).astype(float)
    weights[:, generator.integers(examples)] += 1.0
    figures = Scorer(task, targets, probabilities)(weights)
    assert tuple(figures) == metric_names(task)
    for row, drawn in enumerate(weights):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = oracle(task, targets, probabilities, drawn)
        assert {name: column[row] for name, column in figures.items()} == pytest.approx(expected, nan_ok=True)


def clustered(seed: int, units: int = 60, size: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups of near-copies: same target, nearly the same score."""
    generator = np.random.default_rng(seed)
    targets = np.repeat(generator.integers(0, 2, size=units), size)
    scores = np.repeat(generator.normal(size=units), size) + targets + generator.normal(size=units * size) * 0.01
    positive = 1 / (1 + np.exp(-scores))
    return targets, np.stack([1 - positive, positive], axis=1), np.repeat(np.arange(units), size)


def test_intervals_are_those_of_explicit_resampling() -> None:
    targets, probabilities, groups = clustered(0)
    fast = evaluate(BINARY, targets, probabilities, units=groups, resamples=2000, seed=3)
    generator = np.random.default_rng(8)
    members = [np.flatnonzero(groups == group) for group in range(60)]
    slow: dict[str, list[float]] = {"auroc": [], "auprc": [], "mcc": [], "brier": []}
    for _ in range(300):
        chosen = np.concatenate([members[unit] for unit in generator.integers(0, 60, size=60)])
        truth, scores = targets[chosen], probabilities[chosen]
        slow["auroc"].append(scikit.roc_auc_score(truth, scores[:, 1]))
        slow["auprc"].append(scikit.average_precision_score(truth, scores[:, 1]))
        slow["mcc"].append(scikit.matthews_corrcoef(truth, scores.argmax(axis=1)))
        slow["brier"].append(scikit.brier_score_loss(truth, scores[:, 1]))
    for name, values in slow.items():
        expected = percentile_interval(fast[name].value, np.array(values))
        tolerance = 0.2 * (expected.high - expected.low)
        assert fast[name].low == pytest.approx(expected.low, abs=tolerance)
        assert fast[name].high == pytest.approx(expected.high, abs=tolerance)


def test_interval_over_units_is_wider_than_over_examples() -> None:
    targets, probabilities, groups = clustered(1)
    by_unit = evaluate(BINARY, targets, probabilities, units=groups)
    by_example = evaluate(BINARY, targets, probabilities)
    for name, interval in by_unit.items():
        assert interval.value == by_example[name].value
        # Eight copies of everything: the standard error is the root of eight times as large.
        ratio = (interval.high - interval.low) / (by_example[name].high - by_example[name].low)
        assert ratio == pytest.approx(math.sqrt(8), rel=0.25) or name == "ece"


def test_same_seed_same_interval() -> None:
    targets, probabilities, groups = clustered(2)
    first = evaluate(BINARY, targets, probabilities, units=groups, seed=5, resamples=100)
    assert first == evaluate(BINARY, targets, probabilities, units=groups, seed=5, resamples=100)
    assert first != evaluate(BINARY, targets, probabilities, units=groups, seed=6, resamples=100)


def test_unknown_targets_are_left_out() -> None:
    targets, probabilities, groups = clustered(3)
    hidden = targets.copy()
    hidden[::3] = -1
    known = hidden >= 0
    everything = evaluate(BINARY, hidden, probabilities, units=groups, resamples=50)
    assert everything == evaluate(BINARY, targets[known], probabilities[known], units=groups[known], resamples=50)


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(InputError, match="no example has a known target"):
        evaluate(BINARY, np.array([-1, -1]), np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("targets", "probabilities"),
    [
        ([0, 1], [[0.5, 0.5]]),
        ([0], [[0.2, 0.3, 0.5]]),
        ([2], [[0.5, 0.5]]),
        ([0], [[0.5, 0.6]]),
        ([0], [[-0.5, 1.5]]),
        ([0], [[math.nan, math.nan]]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(targets: list[int], probabilities: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"probabilities|target"):
        evaluate(BINARY, np.array(targets), np.array(probabilities))


def test_units_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="units of 3"):
        evaluate(BINARY, np.array([0, 1]), np.full((2, 2), 0.5), units=np.arange(3))


def test_one_label_only_has_accuracy_and_no_ranking() -> None:
    figures = evaluate(BINARY, np.ones(30, dtype=int), np.tile([0.3, 0.7], (30, 1)), resamples=100)
    assert figures["accuracy"].value == 1.0
    assert math.isnan(figures["auroc"].value)
    assert not figures["auroc"].has_bounds


def test_a_single_unit_has_no_interval() -> None:
    targets, probabilities, groups = clustered(4)
    figures = evaluate(BINARY, targets, probabilities, units=np.zeros_like(groups))
    assert not any(interval.has_bounds for interval in figures.values())
    assert not any(evaluate(BINARY, targets, probabilities, resamples=0)[name].has_bounds for name in figures)


def test_a_rare_label_has_no_interval_and_an_absent_one_no_figure() -> None:
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, size=200)
    targets[0] = 2
    figures = evaluate(COLOURS, targets, draw_probabilities(generator, 200, 4, 30), resamples=300)
    assert not math.isnan(figures["blue_f1"].value)
    assert not figures["blue_f1"].has_bounds
    assert math.isnan(figures["grey_auroc"].value)
    assert figures["macro_auroc"].value == pytest.approx(
        np.mean([figures[f"{label}_auroc"].value for label in ("red", "green", "blue")])
    )
    assert figures["macro_auroc"].has_bounds


def test_calibration_error_interval_is_not_blind_to_its_bias() -> None:
    """A perfectly calibrated predictor: resampling inflates the error, and the interval must not exclude none."""
    reached_zero = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        positive = 1 / (1 + np.exp(-2 * generator.normal(size=400)))
        targets = (generator.random(400) < positive).astype(int)
        interval = evaluate(BINARY, targets, np.stack([1 - positive, positive], 1), resamples=200)["ece"]
        assert 0 <= interval.low <= interval.value <= interval.high
        reached_zero += interval.low < 0.002
    assert reached_zero > 20


def test_difference_is_drawn_together() -> None:
    targets, probabilities, groups = clustered(5)
    other = probabilities * 0.9 + 0.05
    difference = compare(BINARY, targets, probabilities, other, units=groups, resamples=400)
    alone = evaluate(BINARY, targets, probabilities, units=groups, resamples=400)
    beside = evaluate(BINARY, targets, other, units=groups, resamples=400)
    for name in ("auroc", "accuracy", "mcc"):
        # A monotone change of the scores leaves order and prediction: the difference is nothing, in every resample.
        assert difference[name].value == pytest.approx(0, abs=1e-12)
        assert difference[name].high == pytest.approx(0, abs=1e-12)
    assert difference["brier"].value == pytest.approx(alone["brier"].value - beside["brier"].value)
    width = alone["brier"].high - alone["brier"].low
    assert difference["brier"].high - difference["brier"].low < width
    assert compare(BINARY, targets, probabilities, probabilities[:, ::-1], units=groups)["auroc"].excludes(0)


def test_difference_is_that_of_the_same_resamples() -> None:
    targets, probabilities, groups = clustered(6)
    other = draw_probabilities(np.random.default_rng(0), len(targets), 2, 9)
    difference = compare(BINARY, targets, probabilities, other, units=groups, resamples=50, seed=4)["auprc"]
    weights = np.concatenate(list(resampled_weights(Units.of(groups, "unit"), resamples=50, seed=4)))
    values = [
        scikit.average_precision_score(targets, probabilities[:, 1], sample_weight=row)
        - scikit.average_precision_score(targets, other[:, 1], sample_weight=row)
        for row in weights
    ]
    assert (difference.low, difference.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_subsets_are_evaluated_and_empty_ones_left_out() -> None:
    targets, probabilities, groups = clustered(7)
    masks = {"first": groups < 30, "none": groups < 0}
    figures = evaluate_subsets(BINARY, targets, probabilities, masks, units=Units.of(groups, "cluster"), resamples=20)
    assert list(figures) == ["first"]
    first = masks["first"]
    assert figures["first"] == evaluate(BINARY, targets[first], probabilities[first], units=groups[first], resamples=20)


def test_names() -> None:
    assert metric_names(COLOURS)[:7] == ("accuracy", "mcc", "macro_auroc", "macro_auprc", "macro_f1", "ece", "brier")
    assert metric_names(COLOURS)[-3:] == ("grey_f1", "grey_auroc", "grey_auprc")
    assert BINARY.main_metric in metric_names(BINARY)
    assert COLOURS.main_metric in metric_names(COLOURS)
    assert metric_title("macro_f1") == "macro F1"
    with pytest.raises(InputError, match="macro"):
        metric_names(Task("multiclass", ("macro", "a", "b")))
