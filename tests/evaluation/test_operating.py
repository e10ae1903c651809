"""Cuts and what they do: against scikit-learn's curve, and against counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from primase.errors import InputError
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.operating import Aim, choose_cut, differ, rates_at


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
    assert all(rate.low < rate.value < rate.high for rate in rates.values())


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
