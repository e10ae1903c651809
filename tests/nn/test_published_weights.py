"""Weights that others trained, tried on photographs: nothing but the right layout, colours and paddings works."""

from contextlib import suppress

import h5py
import numpy as np
import pytest
import skimage.data
import skimage.filters
import torch
from PIL import Image
from torch.nn import functional

from primase.data.weight_sources import CIFAR_RESNET20, CIFAR_RESNET56, EFFICIENTNET_LITE0, SQUEEZENET, VGG16_EDGES
from primase.nn.backbones import build_backbone
from primase.nn.vgg import VggFeatures
from primase.nn.weights import load_weights

# Classes of ImageNet: tabby, tiger cat, Egyptian cat; espresso; moped, motor scooter; missile, projectile.
IMAGENET = {"cat": {281, 282, 285}, "coffee": {967}, "motorcycle": {665, 670}, "rocket": {657, 744}}
VEHICLES_OF_CIFAR = {1, 9}


@pytest.fixture(scope="module")
def photographs():
    """Photographs that scikit-image carries."""
    photographs = {"cat": skimage.data.chelsea(), "coffee": skimage.data.coffee(), "rocket": skimage.data.rocket()}
    with suppress(OSError):  # where scikit-image does not carry it, it would have to be downloaded
        photographs["motorcycle"] = skimage.data.stereo_motorcycle()[0]
    return photographs


def centre(pixels, size):
    """Cut out the middle square, and make it a batch of one image."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    resized = np.array(square.resize((size, size), Image.Resampling.BILINEAR))
    return torch.from_numpy(resized).permute(2, 0, 1)[None]


def logits(network, pixels):
    with torch.no_grad():
        return network.eval()(network.normalisation(centre(pixels, network.image_size)))[0]


@pytest.mark.parametrize(
    ("name", "source"), [("efficientnet-lite0", EFFICIENTNET_LITE0), ("squeezenet1_0", SQUEEZENET)]
)
def test_photographs_are_recognised(name, source, published, photographs):
    network = build_backbone(name)
    load_weights(network, published(source))
    for photograph, pixels in photographs.items():
        answer = logits(network, pixels).topk(5).indices.tolist()
        assert IMAGENET[photograph] & set(answer[:2]), photograph
        assert set(answer) >= IMAGENET[photograph], photograph


@pytest.mark.parametrize(("name", "source"), [("cifar-resnet20", CIFAR_RESNET20), ("cifar-resnet56", CIFAR_RESNET56)])
def test_small_photographs_are_recognised(name, source, published, photographs):
    network = build_backbone(name, 10)
    load_weights(network, published(source))
    assert logits(network, photographs["cat"]).argmax() == 3
    assert logits(network, photographs["cat"]).softmax(0)[3] > 0.9
    if "motorcycle" in photographs:
        assert logits(network, photographs["motorcycle"]).argmax().item() in VEHICLES_OF_CIFAR


def test_the_network_for_edges_finds_the_rim_of_a_cup(published, photographs):
    """Its outputs, which are no part of ours, are put behind our features: edges come out only if these are right."""
    path = published(VGG16_EDGES)
    network = VggFeatures()
    load_weights(network, path)
    pixels = centre(photographs["coffee"], 160)
    with torch.no_grad(), h5py.File(path) as file:
        maps = network(network.normalisation(pixels), ["1-2", "2-2", "3-3", "4-3", "5-3"])
        sides = []
        for number, features in enumerate(maps, start=1):
            weight = torch.from_numpy(file[f"dsn{number}/vars/0"][()]).permute(3, 2, 0, 1)
            side = functional.conv2d(features, weight, torch.from_numpy(file[f"dsn{number}/vars/1"][()]))
            sides.append(functional.interpolate(side, size=(160, 160), mode="bilinear"))
        weight = torch.from_numpy(file["fuse/vars/0"][()]).permute(3, 2, 0, 1)
        edges = functional.conv2d(torch.cat(sides, 1), weight, torch.from_numpy(file["fuse/vars/1"][()])).sigmoid()
    outlines = skimage.filters.sobel(skimage.filters.gaussian(pixels[0].float().mean(dim=0).numpy() / 255, 2))
    assert edges.max() > 0.9
    assert edges.median() < 0.1
    assert np.corrcoef(edges.flatten(), outlines.flatten())[0, 1] > 0.6
