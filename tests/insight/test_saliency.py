"""Maps of images: a network that looks at one place only must be explained by that place."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from primase.insight.pointing import Box, points_at
from primase.insight.saliency import (
    Compared,
    blurred,
    cells,
    differences,
    grad_cam,
    integrated_gradients,
    occlusion,
)

SIZE = 32


class Spotter(nn.Module):
    """The log-odds of label 1 are how bright the image is where a bright blob is; nothing else counts."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 3, stride=2, padding=1, bias=False), nn.ReLU())
        with torch.no_grad():
            self.features[0].weight.fill_(0.0)
            self.features[0].weight[0].fill_(1 / 27)
            self.features[0].weight[1].fill_(-1 / 27)

    def forward(self, images):
        maps = self.features(images)
        return torch.stack([maps[:, 1].mean((1, 2)), maps[:, 0].mean((1, 2))], dim=1)

    def score(self, images, labels):
        return self(images).gather(1, labels[:, None])[:, 0]


@pytest.fixture
def spots():
    """Put a bright blob into one of the quarters of each of six dark images; return them, and the boxes."""
    images, boxes = torch.full((6, 3, SIZE, SIZE), -0.2), []
    for number in range(6):
        top, left = 4 + 16 * (number % 2), 4 + 16 * (number // 2 % 2)
        images[number, :, top : top + 8, left : left + 8] = 2.0
        boxes.append([Box.of_pixels((left, top, left + 8, top + 8), height=SIZE, width=SIZE)])
    return images, boxes


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "integrated-gradients"])
def test_every_method_points_at_what_decides(spots, method):
    images, boxes = spots
    network, label = Spotter().eval(), torch.ones(6, dtype=torch.int64)
    heat = {
        "grad-cam": lambda: grad_cam(network.score, [network.features], images, label),
        "occlusion": lambda: occlusion(network.score, images, label),
        "integrated-gradients": lambda: integrated_gradients(network.score, images, label),
    }[method]()
    assert heat.shape == (6, SIZE, SIZE)
    assert points_at(heat, boxes).all()
    assert not points_at(np.flip(heat, axis=(1, 2)), boxes).any()


def test_grad_cam_is_that_of_captum_for_each_image(spots):
    images, _ = spots
    network, label = Spotter().eval(), torch.tensor([0, 1, 0, 1, 0, 1])
    heat = grad_cam(network.score, [network.features], images, label)
    expected = LayerGradCam(network, network.features).attribute(images, target=label).detach()
    # A cell stands for several pixels, over which its value is spread.
    share = expected[0].numel() / SIZE**2
    resized = share * nn.functional.interpolate(expected, (SIZE, SIZE), mode="bilinear")[:, 0]
    assert heat == pytest.approx(resized.numpy(), abs=1e-6)


def test_maps_of_several_layers_are_averaged(spots):
    images, _ = spots
    network, label = Spotter().eval(), torch.ones(6, dtype=torch.int64)
    first, second = (grad_cam(network.score, [layer], images, label) for layer in network.features)
    both = grad_cam(network.score, [*network.features], images, label)
    assert both == pytest.approx((first + second) / 2, abs=1e-6)


def test_integrated_gradients_add_up_to_the_change(spots):
    images, _ = spots
    network, label = Spotter().eval(), torch.ones(6, dtype=torch.int64)
    heat = integrated_gradients(network.score, images, label, steps=256)
    with torch.inference_mode():
        change = network.score(images, label) - network.score(blurred(images), label)
    assert heat.sum(axis=(1, 2)) == pytest.approx(change.numpy(), abs=0.01 * float(change.abs().max()))


def test_what_all_images_share_is_no_reason(spots):
    """A bright bar is in all of them: alone it is what decides, beside images that have it too the blob is."""
    images, boxes = spots
    images = images.clone()
    images[:, :, :, 15:17] = 6.0
    plain = torch.full_like(images[:2], -0.2)
    plain[:, :, :, 15:17] = 6.0
    network, label = Spotter().eval(), torch.ones(6, dtype=torch.int64)
    compared = Compared(plain, np.tile([0, 1], (6, 1)))
    for heat in (
        grad_cam(network.score, [network.features], images, label, compared=compared),
        occlusion(network.score, images, label, compared=compared),
        integrated_gradients(network.score, images, label, compared=compared),
    ):
        assert points_at(heat, boxes).all()
    assert not points_at(grad_cam(network.score, [network.features], images, label), boxes).any()


def test_shares_add_up_to_the_difference_from_those_compared_with(spots):
    images, _ = spots
    network, label = Spotter().eval(), torch.ones(6, dtype=torch.int64)
    compared = Compared(torch.flip(images, (2,)), np.array([[0, 1], [2, 3], [-1, -1], [4, 5], [5, 0], [1, 2]]))
    heat = integrated_gradients(network.score, images, label, compared=compared, steps=512)
    change = differences(network.score, images, label, compared)
    with torch.inference_mode():
        own = network.score(images, label)
        assert change[0] == pytest.approx(float(own[0] - network.score(compared.pool, label)[:2].mean()), abs=1e-5)
        assert change[2] == pytest.approx(float((own - network.score(blurred(images), label))[2]), abs=1e-5)
    assert heat.sum(axis=(1, 2)) == pytest.approx(change, abs=0.02 * float(np.abs(change).max()) + 1e-6)


def test_more_images_than_fit_at_once_are_explained_like_few(spots):
    images, _ = spots
    many = images.repeat(7, 1, 1, 1)
    network = Spotter().eval()
    heat = grad_cam(network.score, [network.features], many, torch.ones(len(many), dtype=torch.int64))
    few = grad_cam(network.score, [network.features], images, torch.ones(6, dtype=torch.int64))
    assert heat == pytest.approx(np.tile(few, (7, 1, 1)), abs=1e-6)


def test_cells_are_means():
    heat = np.arange(2 * 6 * 6, dtype=float).reshape(2, 6, 6)
    assert cells(heat, 3)[1, 0, 2] == pytest.approx(heat[1, :2, 4:].mean())


def test_a_box_is_hit_within_its_edges_only():
    heat = np.zeros((1, 10, 20))
    heat[0, 3, 7] = 1.0
    inside = Box.of_pixels((7, 3, 8, 4), height=10, width=20)
    beside = Box.of_pixels((8, 3, 12, 4), height=10, width=20)
    assert points_at(heat, [[beside, inside]]).tolist() == [True]
    assert points_at(heat, [[beside]]).tolist() == [False]
    assert points_at(heat, [[]]).tolist() == [False]
    with pytest.raises(ValueError, match="boxes of 2 images"):
        points_at(heat, [[], []])
