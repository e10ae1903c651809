import numpy as np
import pytest
import torch
from PIL import Image

from primase.nn.adversarial import Discriminator, ResidualGenerator, enlarged


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_side_becomes_so_many_times_larger(scale, channels):
    generator = ResidualGenerator(channels, width=8, blocks=2, scale=scale)
    assert generator(torch.rand(2, channels, 7, 9)).shape == (2, channels, 7 * scale, 9 * scale)


def test_the_interpolation_is_that_of_pillow():
    low = torch.rand(1, 1, 9, 11)
    expected = np.asarray(Image.fromarray(low[0, 0].numpy()).resize((44, 36), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(enlarged(low, 4)[0, 0].numpy(), expected, atol=1e-5)


def test_without_a_last_layer_the_generator_interpolates():
    generator = ResidualGenerator(1, width=8, blocks=1, scale=3)
    torch.nn.init.zeros_(generator.tail.weight)
    low = torch.rand(2, 1, 6, 6)
    torch.testing.assert_close(generator(low), enlarged(low, 3))


def test_an_untrained_generator_is_near_the_interpolation():
    torch.manual_seed(0)
    low = torch.rand(2, 1, 16, 16)
    difference = ResidualGenerator(1, width=16, blocks=4, scale=4)(low) - enlarged(low, 4)
    assert difference.abs().max() < 0.2


@pytest.mark.parametrize("blocks", [1, 3])
def test_nothing_beyond_the_reach_matters_and_what_is_within_does(blocks):
    torch.manual_seed(0)
    generator = ResidualGenerator(1, width=8, blocks=blocks, scale=2).double()
    generator.tail.weight.data.mul_(10)
    low = torch.rand(1, 1, 41, 41, dtype=torch.float64, requires_grad=True)
    generator(low)[0, 0, 40, 40].backward()
    seen = low.grad[0, 0].abs().sum(dim=0).nonzero()[:, 0]
    assert 20 - seen.min() == generator.reach
    assert seen.max() - 20 == generator.reach


def test_no_batch_normalisation_so_that_pictures_of_a_batch_do_not_mix():
    generator = ResidualGenerator(1, width=8, blocks=2, scale=2)
    low = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(generator(low)[2:3], generator(low[2:3]))


@pytest.mark.parametrize("side", [16, 40, 96])
def test_the_discriminator_judges_pictures_of_any_size(side):
    assert Discriminator(1, width=4)(torch.rand(3, 1, side, side)).shape == (3,)


def test_each_pair_of_convolutions_halves_the_picture_and_maps_grow_eightfold():
    found = Discriminator(3, width=4).features(torch.rand(2, 3, 64, 64))
    assert found.shape == (2, 32, 4, 4)


def test_the_discriminator_learns_to_tell_sharp_from_blurred():
    torch.manual_seed(0)
    sharp = torch.rand(16, 1, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    network = Discriminator(1, width=4)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(60):
        loss = (
            torch.nn.functional.softplus(-network(sharp)).mean() + torch.nn.functional.softplus(network(blurred)).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    assert (network(sharp) > network(blurred)).all()
