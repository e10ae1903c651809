"""What images are compared with where they are explained."""

import numpy as np
import pytest
import torch

from primase.apps.image_diagnosis.explaining import COMPARED, _alike


@pytest.fixture
def pool():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3, 32, 32)).astype(np.float32))


def test_images_are_compared_with_those_most_alike(pool):
    images = pool[[4, 1]] + 0.1 * torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    rows = _alike(images, pool, np.ones((2, 6), dtype=bool))
    assert rows.shape == (2, COMPARED)
    assert rows[:, 0].tolist() == [4, 1]


def test_only_images_with_another_answer_are_taken(pool):
    allowed = np.zeros((6, 6), dtype=bool)
    allowed[0, [2, 5]] = True
    rows = _alike(pool, pool, allowed)
    assert set(rows[0].tolist()) == {2, 5}
    assert (rows[1:] == -1).all()
    assert (_alike(pool, pool[:0], allowed[:, :0]) == -1).all()
