import pytest
import torch
from torch import nn
from torch.nn import functional

from primase.apps.dna_function.model import DnaNetwork
from primase.apps.rna_binding.model import RnaMapNetwork, RnaNetwork
from primase.errors import ConfigurationError
from primase.nn.letters import OneHot
from primase.nn.strands import BothStrands

# Without padding, places of 18 letters every 4 letters end with the last of 58.
LENGTH, SMALL = 58, {"filters": (8, 8), "widths": (7, 5), "pools": (2, 2)}


def dna(**choices):
    return DnaNetwork(LENGTH, 3, **{**SMALL, "padded": True, "units": 5, "hidden": 9, **choices})


NETWORKS = {
    "rna": lambda: RnaNetwork(2, **SMALL),
    "rna with residual blocks": lambda: RnaNetwork(2, **SMALL, residual_blocks=2),
    "rna map": lambda: RnaMapNetwork(LENGTH, 2),
    "dna as in DanQ": lambda: dna(padded=False),
    "dna gru, attention": lambda: dna(recurrence="gru", head="attention"),
    "dna global, average, no dense layer": lambda: dna(head="global", pooling="average", hidden=0),
    "dna residual, flat": lambda: dna(recurrence="none", residual_blocks=2, normalise=True),
    "dna both strands": lambda: BothStrands(dna(head="global", normalise=True)),
}
EVERY = pytest.mark.parametrize("build", NETWORKS.values(), ids=list(NETWORKS))


def trained(build):
    """Make a network with the statistics of one, so that normalisation does something."""
    torch.manual_seed(0)
    network = build()
    for _ in range(3):
        network.train()(codes_of(16, seed=5))
    return network.eval()


def codes_of(count, length=LENGTH, seed=0):
    return 2 ** torch.randint(0, 4, (count, length), generator=torch.Generator().manual_seed(seed)).byte()


@EVERY
def test_codes_and_columns_get_the_same_answer(build):
    network, codes = trained(build), codes_of(4)
    torch.testing.assert_close(network(codes), network(OneHot()(codes)))
    assert torch.isfinite(network(codes)).all()


@EVERY
def test_an_answer_does_not_depend_on_the_batch(build):
    network, codes = trained(build), codes_of(9)
    codes[2, :20] = 0  # one row of a batch being padded must not change how the others are read
    with torch.inference_mode():
        alone = torch.cat([network(codes[[row]]) for row in range(9)])
        torch.testing.assert_close(network(codes), alone, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(network(codes.flip(0)).flip(0), alone, rtol=1e-5, atol=1e-5)


@EVERY
def test_gradients_in_evaluation_reach_every_letter(build):
    network = trained(build)
    onehot = OneHot()(codes_of(6)).requires_grad_()
    network(onehot).square().sum().backward()
    assert (onehot.grad.abs().sum(dim=(0, 1)) > 0).all()


@EVERY
def test_every_weight_learns(build):
    torch.manual_seed(0)
    network = build().train()
    network(codes_of(16)).square().sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in network.parameters())


@EVERY
def test_a_batch_can_be_learned_by_heart(build):
    torch.manual_seed(0)
    network = build()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    codes, targets = codes_of(8), torch.arange(8) % 2
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        loss = functional.cross_entropy(network.train()(codes), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(network.eval()(codes).argmax(dim=1), targets)


@EVERY
def test_sixteen_bits_are_close(build):
    network, codes = trained(build), codes_of(16)
    with torch.inference_mode():
        exact = network(codes)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(codes).float()
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.05)


@EVERY
def test_padding_alone_gets_a_finite_answer(build):
    codes = codes_of(3)
    codes[1] = 0
    assert torch.isfinite(trained(build)(codes)).all()


@pytest.mark.parametrize("name", ["rna", "rna with residual blocks", "dna gru, attention"])
def test_padding_changes_nothing(name):
    # Whole strides in front: the grid of the pooling must fall on the same letters.
    network, codes = trained(NETWORKS[name]), codes_of(4)
    stride = network.trunk.stride
    torch.testing.assert_close(network(functional.pad(codes, (3 * stride, 2 * stride + 1))), network(codes))


@pytest.mark.parametrize("name", [name for name in NETWORKS if "both" not in name and "map" not in name])
def test_a_mutation_needs_the_places_that_see_it_only(name):
    network, codes = trained(NETWORKS[name]), codes_of(1)
    trunk = network.trunk
    features, mask = trunk(network.read(codes))
    for position in (0, 13, LENGTH - 1):
        mutant = codes.clone()
        mutant[0, position] ^= 15
        onehot = network.read(mutant)
        first = max(-(-(position - trunk.receptive_field + trunk.margin + 1) // trunk.stride), 0)
        last = min((position + trunk.margin) // trunk.stride, features.shape[2] - 1)
        columns = trunk.pad(onehot)[:, :, first * trunk.stride : last * trunk.stride + trunk.receptive_field]
        patched = features.clone()
        patched[:, :, first : last + 1] = trunk.features(columns)
        torch.testing.assert_close(network.head(patched, mask), network(mutant))


def test_the_rna_network_is_blind_to_position():
    network, motif = trained(NETWORKS["rna"]), codes_of(1, 12, seed=3)
    answers = []
    for place in (20, 40, 64):
        codes = torch.full((1, 100), 15, dtype=torch.uint8)
        codes[:, place : place + 12] = motif
        answers.append(network(codes))
    torch.testing.assert_close(answers[0], answers[1])
    torch.testing.assert_close(answers[0], answers[2])


def test_the_map_network_reads_padding_as_nothing():
    torch.manual_seed(0)
    network = trained(NETWORKS["rna map"])
    codes = codes_of(2)
    codes[:, 27:] = 0  # a third pooled place of nine letters each is the last that stands for letters
    seen = []
    network.answer[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(codes)
    features = seen[0].view(2, 16, network.places)
    assert features[:, :, :2].abs().max() > 0
    assert not features[:, :, 5:].any()


def test_a_flat_head_reads_padding_as_nothing():
    network = trained(lambda: dna(recurrence="none", hidden=0))
    codes = codes_of(2)
    codes[:, 21:] = 0  # the sixth place of four letters is the last that stands for letters
    seen = []
    network.answer[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(codes)
    features = seen[0].view(2, 8, -1)
    assert features[:, :, 5].abs().max() > 0
    assert not features[:, :, 6:].any()


def test_the_map_network_is_the_size_of_the_paper():
    network = RnaMapNetwork(101)
    assert network.convolve[0].weight.shape == (16, 1, 4, 10)
    assert network.places == 11
    assert RnaMapNetwork(101, channels=5).convolve[0].weight.shape == (16, 1, 5, 10)


def test_the_dna_network_is_danq():
    network = DnaNetwork(1000, 919)
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    assert shapes["trunk.features.0.convolve.weight"] == (320, 4, 26)
    assert shapes["recurrence.layer.weight_hh_l0"] == (4 * 320, 320)
    assert shapes["answer.0.weight"] == (925, 75 * 640)
    assert shapes["answer.2.weight"] == (919, 925)
    assert network(codes_of(1, 1000)).shape == (1, 919)


def test_lower_case_is_seen_where_it_is_a_channel():
    codes = codes_of(3)
    for build in (lambda: RnaNetwork(2, channels=5), lambda: BothStrands(dna(channels=5), channels=5)):
        network = trained(build)
        assert not torch.allclose(network(codes), network(codes | 16))
    network = trained(NETWORKS["rna"])
    assert torch.equal(network(codes), network(codes | 16))


def test_letters_move_in_training_only():
    network = trained(lambda: RnaMapNetwork(LENGTH, shift=4, dropout=0.0))
    codes = codes_of(4)
    assert torch.equal(network(codes), network(codes))
    assert not torch.allclose(network.train()(codes), network(codes))


def test_windows_too_short_for_the_network_are_refused():
    with pytest.raises(ConfigurationError, match="30 letters"):
        DnaNetwork(30, 2)
    with pytest.raises(ConfigurationError, match="8 letters"):
        RnaMapNetwork(8)
    with pytest.raises(ConfigurationError, match="6 letters"):
        RnaNetwork(**SMALL)(codes_of(1, 6))
