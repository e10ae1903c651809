"""What the encoder of expression inference keeps, scales and undoes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import METHODS, ScalingMethod
from primase.apps.expression_inference.encoding import FittedRidge, InferenceEncoder
from primase.bio.expression import DenseMatrix, Expression
from primase.data.encoding import EncoderState
from primase.data.examples import Examples
from primase.evaluation.ridge import RidgePath


def examples(samples: int = 80, *, raw: bool = False) -> Examples[Profiles]:
    generator = np.random.default_rng(0)
    values = generator.gamma(2, 50, size=(samples, 4)).astype(np.float32)
    store = Expression(DenseMatrix(values), ("A", "B", "C", "D"), raw)
    whole = Profiles.whole(store)
    ids = np.array([f"s{number}" for number in range(samples)], dtype=object)
    targets = whole.only(["D", "A"]).values() + np.float32(1)
    targets[0, 0] = np.nan
    return Examples(ids, whole.only(["C", "A", "B"]), targets)


@pytest.mark.parametrize("scaling", METHODS)
def test_targets_come_back_from_the_scale_of_the_network(scaling: ScalingMethod) -> None:
    data = examples()
    own = InferenceEncoder.fit(data, scaling, residual=True)
    scaled = own.encode_targets(data.targets)
    assert np.isnan(scaled[0, 0])
    np.testing.assert_allclose(own.decode(scaled)[1:], data.targets[1:], rtol=1e-3)
    if scaling == "zscore":
        np.testing.assert_allclose(np.nanstd(scaled, axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("raw", [True, False])
def test_files_get_what_files_had(*, raw: bool) -> None:
    own = InferenceEncoder.fit(examples(raw=raw), "zscore", residual=False)
    assert own.raw is raw
    expected = [[7.0]] if raw else [[3.0]]
    np.testing.assert_allclose(own.to_file(np.array([[3.0]])), expected)


def test_the_order_of_genes_does_not_matter() -> None:
    data = examples()
    own = InferenceEncoder.fit(data, "zscore", residual=True)
    turned = data.inputs.only(["A", "B", "C"])
    np.testing.assert_array_equal(own.encode(turned).values.numpy(), own.encode(data.inputs).values.numpy())


def test_a_missing_landmark_becomes_its_mean() -> None:
    data = examples()
    own = InferenceEncoder.fit(data, "minmax", residual=True)
    values = data.inputs.values()
    values[3, 1] = np.nan
    encoded = own.encode(Profiles.of_values(own.landmarks, values)).values.numpy()
    assert encoded[3, 1] == pytest.approx(own.reference[1], abs=1e-6)
    np.testing.assert_allclose(
        own.inputs.restored(own.reference[None])[0], data.inputs.values().mean(axis=0), rtol=1e-4
    )


@pytest.mark.parametrize(("residual", "bins"), [(True, 0), (False, 0), (False, 5)])
def test_the_state_is_json_and_arrays_and_makes_it_again(*, residual: bool, bins: int) -> None:
    data = examples(raw=True)
    own = InferenceEncoder.fit(data, "zscore", residual=residual, bins=bins)
    state = own.state()
    again = InferenceEncoder.from_state(EncoderState(json.loads(json.dumps(state.facts)), dict(state.arrays)))
    assert again.landmarks == own.landmarks == ("C", "A", "B")
    assert (again.raw, again.samples, again.targets) == (True, 80, 2)
    assert (again.ridge is None) is (own.ridge is None) is (not residual)
    assert (again.bins is None) is (own.bins is None) is (bins == 0)
    for name, array in again.state().arrays.items():
        np.testing.assert_array_equal(array, state.arrays[name])


def test_the_ridge_regression_is_that_of_scikit_learn() -> None:
    data = examples()
    features, targets = data.inputs.values().astype(np.float64), np.nan_to_num(data.targets, nan=100.0)
    path = RidgePath.fit(features, targets)
    found = FittedRidge.fit(path, np.array([0.3, 3.0]))
    scaler = StandardScaler().fit(features)
    model = Ridge(alpha=np.array([0.3, 3.0]) * len(data)).fit(scaler.transform(features), targets)
    np.testing.assert_allclose(found.values(features), model.predict(scaler.transform(features)), rtol=1e-4)


def test_a_target_that_is_told_is_known_from_one_that_is_not() -> None:
    own = InferenceEncoder.fit(examples(400), "zscore", residual=False)
    assert own.predictable[1] > 0.99
    assert own.predictable[0] < 0.1
