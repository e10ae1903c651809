import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from primase.apps.expression.auditing import (
    audit_expression,
    confounded,
    cramers_v,
    explained_by_columns,
    fingerprints,
    giveaways,
    kinship,
    label_areas,
    near_twins,
    variance_explained,
)
from primase.apps.expression.profiles import Profiles
from primase.data.audit import audit_groups
from primase.data.examples import Examples
from primase.data.splits import Partition

SAMPLES = 200


def profiles(genes=30, samples=SAMPLES, seed=0):
    values = np.random.default_rng(seed).normal(5, 2, (samples, genes)).astype(np.float32)
    return Profiles.of_values([f"G{number}" for number in range(genes)], values)


def partition(count=SAMPLES):
    numbers = np.arange(count)
    return Partition(numbers[: count - 60], numbers[count - 60 : count - 30], numbers[count - 30 :], "random", numbers)


def examples(inputs, groups=None, **covariates):
    ids = np.array([f"s{number}" for number in range(len(inputs))], dtype=object)
    targets = np.empty((len(inputs), 0), dtype=np.float32)
    columns = {name: np.array(column, dtype=object) for name, column in covariates.items()}
    return Examples(ids=ids, inputs=inputs, targets=targets, groups=groups or {}, covariates=columns)


def test_fingerprints_are_equal_for_equal_profiles_alone():
    values = profiles().values()
    values[7] = values[3] + 1e-5
    values[9] = values[3]
    values[11] = 0
    values[12] = np.nan
    values[13, 0], values[14, 0] = 0.0, -0.0
    values[14, 1:] = values[13, 1:]
    found = fingerprints(Profiles.of_values([f"G{number}" for number in range(30)], values))
    assert found[9] == found[3]
    assert found[13] == found[14]
    assert found[11] == found[12] == ""
    # Rounding may fall between two close values, so 7 may differ from 3; all others must.
    assert len({*found.tolist()}) >= SAMPLES - 4


@pytest.mark.parametrize("genes", [30, 2000])
def test_near_twins_are_those_of_the_correlation_matrix(genes):
    values = profiles(genes).values()
    generator = np.random.default_rng(1)
    values[180] = 2 * values[20] + 1  # a correlation of one
    values[190] = values[30] + generator.normal(0, 0.03, genes)  # 0.9999
    values[195] = values[40] + generator.normal(0, 0.13, genes)  # 0.998
    whole = Profiles.of_values([f"G{number}" for number in range(genes)], values)
    parts = partition()
    found = near_twins(whole, parts.test, parts.train)
    exact = np.corrcoef(values)[np.ix_(parts.test, parts.train)].max(axis=1) >= 0.999
    np.testing.assert_array_equal(found, exact)
    assert found.sum() == 2


def test_a_twin_among_many_alike_is_found():
    generator = np.random.default_rng(0)
    values = np.tile(generator.normal(5, 2, 2000), (SAMPLES, 1))
    values += generator.normal(0, 0.07, values.shape)  # all correlate to 0.9988
    values[190] = values[139] + generator.normal(0, 0.01, 2000)
    parts = partition()
    found = near_twins(Profiles.of_values([f"G{number}" for number in range(2000)], values), parts.test, parts.train)
    assert np.flatnonzero(found).tolist() == [20]


def test_missing_values_and_constant_profiles_are_no_twins():
    values = profiles().values()
    values[170:] = 4
    values[3] = 4
    whole = Profiles.of_values([f"G{number}" for number in range(30)], values)
    assert not near_twins(whole, partition().test, partition().train).any()


def test_a_patient_on_both_sides_is_found():
    group = np.arange(SAMPLES)
    group[199], group[198] = 5, 5
    whole = examples(profiles(), {"patient": group})
    (finding,) = audit_groups(whole, partition(), what="sample")
    assert (finding.finding, finding.count, finding.severity) == ("patient on both sides of the split", 2, "warning")
    kin = kinship(whole, partition())
    assert np.flatnonzero(kin.related).tolist() == [28, 29]
    (clean,) = audit_groups(examples(profiles(), {"patient": np.arange(SAMPLES)}), partition(), what="sample")
    assert (clean.count, clean.severity) == (0, "info")
    assert kinship(examples(profiles()), partition()) is None


def test_where_twins_are_not_looked_for_kinship_says_so(monkeypatch):
    values = profiles().values()
    values[199] = values[0]
    whole = Profiles.of_values([f"G{number}" for number in range(30)], values)
    patient = np.arange(SAMPLES)
    patient[198] = 5
    kin = kinship(examples(whole, {"patient": patient}), partition())
    assert np.flatnonzero(kin.related).tolist() == [28, 29]
    assert "share their patient or profile" in kin.finding.text
    monkeypatch.setattr("primase.apps.expression.auditing.MOST_TESTED", 20)
    kin = kinship(examples(whole, {"patient": patient}), partition())
    assert np.flatnonzero(kin.related).tolist() == [28]
    assert "profile" not in kin.relation
    assert "share their patient with train" in kin.finding.text
    assert "looked for in 20 samples at most" in kin.finding.text


@pytest.mark.parametrize(("copied", "least", "most"), [(1.0, 0.99, 1), (0.8, 0.5, 0.9), (0.0, 0, 0.25)])
def test_how_well_a_column_tells_another(copied, least, most):
    generator = np.random.default_rng(2)
    first = generator.choice(list("abc"), 500).astype(object)
    other = generator.choice(list("xyz"), 500).astype(object)
    same = np.array([{"a": "x", "b": "y", "c": "z"}[letter] for letter in first], dtype=object)
    second = np.where(generator.random(500) < copied, same, other)
    assert least <= cramers_v(first, second) <= most


def test_batches_that_tell_the_label_are_named_and_others_are_not():
    generator = np.random.default_rng(3)
    label = generator.choice(["sick", "well"], SAMPLES)
    columns = {
        "label": label.astype(object),
        "batch": np.where(label == "sick", "one", "two").astype(object),
        "room": generator.choice(["a", "b"], SAMPLES).astype(object),
        "id": np.array([f"s{number}" for number in range(SAMPLES)], dtype=object),
        "same": np.full(SAMPLES, "x", dtype=object),
    }
    assert [finding.finding for finding in confounded(columns, ["label"])] == ["label confounded with batch"]


def test_the_variance_that_a_column_explains():
    levels = np.random.default_rng(4).integers(3, size=SAMPLES)
    values = profiles(40).values()
    assert variance_explained(profiles(40), levels) < 0.02
    assert variance_explained(profiles(40), np.arange(SAMPLES) % 40) < 0.05  # chance alone would explain a fifth
    shifted = values + np.random.default_rng(5).normal(0, 4, (3, 40))[levels]
    whole = Profiles.of_values([f"G{number}" for number in range(40)], shifted.astype(np.float32))
    within = np.mean([shifted[levels == level].var(axis=0, ddof=1) for level in range(3)], axis=0)
    expected = np.mean(1 - within / shifted.var(axis=0, ddof=1))
    assert variance_explained(whole, levels) == pytest.approx(expected, abs=0.03)
    words = levels.astype(str).astype(object)
    (finding,) = explained_by_columns(whole, {"study": words})
    assert (finding.finding, finding.severity) == ("variance explained by study", "warning")
    (finding,) = explained_by_columns(whole, {"study": words}, ["study"])
    assert finding.severity == "info"


def test_areas_agree_with_scikit_learn():
    generator = np.random.default_rng(6)
    values = np.round(generator.normal(size=(120, 5)), 1)  # with ties
    members = generator.integers(3, size=120)
    areas = label_areas(values, members, 3)
    for label in range(3):
        for gene in range(5):
            assert areas[label, gene] == pytest.approx(roc_auc_score(members == label, values[:, gene]))
    members[members == 2] = 1
    members[:3] = 2
    assert np.isnan(label_areas(values, members, 3)[2]).all()


def test_a_gene_that_gives_the_label_away_is_named():
    label = np.random.default_rng(7).choice(["er+", "er-"], SAMPLES).astype(object)
    values = profiles().values()
    values[:, 11] = -10.0 * (label == "er+") + values[:, 11] / 10
    whole = Profiles.of_values([f"G{number}" for number in range(30)], values)
    (finding,) = giveaways(whole, {"status": label})
    assert finding.count == 1
    assert "G11" in finding.text
    assert not [*giveaways(profiles(), {"status": label})]


def test_the_whole_audit_works_with_and_without_a_split_and_labels():
    whole = examples(profiles(), {"patient": np.arange(SAMPLES)}, batch=["a", "b"] * 100)
    without = {finding.finding for finding in audit_expression(whole)}
    assert without == set()
    found = {finding.finding for finding in audit_expression(whole, ["nowhere"], partition())}
    assert found == {"patient on both sides of the split", "nearly identical profiles across the split"}
