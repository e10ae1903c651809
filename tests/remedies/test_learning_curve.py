"""Nested shares of the training part, and the power law that errors may follow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primase.remedies.learning_curve import SHARES, error_of, fit_power_law, metric_of, smallest_share


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=60), st.integers(0, 99))
def test_shares_keep_units_together_and_all_kinds_in(rows, seed):
    units, strata = (np.array(column) for column in zip(*rows, strict=True))
    place = smallest_share(units, strata, seed)
    assert np.all((place >= 0) & (place < 1))
    for unit in np.unique(units):
        assert len(np.unique(place[units == unit])) == 1
    majority = {unit: np.bincount(strata[units == unit]).argmax() for unit in np.unique(units)}
    kinds = np.array([majority[unit] for unit in units])
    for kind in np.unique(kinds):
        assert place[kinds == kind].min() == 0


def test_shares_have_their_size_and_the_proportions_of_the_whole():
    strata = np.repeat([0, 1], [800, 160])
    place = smallest_share(np.arange(960), strata, seed=3)
    for share in SHARES:
        assert (place[strata == 0] <= share).sum() == pytest.approx(800 * share, abs=1)
        assert (place[strata == 1] <= share).sum() == pytest.approx(160 * share, abs=1)
    assert not np.array_equal(place, smallest_share(np.arange(960), strata, seed=4))


def test_a_law_is_found_again():
    sizes = [100, 200, 400, 800]
    law = fit_power_law(sizes, [0.5 * size**-0.3 for size in sizes])
    assert law is not None
    assert law.exponent == pytest.approx(0.3)
    assert law.scale == pytest.approx(0.5)
    assert law.per_doubling == pytest.approx(1 - 2**-0.3)
    assert law.bounds(1600) == pytest.approx((law.error(1600),) * 2)


def test_bounds_are_those_of_a_regression_of_the_logarithms():
    sizes, errors = [50, 100, 200, 400], [0.31, 0.24, 0.22, 0.15]
    law = fit_power_law(sizes, errors)
    x, y = np.log(sizes), np.log(errors)
    line = stats.linregress(x, y)
    assert law.exponent == pytest.approx(-line.slope)
    assert law.determination == pytest.approx(line.rvalue**2)
    spread = math.sqrt(((y - line.intercept - line.slope * x) ** 2).sum() / 2)
    at = math.log(800)
    # The standard error of the line where it is extended to, by those of its slope and its middle, and of a new point.
    sure = math.sqrt(spread**2 + spread**2 / 4 + (line.stderr * (at - x.mean())) ** 2)
    middle = line.intercept + line.slope * at
    expected = [math.exp(middle + side * stats.t(2).ppf(0.975) * sure) for side in (-1, 1)]
    assert law.bounds(800) == pytest.approx(tuple(expected))


@pytest.mark.parametrize(
    "errors",
    [
        [0.2, 0.2, 0.2, 0.2],
        [0.1, 0.2, 0.3, 0.4],
        [0.3, 0.1, 0.3, 0.1],
        [0.3, 0.2, 0.1, 0.0],
        [0.3, 0.2, 0.1, math.nan],
    ],
)
def test_what_follows_no_law_is_given_none(errors):
    assert fit_power_law([100, 200, 400, 800], errors) is None


def test_fewer_than_four_sizes_are_too_few():
    assert fit_power_law([100, 200, 400], [0.4, 0.2, 0.1]) is None


@pytest.mark.parametrize("metric", ["auroc", "macro_f1", "macro_mae", "macro_r2"])
def test_errors_turn_back_into_metrics(metric):
    assert metric_of(metric, error_of(metric, 0.7)) == pytest.approx(0.7)
