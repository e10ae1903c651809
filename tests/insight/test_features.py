"""Explanations of networks whose answer is known by heart."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from primase.data.tasks import Task
from primase.evaluation.calibration import NoCalibration
from primase.events import Progress
from primase.insight import features as module
from primase.insight.attribution import SCHEMA
from primase.insight.features import ABLATION, INTEGRATED_GRADIENTS, explain_features, randomised
from primase.nn.dense import SparseLinear
from primase.predictor.predictor import Predictor

NAMES = ["a", "b", "c", "d", "e"]
EFFECTS = torch.tensor([3.0, -2.0, 0.5, 0.0, 1.0])


class Sets:
    """Sets of features; feature 5 (e) and feature 6 belong to one owner."""

    owner_names = NAMES

    def __init__(self, rows):
        longest = max(map(len, rows), default=0) or 1
        self.features = np.array([[*row, *[0] * (longest - len(row))] for row in rows])

    def __len__(self):
        return len(self.features)

    def batch(self, indices):
        features = torch.from_numpy(self.features[indices])
        return {"features": features, "weights": (features != 0).float()}

    def batch_owners(self, indices):
        owners = self.features[indices] - 1
        return np.where(owners == 5, 4, owners)


class Linear(nn.Module):
    """The log-odds of "yes" are the sum of the effects of the features that are there, and 0.25."""

    def __init__(self):
        super().__init__()
        self.read = SparseLinear(6, 2)
        with torch.no_grad():
            self.read.table.zero_()
            self.read.table[1:6, 1] = EFFECTS
            self.read.table[6, 1] = 10.0
            self.read.bias.copy_(torch.tensor([0.0, 0.25]))

    def forward(self, features, weights):
        return self.read(features, weights)


class Bent(nn.Module):
    """A network that is not linear."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.read = SparseLinear(6, 16)
        self.rest = nn.Sequential(nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 2))
        with torch.no_grad():
            self.read.table.normal_()

    def forward(self, features, weights):
        return self.rest(self.read(features, weights))


def predictor_of(*networks):
    return Predictor(Task("binary", ("no", "yes")), None, networks, NoCalibration())


def explained(rows, labels=None, network=None, **settings):
    ids = [f"example-{number}" for number in range(len(rows))]
    labels = np.ones(len(rows), dtype=np.int64) if labels is None else np.array(labels)
    return explain_features(predictor_of(network or Linear()), Sets(rows), ids, labels, **settings)


ROWS = [[1, 2], [3], [2, 1, 4], [], [5, 6, 1]]


@pytest.mark.parametrize("method", [ABLATION, INTEGRATED_GRADIENTS])
def test_a_linear_network_is_explained_by_its_weights(method):
    table = explained(ROWS).of(method)
    found = {(row["id"], row["feature"]): row["value"] for row in table.iter_rows(named=True)}
    expected = {
        ("example-0", "a"): 3.0,
        ("example-0", "b"): -2.0,
        ("example-1", "c"): 0.5,
        ("example-2", "a"): 3.0,
        ("example-2", "b"): -2.0,
        ("example-2", "d"): 0.0,
        ("example-4", "e"): 11.0,
        ("example-4", "a"): 3.0,
    }
    assert found == pytest.approx(expected, abs=1e-4)
    assert len(table) == len(found)


def test_the_other_label_is_explained_by_the_opposite():
    yes, no = explained([[1, 2]], labels=[1]), explained([[1, 2]], labels=[0])
    np.testing.assert_allclose(no.table["value"], -yes.table["value"].to_numpy(), atol=1e-5)
    assert set(no.table["target"]) == {"no"}
    assert set(yes.table["target"]) == {"yes"}


def test_the_table_is_as_documented():
    table = explained(ROWS).table
    assert dict(table.schema) == SCHEMA
    assert table["position"].is_null().all()
    assert set(table["method"]) == {ABLATION, INTEGRATED_GRADIENTS}


def test_a_linear_network_passes_its_self_check():
    check = explained(ROWS).check
    assert check.completeness_error == pytest.approx(0, abs=1e-5)
    assert check.score_range == pytest.approx(14.0, abs=1e-4)
    assert check.agreement == pytest.approx(1)
    assert check.sign_agreement == pytest.approx(1, abs=0.13)  # the effect of d is zero but for rounding


def test_gradients_add_up_to_the_change_of_the_score():
    rows = [list(np.random.default_rng(seed).permutation(6)[:4] + 1) for seed in range(40)]
    network = Bent()
    attribution = explained(rows, network=network)
    score = predictor_of(network).scorer()
    batch, label = Sets(rows).batch(np.arange(40)), torch.ones(40, dtype=torch.int64)
    empty = {**batch, "weights": torch.zeros_like(batch["weights"])}
    changes = (score(batch, label) - score(empty, label)).detach().numpy()
    sums = attribution.of(INTEGRATED_GRADIENTS).group_by("id", maintain_order=True).agg(pl.col("value").sum())
    np.testing.assert_allclose(sums["value"], changes, atol=1e-2)
    assert attribution.check.completeness_error == pytest.approx(np.abs(sums["value"] - changes).max(), abs=1e-4)
    assert attribution.check.score_range == pytest.approx(np.abs(changes).max(), abs=1e-4)


def test_ablation_is_the_score_without_the_feature():
    network, row = Bent(), [2, 4, 1]
    score, label = predictor_of(network).scorer(), torch.ones(1, dtype=torch.int64)

    def of(features):
        return float(score(Sets([features]).batch(np.array([0])), label).detach())

    table = explained([row], network=network).of(ABLATION)
    expected = {NAMES[out - 1]: of(row) - of([feature for feature in row if feature != out]) for out in row}
    assert dict(zip(table["feature"], table["value"], strict=True)) == pytest.approx(expected, abs=1e-5)


def test_members_are_explained_together():
    networks, row = (Linear(), Bent()), [1, 2]
    attribution = explain_features(predictor_of(*networks), Sets([row]), ["x"], np.array([1]))
    score, label = predictor_of(*networks).scorer(), torch.ones(1, dtype=torch.int64)
    whole, without = (float(score(Sets([features]).batch(np.array([0])), label).detach()) for features in (row, [2]))
    assert attribution.of(ABLATION).filter(pl.col("feature") == "a")["value"].item() == pytest.approx(
        whole - without, abs=1e-5
    )


@pytest.mark.parametrize("blocks", [{"EXAMPLES_PER_BLOCK": 2}, {"PARTS_PER_BLOCK": 1}, {"PARTS_PER_BLOCK": 3}])
def test_blocks_do_not_matter(monkeypatch, blocks):
    whole = explained(ROWS, network=Bent())
    for name, size in blocks.items():
        monkeypatch.setattr(module, name, size)
    pieces = explained(ROWS, network=Bent())
    order = ["method", "id", "feature"]
    first, second = (attribution.table.sort(order) for attribution in (whole, pieces))
    assert first.drop("value").equals(second.drop("value"))
    np.testing.assert_allclose(first["value"], second["value"], atol=1e-5)


def test_random_weights_explain_something_else():
    rows = [list(np.random.default_rng(seed).permutation(6)[:3] + 1) for seed in range(60)]
    check = explained(rows, network=Bent()).check
    assert check.agreement > 0.7
    assert check.randomised_agreement < 0.6


def test_the_randomised_control_has_the_same_weights_in_another_order():
    predictor = predictor_of(Bent())
    before = [parameter.clone() for parameter in predictor.members[0].parameters()]
    shuffled = randomised(predictor, 0)
    for own, kept, other in zip(
        predictor.members[0].parameters(), before, shuffled.members[0].parameters(), strict=True
    ):
        assert torch.equal(own, kept)
        torch.testing.assert_close(own.flatten().sort().values, other.flatten().sort().values)
    assert not torch.equal(predictor.members[0].read.table, shuffled.members[0].read.table)
    again, another = randomised(predictor, 0), randomised(predictor, 1)
    assert torch.equal(again.members[0].read.table, shuffled.members[0].read.table)
    assert not torch.equal(another.members[0].read.table, shuffled.members[0].read.table)


def test_nothing_to_explain():
    attribution = explained([[], []])
    assert attribution.table.is_empty()
    assert dict(attribution.table.schema) == SCHEMA
    assert attribution.check is None


def test_what_a_single_feature_leaves_undefined_is_said_without_a_warning():
    check = explained([[1]]).check
    assert check.completeness_error == pytest.approx(0, abs=1e-5)
    assert check.to_state()["agreement"] is None
    assert check.to_state()["randomised_agreement"] is None


def test_progress_is_told():
    heard = []
    explained(ROWS, listener=heard.append)
    assert heard[-1] == Progress("explain", 5, 5, "examples")
