"""Simple models of values, against scikit-learn."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.linear_model import Ridge as ScikitRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.regressors import (
    KnownValues,
    LeastSquares,
    MeanOfTrain,
    NearestValues,
    Ridge,
    linear_rival,
    mean_absolute_error,
    mean_rival,
    nearest_rival,
    ridge_rival,
)
from primase.evaluation.ridge import STRENGTHS, RidgePath, Standard, chosen_strengths


def table(seed: int = 0, examples: int = 120, features: int = 9, targets: int = 4, noise: float = 1.0) -> KnownValues:
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(examples, features)) * generator.uniform(0.1, 5, features) + 3
    weights = np.random.default_rng(7).normal(size=(features, targets))
    return KnownValues(inputs, inputs @ weights + noise * generator.normal(size=(examples, targets)) + 10)


@pytest.mark.parametrize("shape", [(120, 9), (20, 50)], ids=["tall", "wide"])
@pytest.mark.parametrize("strength", [1e-3, 0.3])
def test_ridge_is_that_of_scikit_learn(shape: tuple[int, int], strength: float) -> None:
    data = table(examples=shape[0], features=shape[1])
    path = RidgePath.fit(data.features, data.targets)
    scaled = StandardScaler().fit_transform(data.features)
    expected = ScikitRidge(alpha=strength * shape[0]).fit(scaled, data.targets)
    np.testing.assert_allclose(path.weights(strength), expected.coef_.T, rtol=1e-6, atol=1e-8)


def test_strengths_may_differ_between_targets() -> None:
    data = table()
    path = RidgePath.fit(data.features, data.targets)
    own = path.weights(np.array([0.0, 0.1, 1.0, 10.0]))
    np.testing.assert_allclose(own[:, 2], path.weights(1.0)[:, 2])
    assert not np.allclose(own[:, 2], path.weights(0.1)[:, 2])


def test_generalised_cross_validation_is_close_to_leaving_one_out() -> None:
    data = table(examples=400, noise=3.0)
    path = RidgePath.fit(data.features, data.targets)
    scaled = StandardScaler().fit_transform(data.features)
    strengths = [0.001, 0.03, 1.0]
    found = path.cross_validated(strengths)
    for place, strength in enumerate(strengths):
        kept = RidgeCV(alphas=[strength * 400], store_cv_results=True).fit(scaled, data.targets)
        np.testing.assert_allclose(found[place], kept.cv_results_[:, :, 0].mean(axis=0), rtol=0.02)


def test_generalised_cross_validation_is_its_formula() -> None:
    data = table(examples=30, features=12, noise=2.0)
    path = RidgePath.fit(data.features, data.targets)
    scaled = StandardScaler().fit_transform(data.features)
    centred = data.targets - data.targets.mean(axis=0)
    hat = scaled @ np.linalg.solve(scaled.T @ scaled + 0.2 * 30 * np.eye(12), scaled.T)
    residual = ((centred - hat @ centred) ** 2).sum(axis=0)
    expected = 30 * residual / (30 - 1 - np.trace(hat)) ** 2
    np.testing.assert_allclose(path.cross_validated([0.2])[0], expected, rtol=1e-8)


def test_more_features_than_examples_are_not_taken_for_a_perfect_fit() -> None:
    generator = np.random.default_rng(0)
    data = KnownValues(generator.normal(size=(40, 200)), generator.normal(size=(40, 3)))
    path = RidgePath.fit(data.features, data.targets)
    assert np.median(chosen_strengths(data.features, data.targets)) >= 1
    assert (path.predictable() < 0.2).all()


def test_a_predictable_target_is_told_from_noise() -> None:
    data = table(examples=500, noise=0.1)
    noise = np.random.default_rng(3).normal(size=(500, 1))
    constant = np.full((500, 1), 4.0)
    path = RidgePath.fit(data.features, np.hstack([data.targets[:, :1], noise, constant]))
    told = path.predictable()
    assert told[0] > 0.99
    assert abs(told[1]) < 0.05
    assert told[2] == 0


def test_the_strength_of_each_target_is_that_of_cross_validation() -> None:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, 40))
    weights = generator.normal(size=(3, 5)) * [0.0, 0.1, 0.5, 1.0, 5.0]
    targets = features[:, :3] @ weights + generator.normal(size=(60, 5))
    fold = np.random.default_rng(0).permutation(60) % 5
    errors = np.zeros((len(STRENGTHS), 5))
    for place, strength in enumerate(STRENGTHS):
        for number in range(5):
            kept = fold != number
            scaler = StandardScaler().fit(features[kept])
            model = ScikitRidge(alpha=strength * 48).fit(scaler.transform(features[kept]), targets[kept])
            errors[place] += np.abs(model.predict(scaler.transform(features[~kept])) - targets[~kept]).sum(axis=0)
    found = chosen_strengths(features, targets)
    np.testing.assert_allclose(found, np.array(STRENGTHS)[errors.argmin(axis=0)])
    assert found[0] > found[4]
    assert (chosen_strengths(features[:3], targets[:3]) == max(STRENGTHS)).all()


def test_very_many_examples_are_thinned_and_need_the_same_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(examples=400, features=30, noise=30.0)
    monkeypatch.setattr("primase.evaluation.ridge.DIVIDED_EXAMPLES", 100)
    found = chosen_strengths(data.features, data.targets)
    chosen = {strength / 4 for strength in STRENGTHS}
    assert all(any(np.isclose(one, other) for other in chosen) for one in found)


def test_linear_regression_is_that_of_scikit_learn() -> None:
    data, new = table(), table(1)
    found = LeastSquares().fit(data, new).values(new.features)
    expected = LinearRegression().fit(data.features, data.targets).predict(new.features)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_linear_regression_with_a_repeated_and_a_constant_column_still_fits() -> None:
    data, new = table(), table(1)
    more = [np.hstack([one.features, one.features[:, :1], np.full((len(one), 1), 7.0)]) for one in (data, new)]
    found = LeastSquares().fit(KnownValues(more[0], data.targets), new).values(more[1])
    expected = LinearRegression().fit(data.features, data.targets).predict(new.features)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_neighbours_are_those_of_scikit_learn() -> None:
    data, new = table(), table(1, examples=15)
    model = NearestValues(choices=(4,)).fit(data, new)
    scaler = StandardScaler().fit(data.features)
    expected = KNeighborsRegressor(4, algorithm="brute").fit(scaler.transform(data.features), data.targets)
    np.testing.assert_allclose(model.values(new.features), expected.predict(scaler.transform(new.features)), rtol=1e-4)


def test_neighbours_take_no_copy_of_all_targets_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primase.evaluation.ridge.ROWS_AT_ONCE", 100)
    targets = np.random.default_rng(0).normal(size=(4000, 1500)).astype(np.float32)
    features = np.zeros((4000, 2))
    nothing = KnownValues(features[:0], targets[:0])
    tracemalloc.start()
    try:
        NearestValues().fit(KnownValues(features, targets), nothing)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.8 * targets.nbytes


def test_the_number_of_neighbours_is_the_best_on_validation() -> None:
    data, validation = table(examples=200, noise=8.0), table(5, examples=60, noise=8.0)
    model = NearestValues().fit(data, validation)
    errors = {
        count: mean_absolute_error(
            validation.targets, NearestValues(choices=(count,)).fit(data, validation).values(validation.features)
        )
        for count in NearestValues().choices
    }
    assert model.neighbours == min(errors, key=lambda count: errors[count])
    assert str(model.neighbours) in model.chosen


def test_fewer_examples_than_neighbours_are_all_taken() -> None:
    data = table(examples=3)
    model = NearestValues(choices=(10,)).fit(data, data)
    np.testing.assert_allclose(model.values(data.features), np.tile(data.targets.mean(axis=0), (3, 1)), rtol=1e-5)


def test_ridge_is_never_worse_on_validation_than_any_chosen_strengths() -> None:
    data, validation = table(examples=30, features=25, noise=4.0), table(2, features=25, noise=4.0)
    chosen = Ridge().fit(data, validation)
    path = RidgePath.fit(data.features, data.targets)
    scaled = path.inputs.scaled(validation.features)
    least = min(
        mean_absolute_error(validation.targets, scaled @ path.weights(strength) + path.targets.means)
        for strength in STRENGTHS
    )
    assert mean_absolute_error(validation.targets, chosen.values(validation.features)) <= least * (1 + 1e-6)
    assert chosen.chosen


def test_without_validation_ridge_is_chosen_by_cross_validation() -> None:
    data = table()
    nothing = KnownValues(np.empty((0, 9)), np.empty((0, 4)))
    model = Ridge().fit(data, nothing)
    path = RidgePath.fit(data.features, data.targets)
    np.testing.assert_allclose(model.weights, path.weights(chosen_strengths(data.features, data.targets)))


def test_the_mean_is_that_of_known_values() -> None:
    targets = np.array([[1.0, np.nan], [3.0, 4.0]])
    model = MeanOfTrain().fit(KnownValues(np.zeros((2, 0)), targets), KnownValues(np.zeros((0, 0)), targets[:0]))
    np.testing.assert_allclose(model.values(np.zeros((3, 0))), [[2, 4]] * 3)


def test_missing_values_are_the_mean() -> None:
    data, new = table(), table(1)
    gaps = data.features.copy()
    gaps[0, 0] = np.nan
    filled = gaps.copy()
    filled[0, 0] = np.nanmean(gaps[:, 0])
    means, deviations = np.nanmean(gaps, axis=0), np.nanstd(gaps, axis=0)
    standard = Standard.fit(gaps)
    np.testing.assert_allclose(standard.means, means)
    np.testing.assert_allclose(standard.deviations, deviations)
    np.testing.assert_allclose(standard.scaled(gaps), (filled - means) / deviations, atol=1e-12)
    for model in (LeastSquares(), Ridge(), NearestValues()):
        assert np.isfinite(model.fit(KnownValues(gaps, data.targets), new).values(gaps)).all()


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_standardising_in_blocks_is_standardising(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns)) * 3 + 100
    standard = Standard.fit(values)
    np.testing.assert_allclose(standard.means, values.mean(axis=0))
    spread = np.where(values.std(axis=0) > 1e-5, values.std(axis=0), 1)
    np.testing.assert_allclose(standard.deviations, spread, rtol=1e-6)


def test_the_mean_absolute_error_leaves_out_what_is_unknown() -> None:
    targets = np.array([[1.0, np.nan, np.nan], [2.0, 5.0, np.nan]])
    assert mean_absolute_error(targets, np.zeros((2, 3))) == pytest.approx((1.5 + 5) / 2)
    assert np.isnan(mean_absolute_error(np.full((2, 1), np.nan), np.zeros((2, 1))))


def examples_of(data: KnownValues) -> Examples[Any]:
    ids = np.array([f"s{number}" for number in range(len(data))], dtype=object)
    inputs: Any = data.features
    return Examples(ids, inputs, data.targets.astype(np.float32))


def test_rivals_answer_in_the_scale_of_the_targets() -> None:
    task = Task("regression", ("a", "b", "c", "d"))
    train, validation, test = (examples_of(table(seed, noise=0.5)) for seed in (0, 1, 2))
    errors = {}
    rivals = [
        mean_rival(),
        *(make(lambda examples: examples.inputs, "columns") for make in (linear_rival, ridge_rival, nearest_rival)),
    ]
    for rival in rivals:
        fitted = rival.fit(task, train, validation)
        assert fitted.name == rival.name
        assert fitted.description.startswith(rival.description)
        answers = fitted.answers(test)
        assert answers.shape == test.targets.shape
        errors[rival.name] = mean_absolute_error(test.targets, answers)
    assert errors["ridge regression"] < 0.6
    assert errors["ridge regression"] == pytest.approx(errors["linear regression"], rel=0.05)
    assert errors["linear regression"] < errors["nearest neighbours"] < errors["mean"]


def test_an_empty_train_is_refused() -> None:
    task = Task("regression", ("a", "b", "c", "d"))
    nothing = examples_of(table(examples=1))
    with pytest.raises(InputError, match="nothing to train"):
        mean_rival().fit(task, nothing.__class__(nothing.ids[:0], nothing.inputs[:0], nothing.targets[:0]), nothing)
