from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression as ScikitLogisticRegression
from sklearn.preprocessing import StandardScaler

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation import neighbours
from primase.evaluation.baselines import (
    Baseline,
    logistic_regression_baseline,
    majority_baseline,
    nearest_neighbour_baseline,
    no_features,
)
from primase.evaluation.intervals import Interval
from primase.evaluation.models import (
    BestOf,
    Boosting,
    Frequencies,
    LabelledFeatures,
    LogisticRegression,
    StagedBoosting,
    log_loss,
)
from primase.evaluation.neighbours import NearestNeighbours, distinct_rows
from primase.evaluation.probes import Probe, probe_verdict

BINARY = Task("binary", ("no", "yes"))
COLOURS = Task("multiclass", ("red", "green", "blue", "grey"))


@dataclass(frozen=True)
class Table:
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: np.ndarray) -> "Table":
        return Table(self.rows[indices])

    @classmethod
    def concatenate(cls, blocks: "Sequence[Table]") -> "Table":
        return cls(np.concatenate([block.rows for block in blocks]))


def examples(rows: np.ndarray, targets: np.ndarray) -> Examples[Table]:
    return Examples(np.arange(len(rows)).astype(object), Table(rows), targets)


def dense(chosen: Examples[Any]) -> np.ndarray:
    rows: np.ndarray = chosen.inputs.rows
    return rows


def as_sparse(chosen: Examples[Any]) -> sparse.csr_array:
    return sparse.csr_array(dense(chosen))


def binary_rows(seed: int, count: int = 300, features: int = 30) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = (generator.random((count, features)) < 0.08).astype(float)
    score = rows @ np.linspace(-3, 3, features)
    return rows, (score + 1.5 * generator.normal(size=count) > 0).astype(int)


def slow_votes(
    train: np.ndarray, targets: np.ndarray, query: np.ndarray, neighbours_count: int, labels: int
) -> np.ndarray:
    """The definition, example by example: sort by Jaccard similarity, share the last places among ties."""
    frequencies = np.bincount(targets, minlength=labels) / len(targets)
    similarities = [
        np.logical_and(row, query).sum() / max(1, np.logical_or(row, query).sum()) if (row * query).any() else 0.0
        for row in train
    ]
    others = [
        not (train[i].any() and (train[np.arange(len(train)) != i] @ train[i]).any()) and train[i].any()
        for i in range(len(train))
    ]
    background = frequencies
    if not query.any() or not any(similarities):
        kind = ~train.any(axis=1) if not query.any() else np.array(others)
        counts = np.bincount(targets[kind], minlength=labels) + frequencies
        background = counts / counts.sum()
    votes = background.copy()
    left = float(neighbours_count)
    for similarity in sorted({s for s in similarities if s > 0}, reverse=True):
        tied = [i for i, s in enumerate(similarities) if s == similarity]
        share = min(1.0, left / len(tied))
        for i in tied:
            votes[targets[i]] += similarity * share
        left -= len(tied)
        if left <= 0:
            break
    return np.asarray(votes / votes.sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 15), st.sampled_from([1, 2, 5, 15]))
def test_nearest_neighbours_follow_the_definition(seed: int, count: int, features: int, chosen: int) -> None:
    generator = np.random.default_rng(seed)
    train = (generator.random((count, features)) < 1.5 / features).astype(float)
    queries = (generator.random((10, features)) < 1.5 / features).astype(float)
    targets = generator.integers(0, 3, size=count)
    nothing = LabelledFeatures(sparse.csr_array((0, features)), np.zeros(0, dtype=int))
    model = NearestNeighbours(choices=(chosen,)).fit(LabelledFeatures(sparse.csr_array(train), targets), nothing, 4)
    expected = [slow_votes(train, targets, query, chosen, 4) for query in queries]
    assert model.probabilities(sparse.csr_array(queries)) == pytest.approx(np.array(expected))
    assert model.probabilities(queries) == pytest.approx(np.array(expected))


def test_nearest_neighbours_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, targets = binary_rows(0)
    train = LabelledFeatures(sparse.csr_array(rows), targets)
    model = NearestNeighbours().fit(train, train, 2)
    whole = model.probabilities(train.features)
    monkeypatch.setattr(neighbours, "PAIRS_PER_BLOCK", 50)
    assert np.array_equal(whole, model.probabilities(train.features))
    assert model.probabilities(rows[5:6]) == pytest.approx(whole[5:6], abs=1e-12)


def test_number_of_neighbours_is_chosen_on_validation() -> None:
    rows, targets = binary_rows(1)
    validation = LabelledFeatures(rows[200:], targets[200:])
    train = LabelledFeatures(rows[:200], targets[:200])
    chosen = NearestNeighbours().fit(train, validation, 2)
    losses = {
        k: log_loss(targets[200:], NearestNeighbours((k,)).fit(train, validation, 2).probabilities(rows[200:]))
        for k in (1, 5, 15)
    }
    assert chosen.neighbours == min(losses, key=lambda k: losses[k])
    assert str(chosen.neighbours) in chosen.chosen


def test_distinct_rows_ignore_values_order_and_stored_zeros() -> None:
    table = sparse.csr_array(
        (np.array([1.0, 2.0, 5.0, 1.0, 0.0]), np.array([2, 0, 0, 2, 1]), np.array([0, 2, 4, 5, 5]))
    )
    rows, index = distinct_rows(table)
    assert rows.toarray().tolist() == [[1, 0, 1], [0, 0, 0]]
    assert index.tolist() == [0, 0, 1, 1]
    assert table.nnz == 5


def test_majority_gives_the_frequencies_of_train() -> None:
    train = examples(np.zeros((5, 1)), np.array([0, 2, 2, -1, 2]))
    fitted = majority_baseline().fit(COLOURS, train, train)
    probabilities = fitted.answers(train.take(np.arange(2)))
    assert probabilities.tolist() == [[0.25, 0.0, 0.75, 0.0]] * 2


@pytest.mark.parametrize("features", [dense, as_sparse])
def test_logistic_regression_is_that_of_scikit_learn(features: Any) -> None:
    rows, targets = binary_rows(2, count=600)
    train, validation = examples(rows[:400], targets[:400]), examples(rows[400:], targets[400:])
    fitted = logistic_regression_baseline(features, "marks").fit(BINARY, train, validation)
    scaler = StandardScaler(with_mean=features is dense, with_std=features is dense).fit(rows[:400])
    losses, predictions = [], []
    for strength in LogisticRegression().strengths:
        peer = ScikitLogisticRegression(C=strength, max_iter=5000, tol=1e-6).fit(
            scaler.transform(rows[:400]), targets[:400]
        )
        predictions.append(peer.predict_proba(scaler.transform(rows[400:])))
        losses.append(log_loss(targets[400:], predictions[-1]))
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 1
    assert f"C = {LogisticRegression().strengths[best]:g}," in fitted.description
    assert fitted.answers(validation) == pytest.approx(predictions[best], abs=2e-3)


@pytest.mark.parametrize(
    "baseline",
    [
        majority_baseline(),
        logistic_regression_baseline(dense, "marks"),
        nearest_neighbour_baseline(dense, "marks"),
        Baseline("trees", "Trees.", dense, Boosting()),
        Baseline("best", "Best.", dense, BestOf.small()),
    ],
    ids=lambda baseline: baseline.name,
)
@pytest.mark.parametrize("kept", [(0, 2), (1,)])
@pytest.mark.parametrize("validated", [0, 40])
def test_every_label_has_a_column(baseline: Baseline, kept: tuple[int, ...], validated: int) -> None:
    rows, _ = binary_rows(3)
    targets = np.asarray(kept)[np.arange(300) % len(kept)]
    # Validation holds a label that train lacks, and an unknown one.
    targets[260:262] = 3, -1
    train, rest = examples(rows[:250], targets[:250]), examples(rows[250:], targets[250:])
    fitted = baseline.fit(COLOURS, train, rest.take(np.arange(validated)))
    probabilities = fitted.answers(rest)
    assert probabilities.shape == (50, 4)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities.min() >= 0
    assert np.all(probabilities[:, [label for label in range(4) if label not in kept]] == 0)
    assert np.array_equal(probabilities, baseline.fit(COLOURS, train, rest.take(np.arange(validated))).answers(rest))


def test_nothing_to_train_on_is_an_error() -> None:
    train = examples(np.zeros((2, 1)), np.array([-1, -1]))
    with pytest.raises(InputError, match="no example of train"):
        majority_baseline().fit(BINARY, train, train)


def test_a_model_without_features_falls_back_to_frequencies() -> None:
    train = examples(np.zeros((4, 1)), np.array([0, 1, 1, 1]))
    fitted = Baseline("none", "Sees nothing.", no_features, BestOf.small()).fit(BINARY, train, train)
    assert isinstance(fitted.model, Frequencies)


def test_probe_sees_a_curve_that_no_line_does() -> None:
    generator = np.random.default_rng(0)
    length = generator.normal(size=(1500, 1))
    targets = (np.abs(length[:, 0]) > 0.7).astype(int)
    parts = [examples(length[start : start + 500], targets[start : start + 500]) for start in (0, 500, 1000)]
    fitted = Probe("length", dense).fit(BINARY, parts[0], parts[1])
    assert isinstance(fitted.model, StagedBoosting)
    assert (fitted.answers(parts[2]).argmax(axis=1) == parts[2].targets).mean() > 0.95


def test_boosting_stops_where_validation_is_best() -> None:
    generator = np.random.default_rng(1)
    noise, targets = generator.normal(size=(400, 5)), generator.integers(0, 2, size=400)
    train, validation = LabelledFeatures(noise[:200], targets[:200]), LabelledFeatures(noise[200:], targets[200:])
    stopped, full = Boosting().fit(train, validation, 2), Boosting(rounds=50).fit(train, train, 2)
    assert isinstance(stopped, StagedBoosting)
    assert isinstance(full, StagedBoosting)
    assert stopped.rounds < 20
    assert full.rounds == 50
    assert full.probabilities(noise) == pytest.approx(full.estimator.predict_proba(noise))


def verdict(network: Interval, probe: Interval) -> str:
    return probe_verdict(network, probe, nuisance="length", metric="auroc", chance=0.5)


def test_verdicts() -> None:
    strong = Interval(0.9, 0.88, 0.92)
    assert "About 50 %" in verdict(strong, Interval(0.7, 0.68, 0.72))
    assert "overlap" not in verdict(strong, Interval(0.7, 0.68, 0.72))
    assert "overlap" in verdict(strong, Interval(0.87, 0.85, 0.89))
    assert "no better than chance" in verdict(strong, Interval(0.51, 0.49, 0.53))
    assert "as well as the network" in verdict(strong, strong)
    assert "network itself" in verdict(Interval(0.51, 0.49, 0.53), Interval(0.7, 0.68, 0.72))
    assert "Nothing can be said" in verdict(Interval.undefined(), strong)
    assert "Length alone: AUROC 0.900 [0.880, 0.920]" in verdict(strong, strong)


def error_verdict(network: Interval, probe: Interval) -> str:
    return probe_verdict(network, probe, nuisance="the batch", metric="macro_mae", chance=0.8)


def test_verdicts_where_less_is_better() -> None:
    strong = Interval(0.4, 0.38, 0.42)
    half = error_verdict(strong, Interval(0.6, 0.58, 0.62))
    assert "About 50 % of the network's lead over a guess that looks at nothing can be had" in half
    assert half.startswith("The batch alone: mean MAE 0.600 [0.580, 0.620]; the network: 0.400")
    assert "overlap" not in half
    assert "overlap" in error_verdict(strong, Interval(0.43, 0.41, 0.45))
    assert "is no better than a guess that looks at nothing (0.800)" in error_verdict(strong, Interval(0.79, 0.7, 0.81))
    assert "as well as the network" in error_verdict(strong, Interval(0.3, 0.2, 0.35))
    assert "network itself" in error_verdict(Interval(0.79, 0.77, 0.81), Interval(0.6, 0.5, 0.7))
