import json

import numpy as np
import polars as pl
import pytest
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor

from primase.apps.expression.configuration import ExpressionData
from primase.apps.expression.reading import read_profiles
from primase.apps.expression.simulator import PLANTED_SAMPLES, PLANTED_TARGETS, SUBTYPES, simulate
from primase.bio.expression import is_raw
from primase.configuration import configure


def read(folder, count=1000, **options):
    simulated = simulate(folder, count, 1, **options)
    words = dict(zip(simulated.inputs[::2], simulated.inputs[1::2], strict=True))
    assert words == {"--table": "expression.tsv", "--group-column": "patient", "--label-column": "subtype"}
    data = ExpressionData(table=folder / "expression.tsv", group_column="patient", label_column=("subtype",))
    found = read_profiles(data)
    landmarks = (folder / "landmarks.txt").read_text().split()
    targets = [*simulated.facts["targets"]]
    factors = pl.read_csv(folder / "factors.tsv", separator="\t")
    assert factors["id"].to_list() == found.ids.tolist()
    inputs, wanted = (found.profiles.only(names).values() for names in (landmarks, targets))
    cut = len(inputs) * 4 // 5
    inputs, wanted = ((one - one[:cut].mean(axis=0)) / one[:cut].std(axis=0) for one in (inputs, wanted))
    return simulated, found, (inputs[:cut], inputs[cut:]), (wanted[:cut], wanted[cut:]), factors.drop("id").to_numpy()


def scores(model, inputs, targets):
    return r2_score(targets[1], model.fit(inputs[0], targets[0]).predict(inputs[1]), multioutput="raw_values")


def network():
    return MLPRegressor(hidden_layer_sizes=(64,), alpha=0.01, early_stopping=True, max_iter=1000, random_state=0)


def test_a_network_beats_ridge_where_the_truth_is_crooked_and_recovers_the_factors(tmp_path):
    simulated, found, inputs, targets, factors = read(tmp_path)
    assert is_raw(found.profiles.store)
    shapes = np.array([rule["shape"] for rule in simulated.facts["targets"].values()])
    learned = network()
    by_ridge, by_network = (scores(model, inputs, targets) for model in (RidgeCV(np.logspace(-2, 4, 13)), learned))
    assert by_ridge[shapes == "linear"].mean() > 0.9
    for shape in ("product", "size", "threshold"):
        assert by_ridge[shapes == shape].mean() < 0.1
        assert by_network[shapes == shape].mean() > 0.4
    hidden = [np.maximum(one @ learned.coefs_[0] + learned.intercepts_[0], 0) for one in inputs]
    cut = len(hidden[0])
    analysis = CCA(factors.shape[1], max_iter=2000).fit(hidden[0], factors[:cut])
    pairs = zip(*(one.T for one in analysis.transform(hidden[1], factors[cut:])), strict=True)
    assert min(np.corrcoef(first, second)[0, 1] for first, second in pairs) > 0.95


def test_ridge_ties_where_the_truth_is_linear(tmp_path):
    simulated, found, inputs, targets, _ = read(tmp_path, truth="linear", scale="log")
    assert not is_raw(found.profiles.store)
    assert {rule["shape"] for rule in simulated.facts["targets"].values()} == {"linear"}
    by_ridge, by_network = (scores(model, inputs, targets) for model in (RidgeCV(np.logspace(-2, 4, 13)), network()))
    assert by_ridge.mean() > 0.9
    assert by_network.mean() < by_ridge.mean() + 0.01


def test_planted_are_the_landmarks_of_the_factors_that_drive_a_target(tmp_path):
    simulated, found, _, _, _ = read(tmp_path, 60)
    facts = simulated.facts
    assert {row["id"] for row in simulated.planted} == {*found.ids[:PLANTED_SAMPLES].tolist()}
    assert len({row["target"] for row in simulated.planted}) == PLANTED_TARGETS
    for row in simulated.planted[:500]:
        assert row["factor"] in facts["targets"][row["target"]]["factors"]
        assert facts["landmarks"][row["feature"]] == row["factor"]
    assert {*found.annotations["subtype"].tolist()} == {*SUBTYPES}
    json.dumps([simulated.planted, facts])


def test_patients_with_two_samples_are_much_alike(tmp_path):
    _, found, _, _, factors = read(tmp_path, 600)
    group = found.groups["patient"]
    assert 1.1 < len(group) / len({*group.tolist()}) < 1.35
    within = [
        np.ptp(factors[group == number], axis=0).mean() for number in np.flatnonzero(np.bincount(group) == 2)[:50]
    ]
    assert np.mean(within) < 0.5 * np.abs(np.diff(factors, axis=0)).mean()


@pytest.mark.parametrize("count", [1, 37])
def test_the_same_seed_gives_the_same_files(tmp_path, count):
    contents = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        simulate(tmp_path / name, count, seed)
        contents.append((tmp_path / name / "expression.tsv").read_bytes())
    assert contents[0] == contents[1] != contents[2]
    assert len(contents[0].splitlines()) == count + 1


def test_the_words_are_those_of_the_configuration(tmp_path):
    from primase.apps.expression.configuration import ExpressionConfiguration  # noqa: PLC0415

    words = simulate(tmp_path, 10, 0).inputs
    settings = {word[2:].replace("-", "_"): value for word, value in zip(words[::2], words[1::2], strict=True)}
    assert configure(ExpressionConfiguration, settings).data.label_column == ("subtype",)
