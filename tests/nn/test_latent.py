"""Latent spaces: divergences and maps against other libraries, mixtures against the samples they were fitted to."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from primase.nn.latent import (
    LatentMixture,
    dense,
    divergence,
    drawn,
    inverse_positive_part,
    positive_part,
)


def test_the_divergence_is_that_of_two_gaussians():
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    spread = torch.tensor([0.5, 1.0, 4.0])
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(3), spread))
    torch.testing.assert_close(divergence(mean, log_variance, spread), expected)


def test_points_are_drawn_from_the_gaussian_of_each_sample():
    torch.manual_seed(0)
    mean, log_variance = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.0, -2.0]])
    points = drawn(mean.expand(20_000, 2), log_variance.expand(20_000, 2))
    torch.testing.assert_close(points.mean(dim=0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(points.var(dim=0).log(), log_variance[0], atol=0.05, rtol=0)


@given(st.floats(-15, 40))
def test_what_is_mapped_to_a_positive_number_is_mapped_back(number):
    there = positive_part(torch.tensor(number, dtype=torch.float64))
    assert there > 0
    assert inverse_positive_part(there).item() == pytest.approx(number, abs=1e-6)


def test_logarithms_of_counts_become_logarithms_of_counts_and_one():
    counts = torch.tensor([0.5, 1.0, 7.0, 1000.0])
    torch.testing.assert_close(positive_part(counts.log2()), (counts + 1).log2())


def groups_of_points():
    generator = np.random.default_rng(0)
    factor = np.array([[1.0, 0.0], [0.9, 0.3]])
    first = generator.normal(size=(4000, 2)) @ factor.T + [5, 0]
    second = generator.normal(size=(1000, 2)) * 0.1 - [5, 0]
    return np.concatenate([first, second]), np.repeat([0, 1], [4000, 1000])


def test_a_mixture_draws_what_it_was_fitted_to():
    points, groups = groups_of_points()
    mixture = LatentMixture(3, 1, 2)
    mixture.fit(points, np.full(points.shape, 0.01), groups)
    np.testing.assert_allclose(mixture.shares.numpy()[:, 0], [0.8, 0.2, 0], atol=1e-6)
    generator = torch.Generator().manual_seed(1)
    for group in (0, 1):
        made = mixture.draw(torch.full((20_000,), group), generator).numpy()
        own = points[groups == group]
        np.testing.assert_allclose(made.mean(axis=0), own.mean(axis=0), atol=0.05)
        np.testing.assert_allclose(np.cov(made.T), np.cov(own.T) + 0.01 * np.eye(2), atol=0.06)
    # A condition of which there were no samples is like all of them together.
    empty = mixture.draw(torch.full((20_000,), 2), generator).numpy()
    np.testing.assert_allclose(empty.mean(axis=0), points.mean(axis=0), atol=0.05)
    assert set(mixture.choose(1000, generator).tolist()) == {0, 1}


def test_without_conditions_clusters_are_found():
    points, groups = groups_of_points()
    mixture = LatentMixture(1, 2, 2)
    mixture.fit(points, np.zeros(points.shape))
    generator = torch.Generator().manual_seed(1)
    made = mixture.draw(mixture.choose(5000, generator), generator).numpy()
    assert (made[:, 0] < 0).mean() == pytest.approx((groups == 1).mean(), abs=0.03)
    assert np.abs(made[:, 0]).min() > 0.3, "nothing lies between the two"


def test_a_group_of_two_kinds_is_drawn_as_two_kinds():
    points, kinds = groups_of_points()
    both = np.concatenate([points, points + 20])
    mixture = LatentMixture(2, 2, 2)
    mixture.fit(both, np.zeros(both.shape), np.repeat([0, 1], len(points)))
    made = mixture.draw(torch.ones(5000, dtype=torch.long), torch.Generator().manual_seed(1)).numpy() - 20
    assert (made[:, 0] < 0).mean() == pytest.approx((kinds == 1).mean(), abs=0.03)
    assert np.abs(made[:, 0]).min() > 0.3


def test_a_single_sample_is_enough_for_a_group():
    mixture = LatentMixture(2, 4, 3)
    mixture.fit(np.random.default_rng(0).normal(size=(11, 3)), np.ones((11, 3)), np.repeat([0, 1], [10, 1]))
    assert torch.isfinite(mixture.draw(torch.tensor([1]), torch.Generator())).all()


def test_the_standard_prior_has_the_spread_of_training():
    mixture = LatentMixture(2, 3, 2)
    mixture.stand(torch.tensor([1.0, 3.0]))
    made = mixture.draw(torch.zeros(20_000, dtype=torch.long), torch.Generator().manual_seed(0))
    torch.testing.assert_close(made.std(dim=0), torch.tensor([1.0, 3.0]), rtol=0.03, atol=0)


@pytest.mark.parametrize("counts", [None, np.array([900, 100, 0])], ids=["alike", "counted"])
def test_the_standard_prior_chooses_groups_in_the_shares_of_training(counts):
    mixture = LatentMixture(3, 2, 2)
    mixture.stand(torch.ones(2), counts)
    chosen = np.bincount(mixture.choose(20_000, torch.Generator().manual_seed(0)), minlength=3) / 20_000
    np.testing.assert_allclose(chosen, [1 / 3] * 3 if counts is None else [0.9, 0.1, 0], atol=0.015)
    assert mixture.shares.sum().item() == pytest.approx(1)


def test_layers_have_the_widths_that_were_asked_for():
    layers = dense([7, 5, 3], dropout=0.5)
    assert layers.eval()(torch.zeros(2, 7)).shape == (2, 3)
    assert len(dense([7], dropout=0.0)) == 0
