import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import METHODS, Scaler
from primase.data.encoding import EncoderState


def table(samples=3000, genes=6):
    values = np.random.default_rng(0).gamma(2, 3, (samples, genes)).astype(np.float32)
    values[:, 2] = 7
    return values


def profiles(values):
    return Profiles.of_values([f"G{number}" for number in range(values.shape[1])], values)


@pytest.mark.parametrize(
    ("method", "oracle"),
    [
        ("zscore", StandardScaler()),
        ("minmax", MinMaxScaler()),
        ("quantile", QuantileTransformer(n_quantiles=1000, output_distribution="normal", subsample=None)),
    ],
)
def test_scaling_agrees_with_scikit_learn(method, oracle):
    values = table()
    scaler = Scaler.fit(profiles(values), method)
    varies = [0, 1, 3, 4, 5]
    wanted = oracle.fit(values[:, varies]).transform(values[:, varies])
    np.testing.assert_allclose(scaler.scaled(values)[:, varies], wanted, atol=2e-4 if method == "quantile" else 2e-6)
    assert (scaler.scaled(values)[:, 2] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_scaling_is_undone(method):
    values = table(500)
    scaler = Scaler.fit(profiles(values), method)
    restored = scaler.restored(scaler.scaled(values))
    assert restored.dtype == scaler.scaled(values).dtype == np.float32
    np.testing.assert_allclose(restored, values, rtol=1e-3 if method == "quantile" else 1e-5, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_do_not_matter(method, monkeypatch):
    values = table(100)
    values[3, 1] = np.nan
    whole = Scaler.fit(values, method)
    monkeypatch.setattr("primase.apps.expression.scaling.BLOCK", 7)
    parts = Scaler.fit(values, method)
    for name in ("center", "scale", "means", "quantiles"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-6)
    np.testing.assert_allclose(whole.means, np.nanmean(values.astype(np.float64), axis=0), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_missing_value_becomes_the_mean_of_training_or_stays(method):
    values = table(200)
    values[5, 3] = np.nan
    values[:, 4] = np.nan
    scaler = Scaler.fit(values, method)
    filled = values.copy()
    filled[5, 3] = scaler.means[3]
    filled[:, 4] = 0
    np.testing.assert_array_equal(scaler.scaled(values), scaler.scaled(filled))
    kept = scaler.scaled(values, keep_missing=True)
    np.testing.assert_array_equal(np.isnan(kept), np.isnan(values))
    if method == "zscore":
        assert scaler.scaled(values)[5, 3] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_scaler_comes_back_from_its_state(method):
    values = table(300)
    scaler = Scaler.fit(values, method)
    state = scaler.state("inputs_")
    assert all(name.startswith("inputs_") for name in (*state.facts, *state.arrays))
    again = Scaler.from_state(EncoderState(json.loads(json.dumps(state.facts)), state.arrays), "inputs_")
    np.testing.assert_array_equal(again.scaled(values), scaler.scaled(values))
    np.testing.assert_array_equal(again.restored(values / 10), scaler.restored(values / 10))


def test_large_means_lose_no_precision():
    values = (1e4 + np.random.default_rng(1).normal(0, 0.1, (5000, 3))).astype(np.float32)
    wanted = values.astype(np.float64)
    scaler = Scaler.fit(values, "zscore")
    np.testing.assert_allclose(scaler.scale, wanted.std(axis=0), rtol=1e-5)


@given(count=st.integers(1, 40), seed=st.integers(0, 99), method=st.sampled_from(METHODS))
def test_any_table_is_scaled_to_finite_numbers(count, seed, method):
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 10.0 ** generator.integers(-3, 4), (count, 3)).astype(np.float32)
    values[generator.random(values.shape) < 0.3] = np.nan
    scaler = Scaler.fit(values, method)
    assert np.isfinite(scaler.scaled(values)).all()
    assert np.isfinite(scaler.restored(generator.normal(size=(5, 3)))).all()


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="no scaling called robust"):
        Scaler.fit(table(5), "robust")


def test_many_samples_give_a_thousand_quantiles_of_ten_thousand(monkeypatch):
    monkeypatch.setattr("primase.apps.expression.scaling.MOST_SAMPLES", 50)
    values = np.arange(400, dtype=np.float32)[:, None]
    scaler = Scaler.fit(values, "quantile")
    assert scaler.quantiles.shape == (50, 1)
    assert scaler.quantiles[[0, -1], 0].tolist() == [0, 399]
