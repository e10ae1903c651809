"""The rivals of the network, and what nuisances tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_inference.rivals import baselines, probes
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.regressors import mean_absolute_error

TASK = Task("regression", ("T",))


def examples(samples: int, seed: int) -> Examples[Profiles]:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(samples, 3)).astype(np.float32)
    batch = generator.integers(0, 3, samples)
    targets = (values.sum(axis=1) ** 2 + 5 * batch)[:, None].astype(np.float32)
    covariates: dict[str, Any] = {
        "batch": np.array([f"b{number}" for number in batch], dtype=object),
        "barcode": np.array([f"{seed}-{number}" for number in range(samples)], dtype=object),
        "centre": np.full(samples, "one", dtype=object),
    }
    ids = np.array([f"s{number}" for number in range(samples)], dtype=object)
    return Examples(ids, Profiles.of_values(("A", "B", "C"), values), targets, covariates=covariates)


def error(rival: Any, test: Examples[Profiles]) -> float:
    train, validation = examples(300, 0), examples(60, 1)
    return mean_absolute_error(test.targets, rival.fit(TASK, train, validation).answers(test))


def test_the_rivals_are_those_of_the_field() -> None:
    assert [rival.name for rival in baselines()] == [
        "mean",
        "linear regression",
        "ridge regression",
        "nearest neighbours",
    ]
    test = examples(50, 2)
    for rival in baselines():
        assert np.isfinite(error(rival, test))


def test_a_probe_sees_each_column_of_kinds_and_no_names() -> None:
    found = {probe.name: probe for probe in probes(examples(300, 0))}
    assert [*found] == ["batch", "total of the landmarks"]
    test = examples(200, 3)
    nothing = error(baselines()[0], test)
    assert error(found["batch"], test) < 0.8 * nothing
    assert error(found["total of the landmarks"], test) < 0.9 * nothing


def test_the_probe_of_a_column_is_the_mean_of_its_kind() -> None:
    train, test = examples(300, 0), examples(10, 4)
    probe = next(one for one in probes(train) if one.name == "batch")
    found = probe.fit(TASK, train, examples(60, 1)).answers(test)
    words, own = train.covariates["batch"], test.covariates["batch"]
    expected = np.array([train.targets[words == word].mean() for word in own])
    np.testing.assert_allclose(found[:, 0], expected, rtol=0.02)


def test_a_word_that_train_does_not_have_gets_no_mean_of_its_own() -> None:
    train, test = examples(300, 0), examples(10, 4)
    test.covariates["batch"][0] = "new"
    probe = next(one for one in probes(train) if one.name == "batch")
    found = probe.fit(TASK, train, examples(60, 1)).answers(test)
    assert found[0, 0] == pytest.approx(train.targets.mean(), rel=0.1)
