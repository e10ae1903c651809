import pytest
import torch
from torch import nn
from torch.nn import functional

from primase.errors import ConfigurationError
from primase.nn.backbones import BACKBONES, build_backbone
from primase.nn.backbones.small_resnet import SmallResNet
from primase.nn.freezing import freeze, parameter_groups


class Transferred(nn.Module):
    """A backbone and a head in a network, as an application has them."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.channels[-1], 2)

    def forward(self, images):
        return self.head(self.backbone.stages(images)[-1].mean(dim=(2, 3)))


def small():
    torch.manual_seed(0)
    return SmallResNet(2, widths=(8, 16), depth=1)


def trained(network, steps=3, decay=0.5):
    groups = parameter_groups(network.backbone, network.head, decay=decay)
    optimiser = torch.optim.SGD([{"params": group["params"], "lr": 0.1 * group["rate"]} for group in groups])
    for step in range(steps):
        network.train()
        torch.manual_seed(step)
        images = 3 + 2 * torch.randn(8, 3, 16, 16)  # of another mean and spread than the statistics say
        optimiser.zero_grad()
        functional.cross_entropy(network(images), torch.arange(8) % 2).backward()
        optimiser.step()


def state_by_block(backbone):
    return {name: {key: value.clone() for key, value in block.state_dict().items()} for name, block in backbone.blocks}


@pytest.mark.parametrize("trainable", [0, 1, 2, 3])
def test_frozen_blocks_keep_weights_and_statistics_and_others_do_not(trainable):
    network = Transferred(small())
    freeze(network.backbone, trainable)
    before = state_by_block(network.backbone)
    trained(network)
    after = state_by_block(network.backbone)
    names = [name for name, _ in network.backbone.blocks]
    for number, name in enumerate(names):
        unchanged = [torch.equal(before[name][key], after[name][key]) for key in before[name]]
        assert all(unchanged) if number < len(names) - trainable else not any(unchanged), name


def test_frozen_blocks_compute_in_training_what_they_compute_afterwards():
    network = Transferred(small())
    freeze(network.backbone, 1)
    images = torch.randn(4, 3, 16, 16)
    network.train()
    in_training = network.backbone.stages(images)
    network.eval()
    afterwards = network.backbone.stages(images)
    torch.testing.assert_close(in_training[:-1], afterwards[:-1])
    assert not torch.equal(in_training[-1], afterwards[-1])


@pytest.mark.parametrize("name", BACKBONES)
def test_no_normalisation_of_a_frozen_block_is_ever_in_training(name):
    with torch.device("meta"):
        backbone = build_backbone(name)
    freeze(backbone, 1)
    backbone.train()
    *frozen, (_, last) = backbone.blocks
    still = [module for _, block in frozen for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(module.training for module in still)
    assert all(module.training for module in last.modules() if isinstance(module, nn.BatchNorm2d))
    assert not any(parameter.requires_grad for _, block in frozen for parameter in block.parameters())
    assert all(parameter.requires_grad for parameter in last.parameters())


def test_freezing_can_be_taken_back():
    backbone = small()
    freeze(backbone, 0)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    freeze(backbone, len(backbone.blocks))
    backbone.train()
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    assert all(module.training for module in backbone.modules())


def test_every_layer_of_a_frozen_block_is_held_not_only_its_normalisation():
    backbone = build_backbone("densenet121")
    freeze(backbone, 1)
    backbone.train()
    assert not any(module.training for module in backbone.features.denseblock1.modules())


def test_freezing_holds_at_once_in_whichever_mode_the_network_is():
    for training in (True, False):
        backbone = small().train(training)
        freeze(backbone, 1)
        assert backbone.training is training
        assert not backbone.layers[0][0].bn1.training
        assert backbone.layers[1][0].bn1.training is training


def test_gradients_of_the_image_pass_frozen_blocks():
    backbone = small()
    freeze(backbone, 0)
    images = torch.randn(1, 3, 16, 16, requires_grad=True)
    backbone.eval()(images).sum().backward()
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("trainable", [-1, 4])
def test_a_number_of_blocks_that_are_not_there_is_refused(trainable):
    with pytest.raises(ConfigurationError, match=r"0 to 3: stem, layer1, layer2"):
        freeze(small(), trainable)


def test_earlier_blocks_learn_more_slowly():
    network = Transferred(small())
    groups = parameter_groups(network.backbone, network.head, decay=0.1)
    assert [group["rate"] for group in groups] == pytest.approx([1, 0.1, 0.01, 0.001])
    assert {id(p) for p in groups[0]["params"]} == {id(p) for p in network.head.parameters()}
    assert {id(p) for p in groups[-1]["params"]} == {id(network.backbone.stem.weight)}
    # The classifier of the backbone is not used beside a head.
    listed = [id(p) for group in groups for p in group["params"]]
    used = [p for name, p in network.named_parameters() if not name.startswith("backbone.fc.")]
    assert sorted(listed) == sorted(id(p) for p in used)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_is_in_one_group(name):
    with torch.device("meta"):
        backbone = build_backbone(name)
    listed = [id(p) for group in parameter_groups(backbone) for p in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in backbone.parameters())


def test_what_is_frozen_is_in_no_group():
    backbone = small()
    freeze(backbone, 1)
    groups = parameter_groups(backbone, decay=0.5)
    assert [group["rate"] for group in groups] == [1, 0.5]
    assert all(parameter.requires_grad for group in groups for parameter in group["params"])
    freeze(backbone, 0)
    assert parameter_groups(backbone) == []


@pytest.mark.parametrize("decay", [0, -1, 1.5])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ConfigurationError, match="decay"):
        parameter_groups(small(), decay=decay)
