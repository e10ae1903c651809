"""What is decided and fitted on train alone: genes, scales, axes, conditions, likelihood."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler
from primase.apps.expression_embedding.axes import sampled, starting_axes, varimax
from primase.apps.expression_embedding.choosing import variable_genes
from primase.apps.expression_embedding.configuration import EmbeddingNetworkSection
from primase.apps.expression_embedding.encoding import ProfileEncoder, _Zeros
from primase.errors import BundleError, ConfigurationError, InputError

SETTINGS = EmbeddingNetworkSection(latent=3, hidden=(8,))


def profiles(count=60, genes=9, *, zeros=True, seed=0, condition=False):
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(count, 3))
    values = factors @ generator.normal(size=(3, genes)) + 0.3 * generator.normal(size=(count, genes)) + 3
    values = np.maximum(values, 0) if zeros else values
    words = np.array([f"c{number % 2}" for number in range(count)], dtype=object) if condition else None
    return Profiles.of_values([f"G{number}" for number in range(genes)], values.astype(np.float32), words)


def fitted(train, **settings):
    return ProfileEncoder.fit(
        train, SETTINGS.model_copy(update=settings), "cohort" if train.condition is not None else None
    )


# Which genes


def test_the_genes_that_vary_most_are_chosen_in_the_order_of_the_file():
    generator = np.random.default_rng(0)
    spreads = np.array([1.0, 0.0, 3.0, 0.1, 2.0])
    values = (generator.normal(size=(200, 5)) * spreads).astype(np.float32)
    values[0, 3] = 500  # one outlier does not make a gene variable
    values[5, 2] = np.nan
    chosen, finding = variable_genes(Profiles.of_values(list("abcde"), values), 3)
    assert chosen == ("a", "c", "e")
    assert finding.count == 3
    assert "1 are constant" in finding.text
    assert variable_genes(Profiles.of_values(list("abcde"), values), 50)[0] == ("a", "c", "d", "e")


def test_genes_with_a_deviation_of_zero_are_ordered_by_variance():
    values = np.zeros((10, 4), dtype=np.float32)
    values[0] = [1, 5, 3, 0]
    assert variable_genes(Profiles.of_values(list("abcd"), values), 2)[0] == ("b", "c")


def test_a_table_in_which_nothing_varies_is_refused():
    with pytest.raises(InputError, match="hardly any gene varies"):
        variable_genes(Profiles.of_values(["a", "b"], np.ones((5, 2), dtype=np.float32)), 2)


def test_samples_are_spread_evenly_when_there_are_too_many():
    assert sampled(5, 10).tolist() == [0, 1, 2, 3, 4]
    few = sampled(1000, 10, most_values=100)
    assert len(few) == 10
    assert (few[0], few[-1]) == (0, 999)


# Where training begins


def test_turned_axes_stay_orthogonal_and_span_the_same():
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 4)))[0].T
    turned = varimax(axes)
    np.testing.assert_allclose(turned @ turned.T, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(turned.T @ turned, axes.T @ axes, atol=1e-8)
    assert (turned**4).sum() > (axes**4).sum()


def test_blocks_of_genes_are_found_again():
    blocks = np.kron(np.eye(3), np.full(5, 5**-0.5))
    mixed = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] @ blocks
    turned = np.abs(varimax(mixed))
    np.testing.assert_allclose(np.sort(turned @ blocks.T, axis=1)[:, -1], 1, atol=1e-3)


def test_the_axes_keep_what_principal_components_keep():
    train = profiles()
    scaler = Scaler.fit(train, "zscore")
    start = starting_axes(train, scaler, 3)
    values = scaler.scaled(train.values())
    pca = PCA(3).fit(values)
    np.testing.assert_allclose(
        values @ start.axes.numpy().T @ start.axes.numpy(), pca.inverse_transform(pca.transform(values)), atol=1e-4
    )
    assert np.all(np.diff(start.spread.numpy()) <= 0)
    left = values - pca.inverse_transform(pca.transform(values))
    assert start.noise == pytest.approx(float((left**2).mean()), rel=1e-3)


def test_there_are_no_more_axes_than_samples_allow():
    train = profiles(count=4, genes=9)
    assert len(starting_axes(train, Scaler.fit(train, "zscore"), 50).axes) == 3


# The encoder


def test_what_is_saved_is_the_same_again():
    own = fitted(profiles(condition=True))
    again = ProfileEncoder.from_state(own.state())
    assert again.genes == own.genes
    assert (again.conditions, again.condition_column, again.latent) == (("c0", "c1"), "cohort", 3)
    batch, other = (one.encode(profiles(condition=True)).batch(np.arange(5)) for one in (own, again))
    assert batch.keys() == other.keys() == {"values", "modelled", "condition"}
    assert all(torch.equal(batch[name], other[name]) for name in batch)
    state = own.state()
    del state.facts["likelihood"]
    with pytest.raises(BundleError):
        ProfileEncoder.from_state(state)


def test_the_order_of_genes_does_not_matter():
    train = profiles()
    own = fitted(train)
    turned = train.only(train.genes[::-1])
    assert torch.equal(
        own.encode(turned).batch(np.arange(9))["values"], own.encode(train).batch(np.arange(9))["values"]
    )
    with pytest.raises(InputError, match="G3"):
        own.encode(train.only([name for name in train.genes if name != "G3"]))


def test_values_are_restored():
    train = profiles()
    own = fitted(train)
    values = own.encode(train).batch(np.arange(10))["values"].numpy()
    np.testing.assert_allclose(own.decode(values), train.values(np.arange(10)), atol=1e-5)


def test_a_condition_that_is_not_known_is_named():
    own = fitted(profiles(condition=True))
    strange = profiles(condition=True).with_condition(np.array(["c7"] * 60, dtype=object))
    with pytest.raises(InputError) as caught:
        own.encode(strange)
    assert caught.value.got == "c7"
    assert caught.value.wanted == "c0, c1"
    with pytest.raises(InputError, match="condition"):
        own.encode(profiles())


def test_the_likelihood_follows_the_values():
    assert fitted(profiles()).likelihood == "zero-inflated"
    assert fitted(profiles(zeros=False)).likelihood == "gaussian"
    assert fitted(profiles(), likelihood="squared").likelihood == "squared"
    negative = Profiles.of_values(["a", "b", "c"], np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32))
    with pytest.raises(ConfigurationError, match="below zero"):
        fitted(negative, likelihood="zero-inflated")


def test_positive_values_are_measured_as_their_raw_logarithms():
    train = profiles(count=4000)
    own = fitted(train)
    values = train.values()
    assert own.positives is not None
    for gene in range(values.shape[1]):
        above = np.log2(2.0 ** values[values[:, gene] > 0, gene].astype(np.float64) - 1)
        assert own.positives.means[gene] == pytest.approx(above.mean(), abs=0.02)
        assert own.positives.deviations[gene] == pytest.approx(above.std(), abs=0.02)
        assert own.positives.zeros[gene] == pytest.approx((values[:, gene] == 0).mean())


def test_values_that_are_missing_are_neither_zero_nor_above():
    train = profiles(count=4000)
    whole = fitted(train).positives
    gaps = train.values().copy()
    gaps[np.random.default_rng(5).random(gaps.shape) < 0.4] = np.nan
    found = fitted(Profiles.of_values(train.genes, gaps)).positives
    assert whole is not None
    assert found is not None
    np.testing.assert_allclose(found.means, whole.means, atol=0.15)
    np.testing.assert_allclose(found.deviations, whole.deviations, atol=0.15)
    np.testing.assert_allclose(found.zeros, np.nanmean(gaps == 0, axis=0, where=~np.isnan(gaps)), atol=1e-6)


def test_the_share_of_zeros_is_one_of_known_values():
    values = np.full((100, 9), np.nan, dtype=np.float32)
    values[:5] = 3
    values[0, 0] = 0  # 1 in 45 known values, and fewer than 1 in 800 of all
    train = Profiles.of_values([f"G{number}" for number in range(9)], values)
    assert _Zeros.count(train).share == pytest.approx(1 / 45)


def test_a_gene_that_is_hardly_ever_there_is_taken_to_be_as_others():
    values = profiles(count=200).values().copy()
    values[:, 4] = 0
    values[0, 4] = 9.0
    own = fitted(Profiles.of_values([f"G{number}" for number in range(9)], values))
    assert own.positives is not None
    others = np.delete(own.positives.deviations.numpy(), 4)
    assert 0.5 * others.min() < own.positives.deviations[4] < 2 * others.max()
    assert own.positives.means[4] < 7


def test_missing_values_become_the_mean_of_train():
    train = profiles()
    own = fitted(train)
    gaps = train.values().copy()
    gaps[2, 4] = np.nan
    batch = own.encode(Profiles.of_values(train.genes, gaps)).batch(np.arange(4))
    assert batch["values"][2, 4] == pytest.approx(0, abs=1e-5)
    assert batch["modelled"][2, 4] == pytest.approx(float(own.scaler.means[4]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"likelihood": "bernoulli"},
        {"scaling": "minmax"},
        {"autoencoder": True, "prior": "standard"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValueError, match=r"give|leave"):
        EmbeddingNetworkSection(**wrong)
