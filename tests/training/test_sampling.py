import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.training.sampling import OrderedBatches, ShuffledBatches

counts, sizes = st.integers(1, 300), st.integers(2, 64)


@given(counts, sizes, st.integers(0, 1000), st.integers(0, 20))
def test_an_epoch_sees_every_example_once(count, size, seed, epoch):
    sampler = ShuffledBatches(count, size, seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert len(batches) == len(sampler)
    assert all(len(batch) == size for batch in batches[:-1])
    # Batch normalisation is not defined on a single example.
    assert len(batches[-1]) > 1 or count == 1
    assert len(batches[-1]) <= size + 1


def test_an_epoch_is_a_function_of_seed_and_number():
    def order(seed, *epochs):
        sampler = ShuffledBatches(100, 10, seed)
        for epoch in epochs:
            sampler.set_epoch(epoch)
            batches = list(sampler)
        return np.concatenate(batches).tolist()

    assert order(0, 5) == order(0, 1, 3, 5)
    assert order(0, 5) != order(0, 4)
    assert order(0, 5) != order(1, 5)


@given(counts, sizes)
def test_ordered_batches(count, size):
    batches = list(OrderedBatches(count, size))
    assert np.concatenate(batches).tolist() == list(range(count))
    assert len(batches) == len(OrderedBatches(count, size)) == math.ceil(count / size)


@pytest.mark.parametrize("size", [2, 64])
def test_nothing_in_order_is_no_batch(size):
    assert list(OrderedBatches(0, size)) == []
