"""The auto-encoder: where it begins, what it makes small, that each kind of it learns, and what it draws."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.nn.functional import binary_cross_entropy

from primase.apps.expression_embedding.configuration import EmbeddingConfiguration
from primase.apps.expression_embedding.encoding import ProfileEncoder
from primase.apps.expression_embedding.learning import (
    PriorFit,
    WarmUp,
    build_network,
    dropout_for,
    fit_options,
    latent_of,
)
from primase.apps.expression_embedding.rivals import components_rival
from primase.apps.expression_embedding.test_encoding import profiles
from primase.configuration import configure, settings_of

KINDS = {
    "default": {},
    "gaussian": {"likelihood": "gaussian"},
    "squared": {"likelihood": "squared"},
    "deep": {"hidden": (16, 8)},
    "no linear path": {"linear_path": False},
    "auto-encoder": {"autoencoder": True},
    "standard prior": {"prior": "standard"},
    "paper": {"preset": "paper"},
    "tybalt": {"preset": "tybalt"},
}


def built(*, condition=False, count=60, **settings):
    """Fit an encoder and build its network."""
    torch.manual_seed(0)
    chosen = configure(EmbeddingConfiguration, {"latent": 3, "hidden": (16,), "dropout": 0.0, **settings}).network
    train = profiles(count=count, condition=condition)
    own = ProfileEncoder.fit(train, chosen, "cohort" if condition else None)
    return own, build_network(own, chosen), own.encode(train), chosen


def learn(network, batch, steps=200, rate=3e-3):
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = network.objective(**batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses


@pytest.mark.parametrize("heads", ["linear", "relu"])
@pytest.mark.parametrize("scaling", ["zscore", "none", "quantile"])
def test_training_begins_at_principal_components(scaling, heads):
    own, network, encoded, _ = built(scaling=scaling, heads=heads)
    batch = encoded.batch(np.arange(60))
    pca = components_rival(own.scaler, 3).fit_to(profiles())
    with torch.no_grad():
        expected = pca.model.inverse_transform(pca.model.transform(batch["values"].numpy()))
        torch.testing.assert_close(network.eval()(**batch), torch.from_numpy(expected).float(), atol=1e-4, rtol=0)
        if heads == "linear":
            torch.testing.assert_close(network.embed(**batch)[0].mean(dim=0), torch.zeros(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("condition", [False, True], ids=["untold", "told"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_is_the_same_after_it_was_saved(kind, condition):
    own, network, encoded, chosen = built(condition=condition, **KINDS[kind])
    batch = encoded.batch(np.arange(60))
    torch.manual_seed(1)
    losses = learn(network, batch)
    assert np.mean(losses[-20:]) < np.mean(losses[:20])
    network.prior.fit(*latent_of(network, [batch]))
    again = build_network(ProfileEncoder.from_state(own.state()), chosen)
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(**batch), network(**batch))
    drawn = []
    for one in (network, again):
        generator = torch.Generator().manual_seed(2)
        groups = torch.zeros(5, dtype=torch.long)
        drawn.append(one.scattered(one.latent_of(groups, generator), one.known({"condition": groups}, 5), generator)[0])
    assert torch.equal(*drawn)
    assert torch.isfinite(drawn[0]).all()


def test_a_batch_can_be_learned_by_heart():
    _, network, encoded, _ = built(likelihood="squared", linear_path=False, autoencoder=True, latent=9, hidden=(64,))
    batch = encoded.batch(np.arange(16))
    learn(network, batch, steps=1500, rate=3e-3)
    with torch.no_grad():
        assert float(((network(**batch) - batch["values"]) ** 2).mean()) < 0.02


def test_paper_and_tybalt_differ_in_their_loss_alone():
    settings = [built(preset=name)[3] for name in ("paper", "tybalt")]
    assert [one.likelihood for one in settings] == ["squared", "bernoulli"]
    assert settings[0].model_copy(update={"likelihood": "bernoulli"}) == settings[1]
    _, network, encoded, _ = built(preset="tybalt", hidden=())
    batch = encoded.batch(np.arange(60))
    values = network.eval()(**batch).detach()
    assert float(values.min()) >= 0
    assert float(values.max()) <= 1
    mean, _ = network.embed(**batch)
    assert mean.min().item() >= 0, "as behind a ReLU"


def test_cross_entropy_is_that_of_torch():
    _, network, encoded, _ = built(preset="tybalt")
    batch = encoded.batch(np.arange(60))
    network.eval()
    with torch.no_grad():
        expected = binary_cross_entropy(network(**batch), batch["values"])
        assert float(network.criterion(0.0, **batch)) == pytest.approx(float(expected), rel=1e-5)


def test_the_hurdle_is_a_zero_or_a_gaussian_of_the_raw_logarithm():
    _, network, _, _ = built()
    latent, known = torch.randn(4, 3), torch.zeros(4, 0)
    network.eval()
    values = torch.tensor(np.random.default_rng(0).uniform(0, 4, (4, 9)).astype(np.float32))
    values[values < 1] = 0
    with torch.no_grad():
        logit, mean, log_spread = (one.numpy().astype(float) for one in network._scattered(latent, known))
        found = network._hurdle(latent, known, values).numpy()
    zero, there = 1 / (1 + np.exp(-logit)), values.numpy() > 0
    raw = np.log2(np.where(there, 2.0 ** values.numpy().astype(float) - 1, 1.0))
    standard = (raw - network.positive_means.numpy()) / network.positive_deviations.numpy()
    # The constant of the Gaussian is left out.
    above = -np.log(1 - zero) - norm.logpdf(standard, mean, np.exp(log_spread)) - np.log(2 * np.pi) / 2
    np.testing.assert_allclose(found, np.where(there, above, -np.log(zero)), rtol=1e-3, atol=1e-3)


def test_the_scatter_learns_from_the_latent_numbers_without_changing_them():
    _, network, encoded, _ = built()
    batch = encoded.batch(np.arange(60))
    latent, known = network.embed(**batch)[0], torch.zeros(60, 0)
    network._hurdle(latent.detach(), known, batch["modelled"]).sum().backward()
    assert network.scatter.linear.weight.grad is not None
    torch.manual_seed(0)
    network.zero_grad()
    network.objective(**batch).backward()
    with_scatter = network.encoder.mean[0].weight.grad.clone()
    network.zero_grad()
    torch.manual_seed(0)
    network.scatter = None
    network.objective(**batch).backward()
    torch.testing.assert_close(network.encoder.mean[0].weight.grad, with_scatter)


def test_what_is_drawn_has_zeros_where_the_samples_have_them():
    own, network, encoded, _ = built(count=300)
    batch = encoded.batch(np.arange(300))
    torch.manual_seed(0)
    learn(network, batch, steps=300)
    network.prior.fit(*latent_of(network, [batch]))
    generator = torch.Generator().manual_seed(0)
    groups = network.prior.choose(4000, generator)
    values, zeros = network.scattered(network.latent_of(groups, generator), torch.zeros(4000, 0), generator)
    real = batch["modelled"].numpy()
    assert torch.equal(values == 0, zeros)
    np.testing.assert_allclose((values.numpy() == 0).mean(axis=0), (real == 0).mean(axis=0), atol=0.05)
    np.testing.assert_allclose(values.numpy().mean(axis=0), real.mean(axis=0), atol=0.25)
    np.testing.assert_allclose(np.corrcoef(values.numpy().T), np.corrcoef(real.T), atol=0.2)
    assert own.likelihood == "zero-inflated"


def test_an_auto_encoder_draws_nothing_in_training():
    _, network, encoded, _ = built(autoencoder=True, likelihood="squared")
    batch = encoded.batch(np.arange(60))
    assert network.objective(**batch).item() == network.objective(**batch).item()
    _, network, encoded, _ = built(likelihood="squared")
    assert network.objective(**batch).item() != network.objective(**batch).item()


# How it learns


class Trainer:
    def __init__(self, epoch):
        self.current_epoch = epoch


class Module:
    def __init__(self, network):
        self.network = network


@pytest.mark.parametrize(("epochs", "expected"), [(0, [2, 2, 2]), (1, [0, 2, 2]), (2, [0, 1, 2])])
def test_the_divergence_warms_up_by_the_epoch_alone(epochs, expected):
    _, network, _, _ = built()
    found = []
    for epoch in (2, 0, 1):  # in any order, as after an interruption
        WarmUp(2.0, epochs).on_train_epoch_start(Trainer(epoch), Module(network))
        found.append(network.divergence_weight)
    assert found == [expected[2], expected[0], expected[1]]


def test_the_gaussians_are_fitted_before_each_validation():
    _, network, encoded, _ = built(condition=True)
    callback = PriorFit(encoded)
    callback.on_validation_start(Trainer(0), Module(network))
    mean, _, groups = latent_of(network, [encoded.batch(np.arange(60))])
    np.testing.assert_allclose(network.prior.means[1, 0].numpy(), mean[groups == 1].mean(axis=0), atol=1e-5)
    _, network, encoded, _ = built(prior="standard", condition=True, count=61)
    PriorFit(encoded).on_validation_start(Trainer(0), Module(network))
    np.testing.assert_allclose(network.prior.shares.sum(dim=1), [31 / 61, 30 / 61], rtol=1e-5)
    torch.testing.assert_close(network.prior.factors[0, 0], torch.diag(network.spread))


def test_validation_measures_the_whole_divergence_whatever_it_is_in_training():
    _, network, encoded, chosen = built(warm_up_epochs=5, beta=1.0, hidden=(16,))
    batch = encoded.batch(np.arange(60))
    criterion = fit_options(encoded, chosen).criterion
    network.eval()
    network.divergence_weight = 0.0
    first = criterion(network, batch, torch.empty(60, 0)).item()
    network.divergence_weight = 1.0
    assert criterion(network, batch, torch.empty(60, 0)).item() == first
    assert first > network.criterion(0.0, **batch).item()


def test_few_samples_are_held_back_more():
    assert dropout_for(100) == 0.5
    assert 0.1 <= dropout_for(9000) < dropout_for(3000) < 0.5


def test_presets_can_be_changed():
    settings = settings_of(configure(EmbeddingConfiguration, {"preset": "tybalt", "latent": 7}))
    assert settings["latent"] == 7
    assert settings["learning_rate"] == 5e-4
