"""Cuts and what they do: against scikit-learn's curve, and against counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score, roc_curve

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError, InputError
from primase.evaluation.division import Division
from primase.evaluation.gap import looked_at, measure_gap
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.operating import (
    Aim,
    OperatingPoint,
    choose_cut,
    choose_operating_point,
)
from primase.evaluation.rates import differ, rates_at

BINARY, SEVERAL = Task("binary", ("no", "yes")), Task("multilabel", ("a", "b"))


def drawn(count, seed, distance=1.0):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 2, count)
    targets[:2] = 0, 1
    scores = 1 / (1 + np.exp(-generator.normal(distance * (2 * targets - 1), 1.0).round(1)))
    return targets, scores


def counted(cut, targets, scores):
    called = scores >= cut
    return called[targets == 1].mean(), (~called)[targets == 0].mean()


@given(st.integers(0, 200), st.integers(4, 60))
def test_youden_is_the_best_point_of_the_curve(seed, count):
    targets, scores = drawn(count, seed)
    false, true, _ = roc_curve(targets, scores, drop_intermediate=False)
    assert sum(counted(choose_cut(targets, scores, Aim()), targets, scores)) - 1 == pytest.approx((true - false).max())


@given(st.integers(0, 200), st.integers(4, 60), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_the_rate_that_is_asked_for_is_reached_and_the_other_is_the_best_beside_it(seed, count, least):
    targets, scores = drawn(count, seed)
    false, true, _ = roc_curve(targets, scores, drop_intermediate=False)
    found, spared = counted(choose_cut(targets, scores, Aim("sensitivity", least)), targets, scores)
    assert found >= least
    assert spared == pytest.approx(1 - false[true >= least].min())
    found, spared = counted(choose_cut(targets, scores, Aim("specificity", least)), targets, scores)
    assert spared >= least
    assert found == pytest.approx(true[1 - false >= least].max())


def every_cut(scores):
    return [0.0, *np.unique(scores).tolist(), 2.0]


@given(st.integers(0, 200), st.integers(4, 60))
def test_the_largest_f1_is_reached(seed, count):
    targets, scores = drawn(count, seed)
    best = max(f1_score(targets, scores >= cut) for cut in every_cut(scores))
    assert f1_score(targets, scores >= choose_cut(targets, scores, Aim("f1"))) == pytest.approx(best)


@given(st.integers(0, 200), st.integers(4, 60), st.sampled_from([0.2, 1.0, 7.0]))
def test_the_least_cost_is_reached(seed, count, ratio):
    targets, scores = drawn(count, seed)

    def cost(cut):
        return ratio * ((scores < cut) & (targets == 1)).sum() + ((scores >= cut) & (targets == 0)).sum()

    assert cost(choose_cut(targets, scores, Aim("cost", ratio=ratio))) == pytest.approx(
        min(map(cost, every_cut(scores)))
    )


def test_the_dearer_a_missed_positive_the_lower_the_cut():
    targets, scores = drawn(400, 1)
    cuts = [choose_cut(targets, scores, Aim("cost", ratio=ratio)) for ratio in (0.1, 1, 10, 100)]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[0] > cuts[-1]


def test_unknown_answers_do_not_count():
    targets, scores = drawn(50, 0)
    more = np.concatenate([targets, [-1, -1]]), np.concatenate([scores, [0.0, 1.0]])
    assert choose_cut(*more, Aim()) == choose_cut(targets, scores, Aim())
    plain = rates_at(0.5, targets, scores)
    assert {name: one.value for name, one in rates_at(0.5, *more).items()} == {n: one.value for n, one in plain.items()}


def test_a_cut_needs_both_answers():
    with pytest.raises(InputError, match="3 positives of 3"):
        choose_cut(np.array([1, 1, 1, -1]), np.array([0.1, 0.2, 0.3, 0.4]), Aim())


def test_rates_are_those_that_one_counts_and_lie_in_their_intervals():
    targets, scores = drawn(200, 3)
    rates = rates_at(0.4, targets, scores)
    assert (rates["sensitivity"].value, rates["specificity"].value) == pytest.approx(counted(0.4, targets, scores))
    assert rates["accuracy"].value == pytest.approx(((scores >= 0.4) == targets).mean())
    assert rates["f1"].value == pytest.approx(f1_score(targets, scores >= 0.4))
    assert all(rate.low < rate.value < rate.high for rate in rates.values())


def test_a_rate_of_all_or_none_leaves_room_to_be_another():
    # Wilson's interval, which scipy has, over the positives for sensitivity and the negatives for specificity.
    rates = rates_at(0.5, np.repeat([0, 1], [30, 10]), np.full(40, 0.9))
    all_of, none_of = (binomtest(k, n).proportion_ci(method="wilson") for k, n in ((10, 10), (0, 30)))
    assert (rates["sensitivity"].low, rates["sensitivity"].high) == (pytest.approx(all_of.low, abs=1e-6), 1.0)
    assert (rates["specificity"].low, rates["specificity"].high) == (0.0, pytest.approx(none_of.high, abs=1e-6))
    patients = Units.of(np.repeat(np.arange(20), 2), "patient")
    together = rates_at(0.5, np.repeat([0, 1], [30, 10]), np.full(40, 0.9), units=patients)
    assert together["sensitivity"].low == pytest.approx(binomtest(5, 5).proportion_ci(method="wilson").low, abs=1e-6)
    # All of 10 found on validation is no promise of more than 90 of 100.
    test = rates_at(0.5, np.repeat([0, 1], [300, 100]), np.repeat([0.9, 0.1], [390, 10]))
    assert not differ(rates["sensitivity"], test["sensitivity"])
    assert test["sensitivity"].value == 0.9


@given(st.integers(1, 199))
def test_a_specificity_that_is_reached_to_the_last_digit_is_reached(called):
    targets = np.repeat([0, 1], [200, 1])
    scores = np.concatenate([np.arange(200) / 1000, [1.0]])
    cut = choose_cut(targets, scores, Aim("specificity", (200 - called) / 200))
    assert (scores[targets == 0] >= cut).sum() == called


def test_images_of_one_patient_are_one_piece_of_evidence():
    targets, scores = drawn(60, 1)
    copied = np.repeat(targets, 10), np.repeat(scores, 10)
    patients = Units.of(np.repeat(np.arange(60), 10), "patient")
    alone, together = rates_at(0.5, *copied), rates_at(0.5, *copied, units=patients)
    width = {name: rate.high - rate.low for name, rate in together.items()}
    assert all(width[name] > 2 * (rate.high - rate.low) for name, rate in alone.items())


def test_a_rate_without_examples_is_not_defined():
    rates = rates_at(0.5, np.array([1, 1, 1]), np.array([0.1, 0.9, 0.8]))
    assert np.isnan(rates["specificity"].value)
    assert rates["sensitivity"].value == pytest.approx(2 / 3)


def test_figures_differ_where_their_difference_is_beyond_both_intervals():
    # A difference of 0.1 with standard errors of 0.03 and 0.04, so of 0.05: 2 of them.
    first = Interval(0.9, 0.9 - 1.96 * 0.03, 0.9 + 1.96 * 0.03)
    assert differ(first, Interval(0.8, 0.8 - 1.96 * 0.04, 0.8 + 1.96 * 0.04))
    assert not differ(first, Interval(0.81, 0.81 - 1.96 * 0.04, 0.81 + 1.96 * 0.04))
    assert not differ(first, Interval.undefined(0.1))


# The operating point of a model


def answers_of(task, count=200, seed=0):
    targets, scores = drawn(count, seed)
    if not task.is_multilabel:
        return targets, np.stack([1 - scores, scores], axis=1)
    others, more = drawn(count, seed + 1)
    return np.stack([targets, others], axis=1), np.stack([scores, more], axis=1)


def test_one_cut_is_chosen_of_two_labels_and_one_for_each_of_several():
    targets, answers = answers_of(BINARY)
    point = choose_operating_point(BINARY, targets, answers, Aim("f1"))
    assert (point.labels, point.cuts) == (("yes",), (choose_cut(targets, answers[:, 1], Aim("f1")),))
    targets, answers = answers_of(SEVERAL)
    point = choose_operating_point(SEVERAL, targets, answers, Aim())
    assert point.labels == ("a", "b")
    assert point.cuts == tuple(choose_cut(targets[:, place], answers[:, place], Aim()) for place in (0, 1))


def test_a_label_with_one_answer_on_validation_keeps_one_half():
    targets, answers = answers_of(SEVERAL)
    targets[:, 1] = 0
    point = choose_operating_point(SEVERAL, targets, answers, Aim())
    assert point.cuts[1] == 0.5
    targets[:, 1] = -1
    point = choose_operating_point(SEVERAL, targets, answers, Aim())
    assert point.cuts[1] == 0.5
    assert [cut.label for cut in point.judged(SEVERAL, targets, answers)] == ["a"]


def test_a_cut_that_calls_everything_positive_is_known_as_such():
    targets, _ = answers_of(BINARY)
    point = choose_operating_point(BINARY, targets, np.full((len(targets), 2), 0.5), Aim("sensitivity"))
    (idle,) = point.judged(BINARY, targets, np.full((len(targets), 2), 0.5))
    assert idle.tells_nothing_apart
    point = choose_operating_point(BINARY, *answers_of(BINARY), Aim("sensitivity"))
    assert not point.judged(BINARY, *answers_of(BINARY))[0].tells_nothing_apart


@pytest.mark.parametrize("task", [Task("multiclass", ("a", "b", "c")), Task("regression", ("a",))])
def test_there_is_no_cut_between_several_classes_or_values(task):
    with pytest.raises(ConfigurationError, match=rf"this task is {task.kind}"):
        choose_operating_point(task, np.zeros(3), np.zeros((3, task.outputs)), Aim())


def test_the_column_of_predictions_follows_the_cut():
    answers = np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8]])
    assert BINARY.prediction_columns(answers)["prediction"].to_list() == ["no", "no", "yes"]
    assert BINARY.prediction_columns(answers, (0.3,))["prediction"].to_list() == ["yes", "no", "yes"]
    assert SEVERAL.prediction_columns(answers, (0.6, 0.2))["prediction"].to_list() == ["a;b", "a", "b"]


def test_an_operating_point_survives_a_file_and_anything_else_is_refused():
    point = choose_operating_point(SEVERAL, *answers_of(SEVERAL), Aim("sensitivity", 0.8))
    again = OperatingPoint.from_state(point.to_state())
    assert again == point
    with pytest.raises(BundleError, match="operating point"):
        OperatingPoint.from_state({"cuts": [0.5]})


def test_a_cut_that_does_not_hold_is_noticed():
    targets, answers = answers_of(BINARY, 2000)
    point = choose_operating_point(BINARY, targets, answers, Aim("sensitivity", 0.95))
    (held,) = point.judged(BINARY, *answers_of(BINARY, 2000, seed=7))
    assert held.lost == []
    (lost,) = point.judged(BINARY, targets, answers**2 / (answers**2).sum(axis=1, keepdims=True) * [[1, 0.3]])
    assert "sensitivity" in lost.lost


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, None), ({"operating_point": "none"}, None), ({"operating_point": "cost"}, Aim("cost", 0.9, 3.0))],
)
def test_what_is_asked_is_read_from_settings(settings, expected):
    beside = {"operating_rate": 0.9, "cost_ratio": 3.0} if settings else {}
    assert Aim.asked({**settings, **beside}) == expected


# What is judged


def test_a_resampled_test_is_refused():
    ids = np.array([f"p{number % 8}" for number in range(10)], dtype=object)
    division = Division(ids, np.array([2, 5, 9]))
    division.refuse_resampled(ids[[2, 5, 9]])
    for other in ([2, 5, 9, 9], [2, 5], [2, 5, 8], [5, 2, 9]):
        with pytest.raises(InputError, match="each of them once"):
            division.refuse_resampled(ids[other])
    with pytest.raises(InputError, match="2 of them for a second time"):
        Division(ids, np.array([2, 5, 2, 5])).refuse_resampled(ids[[2, 5, 2, 5]])


def test_a_gap_is_large_where_it_is_beyond_chance_and_worth_saying():
    def gap(count, distance):
        targets, scores = drawn(count, 1, distance)
        easy, certain = drawn(count, 2, 2.0)
        test = evaluate(BINARY, targets, np.stack([1 - scores, scores], axis=1))
        return measure_gap(BINARY, easy, np.stack([1 - certain, certain], axis=1), test, Units.examples(count))

    assert gap(600, 1.0).is_large
    assert gap(600, 1.0).difference == pytest.approx(0.075, abs=0.03)
    assert not gap(12, 1.0).is_large  # it may be chance
    assert not gap(600, 1.9).is_large  # it is small


def test_training_examples_are_looked_at_from_first_to_last():
    train = np.arange(10, 30_010)
    some = looked_at(train, 2)
    assert (len(some), some[0], some[-1]) == (5000, 10, 30_009)
    assert len(looked_at(train, 20_000)) == 1000
    assert looked_at(train[:7], 2).tolist() == train[:7].tolist()


# Rare positives


@pytest.mark.parametrize(("positives", "metric"), [(9, "auprc"), (10, "auroc"), (50, "auroc")])
def test_the_metric_of_precision_comes_first_where_positives_are_rare(positives, metric):
    targets = np.repeat([0, 1, -1], [100 - positives, positives, 50])
    task = BINARY.with_rarity(targets)
    answers = np.full((150, 2), 0.5)
    assert task.main_metric == metric
    assert next(iter(evaluate(task, targets, answers, resamples=0))) == metric
    assert Task.from_state(task.to_state()) == task
    assert ("rare" in task.to_state()) == (metric == "auprc")


def test_labels_are_rare_where_most_are():
    targets = np.zeros((100, 2), dtype=np.int8)
    targets[:40, 0], targets[:3, 1] = 1, 1
    assert not SEVERAL.with_rarity(targets).rare
    targets[4:40, 0] = 0
    assert SEVERAL.with_rarity(targets).main_metric == "macro_auprc"
    assert not Task("multiclass", ("a", "b", "c")).with_rarity(np.array([0] * 99 + [1])).rare
