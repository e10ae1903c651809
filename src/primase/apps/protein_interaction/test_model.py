"""Every network that the configuration accepts learns, and is the same after it was saved; the others are refused."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from primase.apps.protein_interaction.app import APP
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.pairs import ProteinPairs, Proteins
from primase.bio.graphs import Graph
from primase.configuration import configure, settings_of
from primase.data.encoding import Encoder
from primase.data.examples import Examples
from primase.data.negatives import uniform_negatives
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.events import silent

COUNT = 40
TASK = Task("binary", ("no interaction", "interaction"))
ENCODERS = ("gcn", "sage", "gat", "propagation")
DECODERS = ("inner", "bias", "bilinear", "mlp")


def settings_from(encoder, decoder, variational, fan_out, pairs):
    """Choose the settings of one network; exact learning has one whole graph."""
    return {
        "encoder": encoder,
        "decoder": decoder,
        "variational": variational,
        "fan_out": (3, 2) if fan_out else (),
        "pairs": pairs,
        "folds": 0 if pairs == "exact" else 2,
        "hidden": (8, 8),
        "spectral": 8,
        "decoder_hidden": 8,
    }


def is_refused(settings):
    exact = settings["pairs"] == "exact"
    return (
        (settings["encoder"] == "propagation" and settings["variational"])
        or (exact and settings["decoder"] == "mlp")
        or (exact and bool(settings["fan_out"]))
    )


CHOICES = (ENCODERS, DECODERS, (False, True), (False, True), ("sampled", "exact"))
EVERY = [settings_from(*chosen) for chosen in product(*CHOICES)]
ACCEPTED = [settings for settings in EVERY if not is_refused(settings)]
REFUSED = [settings for settings in EVERY if is_refused(settings)]


def name_of(settings):
    shown = [settings["encoder"], settings["decoder"], settings["pairs"]]
    return "-".join([*shown, *(name for name in ("variational", "fan_out") if settings[name])])


@pytest.fixture(scope="module")
def examples():
    generator = np.random.default_rng(0)
    names = [f"P{number}" for number in range(COUNT)]
    graph = Graph.of(names, generator.integers(0, COUNT, (120, 2)))
    pairs = np.concatenate([graph.edges, uniform_negatives(graph, len(graph.edges), seed=1)])
    features = generator.normal(size=(COUNT, 3)).astype(np.float32)
    inputs = ProteinPairs(pairs, Proteins(graph.names, features, ("f1", "f2", "f3")))
    return Examples(np.arange(len(pairs)).astype(object), inputs, np.repeat([1, 0], len(graph.edges)))


def built(examples, settings):
    configuration = configure(InteractionConfiguration, settings)
    workflow = APP.load()
    encoder = workflow.fit_encoder(examples, configuration, silent)
    torch.manual_seed(0)
    return encoder, workflow.network(encoder, TASK, configuration), configuration


def step(network, encoder: Encoder, examples, configuration):
    """Take a step on all examples, and return the loss before it."""
    objective = APP.load().fit_options(encoder, TASK, examples, configuration).objective
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    encoded = encoder.encode(examples.inputs)
    loss = objective(network.train(), encoded.batch(np.arange(len(encoded))), torch.from_numpy(examples.targets))
    loss.backward()
    optimizer.step()
    return loss.item()


def answers(network, encoder, examples):
    encoded = encoder.encode(examples.inputs)
    with torch.inference_mode():
        return network.eval()(**encoded.batch(np.arange(len(encoded))))


@pytest.mark.parametrize("settings", ACCEPTED, ids=name_of)
def test_every_accepted_network_learns_and_is_the_same_after_it_was_saved(examples, settings):
    encoder, network, configuration = built(examples, settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses = [step(network, encoder, examples, configuration) for _ in range(2)]
    assert np.isfinite(losses).all()
    weights = network.state_dict()
    moved = {name for name in weights if not torch.equal(weights[name], before[name])}
    assert moved
    # All that can be learned is learned.
    assert {name for name, _ in network.named_parameters()} - moved == set()
    said = answers(network, encoder, examples)
    assert torch.isfinite(said).all()
    loaded = PairEncoder.from_state(encoder.state())
    again = APP.load().network(loaded, TASK, configuration)
    again.load_state_dict(load(save({name: value.contiguous() for name, value in weights.items()})))
    assert torch.equal(answers(again, loaded, examples), said)
    turned = replace(examples, inputs=ProteinPairs(examples.inputs.nodes[:, ::-1].copy(), examples.inputs.proteins))
    torch.testing.assert_close(answers(network, encoder, turned), said)


@pytest.mark.parametrize("settings", REFUSED, ids=name_of)
def test_a_network_that_makes_no_sense_is_refused_in_one_message(settings):
    with pytest.raises(ConfigurationError) as refused:
        configure(InteractionConfiguration, settings)
    message = str(refused.value)
    assert message.startswith("network: ")
    assert message.count("network:") == 1
    assert "\n" not in message
    assert any(word in message for word in ("--decoder", "decoder", "--fan-out", "--variational"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "gat", "hidden": (8, 6)}, "multiples of 4"),
        ({"encoder": "propagation", "hidden": (8, 4)}, "equal widths"),
        ({"folds": 1}, "--folds 0, or 2 and more"),
        ({"pairs": "exact", "decoder": "inner"}, "--folds 0"),
        ({"fan_out": (5,)}, "--fan-out needs a number per layer: 2, and not 1"),
        ({"fan_out": (5, 0)}, "--fan-out needs numbers from 1"),
    ],
)
def test_what_else_is_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        configure(InteractionConfiguration, settings)


def test_divergence_is_learned_only_where_it_is_asked_for(examples):
    losses = []
    for variational in (False, True):
        settings = settings_from("gcn", "inner", variational, fan_out=False, pairs="exact")
        encoder, network, configuration = built(examples, settings)
        exact = network.train().exact_loss().item()
        torch.manual_seed(1)
        losses.append((network.embedding.divergence is None, exact, step(network, encoder, examples, configuration)))
    (point, exact, loss), (spread, _, _) = losses
    assert (point, spread) == (True, False)
    assert loss == pytest.approx(exact)


def test_a_network_that_samples_neighbours_hears_all_of_them_when_it_is_asked(examples):
    sampling = {"folds": 0, "fan_out": (1, 1), "hidden": (8, 8), "spectral": 8}
    encoder, network, _ = built(examples, sampling)
    nodes = torch.from_numpy(examples.inputs.nodes)
    with torch.no_grad():
        network.eval()
        assert torch.equal(network.score(nodes, 0), network.score(nodes, 0))
        _, plain, _ = built(examples, {**sampling, "fan_out": ()})
        assert torch.equal(plain.eval().score(nodes, 0), network.score(nodes, 0))
        torch.testing.assert_close(plain.train().score(nodes, 0), network.eval().score(nodes, 0))
        assert not torch.allclose(network.train().score(nodes, 0), plain.score(nodes, 0))
    assert len(encoder.views) == 1


def test_the_inputs_are_those_that_are_asked_for(examples):
    bare = replace(examples, inputs=ProteinPairs(examples.inputs.nodes, Proteins(examples.inputs.proteins.names)))
    small = {"hidden": (8, 8), "folds": 0}
    for given, settings, expected in [
        (examples, {"spectral": 8}, ("features", "place")),
        (examples, {"spectral": 0}, ("features",)),
        (examples, {"spectral": 8, "learned_embedding": True}, ("features", "place", "own")),
        (bare, {"spectral": 8}, ("place",)),
        (bare, {"spectral": 0}, ("own",)),
    ]:
        _, network, _ = built(given, {**small, **settings})
        parts = tuple(name for name in ("features", "place", "own") if getattr(network.embedding, name) is not None)
        assert parts == expected


def test_the_preset_of_the_paper_is_the_network_of_the_paper(examples):
    paper = configure(InteractionConfiguration, {"preset": "paper"})
    chosen = settings_of(paper)
    expected = InteractionConfiguration.presets["paper"]
    assert {name: chosen[name] for name in expected} == expected
    assert (chosen["encoder"], chosen["hidden"], chosen["decoder"]) == ("gcn", (32, 16), "inner")
    assert (chosen["pairs"], chosen["spectral"], chosen["learning_rate"]) == ("exact", 0, 0.01)
    bare = replace(examples, inputs=ProteinPairs(examples.inputs.nodes, Proteins(examples.inputs.proteins.names)))
    encoder, network, _ = built(bare, {"preset": "paper"})
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    # On identity features the first weight matrix is the learned input itself.
    assert shapes == {
        "embedding.own.weight": (COUNT, 32),
        "embedding.layers.0.bias": (32,),
        "embedding.layers.1.bias": (16,),
        "embedding.layers.1.lin.weight": (16, 32),
    }
    with torch.inference_mode():
        ones = encoder.graph.adjacency.toarray() + np.eye(COUNT)
        roots = np.sqrt(ones.sum(axis=1))
        smooth = torch.from_numpy((ones / roots[:, None] / roots[None, :]).astype(np.float32))
        first, second = network.embedding.layers
        hidden = torch.relu(smooth @ network.embedding.own.weight + first.bias)
        latent = smooth @ (hidden @ second.lin.weight.T) + second.bias
        nodes = torch.from_numpy(bare.inputs.nodes)
        scores = network.eval().score(nodes, 0)
        torch.testing.assert_close(scores, (latent[nodes[:, 0]] * latent[nodes[:, 1]]).sum(dim=1))


def test_a_preset_can_be_changed_beside_it():
    paper = settings_of(configure(InteractionConfiguration, {"preset": "paper"}))
    changed = settings_of(configure(InteractionConfiguration, {"preset": "paper", "hidden": "16,8", "epochs": 5}))
    assert {name for name in paper if paper[name] != changed[name]} == {"hidden", "epochs"}
    assert (changed["hidden"], changed["epochs"]) == ((16, 8), 5)
    with pytest.raises(ConfigurationError, match="network: --pairs exact needs a decoder"):
        configure(InteractionConfiguration, {"preset": "paper", "decoder": "mlp"})
    with pytest.raises(ConfigurationError, match="paper"):
        configure(InteractionConfiguration, {"preset": "papr"})
