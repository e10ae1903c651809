import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.evaluation.intervals import Interval, Units, choose_units, percentile_interval, resampled_weights


def all_weights(units: Units, resamples: int, seed: int, cells: int = 10**6) -> np.ndarray:
    blocks = resampled_weights(units, resamples=resamples, seed=seed, cells_per_block=cells)
    return np.concatenate(list(blocks))


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 5), st.integers(1, 500)
)
def test_weights_are_whole_units_drawn_as_often_as_there_are(
    groups: list[int], resamples: int, seed: int, cells: int
) -> None:
    units = Units.of(np.array(groups), "patient")
    weights = all_weights(units, resamples, seed, cells)
    assert weights.shape == (resamples, len(groups))
    first = np.unique(units.index, return_index=True)[1]
    assert np.array_equal(weights, weights[:, first][:, units.index])
    assert np.all(weights[:, first].sum(axis=1) == len(set(groups)))
    assert np.array_equal(weights, all_weights(units, resamples, seed))


def test_memory_is_bounded_by_blocks() -> None:
    blocks = list(resampled_weights(Units.examples(50), resamples=30, seed=0, cells_per_block=200))
    assert [len(block) for block in blocks] == [4] * 7 + [2]


def test_counts_are_multinomial() -> None:
    units = 6
    weights = all_weights(Units.examples(units), 40_000, 1)
    share = 1 / units
    assert weights.mean(axis=0) == pytest.approx(1.0, abs=0.03)
    assert weights.var(axis=0) == pytest.approx(units * share * (1 - share), abs=0.03)
    assert np.cov(weights[:, 0], weights[:, 1])[0, 1] == pytest.approx(-units * share**2, abs=0.03)


def test_another_seed_draws_otherwise() -> None:
    units = Units.examples(20)
    assert not np.array_equal(all_weights(units, 5, 0), all_weights(units, 5, 1))


def test_percentiles_are_those_of_the_defined() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    values[:40] = math.nan
    interval = percentile_interval(0.1, values)
    assert (interval.low, interval.high) == tuple(np.percentile(values[40:], [2.5, 97.5]))


def test_no_interval_where_too_many_resamples_are_undefined() -> None:
    values = np.linspace(0, 1, 1000)
    values[:51] = math.nan
    assert not percentile_interval(0.5, values).has_bounds
    assert not percentile_interval(0.5, np.array([])).has_bounds
    assert not percentile_interval(math.nan, np.linspace(0, 1, 1000)).has_bounds


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_reflected_interval_mirrors_and_holds_the_value(value: float, values: list[float]) -> None:
    plain = percentile_interval(value, np.array(values))
    reflected = percentile_interval(value, np.array(values), reflected=True)
    assert reflected.low <= value <= reflected.high
    if plain.low <= value <= plain.high:
        assert reflected.low == pytest.approx(2 * value - plain.high)
        assert reflected.high == pytest.approx(2 * value - plain.low)


def test_interval_formats_and_states() -> None:
    interval = Interval(0.94512, 0.938, 0.952)
    assert str(interval) == "0.945 [0.938, 0.952]"
    assert f"{interval:.1f}" == "0.9 [0.9, 1.0]"
    assert float(interval) == 0.94512
    assert Interval.from_state(json.loads(json.dumps(interval.to_state()))) == interval
    assert str(Interval.undefined(0.5)) == "0.500 [no interval]"
    assert str(Interval.undefined()) == "not defined"
    assert Interval.undefined().to_state() == {"value": None, "low": None, "high": None}
    assert math.isnan(Interval.from_state(Interval.undefined(0.5).to_state()).low)


def test_beyond_the_interval() -> None:
    assert Interval(0.02, 0.01, 0.03).excludes(0)
    assert Interval(-0.02, -0.03, -0.01).excludes(0)
    assert not Interval(0.02, -0.01, 0.03).excludes(0)
    assert not Interval.undefined(0.02).excludes(0)


def test_few_units_give_way_to_named_blocks() -> None:
    chromosomes = Units.of(np.arange(1000) // 200, "chromosome")
    blocks = Units.of(np.arange(1000) // 10, "block of 1 Mb")
    chosen = choose_units(chromosomes, blocks)
    assert chosen.count == 100
    assert "100 block" in chosen.statement
    assert "5 chromosomes" in chosen.statement
    assert "5 chromosomes" in chosen.take(np.arange(50)).statement
    many = Units.of(np.arange(1000) // 20, "cluster")
    assert choose_units(many, blocks) is many


def test_statement_warns_of_few_units() -> None:
    assert "narrower" in Units.of(np.arange(100) // 10, "patient").statement
    assert "narrower" not in Units.of(np.arange(100), "patient").statement
    assert "too few" in Units.of(np.zeros(5, dtype=int), "patient").statement


def test_interval_covers_the_truth_of_clustered_data_only_by_units() -> None:
    """Means of 40 clusters of ten near-copies: the interval over examples misses the truth most of the time."""
    held = {"units": 0, "examples": 0}
    repeats = 120
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        values = np.repeat(generator.normal(size=40), 10) + generator.normal(size=400) * 0.05
        units = {"units": Units.of(np.arange(400) // 10, "cluster"), "examples": Units.examples(400)}
        for name, drawn in units.items():
            weights = all_weights(drawn, 300, seed)
            interval = percentile_interval(values.mean(), weights @ values / weights.sum(axis=1))
            held[name] += not interval.excludes(0.0)
    assert Fraction(held["units"], repeats) > Fraction(88, 100)
    assert Fraction(held["examples"], repeats) < Fraction(60, 100)
