"""The dense network from landmarks to targets, and how it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_inference.configuration import InferenceConfiguration, InferenceNetworkSection
from primase.apps.expression_inference.encoding import FittedBins, InferenceEncoder
from primase.apps.expression_inference.learning import (
    build_network,
    dropout_for,
    fit_options,
    nearest_spread,
    noise_for,
)
from primase.apps.expression_inference.model import BinTable, InferenceNetwork, Layers, bin_error
from primase.configuration import configure
from primase.data.examples import Examples


def examples(samples: int = 60, seed: int = 0) -> Examples[Profiles]:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(samples, 3)).astype(np.float32) + 5
    targets = np.stack([values[:, 0] * 2 + 1, values[:, 1] - values[:, 2]], axis=1) + 0.1
    ids = np.array([f"s{number}" for number in range(samples)], dtype=object)
    return Examples(ids, Profiles.of_values(("A", "B", "C"), values), targets.astype(np.float32))


def network_of(train: Examples[Profiles], **settings: Any) -> tuple[InferenceNetwork, InferenceEncoder]:
    section = InferenceNetworkSection(hidden=(16, 8), **settings)
    own = InferenceEncoder.fit(
        train, section.scaling, residual=section.residual, bins=section.bins if section.loss == "bins" else 0
    )
    torch.manual_seed(0)
    return build_network(own, section), own


def values_of(own: InferenceEncoder, data: Examples[Profiles]) -> Tensor:
    return own.encode(data.inputs).values


def test_with_a_residual_it_starts_as_the_ridge_regression() -> None:
    data = examples()
    network, own = network_of(data)
    values = values_of(own, data)
    assert own.ridge is not None
    with torch.inference_mode():
        found = network.eval()(values).numpy()
    np.testing.assert_allclose(found, own.ridge.values(values.numpy()), atol=1e-5)
    # The targets are linear in the landmarks.
    np.testing.assert_allclose(own.decode(found), data.targets, atol=0.1)


def test_the_ridge_regression_does_not_change_in_training() -> None:
    data = examples()
    network, own = network_of(data)
    assert network.linear is not None
    before = network.linear.weight.detach().clone()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.5)
    for _ in range(3):
        optimiser.zero_grad()
        network(values_of(own, data)).square().mean().backward()
        optimiser.step()
    assert torch.equal(network.linear.weight, before)
    assert network.head.weight.abs().sum() > 0


def test_without_a_residual_there_is_no_ridge_regression() -> None:
    network, own = network_of(examples(), residual=False)
    assert network.linear is None
    assert own.ridge is None
    assert network.head.weight.abs().sum() > 0


def test_a_bounded_output_stays_within_one() -> None:
    data = examples()
    network, own = network_of(data, residual=False, output="tanh", activation="tanh", scaling="minmax")
    found = network(values_of(own, data) * 100)
    assert (found.abs() <= 1).all()


def test_bins_hold_as_many_samples_each_and_their_means() -> None:
    values = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    values[5, 1] = np.nan
    bins = FittedBins.fit(values, 10)
    sizes = np.bincount(np.searchsorted(bins.edges[0], values[:, 0], side="right"))
    assert sizes.tolist() == [100] * 10
    first = np.sort(values[:, 0])[:100]
    assert bins.centres[0, 0] == pytest.approx(first.mean(), abs=1e-6)
    assert (np.diff(bins.centres) > 0).all()


def test_bins_of_a_frequent_value_may_be_empty() -> None:
    values = np.concatenate([np.zeros(80), np.arange(1, 21)]).astype(np.float32)[:, None]
    bins = FittedBins.fit(values, 5)
    assert np.isfinite(bins.centres).all()
    assert bins.centres[0].max() > 5


def test_the_prediction_is_the_expectation_over_the_bins() -> None:
    data = examples()
    network, own = network_of(data, loss="bins", bins=4)
    values = values_of(own, data)
    with torch.inference_mode():
        probabilities = network.eval().bin_logits(values).softmax(dim=2)
        assert own.bins is not None
        expected = (probabilities.numpy() * own.bins.centres).sum(axis=2)
        np.testing.assert_allclose(network(values).numpy(), expected, atol=1e-5)
        bins = network.bin_of(torch.from_numpy(np.asarray(own.encode_targets(data.targets)))).numpy()
    expected_bins = np.stack(
        [
            np.searchsorted(own.bins.edges[place], own.encode_targets(data.targets)[:, place], side="right")
            for place in range(2)
        ],
        axis=1,
    )
    np.testing.assert_array_equal(bins, expected_bins)


def test_unknown_targets_do_not_count_in_the_cross_entropy() -> None:
    logits = torch.randn(3, 2, 4)
    bins = torch.tensor([[0, 1], [2, 3], [1, 0]])
    known = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    losses = [-logits[row, place].log_softmax(0)[bins[row, place]] for row, place in ((0, 0), (1, 0), (1, 1))]
    assert bin_error(logits, bins, known).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    assert bin_error(logits, bins, torch.zeros(3, 2)).item() == 0


@pytest.mark.parametrize("loss", ["absolute", "squared", "bins"])
def test_it_learns_what_it_is_asked_to(loss: str) -> None:
    data = examples(200)
    network, own = network_of(data, loss=loss, residual=False, dropout=0.0, noise=0.0)
    options = fit_options(own, own.encode(data.inputs), InferenceNetworkSection(loss=loss, noise=0.0))
    assert options.transform is None
    assert options.objective is not None
    assert options.criterion is not None
    batch = {"values": values_of(own, data)}
    targets = torch.from_numpy(np.asarray(own.encode_targets(data.targets)))
    targets[0, 0] = torch.nan
    before = options.criterion(network.eval(), batch, targets).item()
    optimiser = torch.optim.Adam(network.train().parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        objective = options.objective(network, batch, targets)
        objective.backward()
        optimiser.step()
    after = options.criterion(network.eval(), batch, targets).item()
    assert after < 0.35 * before
    difference = network(batch["values"]) - targets
    kept = difference[~targets.isnan()]
    expected = kept.square().mean() if loss == "squared" else kept.abs().mean()
    assert after == pytest.approx(expected.item(), rel=1e-4)


def test_what_varies_between_like_samples_is_measured_within_batches() -> None:
    generator = np.random.default_rng(0)
    inside = generator.normal(size=(600, 2)) * [1.0, 0.1]
    apart = inside + 50 * generator.integers(0, 3, 600)[:, None]
    whole, batches = (nearest_spread(torch.from_numpy(one.astype(np.float32))) for one in (inside, apart))
    assert batches.max() < 1
    torch.testing.assert_close(whole, batches, rtol=0.8, atol=0)
    alike = torch.tensor([[0.0], [1.0], [10.0], [12.0]])
    assert nearest_spread(alike).item() == pytest.approx(np.sqrt((1 + 1 + 4 + 4) / 4 / 2))
    assert nearest_spread(torch.ones(1, 2)).tolist() == [0, 0]


def test_noise_is_a_share_of_the_spread_of_each_gene() -> None:
    data = examples(400)
    _, own = network_of(data, scaling="none")
    encoded = own.encode(data.inputs)
    options = fit_options(own, encoded, InferenceNetworkSection(noise=0.5))
    assert options.transform is not None
    targets = torch.zeros(400, 2)
    torch.manual_seed(0)
    changed, same = options.transform({"values": encoded.values}, targets)
    assert same is targets
    noise = (changed["values"] - encoded.values).std(dim=0) / nearest_spread(encoded.values)
    torch.testing.assert_close(noise, torch.full((3,), 0.5), atol=0.06, rtol=0)


def test_few_samples_are_held_back_more() -> None:
    assert dropout_for(50) == 0.5
    assert noise_for(50) == 0.6
    assert dropout_for(1_000) > dropout_for(5_000) > dropout_for(10_000_000) == 0.05
    assert noise_for(1_000) > noise_for(5_000) > noise_for(1_000_000) == 0.1


def test_a_setting_wins_over_what_is_adapted() -> None:
    network, _ = network_of(examples(), dropout=0.25)
    rates = {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)}
    assert rates == {0.25}


def test_presets_are_the_networks_of_the_literature() -> None:
    paper = configure(InferenceConfiguration, {"preset": "paper"}).network
    assert (paper.activation, paper.output, paper.loss, paper.residual) == ("tanh", "tanh", "squared", False)
    assert paper.scaling == "minmax"
    chen = configure(InferenceConfiguration, {"preset": "d-gex", "hidden": (9000,)}).network
    assert (chen.output, chen.dropout, chen.hidden) == ("linear", 0.1, (9000,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "bins", "output": "tanh", "residual": False}, "one number per bin"),
        ({"output": "tanh"}, "--no-residual"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        InferenceNetworkSection(**settings)


@pytest.mark.slow
def test_ten_thousand_targets_fit() -> None:
    layers = Layers((50, 64), "silu", 0.1)
    bins = BinTable(torch.zeros(10_000, 9).sort(dim=1).values, torch.zeros(10_000, 10))
    for network in (InferenceNetwork(layers, 10_000), InferenceNetwork(layers, 10_000, bins=bins)):
        assert network(torch.randn(32, 50)).shape == (32, 10_000)
