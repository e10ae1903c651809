import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from primase.errors import ConfigurationError
from primase.nn.backbones import BACKBONES, IMAGENET, Normalisation, build_backbone
from primase.nn.backbones.cifar_resnet import PlainBlock
from primase.nn.backbones.efficientnet import SamePaddedConvolution
from primase.nn.backbones.resnet import Bottleneck
from primase.nn.backbones.small_resnet import SmallResNet

# Of the published networks with their classifiers.
PARAMETERS = {
    "efficientnet-lite0": 4_652_008,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "se-resnet50": 28_088_024,
    "densenet121": 7_978_856,
    "squeezenet1_0": 1_248_424,
}
NORMALISED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def shapes(name, classes=1000):
    with torch.device("meta"):
        network = build_backbone(name, classes)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def norm(name, features):
    return {f"{name}.{key}": () if key == "num_batches_tracked" else (features,) for key in NORMALISED}


def torchvision_resnet(depths, *, bottleneck):
    """The names and shapes that He et al. (2016), table 1, have in torchvision."""
    expected = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    inputs = 64
    for layer, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512), strict=True), start=1):
        outputs = width * 4 if bottleneck else width
        for block in range(depth):
            prefix = f"layer{layer}.{block}"
            sides = (1, 3, 1) if bottleneck else (3, 3)
            widths = (inputs, width, width, outputs) if bottleneck else (inputs, width, outputs)
            for number, side in enumerate(sides, start=1):
                before, after = widths[number - 1 : number + 1]
                expected[f"{prefix}.conv{number}.weight"] = (after, before, side, side)
                expected |= norm(f"{prefix}.bn{number}", after)
            if block == 0 and inputs != outputs:
                expected[f"{prefix}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                expected |= norm(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    return expected | {"fc.weight": (1000, inputs), "fc.bias": (1000,)}


def torchvision_densenet121():
    """The names and shapes that Huang et al. (2017), table 1, have in torchvision."""
    expected = {"features.conv0.weight": (64, 3, 7, 7), **norm("features.norm0", 64)}
    features = 64
    for block, depth in enumerate((6, 12, 24, 16), start=1):
        for layer in range(1, depth + 1):
            prefix = f"features.denseblock{block}.denselayer{layer}"
            expected |= norm(f"{prefix}.norm1", features) | norm(f"{prefix}.norm2", 128)
            expected[f"{prefix}.conv1.weight"] = (128, features, 1, 1)
            expected[f"{prefix}.conv2.weight"] = (32, 128, 3, 3)
            features += 32
        if block < 4:
            expected |= norm(f"features.transition{block}.norm", features)
            expected[f"features.transition{block}.conv.weight"] = (features // 2, features, 1, 1)
            features //= 2
    return (
        expected
        | norm("features.norm5", features)
        | {"classifier.weight": (1000, features), "classifier.bias": (1000,)}
    )


def torchvision_squeezenet():
    """The names and shapes that Iandola et al. (2016), table 1, have in torchvision."""
    expected = {"features.0": (96, 3, 7), "classifier.1": (1000, 512, 1)}
    inputs = 96
    places = (3, 4, 5, 7, 8, 9, 10, 12)
    for place, squeezed in zip(places, (16, 16, 32, 32, 48, 48, 64, 64), strict=True):
        expected[f"features.{place}.squeeze"] = (squeezed, inputs, 1)
        expected[f"features.{place}.expand1x1"] = (4 * squeezed, squeezed, 1)
        expected[f"features.{place}.expand3x3"] = (4 * squeezed, squeezed, 3)
        inputs = 8 * squeezed
    weights = {f"{name}.weight": (*shape, shape[-1]) for name, shape in expected.items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in expected.items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", torchvision_resnet((2, 2, 2, 2), bottleneck=False)),
        ("resnet34", torchvision_resnet((3, 4, 6, 3), bottleneck=False)),
        ("resnet50", torchvision_resnet((3, 4, 6, 3), bottleneck=True)),
        ("densenet121", torchvision_densenet121()),
        ("squeezenet1_0", torchvision_squeezenet()),
    ],
)
def test_names_and_shapes_are_those_of_torchvision(name, expected):
    assert shapes(name) == expected


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_there_are_as_many_parameters_as_published(name, count):
    with torch.device("meta"):
        network = build_backbone(name)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("name", BACKBONES)
def test_blocks_are_the_whole_network_but_the_classifier(name):
    with torch.device("meta"):
        network = build_backbone(name)
    inside = [parameter for _, block in network.blocks for parameter in block.parameters()]
    assert len({id(parameter) for parameter in inside}) == len(inside)
    names = {key for key, parameter in network.named_parameters() if all(parameter is not own for own in inside)}
    assert names == {f"{network.classifier_name}.{key}" for key in ("weight", "bias")} or (
        names == {"classifier.1.weight", "classifier.1.bias"}
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_stages_are_the_maps_after_every_block(name):
    torch.manual_seed(0)
    network = build_backbone(name, 5).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        stages = network.stages(images)
        assert tuple(stage.shape[1] for stage in stages) == network.channels
        assert len(stages) == len(network.blocks) == len({block for block, _ in network.blocks})
        torch.testing.assert_close(network(images), network.classify(stages[-1]))
        torch.testing.assert_close(network.stages(stages[0], first=1), stages[1:])
        # An image is classified alone as it is among others.
        torch.testing.assert_close(network(images[1:]), network(images)[1:], rtol=1e-4, atol=1e-5)
    assert network(images).shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("efficientnet-lite0", [112, 112, 56, 28, 14, 14, 7, 7, 7]),
        ("resnet50", [56, 56, 28, 14, 7]),
        ("se-resnet50", [56, 56, 28, 14, 7]),
        ("densenet121", [56, 28, 14, 7, 7]),
        ("squeezenet1_0", [54, 27, 13, 13]),
        ("cifar-resnet56", [32, 32, 16, 8]),
        ("small-resnet", [28, 28, 14, 7]),
    ],
)
def test_maps_have_the_sizes_of_the_published_tables(name, sides):
    with torch.device("meta"):
        network = build_backbone(name).eval()
        stages = network.stages(torch.empty(1, 3, network.image_size, network.image_size))
    assert [tuple(stage.shape[2:]) for stage in stages] == [(side, side) for side in sides]


@pytest.mark.parametrize("name", BACKBONES)
def test_random_weights_keep_signals_and_gradients_in_bounds(name):
    torch.manual_seed(0)
    network = build_backbone(name, 3)
    images = torch.randn(4, 3, 64, 64)
    functional.cross_entropy(network(images), torch.tensor([0, 1, 2, 0])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    assert network.stages(images)[-1].std() > 0.01


def test_the_same_seed_gives_the_same_weights():
    def weights():
        torch.manual_seed(3)
        return build_backbone("cifar-resnet20", 2).state_dict()

    first, second = weights(), weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"resnet51.*resnet50.*small-resnet"):
        build_backbone("resnet51")


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [6, 7, 9, 16])
def test_padding_is_that_of_tensorflow(side, stride, size):
    """An image of ones counts how many pixels each filter saw: the rule for "SAME", written out pixel by pixel."""
    convolution = SamePaddedConvolution(1, 1, side, stride, bias=False)
    torch.nn.init.ones_(convolution.weight)
    outputs = int(np.ceil(size / stride))
    before = max((outputs - 1) * stride + side - size, 0) // 2
    seen = [len(set(range(size)) & set(range(k * stride - before, k * stride - before + side))) for k in range(outputs)]
    counted = convolution(torch.ones(1, 1, size, size))[0, 0]
    torch.testing.assert_close(counted, torch.outer(torch.tensor(seen), torch.tensor(seen)).float())


def test_normalisation_of_colours():
    images = torch.tensor([124, 116, 104], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = (torch.tensor([124, 116, 104]) / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(IMAGENET(images).flatten(), expected)


def test_normalisation_gives_grey_images_the_channels_of_colours():
    grey = torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8)
    torch.testing.assert_close(IMAGENET(grey), IMAGENET(grey.expand(-1, 3, -1, -1)))
    assert Normalisation(mean=(127.5,), std=(63.75,))(grey).shape == (2, 1, 4, 4)


def test_each_network_is_given_the_scale_that_it_was_trained_with():
    levels = torch.tensor([127, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    with torch.device("meta"):
        networks = {name: build_backbone(name) for name in BACKBONES}
    torch.testing.assert_close(
        networks["efficientnet-lite0"].normalisation(levels)[:, 0].flatten(), torch.tensor([0.0, 1.0])
    )
    own = {name for name, network in networks.items() if network.normalisation != IMAGENET}
    assert own == {"efficientnet-lite0", "small-resnet"}


def test_the_small_network_reads_grey_images():
    network = SmallResNet(2, image_channels=1, widths=(8, 16), depth=1).eval()
    grey = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    assert network(network.normalisation(grey)).shape == (3, 2)


def test_a_shortcut_without_parameters_keeps_every_second_pixel():
    block = PlainBlock(4, 8, 2).eval()
    torch.nn.init.zeros_(block.bn2.weight)  # nothing is added
    maps = torch.rand(1, 4, 6, 6)
    result = block(maps)
    torch.testing.assert_close(result[:, 2:6], maps[:, :, ::2, ::2])
    assert result[:, [0, 1, 6, 7]].abs().max() == 0


def test_the_stride_of_a_bottleneck_is_where_its_weights_were_trained_with_it():
    assert Bottleneck(8, 4, 2).conv2.stride == (2, 2)
    assert Bottleneck(64, 16, 2, weighs=True).conv1.stride == (2, 2)


def test_the_published_names_of_se_resnet50_are_understood():
    with torch.device("meta"):
        network = build_backbone("se-resnet50")
    own = network.state_dict()

    def cadene(name):
        name = re.sub(r"^(conv1|bn1)\.", r"layer0.\1.", name)
        return re.sub(r"\.se\.", ".se_module.", re.sub(r"^fc\.", "last_linear.", name))

    published = {cadene(name): value for name, value in own.items()}
    assert "layer0.conv1.weight" in published
    assert "layer1.0.se_module.fc1.weight" in published
    assert network.translated(published).keys() == own.keys()


def test_the_old_names_of_densenet_are_understood():
    with torch.device("meta"):
        network = build_backbone("densenet121")
    own = network.state_dict()
    old = {re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", name): value for name, value in own.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert network.translated(old).keys() == own.keys()
    assert network.translated(own).keys() == own.keys()
