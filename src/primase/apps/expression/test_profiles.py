import numpy as np
import pytest

from primase.apps.expression.profiles import Profiles
from primase.errors import InputError

VALUES = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
CONDITION = np.array(list("aabbccddd"), dtype=object)
WHOLE = Profiles.of_values("WXYZ", VALUES, CONDITION)


def test_nothing_is_read_before_it_is_asked_for():
    class Store:
        genes = ("A", "B")

        def __init__(self):
            self.asked = []

        def __len__(self):
            return 5

        def values(self, rows, columns=None):
            self.asked.append((rows.tolist(), None if columns is None else columns.tolist()))
            return np.zeros((len(rows), 2 if columns is None else len(columns)), dtype=np.float32)

    store = Store()
    profiles = Profiles.whole(store).take(np.array([4, 1, 2])).only(["B"])
    assert store.asked == []
    profiles.values(np.array([2, 0]))
    assert store.asked == [([2, 4], [1])]
    Profiles.whole(store).values()
    assert store.asked[-1] == ([0, 1, 2, 3, 4], None)


def test_samples_and_genes_are_chosen_by_place_and_name():
    chosen = WHOLE.take(np.array([8, 0, 3])).only(["Z", "W"])
    assert chosen.genes == ("Z", "W")
    assert chosen.condition.tolist() == ["d", "a", "b"]
    np.testing.assert_array_equal(chosen.values(), VALUES[[8, 0, 3]][:, [3, 0]])
    np.testing.assert_array_equal(chosen.values(np.array([2])), VALUES[[3]][:, [3, 0]])
    assert chosen.values().dtype == np.float32


def test_blocks_make_up_the_whole():
    chosen = WHOLE.take(np.arange(8)[::-1])
    blocks = list(chosen.blocks(3))
    assert [(place.start, place.stop) for place, _ in blocks] == [(0, 3), (3, 6), (6, 8)]
    np.testing.assert_array_equal(np.concatenate([values for _, values in blocks]), chosen.values())


def test_missing_genes_are_named():
    with pytest.raises(InputError, match=r"2 of 3 genes.*also A, B"):
        WHOLE.only(["A", "X", "B"])


def test_blocks_of_one_store_are_joined_without_reading_and_others_in_memory():
    first, second = WHOLE.take(np.array([0, 1])), WHOLE.take(np.array([7]))
    joined = Profiles.concatenate([first, second])
    assert joined.store is WHOLE.store
    np.testing.assert_array_equal(joined.values(), VALUES[[0, 1, 7]])
    assert joined.condition.tolist() == ["a", "a", "d"]
    other = Profiles.of_values("WXYZ", VALUES[:2] + 1)
    both = Profiles.concatenate([first, other])
    np.testing.assert_array_equal(both.values(), np.concatenate([VALUES[:2], VALUES[:2] + 1]))
    assert both.condition is None
    with pytest.raises(ValueError, match="different genes"):
        Profiles.concatenate([first, Profiles.of_values("ABCD", VALUES)])
