import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.training.sampling import GroupedBatches, OrderedBatches, ShuffledBatches

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


groups = st.lists(st.integers(0, 5), min_size=1, max_size=200).map(np.array)


@given(groups, sizes, st.integers(0, 1000), st.integers(0, 20))
def test_batches_of_groups_have_every_example_once_and_are_of_one_group(given_groups, size, seed, epoch):
    sampler = GroupedBatches(given_groups, size, seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(np.concatenate(batches)) == list(range(len(given_groups)))
    assert len(batches) == len(sampler)
    lengths = {}
    for batch in batches:
        (group,) = set(given_groups[batch].tolist())
        lengths.setdefault(group, []).append(len(batch))
    for group, found in lengths.items():
        # As few as can be, and about the same size.
        assert len(found) == math.ceil((given_groups == group).sum() / size)
        assert max(found) - min(found) <= 1
        assert max(found) <= size


def test_an_epoch_of_groups_is_a_function_of_seed_and_number():
    drawn = np.random.default_rng(0).integers(0, 4, 100)

    def order(seed, *epochs):
        sampler = GroupedBatches(drawn, 10, seed)
        for epoch in epochs:
            sampler.set_epoch(epoch)
            batches = list(sampler)
        return np.concatenate(batches).tolist()

    assert order(0, 5) == order(0, 1, 3, 5)
    assert order(0, 5) != order(0, 4)
    assert order(0, 5) != order(1, 5)


def test_those_of_a_group_meet_others_in_the_next_epoch():
    sampler = GroupedBatches(np.repeat([0, 1], 20), 5, 0)

    def together():
        return {tuple(sorted(batch.tolist())) for batch in sampler}

    first = together()
    sampler.set_epoch(1)
    assert not first & together()


def test_groups_take_turns():
    drawn = np.repeat([0, 1, 2], 40)
    turns = [int(drawn[batch[0]]) for batch in GroupedBatches(drawn, 5, 0)]
    assert turns != sorted(turns)
    assert sorted(turns) == sorted(np.repeat([0, 1, 2], 8).tolist())
