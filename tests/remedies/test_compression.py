"""The ways to make networks smaller, each against what it promises."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from torch import nn

from primase.apps.discovery import applications
from primase.apps.enzyme_identification.model import EnzymeNetwork
from primase.apps.rna_binding.model import RnaNetwork
from primase.configuration import configure, shrunk
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.nn.dense import SparseLinear
from primase.nn.structure import (
    Factorised,
    Structure,
    apply_edit,
    as_matrix,
    rebuild,
    structure_of,
    weights_of,
)
from primase.predictor.coded_weights import decode_weights, encode_weights
from primase.predictor.onnx_graph import TOLERANCE, export_onnx
from primase.remedies.compression.channels import without_channels
from primase.remedies.compression.distilling import averaged, distillation, soft_loss
from primase.remedies.compression.factorising import factorise, in_two, rank_of
from primase.remedies.compression.measuring import agreement, latency, size_of
from primase.remedies.compression.pruning import smallest_first, sparsity_after, zeroing
from primase.remedies.compression.quantising import quantise, rounded
from primase.remedies.compression.sharing import assigned, joining, k_means
from primase.training.fit import FitOptions

LETTERS = {"letters": torch.randint(1, 5, (6, 40), generator=torch.Generator().manual_seed(0)).to(torch.uint8)}


def rna_network(seed=0):
    torch.manual_seed(seed)
    return RnaNetwork(filters=(12, 12), widths=(5, 3), pools=(2, 1)).eval()


def enzyme_network():
    torch.manual_seed(0)
    network = EnzymeNetwork(50, 40, (24, 16), 2, dropout=0.1, domain_dropout=0.1).eval()
    draw = torch.Generator().manual_seed(1)
    batch = {"features": torch.randint(0, 51, (7, 9), generator=draw), "weights": torch.ones(7, 9)}
    batch["weights"][batch["features"] == 0] = 0
    return network, batch


LAYERS = [
    (nn.Linear(9, 7), (3, 9)),
    (nn.Linear(9, 7, bias=False), (3, 9)),
    (nn.Conv1d(4, 6, 5, stride=2, padding=2, dilation=1), (2, 4, 20)),
    (nn.Conv1d(6, 6, 3, dilation=2, bias=False), (2, 6, 20)),
    (nn.Conv2d(3, 8, (3, 2), padding=(1, 0)), (2, 3, 9, 8)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_at_full_rank_nothing_changes(layer, shape):
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        two = in_two(layer, min(as_matrix(layer).shape))
        assert torch.allclose(two(inputs), layer(inputs), atol=1e-5)
        lower = in_two(layer, 2)
        assert not torch.allclose(lower(inputs), layer(inputs), atol=1e-3)


def test_at_full_rank_a_sparse_layer_does_not_change():
    layer = SparseLinear(30, 8)
    nn.init.normal_(layer.bias)
    features, weights = torch.randint(0, 31, (5, 6)), torch.rand(5, 6)
    with torch.no_grad():
        assert torch.allclose(in_two(layer, 8)(features, weights), layer(features, weights), atol=1e-5)


def test_a_lower_rank_is_the_nearest_there_is():
    layer = nn.Linear(20, 15, bias=False)
    two = in_two(layer, 4)
    product = (two.second.weight @ two.first.weight).detach().numpy()
    left, values, right = np.linalg.svd(layer.weight.detach().numpy())
    assert np.allclose(product, left[:, :4] * values[:4] @ right[:4], atol=1e-5)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=20), st.floats(0.05, 1))
def test_the_rank_keeps_the_energy_and_no_smaller_one_does(values, energy):
    ordered = torch.tensor(sorted(values, reverse=True), dtype=torch.float64)
    rank = rank_of(ordered, energy)
    kept = (ordered**2).cumsum(0) / (ordered**2).sum()
    assert kept[rank - 1] >= energy - 1e-9
    assert rank == 1 or kept[rank - 2] < energy


def test_layers_that_would_grow_are_left():
    network = rna_network()
    before = {name for name, layer in network.named_modules() if isinstance(layer, nn.Conv1d | nn.Linear)}
    assert factorise(network, energy=1.0) == ()
    edits = factorise(network, energy=0.9, rank=2)
    assert 0 < len(edits) < len(before) + 1
    assert all(isinstance(network.get_submodule(edit["layer"]), Factorised) for edit in edits)


def test_a_factorised_network_is_built_again_from_its_edits():
    network = rna_network()
    factorise(network, energy=0.9, rank=3)
    again = rebuild(rna_network(1), structure_of(network)).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(**LETTERS), network(**LETTERS))
    assert structure_of(again) == structure_of(network)


@pytest.mark.parametrize(
    "edit",
    [
        {"edit": "factorise", "layer": "answer.1", "rank": 0},
        {"edit": "factorise", "layer": "answer.1", "rank": 3},
        {"edit": "factorise", "layer": "trunk", "rank": 1},
        {"edit": "factorise", "layer": "nowhere", "rank": 1},
        {"edit": "resize", "layer": "answer.1", "outputs": 2},
        {"edit": "resize", "layer": "answer.1", "inputs": 100, "outputs": 2},
        {"edit": "resize", "layer": "answer.0", "inputs": 1, "outputs": 2},
        {"edit": "other", "layer": "answer.1"},
        {"layer": "answer.1"},
    ],
)
def test_edits_that_do_not_fit_are_refused(edit):
    with pytest.raises(ValueError, match=r"fit|rank|channels|edit|taken apart|invalid literal"):
        apply_edit(rna_network(), edit)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_rounding_is_off_by_at_most_half_a_scale(rows, columns, seed):
    weights = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    scales = weights.abs().amax(1, keepdim=True) / 127
    assert ((rounded(weights, 0) - weights).abs() <= scales * 0.505).all()


def test_rounded_weights_are_kept_exactly_in_less_than_a_third():
    network = rna_network()
    quantise(network)
    content = encode_weights(network.state_dict())
    read = decode_weights(content)
    assert all(torch.equal(tensor, read[name]) for name, tensor in network.state_dict().items())
    wide = nn.Linear(300, 200)
    quantise(wide)
    assert len(encode_weights(wide.state_dict())) < 300 * 200 * 4 / 3.5
    levels = [torch.unique(row / row.abs().max()).numel() for row in wide.weight]
    assert max(levels) <= 255


def test_rounding_twice_changes_nothing():
    weights = torch.randn(20, 30)
    once = rounded(weights, 0)
    assert torch.equal(rounded(once, 0), once)


@pytest.mark.parametrize("sparsity", [0.001, 0.5, 0.9, 0.999])
def test_the_smallest_weights_of_all_layers_are_pruned(sparsity):
    network = rna_network()
    weights = weights_of(network)
    masks = smallest_first(weights, sparsity)
    kept = torch.cat([tensor[masks[name] == 1].abs() for name, tensor in weights.items()])
    gone = torch.cat([tensor[masks[name] == 0].abs() for name, tensor in weights.items()])
    assert len(gone) == round(sparsity * (len(gone) + len(kept)))
    if len(gone) and len(kept):
        assert gone.max() <= kept.min()
    zeroing(network, masks)()
    zeros = sum(int((tensor == 0).sum()) for tensor in weights_of(network).values())
    assert zeros == len(gone)


def test_sparsity_grows_to_what_was_asked_for():
    steps = [sparsity_after(step, 4, 0.8) for step in range(1, 5)]
    assert steps == sorted(steps)
    assert steps[-1] == 0.8


def test_few_values_are_those_of_k_means():
    numbers = np.random.default_rng(0).normal(size=3000)
    start = np.linspace(numbers.min(), numbers.max(), 8)[:, None]
    theirs = KMeans(8, init=start, n_init=1, max_iter=50, tol=0, algorithm="lloyd").fit(numbers[:, None])
    assert np.allclose(k_means(numbers, 8), np.sort(theirs.cluster_centers_[:, 0]), atol=1e-6)


def test_weights_of_a_group_move_together_and_zeros_stay():
    layer = nn.Linear(30, 30, bias=False)
    with torch.no_grad():
        layer.weight[layer.weight.abs() < 0.1] = 0
    zeros = layer.weight == 0
    project = joining(layer, {"weight": assigned(layer.weight.detach(), 8)})
    project()
    assert len(torch.unique(layer.weight)) <= 9
    before = layer.weight.detach().clone()
    project()
    assert torch.allclose(layer.weight, before)
    with torch.no_grad():
        layer.weight += torch.randn(30, 30)
    project()
    assert len(torch.unique(layer.weight)) <= 9
    assert (layer.weight[zeros] == 0).all()
    assert not torch.allclose(layer.weight, before)


def test_half_of_the_channels_can_be_left_out():
    network = rna_network()
    smaller = without_channels(network, rna_network, LETTERS, 0.5)
    layers = {path: layer for path, layer in smaller.named_modules() if isinstance(layer, nn.Conv1d | nn.Linear)}
    assert [layer.out_channels for layer in layers.values() if isinstance(layer, nn.Conv1d)] == [6, 6]
    assert layers["answer.1"].in_features == 12
    assert smaller(**LETTERS).shape == (6, 2)
    # What is kept are channels of the network itself.
    first, before = smaller.trunk.features[0].convolve.weight, network.trunk.features[0].convolve.weight
    assert all(any(torch.equal(own, old) for old in before) for own in first)


def test_units_behind_a_sparse_layer_can_be_left_out():
    network, batch = enzyme_network()
    smaller = without_channels(network, lambda: enzyme_network()[0], batch, 0.5)
    assert smaller.read.table.shape == (51, 12)
    assert smaller(**batch).shape == (7, 2)


def test_a_network_without_channels_to_leave_out_is_refused():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.answer = nn.Linear(40, 2)

        def forward(self, letters):
            return self.answer(letters.float())

    with pytest.raises(ConfigurationError, match=r"--structured.*no layer before the last"):
        without_channels(Single(), Single, LETTERS, 0.5)


def test_channels_of_a_sparse_layer_are_rounded_each_by_its_own_scale():
    layer = SparseLinear(5, 3)
    with torch.no_grad():
        layer.table.copy_(torch.tensor([1.0, 10.0, 100.0]) * torch.linspace(-1, 1, 18).view(6, 3))
        before = layer.table.clone()
    quantise(layer)
    off = (layer.table - before).abs().amax(0)
    assert (off <= before.abs().amax(0) / 127 * 0.505).all()


def test_a_network_whose_channels_cannot_be_followed_is_refused():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.answer = nn.Linear(40, 8), nn.Linear(8, 2)
            self.register_buffer("scale", torch.arange(8.0))

        def forward(self, letters):
            return self.answer(self.layer(letters.float()) * self.scale)

    with pytest.raises(ConfigurationError, match=r"--structured: the channels of a network of type Fixed"):
        without_channels(Fixed(), Fixed, LETTERS, 0.5)


def test_an_equal_network_has_nothing_to_learn_from_its_teacher():
    logits = torch.randn(5, 3, requires_grad=True)
    taught = averaged("multiclass", [logits.detach()], 3.0)
    loss = soft_loss("multiclass", 3.0)(logits, taught)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.abs() < 1e-6
    assert gradient.abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_the_temperature_does_not_weaken_the_teacher(kind):
    # Hinton et al. (2015), equation 4: at a high temperature the slope tends to that of matching logits.
    now, then = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)

    def slope(temperature):
        logits = now.clone().requires_grad_()
        soft_loss(kind, temperature)(logits, averaged(kind, [then], temperature)).backward()
        return logits.grad

    difference = now - then
    if kind == "multilabel":
        expected = difference / 4 / difference.numel()
    else:
        expected = (difference - difference.mean(1, keepdim=True)) / 3 / len(difference)
    assert torch.allclose(slope(1e3), expected, rtol=1e-2, atol=1e-5)
    logits = now.clone().requires_grad_()
    if kind != "multilabel":
        softened = nn.functional.cross_entropy(logits / 3, (then / 3).softmax(1)) * 9
        softened.backward()
        assert torch.allclose(slope(3.0), logits.grad)


def test_soft_targets_are_the_mean_of_the_probabilities():
    one, two = torch.randn(5, 3), torch.randn(5, 3)
    expected = ((one / 2).softmax(1) + (two / 2).softmax(1)) / 2
    assert torch.allclose(averaged("multiclass", [one, two], 2.0), expected)
    assert torch.allclose(averaged("multilabel", [one, two], 1.0), (one.sigmoid() + two.sigmoid()) / 2)
    assert torch.allclose(averaged("regression", [one, two], 2.0), (one + two) / 2)


def test_distillation_weighs_teachers_and_known_answers():
    teacher, pupil = rna_network(1), rna_network(2)
    targets = torch.tensor([0, 1, 0, 1, 1, 0])
    with torch.no_grad():
        soft, mixed = (
            distillation(
                [teacher], FitOptions(kind="binary"), temperature=2.0, share=share, label_smoothing=0.0
            ).objective(pupil, LETTERS, targets)
            for share in (1.0, 0.25)
        )
        hard = nn.functional.cross_entropy(pupil(**LETTERS), targets)
    assert mixed == pytest.approx(float(0.25 * soft + 0.75 * hard), rel=1e-5)


def test_sizes_are_counted():
    layer = nn.Sequential(nn.Linear(10, 4, bias=False))

    class Asked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, values):
            return self.layer(values)

    with torch.no_grad():
        layer[0].weight[0] = 0
    found = size_of([Asked(), Asked()], {"values": torch.ones(3, 10)})
    assert (found.parameters, found.nonzero, found.multiply_adds) == (80, 60, 80)
    assert found.bytes > 320
    timed = latency([Asked()], [Asked()], {"values": torch.ones(3, 10)}, repeats=2)
    assert timed.ratio == timed.child / timed.parent


def test_agreement_of_a_model_with_itself_is_complete():
    answers = np.random.default_rng(0).random((20, 4))
    assert agreement(Task("multiclass", tuple("abcd")), answers, answers) == {"same_answer": 1, "mean_difference": 0}
    same = agreement(Task("regression", tuple("abcd")), answers, answers)
    assert same["correlation"] == pytest.approx(1)
    other = agreement(Task("multilabel", tuple("abcd")), answers, 1 - answers)
    assert other["same_answer"] == 0


def test_an_onnx_graph_answers_as_the_networks_do():
    network, batch = enzyme_network()
    other = copy.deepcopy(network)
    nn.init.normal_(other.answer.weight)
    made = export_onnx(Task("binary", ("no", "yes")), [network, other], batch, {"labels": ["no", "yes"], "note": "é"})
    assert made.difference < TOLERANCE
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])
    # Any number of proteins with any number of features.
    more = {"features": torch.randint(0, 51, (11, 4)), "weights": torch.ones(11, 4)}
    (answers,) = session.run(None, {name: tensor.numpy() for name, tensor in more.items()})
    with torch.no_grad():
        both = torch.stack([member(**more).softmax(1) for member in (network, other)]).mean(0).log()
    present = more["features"] != 0
    assert np.allclose(answers[present.all(1)], both.numpy()[present.all(1)], atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map == {"labels": '["no", "yes"]', "note": "é"}


def test_an_operator_that_onnx_has_not_is_named():
    class Pooled(nn.Module):
        def forward(self, letters):
            return nn.functional.adaptive_max_pool1d(letters.float(), 7)

    with pytest.raises(ConfigurationError, match=r"--format onnx.*operator aten\.adaptive_max_pool"):
        export_onnx(Task("multilabel", tuple("abcdefg")), [Pooled()], LETTERS, {})


def test_structures_say_what_is_plain():
    assert Structure().is_plain
    assert not Structure(coded=True).is_plain
    assert structure_of(nn.Linear(2, 2)).is_plain


@pytest.mark.parametrize(
    ("name", "settings", "smaller"),
    [
        ("rna-binding", {"filters": (96, 3, 1)}, {"filters": (24, 1, 1), "hidden": 50}),
        ("dna-function", {"preset": "danq"}, {"filters": (80,), "units": 80, "hidden": 231}),
        ("dna-function", {}, {"filters": (24, 24), "units": 12, "hidden": 0}),
        ("enzyme-identification", {}, {"hidden": (64, 32)}),
        ("expression-inference", {"hidden": (10,)}, {"hidden": (2,)}),
        ("image-diagnosis", {}, {}),
    ],
)
def test_widths_are_divided_and_nothing_else(name, settings, smaller):
    configuration = configure(applications()[name].configuration, settings)
    assert shrunk(configuration.network, 4) == smaller
