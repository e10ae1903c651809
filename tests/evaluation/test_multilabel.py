"""Several yes-or-no questions at once: every label is judged, calibrated and rivalled by itself."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.baselines import logistic_regression_baseline, majority_baseline
from primase.evaluation.calibration import NoCalibration, TemperatureScaling
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import compare, evaluate
from primase.evaluation.per_label import fit_calibrator_of, read_calibrator, uncalibrated
from primase.evaluation.reliability import reliability

TASK = Task("multilabel", ("a", "b", "c"))


class Rows:
    """Inputs that are rows of numbers."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Rows(self.values[indices])


@pytest.fixture
def judged():
    generator = np.random.default_rng(0)
    targets = generator.integers(-1, 2, size=(400, 3)).astype(np.int8)
    probabilities = np.clip(generator.normal(0.5 + 0.2 * targets, 0.25), 0.01, 0.99)
    return targets, probabilities


def test_every_label_is_judged_where_it_is_known(judged):
    targets, probabilities = judged
    figures = evaluate(TASK, targets, probabilities, resamples=0)
    for place, label in enumerate(TASK.labels):
        known = targets[:, place] >= 0
        true, score = targets[known, place], probabilities[known, place]
        assert figures[f"{label}_auroc"].value == pytest.approx(roc_auc_score(true, score))
        assert figures[f"{label}_auprc"].value == pytest.approx(average_precision_score(true, score))
        assert figures[f"{label}_brier"].value == pytest.approx(brier_score_loss(true, score))
    mean = np.mean([figures[f"{label}_auroc"].value for label in TASK.labels])
    assert figures["macro_auroc"].value == pytest.approx(mean)


def test_what_is_not_known_changes_nothing(judged):
    targets, probabilities = judged
    changed = np.where(targets < 0, 0.123, probabilities)
    units = Units.examples(len(targets))
    first, second = (evaluate(TASK, targets, p, units=units, resamples=50) for p in (probabilities, changed))
    assert first == second
    assert compare(TASK, targets, probabilities, changed, resamples=50)["macro_auroc"].value == 0


def test_a_label_without_any_known_answer_has_no_figure(judged):
    targets, probabilities = judged
    targets[:, 1] = -1
    figures = evaluate(TASK, targets, probabilities, resamples=20)
    assert np.isnan(figures["b_auroc"].value)
    assert figures["macro_auroc"].value == pytest.approx((figures["a_auroc"].value + figures["c_auroc"].value) / 2)


@pytest.mark.parametrize(
    ("targets", "probabilities"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3))),
        (np.full((2, 3), 2), np.zeros((2, 3))),
        (np.ones((2, 3)), np.full((2, 3), 2)),
    ],
)
def test_what_does_not_fit_is_refused(targets, probabilities):
    with pytest.raises(ValueError, match=r"shape|target of 2|above one"):
        evaluate(TASK, targets.astype(np.int8), probabilities)


def test_every_label_has_a_temperature_of_its_own():
    generator = np.random.default_rng(1)
    log_odds = generator.normal(0, 2, size=(20_000, 3))
    targets = (generator.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    hot = log_odds * np.array([1.0, 2.0, 0.5])
    targets[:500, 0] = -1
    calibrator = fit_calibrator_of(TASK, "temperature", hot, targets)
    temperatures = [one.temperature for one in calibrator.calibrators]
    np.testing.assert_allclose(temperatures, [1.0, 2.0, 0.5], rtol=0.05)
    np.testing.assert_allclose(calibrator.answers(hot), 1 / (1 + np.exp(-log_odds)), atol=0.02)
    again = read_calibrator(json.loads(json.dumps(calibrator.to_state())))
    np.testing.assert_array_equal(again.answers(hot), calibrator.answers(hot))
    assert calibrator.name == "temperature"
    assert "between 0.5" in calibrator.note


def test_without_calibration_probabilities_are_sigmoids():
    log_odds = np.array([[0.0, np.log(3), -np.log(3)]])
    np.testing.assert_allclose(uncalibrated(TASK).answers(log_odds), [[0.5, 0.75, 0.25]])
    assert uncalibrated(Task("binary", ("no", "yes"))) == NoCalibration()


def test_a_calibrator_of_one_question_is_read_as_before():
    assert read_calibrator(TemperatureScaling(2.0).to_state()) == TemperatureScaling(2.0)


def test_baselines_learn_every_label_by_itself():
    generator = np.random.default_rng(2)
    values = generator.normal(size=(600, 3))
    targets = (values + 0.3 * generator.normal(size=values.shape) > 0).astype(np.int8)
    targets[generator.random(targets.shape) < 0.3] = -1
    targets[:, 2] = -1  # nothing is known of it
    examples = Examples(ids=np.arange(600).astype(object), inputs=Rows(values), targets=targets)
    train, validation = examples.take(np.arange(400)), examples.take(np.arange(400, 600))
    linear = logistic_regression_baseline(lambda some: some.inputs.values, "numbers").fit(TASK, train, validation)
    probabilities = linear.answers(validation)
    for place in (0, 1):
        assert roc_auc_score(values[400:, place] > 0, probabilities[:, place]) > 0.95
    np.testing.assert_array_equal(probabilities[:, 2], 0.5)
    share = majority_baseline().fit(TASK, train, validation).answers(validation)[0]
    known = train.targets[train.targets[:, 0] >= 0, 0]
    assert share[0] == pytest.approx(known.mean())


def test_the_reliability_diagram_takes_every_label_as_a_prediction(judged):
    targets, probabilities = judged
    curve = reliability(targets, probabilities)
    assert curve.count.sum() == (targets >= 0).sum()
    expected = evaluate(
        Task("binary", ("no", "yes")), targets[targets >= 0].astype(int), two(probabilities[targets >= 0])
    )
    assert curve.expected_calibration_error == pytest.approx(expected["ece"].value)


def two(probability):
    return np.stack([1 - probability, probability], axis=1)
