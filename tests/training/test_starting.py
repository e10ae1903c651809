"""Starting from the weights of another network: what is copied, what is kept, and how slowly the rest learns."""

import numpy as np
import pytest
import torch
from torch import nn

from primase.data.encoding import SupervisedBatches
from primase.errors import ConfigurationError, InputError
from primase.nn.backbones import build_backbone
from primase.nn.freezing import parameter_groups
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.starting import freeze_below, last_layer, start_options, take_over


class Small(nn.Module):
    def __init__(self, answers=3, width=5, rows=1):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.5))
        self.answer = nn.Linear(width, answers * rows)

    def forward(self, values):
        return self.answer(self.body(values))


class Numbers:
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"values": self.values[torch.from_numpy(indices)]}


def small(seed, **settings):
    torch.manual_seed(seed)
    return Small(**settings)


def batches(count=64, seed=0, shift=3.0):
    torch.manual_seed(seed)
    values = torch.randn(count, 4) + shift
    return SupervisedBatches(Numbers(values), (values[:, 0] > shift).numpy().astype(np.int64))


def test_the_same_answers_take_everything_over():
    other, own = small(0), small(1)
    with torch.no_grad():
        taken = take_over(own, other.state_dict(), before="abc", after="abc")
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in own.state_dict().items())
    assert taken.layers == ("body.0", "body.1")
    assert (taken.last, taken.kept, taken.new) == ("answer", ("a", "b", "c"), ())
    assert taken.values[0] == taken.values[1] == sum(value.numel() for value in own.state_dict().values())


@pytest.mark.parametrize("rows", [1, 4])
def test_answers_keep_their_rows_by_name(rows):
    other, own = small(0, answers=3, rows=rows), small(1, answers=4, rows=rows)
    fresh = own.answer.weight.detach().clone()
    with torch.no_grad():
        taken = take_over(own, other.state_dict(), before=["a", "b", "c"], after=["d", "c", "x", "a"])
    assert (taken.kept, taken.new) == (("c", "a"), ("d", "x"))
    found, known = own.answer.weight.view(4, rows, -1), other.answer.weight.view(3, rows, -1)
    assert torch.equal(found[1], known[2])
    assert torch.equal(found[3], known[0])
    assert torch.equal(found[[0, 2]], fresh.view(4, rows, -1)[[0, 2]])
    assert torch.equal(own.answer.bias.view(4, rows)[1], other.answer.bias.view(3, rows)[2])


def test_equally_many_other_answers_are_new():
    other, own = small(0), small(1)
    fresh = own.answer.weight.detach().clone()
    with torch.no_grad():
        taken = take_over(own, other.state_dict(), before="abc", after="xyz")
    assert taken.kept == ()
    assert torch.equal(own.answer.weight, fresh)
    assert torch.equal(own.body[0].weight, other.body[0].weight)


def test_other_layers_are_refused_by_name():
    message = r"body.0.weight 6 x 4, here 5 x 4; body.0.bias 6, here 5; .* and 1 more\. Accepted: the same layers"
    with pytest.raises(InputError, match=message):
        take_over(small(0), small(0, width=6).state_dict(), before="abc", after="abc")
    weights = {**small(0).state_dict(), "attention.weight": torch.zeros(2, 2)}
    with pytest.raises(InputError, match=r"attention.weight 2 x 2, here none"):
        take_over(small(0), weights, before="abc", after="abc")


def test_a_network_of_one_layer_has_nothing_to_take_over_from_other_answers():
    with pytest.raises(InputError, match="nothing to start from"):
        take_over(nn.Linear(4, 2), nn.Linear(4, 2).state_dict(), before="ab", after="xy")
    with pytest.raises(ConfigurationError, match="no layer of this network learns"):
        last_layer(nn.ReLU())


def test_what_comes_with_the_encoder_stays():
    other, own = small(0), small(1)
    for network in (other, own):
        network.register_buffer("centres", torch.randn(3))
    own.given = frozenset({"centres"})
    before = own.centres.clone()
    with torch.no_grad():
        take_over(own, other.state_dict(), before="abc", after="abc")
    assert torch.equal(own.centres, before)
    assert torch.equal(own.body[0].weight, other.body[0].weight)


def fitted(tmp_path, network, freezing, **settings):
    configuration = TrainingConfiguration(epochs=3, learning_rate=0.05, device="cpu", precision="32", **settings)
    options = start_options(FitOptions(kind="multiclass"), freezing, 0.1)
    return fit(network, batches(), batches(32, seed=1), configuration, seed=0, folder=tmp_path, options=options).network


def test_frozen_layers_keep_weights_and_statistics(tmp_path):
    network = small(0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    freeze_below(network)
    after = fitted(tmp_path, network, "all-but-last").state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"answer.weight", "answer.bias"}


def test_without_freezing_all_layers_change(tmp_path):
    network = small(0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    after = fitted(tmp_path, network, "none").state_dict()
    assert all(not torch.equal(value, before[name]) for name, value in after.items())


def test_lower_layers_learn_more_slowly():
    network = small(0)
    groups = start_options(FitOptions(), "none", 0.1).parameters(network)
    rates = {id(parameter): group["rate"] for group in groups for parameter in group["params"]}
    assert rates == {
        id(parameter): 1.0 if name.startswith("answer") else 0.1 for name, parameter in network.named_parameters()
    }


def test_rates_of_an_application_are_divided_further():
    backbone = build_backbone("small-resnet")
    network = nn.Sequential(backbone, nn.Linear(8, 2))
    usual = FitOptions(parameters=lambda module: parameter_groups(module[0], module[1], decay=0.5))
    groups = start_options(usual, "none", 0.2).parameters(network)
    rates = {id(parameter): group["rate"] for group in groups for parameter in group["params"]}
    for group in usual.parameters(network):
        for parameter in group["params"]:
            share = 1.0 if any(parameter is own for own in network[1].parameters()) else 0.2
            assert rates[id(parameter)] == pytest.approx(group["rate"] * share)


def test_a_second_phase_cannot_keep_layers_frozen():
    options = FitOptions(then=lambda fitted, course: fitted)
    with pytest.raises(ConfigurationError, match="a further phase of training"):
        start_options(options, "all-but-last", 1.0)
    assert start_options(options, "none", 1.0).then is options.then
