import json

import numpy as np
import pytest
from scipy.special import expit, softmax

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError
from primase.evaluation.intervals import Units
from primase.evaluation.per_label import fit_calibrator_of
from primase.evaluation.prediction_sets import PredictionSets, fit_sets, set_figures

BINARY = Task("binary", ("no", "yes"))
SEVERAL = Task("multiclass", ("a", "b|c", "d\\"))
EACH = Task("multilabel", ("a", "b"))


def simulate(examples, generator, labels=3):
    """Outputs of a network that is wrong, and too sure."""
    true = generator.normal(size=(examples, labels))
    targets = (softmax(true, axis=1).cumsum(axis=1) < generator.random((examples, 1))).sum(axis=1)
    return true * 3 + generator.normal(size=true.shape), targets


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
@pytest.mark.parametrize(("examples", "coverage"), [(60, 0.9), (300, 0.8)])
def test_sets_hold_what_they_promise(method, examples, coverage):
    """Over many draws of validation the mean coverage lies between c and c + 1 / (n + 1), as far as dice allow."""
    generator, found = np.random.default_rng(0), []
    for _ in range(60):
        outputs, targets = simulate(examples + 500, generator)
        sets = fit_sets(
            SEVERAL, method, outputs[:examples], targets[:examples], coverage=coverage, units=np.arange(examples)
        )
        answers = fit_calibrator_of(SEVERAL, method, outputs[:examples], targets[:examples]).answers(outputs[examples:])
        held = sets.members(answers)
        found.append(held[np.arange(500), targets[examples:]].mean())
    error = np.std(found) / np.sqrt(len(found))
    assert coverage - 0.01 - 2 * error < np.mean(found) < coverage + 1 / (examples + 1) + 0.015 + 2 * error


def test_each_label_of_several_is_held():
    generator = np.random.default_rng(1)
    true = generator.normal(size=(6000, 2)) - [0.0, 1.5]
    truth = (generator.random(true.shape) < expit(true)).astype(np.int64)
    sets = fit_sets(EACH, "temperature", true[:3000], truth[:3000], coverage=0.9, units=np.arange(3000))
    held, there = sets.members(expit(true[3000:])), truth[3000:] == 1
    assert [held[there[:, place], place].mean() for place in range(2)] == pytest.approx([0.9, 0.9], abs=0.03)
    assert sets.thresholds[0] != sets.thresholds[1]


def test_the_threshold_is_of_the_rank_that_the_coverage_asks_for():
    answers = np.stack([1 - np.arange(1, 20) / 20, np.arange(1, 20) / 20], axis=1)
    sets = PredictionSets.fit(BINARY, answers, np.ones(19, dtype=np.int64), 0.9)
    # The 18th smallest of 1 - p is that of the 18th largest p.
    assert sets.thresholds == (pytest.approx(2 / 20),)
    assert PredictionSets.fit(BINARY, answers[:8], np.ones(8, dtype=np.int64), 0.9).thresholds == (0.0,)


def test_unknown_targets_do_not_count():
    answers = np.full((20, 2), 0.5)
    targets = np.where(np.arange(20) < 10, -1, 1)
    assert PredictionSets.fit(BINARY, answers, targets, 0.5).count == 10


def test_a_set_is_empty_where_no_label_is_as_probable_as_true_ones_are():
    sets = PredictionSets(0.5, (0.95,), 30)
    assert sets.members(np.array([[0.4, 0.6], [0.04, 0.96]])).tolist() == [[False, False], [False, True]]
    assert PredictionSets(0.5, (0.95, 0.5), 30).members(np.array([[0.4, 0.4]])).tolist() == [[False, False]]


def test_labels_are_joined_so_that_they_can_be_told_apart():
    column = PredictionSets(0.9, (0.1,), 30).column(SEVERAL, np.array([[0.05, 0.5, 0.45], [0.9, 0.05, 0.05]]))
    assert (column.name, column.to_list()) == ("prediction_set", ["b\\|c|d\\\\", "a"])
    empty = PredictionSets(0.9, (0.5, 0.5), 30).column(EACH, np.array([[0.1, 0.1]]))
    assert empty.to_list() == [""]


def test_figures_are_counted():
    sets = PredictionSets(0.9, (0.3,), 30)
    answers = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.8, 0.2]])
    figures = set_figures(sets, BINARY, np.array([0, 0, 1, 1]), answers, Units.examples(4))
    assert figures.found.value == pytest.approx(3 / 4)
    assert figures.size.value == pytest.approx(5 / 4)
    assert figures.of_labels == pytest.approx((1.0, 0.5))
    assert (figures.single, figures.empty) == (0.75, 0.0)
    assert figures.found.low <= figures.found.value <= figures.found.high
    state = json.loads(json.dumps(figures.to_state()))
    assert (state["coverage_stated"], state["mean_size"]) == (0.9, pytest.approx(1.25))


def test_figures_of_unknown_targets():
    sets = PredictionSets(0.9, (0.3,), 30)
    figures = set_figures(sets, BINARY, np.array([0, -1]), np.array([[0.6, 0.4], [0.5, 0.5]]), Units.examples(2))
    assert figures.found.value == 1.0
    assert np.isnan(figures.of_labels[1])


def test_round_trip_and_note():
    sets = PredictionSets(0.9, (0.0,), 5)
    assert PredictionSets.from_state(json.loads(json.dumps(sets.to_state()))) == sets
    assert "ruled out" in sets.note
    assert "90 %" in sets.note
    for state in (
        {},
        {"coverage": 2, "thresholds": [0.1], "count": 3},
        {"coverage": 0.9, "thresholds": [], "count": 3},
    ):
        with pytest.raises(BundleError, match="prediction"):
            PredictionSets.from_state(state)


def test_values_have_no_sets():
    with pytest.raises(ConfigurationError, match="labels"):
        fit_sets(
            Task("regression", ("a",)), "none", np.zeros((9, 1)), np.zeros((9, 1)), coverage=0.9, units=np.arange(9)
        )
