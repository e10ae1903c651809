"""The rivals and probes, against scikit-learn; how real samples are judged; what neighbours know."""

import numpy as np
import pytest
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler
from primase.apps.expression_embedding import realness as asking
from primase.apps.expression_embedding.labels import label_figures, units_of
from primase.apps.expression_embedding.realness import (
    Real,
    forest_auroc,
    gaussians,
    nearest_distances,
    realness,
    trained_on,
)
from primase.apps.expression_embedding.rivals import MeansRival, TotalProbe, components_rival, factors_rival, probes
from primase.apps.expression_embedding.test_encoding import profiles
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.intervals import Units


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(asking, "TREES", 20)


TASK = Task("generative", tuple(f"G{number}" for number in range(9)))


def examples(count=60, seed=0):
    batch = np.array([f"b{number % 3}" for number in range(count)], dtype=object)
    ids = np.array([f"{seed}-{number}" for number in range(count)], dtype=object)
    inputs = profiles(count=count, seed=seed)
    return Examples(ids, inputs, np.empty((count, 0), dtype=np.float32), covariates={"batch": batch, "barcode": ids})


def test_principal_components_are_those_of_scikit_learn():
    train, test = examples(), examples(20, seed=1)
    scaler = Scaler.fit(train.inputs, "zscore")
    found = components_rival(scaler, 3).fit(TASK, train, test)
    pca = PCA(3).fit(scaler.scaled(train.inputs.values()))
    expected = pca.inverse_transform(pca.transform(scaler.scaled(test.inputs.values())))
    np.testing.assert_allclose(found.answers(test), scaler.restored(expected), atol=1e-3)
    assert found.embedding(test.inputs).shape == (20, 3)
    assert "3 dimensions" in found.description


def test_factors_are_those_of_scikit_learn():
    train, test = examples(), examples(20, seed=1)
    scaler = Scaler.fit(train.inputs, "zscore")
    found = factors_rival(scaler, 2).fit(TASK, train, test)
    model = FactorAnalysis(2, max_iter=100, tol=0.1, random_state=0).fit(scaler.scaled(train.inputs.values()))
    latent = model.transform(scaler.scaled(test.inputs.values()))
    expected = scaler.restored(latent @ model.components_ + model.mean_)
    np.testing.assert_allclose(found.answers(test), expected, atol=1e-3)


def test_large_data_are_sampled_and_that_is_said():
    train = examples()
    rival = components_rival(Scaler.fit(train.inputs, "zscore"), 3)
    small = type(rival)(rival.name, rival.description, rival.scaler, rival.fit_model, most_values=9 * 20)
    assert "20 of 60 samples" in small.fit(TASK, train, train).description


def test_means_are_those_of_the_kind():
    train, test = examples(), examples(4, seed=1)
    values, kinds = train.inputs.values(), train.covariates["batch"]
    found = MeansRival("batch", "", "batch").fit(TASK, train, test).answers(test)
    np.testing.assert_allclose(found[1], values[kinds == "b1"].mean(axis=0), atol=1e-5)
    strange = Examples(test.ids, test.inputs, test.targets, covariates={"batch": np.array(["?"] * 4, dtype=object)})
    np.testing.assert_allclose(
        MeansRival("batch", "", "batch").fit(TASK, train, test).answers(strange)[0], values.mean(axis=0), atol=1e-5
    )


def test_the_total_is_a_straight_line():
    train, test = examples(), examples(7, seed=1)
    found = TotalProbe().fit(TASK, train, test).answers(test)
    means = [one.inputs.values().mean(axis=1)[:, None] for one in (train, test)]
    expected = LinearRegression().fit(means[0], train.inputs.values()).predict(means[1])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_columns_of_kinds_are_probes_and_names_are_not():
    assert [probe.name for probe in probes(examples())] == ["batch", "total expression"]


# How real samples are


def real(count=300):
    train, test = profiles(count=count, seed=0, genes=9), profiles(count=count, seed=0, genes=9)
    halves = train.take(np.arange(0, count, 2)), test.take(np.arange(1, count, 2))
    groups = tuple((half.values()[:, 0] > 3).astype(np.int64) for half in halves)
    return Real.of(*halves, groups, Scaler.fit(halves[0], "zscore").scaled), halves


def test_a_forest_knows_what_is_like_and_unlike():
    judged, (train, _) = real()
    assert forest_auroc(judged.test, train.values()).value == pytest.approx(0.5, abs=0.1)
    assert forest_auroc(judged.test, train.values() + 3).value > 0.95


def test_copying_is_noticed():
    judged, (train, test) = real()
    rng = np.random.default_rng(0)

    def copies(groups, seed):
        return train.values(rng.integers(len(train), size=len(groups)))

    def others(groups, seed):
        return test.values(np.arange(len(groups)))

    found = realness(judged, {"copies": copies, "others": others}, conditioned=False)
    assert found["copies"]["relative_distance"].value == pytest.approx(0, abs=1e-3)
    assert found["others"]["relative_distance"].value == pytest.approx(1, abs=0.01)


def test_real_samples_teach_what_random_ones_do_not():
    judged, (train, _) = real()

    def noise(groups, seed):
        return np.random.default_rng(seed).normal(size=(len(groups), 9))

    linear = components_rival(Scaler.fit(train, "zscore"), 4).fit_to(train)
    found = realness(judged, {"noise": noise, "gaussians": gaussians(linear, judged)}, conditioned=True)
    accuracy = {name: figures["trained_on_generated_accuracy"].value for name, figures in found.items()}
    assert accuracy["real samples of train"] > 0.85
    assert accuracy["gaussians"] > 0.8
    assert accuracy["noise"] < 0.75


def test_distances_are_those_of_the_nearest():
    train, asked = np.random.default_rng(0).normal(size=(30, 4)), np.random.default_rng(1).normal(size=(5, 4))
    expected = np.linalg.norm(asked[:, None] - train[None], axis=2).min(axis=1)
    np.testing.assert_allclose(nearest_distances(train, asked), expected, atol=1e-6)


def test_intervals_are_drawn_over_patients():
    judged, (train, test) = real()
    few = Units.of(np.arange(len(test)) // 15, "patient")
    together = Real.of(train, test, (judged.train_groups, judged.test_groups), judged.scaled, few)
    # A whole patient is like the made ones, or is not.
    made = np.where((few.index % 2 == 0)[:, None], judged.test, judged.test + 3)

    def make(groups, seed):
        return made if len(groups) == len(made) else train.values()

    alone, grouped = (realness(one, {"made": make}, conditioned=True)["made"] for one in (judged, together))
    assert alone.keys() == grouped.keys()
    for name in alone:
        assert grouped[name].value == pytest.approx(alone[name].value)
        assert (grouped[name].low, grouped[name].high) != (alone[name].low, alone[name].high)
    one = Real.of(train, test, (judged.train_groups, judged.test_groups), judged.scaled, Units.of(few.index * 0, "x"))
    assert not trained_on(one, train.values()).has_bounds


# What neighbours know


def labelled(count, words, groups=None):
    inputs = Profiles.of_values(["a"], np.zeros((count, 1), dtype=np.float32))
    ids = np.arange(count).astype(object)
    return Examples(ids, inputs, np.empty((count, 0)), groups=groups or {}, covariates={"side": words})


def test_intervals_of_labels_are_drawn_over_patients():
    sides = np.repeat(np.array(["left", "right"], dtype=object), 60)
    points = (sides == "right")[:, None].astype(float)
    wrong = points.copy()
    wrong[:30] = 1  # of the six patients one and a half are wrong
    widths, patients = [], np.arange(120) // 20
    for groups in (None, {"patient": patients}):
        parts = {"train": labelled(120, sides), "test": labelled(120, sides, groups)}
        both = {"train": points, "test": wrong}
        found = label_figures("side", parts, both, {"train": points, "test": points})
        widths.append(found.network.high - found.network.low)
    assert widths[1] > 2 * widths[0]
    assert units_of(parts["test"]).statement.startswith("Intervals are over 6 patients")


def test_neighbours_are_sought_all_over_train(monkeypatch):
    monkeypatch.setattr("primase.apps.expression_embedding.labels.MOST_KNOWN", 20)
    sides = np.repeat(np.array(["left", "right"], dtype=object), 60)
    points = (sides == "right")[:, None].astype(float)
    both = {"train": points, "test": points}
    parts = {part: labelled(120, sides) for part in both}
    found = label_figures("side", parts, both, both)
    assert found is not None, "the first rows alone are of one kind"
    assert (found.levels, found.network.value) == (2, 1)


def test_neighbours_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    sides = np.array(["left", "right"], dtype=object)
    parts, good, bad = {}, {}, {}
    for part, count in (("train", 200), ("test", 80)):
        side = generator.integers(0, 2, count)
        words = sides[side].copy()
        words[:3] = ""
        inputs = Profiles.of_values(["a"], np.zeros((count, 1), dtype=np.float32))
        ids = np.arange(count).astype(object)
        parts[part] = Examples(
            ids, inputs, np.empty((count, 0)), covariates={"side": words, "one": np.full(count, "x", dtype=object)}
        )
        good[part] = side[:, None] * 2 + generator.normal(size=(count, 2))
        bad[part] = generator.normal(size=(count, 2))
    found = label_figures("side", parts, good, bad)
    words = [parts[part].covariates["side"][3:].tolist() for part in ("train", "test")]
    expected = KNeighborsClassifier(5).fit(good["train"][3:], words[0]).score(good["test"][3:], words[1])
    assert found.network.value == pytest.approx(expected)
    assert found.difference.value == pytest.approx(found.network.value - found.pca.value)
    assert found.difference.low > 0
    assert (found.samples, found.levels) == (77, 2)
    assert label_figures("one", parts, good, bad) is None
    assert label_figures("absent", parts, good, bad) is None
