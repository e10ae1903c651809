"""Explanations of sequences as a whole: the planted truth is found, and what is known of their trust is right."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from primase.apps.rna_binding.model import RnaNetwork
from primase.insight.attribution import SCHEMA
from primase.insight.gradients import INTEGRATED_GRADIENTS, SALIENCY
from primase.insight.sequences import MUTAGENESIS, explain_sequences

COUNT, LENGTH = 24, 60


@pytest.fixture(scope="module")
def truth(known):
    texts, starts = known.planted(COUNT, LENGTH)
    places = np.zeros((COUNT, LENGTH), dtype=bool)
    for row, start in enumerate(starts):
        places[row, start : start + len(known.MOTIF)] = True
    return known.encoded(texts), places


@pytest.fixture(scope="module")
def explained(known, truth):
    encoded, _ = truth
    names = [f"example-{number}" for number in range(COUNT)]
    labels = np.ones(COUNT, dtype=np.int64)
    return explain_sequences(known.predictor(known.MotifNetwork()), encoded, names, labels)


@pytest.mark.parametrize("method", [MUTAGENESIS, INTEGRATED_GRADIENTS])
def test_planted_sites_are_found(explained, truth, method):
    _, places = truth
    assert roc_auc_score(places.ravel(), explained.contributions[method].ravel()) >= 0.95


def test_the_table_is_as_documented(explained, truth):
    encoded, _ = truth
    table = explained.attribution.table
    assert dict(table.schema) == SCHEMA
    assert len(table) == 2 * COUNT * LENGTH
    assert set(table["target"]) == {"yes"}
    for method in (MUTAGENESIS, INTEGRATED_GRADIENTS):
        rows = explained.attribution.of(method)
        of_third = rows.filter(pl.col("id") == "example-3")
        assert of_third["position"].to_list() == list(range(LENGTH))
        assert "".join(of_third["feature"]) == encoded.sequences.text(3)
        np.testing.assert_array_equal(of_third["value"], explained.contributions[method][3])


def test_a_letter_is_worth_what_its_replacements_lose(explained, truth):
    _, places = truth
    values = explained.contributions[MUTAGENESIS]
    alone = np.abs(explained.attribution.of(MUTAGENESIS)["value"].to_numpy().reshape(COUNT, LENGTH) - values).max()
    assert alone == 0
    assert values[places].max() == pytest.approx(4.0, abs=1e-5)
    np.testing.assert_allclose(values, -explained.changes.sum(axis=1) / 3, atol=1e-6)


def test_dense_arrays_hold_contributions_at_the_letters(explained):
    dense = explained.dense(MUTAGENESIS)
    np.testing.assert_allclose(dense.sum(axis=1), explained.contributions[MUTAGENESIS], atol=1e-6)
    assert ((dense != 0).sum(axis=1) <= 1).all()
    np.testing.assert_allclose(explained.hypothetical.sum(axis=1), 0, atol=1e-5)


def test_the_methods_check_each_other(explained):
    check = explained.attribution.check
    assert check.agreement > 0.5
    assert check.completeness_error <= 0.01 * check.score_range
    assert check.score_range > 4
    assert abs(check.randomised_agreement) < 0.5


def test_a_network_that_is_not_shuffled_would_be_noticed(known, truth, monkeypatch):
    """The control compares with networks of shuffled weights: the same network agrees fully."""
    encoded, _ = truth
    monkeypatch.setattr("primase.insight.sequences.randomised", lambda predictor, seed: predictor)
    labels = np.ones(COUNT, dtype=np.int64)
    found = explain_sequences(known.predictor(known.MotifNetwork()), encoded, ["x"] * COUNT, labels)
    assert found.attribution.check.randomised_agreement == pytest.approx(1)


def test_one_method_alone(known):
    encoded = known.encoded(known.texts(3, 30))
    predictor = known.predictor(known.louder(RnaNetwork(filters=(4,), widths=(5,), pools=(1,))))
    labels = np.array([0, 1, 1])
    found = explain_sequences(predictor, encoded, list("abc"), labels, methods=(MUTAGENESIS,), rna=True)
    assert set(found.attribution.table["feature"]) <= set("ACGU")
    state = found.attribution.check.to_state()
    assert state["agreement"] is None
    assert state["completeness_error"] is None
    assert state["randomised_agreement"] is not None
    assert found.attribution.table["target"].unique().sort().to_list() == ["no", "yes"]
    quick = explain_sequences(predictor, encoded, list("abc"), labels, methods=(SALIENCY,))
    assert quick.changes is None
    assert quick.hypothetical is None


def test_padding_is_no_letter(known):
    encoded = known.encoded(["ACGTACGTAC", "ACGTAC"], 12)
    found = explain_sequences(
        known.predictor(known.MotifNetwork()), encoded, ["a", "b"], np.ones(2, dtype=np.int64), methods=(MUTAGENESIS,)
    )
    shorter = found.attribution.table.filter(pl.col("id") == "b")
    assert shorter["position"].to_list() == [3, 4, 5, 6, 7, 8]
    assert "".join(shorter["feature"]) == "ACGTAC"


def test_nothing_to_explain(known):
    found = explain_sequences(known.predictor(known.MotifNetwork()), known.encoded([], 10), [], np.ones(0, dtype=int))
    assert found.attribution.table.is_empty()
    assert dict(found.attribution.table.schema) == SCHEMA
    assert found.attribution.check is None
