import pytest
import torch

from primase.apps.super_resolution.learning import pattern_error


def checkerboard(side):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((rows + columns) % 2 - 0.5)[None, None] * 0.1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_pattern_that_keeps_to_the_grid_counts_whole(scale):
    truth = torch.rand(2, 1, 24 * scale, 24 * scale, generator=torch.Generator().manual_seed(0))
    tile = torch.rand(scale, scale, generator=torch.Generator().manual_seed(1)) - 0.5
    made = truth + tile.repeat(24, 24)
    assert float(pattern_error(made, truth, scale=scale)) == pytest.approx(float(tile.abs().mean()), rel=1e-4)


def test_texture_that_keeps_to_no_grid_hardly_counts():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(4, 1, 96, 96, generator=generator)
    noise = (torch.rand(4, 1, 96, 96, generator=generator) > 0.5).float() * 0.1 - 0.05
    hatched = float(pattern_error(truth + checkerboard(96), truth, scale=4))
    assert hatched == pytest.approx(0.05, rel=1e-3)
    assert float(pattern_error(truth + noise, truth, scale=4)) < hatched / 5


def test_crops_that_are_smaller_than_a_pattern_have_a_figure():
    made = torch.zeros(1, 1, 8, 12)
    assert float(pattern_error(made + 0.2, made, scale=4)) == pytest.approx(0.2)
