import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, gammaln, logit, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError
from primase.evaluation.binnings import AveragedSteps, BayesianBinning, HistogramBinning, Steps, equal_borders
from primase.evaluation.calibration import Calibrator, fit_calibrator
from primase.evaluation.crossfit import cross_fitted, folds_of
from primase.evaluation.curves import log_odds
from primase.evaluation.models import log_loss
from primase.evaluation.per_label import METHODS, fit_calibrator_of, read_calibrator, uncalibrated
from primase.evaluation.smooth_curves import IsotonicCalibration, PlattScaling, Rising, Sigmoid

BINARY = Task("binary", ("no", "yes"))
SEVERAL = Task("multiclass", ("a", "b", "c", "d"))
EACH = Task("multilabel", ("a", "b", "c"))
CURVES = {"platt", "histogram", "isotonic", "bbq"}
LEARNED = sorted({*CURVES, "temperature"})


def binary(examples=400, seed=0, slope=0.4, intercept=-1.0):
    """Log-odds that are too sure and too high."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=examples) * 3
    right = generator.random(examples) < expit(slope * scores + intercept)
    return scores, right


def questions(task, examples=600, seed=0, heat=3.0):
    """Outputs that are the true ones times a temperature."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(examples, task.outputs)) * 1.5
    if task.is_multilabel:
        return true * heat, (generator.random(true.shape) < expit(true)).astype(np.int64)
    targets = (softmax(true, axis=1).cumsum(axis=1) < generator.random((examples, 1))).sum(axis=1)
    return true * heat, targets


def surprise(task, answers, targets):
    if task.is_multilabel:
        return -float(np.log(np.where(targets == 1, answers, 1 - answers)).mean())
    return log_loss(targets, answers)


# Oracles


def test_platt_is_logistic_regression_on_his_targets():
    scores, right = binary()
    yes, no = right.sum(), (~right).sum()
    goal = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))
    features, weights = np.tile(scores, 2)[:, None], np.concatenate([goal, 1 - goal])
    wanted = LogisticRegression(C=1e12, tol=1e-12, max_iter=10_000).fit(
        features, np.repeat([1, 0], len(scores)), sample_weight=weights
    )
    found = Sigmoid.fit(scores, right)
    assert found.slope == pytest.approx(wanted.coef_[0, 0], rel=1e-4)
    assert found.intercept == pytest.approx(wanted.intercept_[0], rel=1e-4)


def test_platt_finds_what_was_planted():
    scores, right = binary(100_000)
    found = Sigmoid.fit(scores, right)
    assert found.slope == pytest.approx(0.4, rel=0.02)
    assert found.intercept == pytest.approx(-1.0, rel=0.02)


def test_platt_makes_no_slope_of_rounding():
    right = np.arange(137) % 4 == 0  # the standard deviation of 137 times 0.3 is not nil, but what rounding leaves
    found = Sigmoid.fit(np.full(137, 0.3), right)
    assert found.slope < 10
    assert found.shares(np.array([0.3]))[0] == pytest.approx(right.mean(), abs=0.02)


def test_three_labels_far_from_all_that_was_fitted_are_still_probabilities():
    curves = (Sigmoid(1e6, -1e3), Sigmoid(1e6, -1e3), Sigmoid(1e6, -1e3))
    answers = PlattScaling(curves).answers(np.array([[0.0, 0.0, 0.0], [-9.0, 9.0, 0.0]]))
    assert answers[0].tolist() == pytest.approx([1 / 3] * 3)
    assert np.isfinite(answers).all()


def test_platt_does_not_turn_the_order_round():
    scores, right = binary()
    assert Sigmoid.fit(scores, ~right).slope >= 0
    assert Sigmoid.fit(-scores, right).slope == pytest.approx(0, abs=1e-6)


def test_isotonic_is_that_of_scikit_learn():
    scores, right = binary()
    doubt = 1 / (len(scores) + 2)
    wanted = IsotonicRegression(y_min=doubt, y_max=1 - doubt, out_of_bounds="clip").fit(scores, right)
    asked = np.linspace(-15, 15, 500)
    np.testing.assert_allclose(Rising.fit(scores, right).shares(asked), wanted.predict(asked), atol=1e-12)


def test_histogram_counts_in_bins_of_equally_many():
    scores, right = binary(150)
    found = Steps.fit(scores, right)
    order = np.argsort(scores)
    overall = (right.sum() + 1) / 152
    assert len(found.levels) == 15
    for bin_, level in zip(np.array_split(order, 15), found.levels, strict=True):
        assert level == pytest.approx((right[bin_].sum() + 2 * overall) / (len(bin_) + 2))
        np.testing.assert_allclose(found.shares(scores[bin_]), level)


def dense_bbq(scores, right, asked):
    """Naeini et al. 2015, equations 1 and 2, one example and one bin at a time."""
    n, numbers = len(scores), []
    root = n ** (1 / 3)
    ordered = np.sort(scores)
    for bins in range(max(1, math.floor(root / 10)), math.ceil(root * 10) + 1):
        borders = tuple(equal_borders(ordered, min(bins, n)).tolist())
        if borders not in numbers:
            numbers.append(borders)
    logs, answers = [], []
    for borders in numbers:
        edges, count = [0.0, *(float(expit(border)) for border in borders), 1.0], len(borders) + 1
        place = np.array([sum(score >= border for border in borders) for score in scores])
        log, levels = 0.0, []
        for bin_ in range(count):
            held, yes = int((place == bin_).sum()), int(right[place == bin_].sum())
            middle = (edges[bin_] + edges[bin_ + 1]) / 2
            alpha, beta = 2 / count * middle, 2 / count * (1 - middle)
            log += gammaln(2 / count) - gammaln(held + 2 / count)
            log += gammaln(yes + alpha) - gammaln(alpha) + gammaln(held - yes + beta) - gammaln(beta)
            levels.append((yes + alpha) / (held + 2 / count))
        logs.append(log)
        answers.append([levels[sum(score >= border for border in borders)] for score in asked])
    return softmax(logs) @ np.array(answers)


@pytest.mark.parametrize("examples", [7, 60, 200])
def test_bbq_is_the_formula(examples):
    scores, right = binary(examples, seed=3)
    asked = np.linspace(-9, 9, 41)
    found = AveragedSteps.fit(scores, right).shares(asked)
    np.testing.assert_allclose(found, dense_bbq(scores, right, asked), atol=1e-6)


def test_three_labels_are_told_from_the_others_and_divided_by_their_sum():
    logits, targets = questions(SEVERAL)
    found = fit_calibrator("isotonic", logits, targets).answers(logits)
    scores = logit(softmax(logits, axis=1))
    doubt = 1 / (len(logits) + 2)
    columns = [
        IsotonicRegression(y_min=doubt, y_max=1 - doubt).fit(scores[:, k], targets == k).predict(scores[:, k])
        for k in range(4)
    ]
    wanted = np.stack(columns, axis=1)
    np.testing.assert_allclose(found, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-6)


def test_log_odds_of_a_certain_network_are_finite():
    assert np.isfinite(log_odds(np.array([[800.0, -800.0, 0.0], [1e4, 1e4, 1e4]]))).all()


# What every method does


@pytest.mark.parametrize("method", LEARNED)
@pytest.mark.parametrize("task", [BINARY, SEVERAL, EACH], ids=lambda task: task.kind)
def test_it_helps_a_network_that_is_too_sure(task, method):
    outputs, targets = questions(task, 3000)
    found = fit_calibrator_of(task, method, outputs[:1500], targets[:1500])
    before = surprise(task, uncalibrated(task).answers(outputs[1500:]), targets[1500:])
    after = surprise(task, found.answers(outputs[1500:]), targets[1500:])
    assert after < before - 0.1
    assert "  " not in found.note
    assert found.note.endswith(".")


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("task", [BINARY, SEVERAL, EACH], ids=lambda task: task.kind)
def test_it_survives_the_bundle_and_gives_probabilities(task, method):
    outputs, targets = questions(task, 150)
    found = fit_calibrator_of(task, method, outputs, targets)
    again = read_calibrator(json.loads(json.dumps(found.to_state())))
    assert again == found
    asked = np.concatenate([outputs * 100, outputs[:3]]).astype(np.float32)
    answers = again.answers(asked)
    assert np.all((answers >= 0) & (answers <= 1))
    np.testing.assert_allclose(answers[-3:], again.answers(asked[-3:]), atol=1e-15)
    if not task.is_multilabel:
        np.testing.assert_allclose(answers.sum(axis=1), 1)


@pytest.mark.parametrize("method", sorted(METHODS))
@given(seed=st.integers(0, 10_000), examples=st.integers(1, 40), ties=st.booleans())
def test_what_it_promises_to_keep_it_keeps(method, seed, examples, ties):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(examples, 2)) * 5
    logits = np.round(logits) if ties else logits
    found = fit_calibrator(method, logits, generator.integers(2, size=examples))
    asked = np.concatenate([logits, generator.normal(size=(50, 2)) * 5])
    scores, answers = asked[:, 1] - asked[:, 0], found.answers(asked)
    assert np.isfinite(answers).all()
    if found.keeps in {"predictions", "order"}:
        assert np.all(np.diff(answers[np.argsort(scores), 1]) >= -1e-12)
    if found.keeps == "predictions":
        clear = np.abs(scores) > 1e-9
        assert np.array_equal(answers[clear].argmax(axis=1), asked[clear].argmax(axis=1))


def test_accuracy_is_unchanged_where_it_is_promised():
    outputs, targets = questions(SEVERAL, 500)
    keeping = [name for name, kind in METHODS.items() if kind.keeps == "predictions"]
    assert keeping == ["temperature", "none"]
    for method in keeping:
        answers = fit_calibrator_of(SEVERAL, method, outputs, targets).answers(outputs)
        assert np.array_equal(answers.argmax(axis=1), outputs.argmax(axis=1))


@pytest.mark.parametrize("method", sorted(CURVES))
@pytest.mark.parametrize("targets", [[1, 1, 1], [-1, -1, -1], [0, -1, 0]])
def test_one_label_or_none_leaves_the_network_as_it_is(method, targets):
    logits = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.5]])
    found = fit_calibrator(method, logits, np.array(targets))
    np.testing.assert_allclose(found.answers(logits), softmax(logits, axis=1))
    assert "fewer than two labels" in found.note


@pytest.mark.parametrize("method", sorted(CURVES))
def test_a_label_that_validation_lacks_stays(method):
    logits, targets = questions(SEVERAL, 200)
    targets[targets == 2] = 0
    found = fit_calibrator(method, logits, targets)
    assert "1 of 4 labels" in found.note
    assert found.answers(logits)[:, 2].min() > 0


@pytest.mark.parametrize("method", sorted(CURVES))
def test_equal_outputs_get_one_probability(method):
    logits, targets = np.zeros((30, 2)), np.arange(30) % 3 // 2
    found = fit_calibrator(method, logits, targets).answers(np.zeros((2, 2)))
    assert found[0, 1] == found[1, 1]
    assert found[0, 1] == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize("method", sorted(CURVES))
def test_perfect_order_does_not_make_it_certain(method):
    scores = np.linspace(-8, 8, 60)
    logits = np.stack([np.zeros(60), scores], axis=1)
    answers = fit_calibrator(method, logits, (scores > 0).astype(np.int64)).answers(logits)
    assert 0 < answers[:, 1].min() < 0.2
    assert 0.8 < answers[:, 1].max() < 1


@pytest.mark.parametrize(
    "state",
    [
        {"method": "platt"},
        {"method": "platt", "curves": []},
        {"method": "platt", "curves": [{"slope": -1.0, "intercept": 0.0}]},
        {"method": "platt", "curves": [{"slope": 1.0}]},
        {"method": "platt", "curves": [[1.0, 2.0]]},
        {"method": "isotonic", "curves": [{"places": [0.0, 1.0], "heights": [0.9, 0.1]}]},
        {"method": "isotonic", "curves": [{"places": [], "heights": []}]},
        {"method": "histogram", "curves": [{"borders": [0.0], "levels": [0.5]}]},
        {"method": "histogram", "curves": [{"borders": [], "levels": [1.5]}]},
        {"method": "bbq", "curves": [{"binnings": [], "weights": []}]},
        {"method": "bbq", "curves": [None], "more": 1},
    ],
)
def test_altered_state_is_refused(state):
    with pytest.raises(BundleError, match="calibration"):
        Calibrator.from_state(state)


def test_there_are_five_methods_and_none():
    assert list(METHODS) == ["temperature", "platt", "histogram", "isotonic", "bbq", "none"]
    kinds = {kind.method: kind for kind in (PlattScaling, HistogramBinning, IsotonicCalibration, BayesianBinning)}
    assert kinds.items() <= METHODS.items()
    with pytest.raises(ConfigurationError, match="platt"):
        fit_calibrator("beta", np.zeros((2, 2)), np.array([0, 1]))


# Folds


def test_folds_keep_units_together_and_share_out_the_labels():
    units = np.repeat(np.arange(50), 4)
    truth = np.repeat(np.arange(50) % 2, 4)
    folds = folds_of(BINARY, truth, units, seed=1)
    assert [len(np.unique(folds[units == unit])) for unit in range(50)] == [1] * 50
    assert [truth[folds == fold].mean() for fold in range(5)] == [0.5] * 5
    assert np.array_equal(folds, folds_of(BINARY, truth, units, seed=1))
    assert not np.array_equal(folds, folds_of(BINARY, truth, units, seed=2))
    assert len(np.unique(folds_of(BINARY, truth, units // 25, seed=0))) == 2


def test_no_example_is_calibrated_by_itself():
    outputs, targets = questions(BINARY, 100)
    folds = folds_of(BINARY, targets, np.arange(100), seed=0)
    answers = cross_fitted(BINARY, "isotonic", outputs, targets, folds)
    for fold in range(5):
        held = folds == fold
        wanted = fit_calibrator("isotonic", outputs[~held], targets[~held]).answers(outputs[held])
        np.testing.assert_array_equal(answers[held], wanted)
    turned = targets.copy()
    turned[7] = 1 - turned[7]
    again = cross_fitted(BINARY, "isotonic", outputs, turned, folds)
    assert np.array_equal(again[folds == folds[7]], answers[folds == folds[7]])
    assert not np.array_equal(again, answers)
