from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MultiLabelBinarizer

from primase.bio.domain_sets import DomainSets

SETS = st.lists(st.lists(st.sampled_from("ABCDEFGH"), max_size=6).map(tuple), min_size=1, max_size=12)


@given(SETS)
def test_the_table_is_that_of_scikit_learn(sets: list[tuple[str, ...]]) -> None:
    table = DomainSets.from_sets(sets)
    oracle = MultiLabelBinarizer()
    expected = oracle.fit_transform(sets)
    assert list(table.names) == list(oracle.classes_)
    np.testing.assert_array_equal(table.matrix.toarray() > 0, expected.astype(bool))
    assert table.matrix.dtype == np.float32
    assert table.matrix.has_sorted_indices
    assert table.sets() == [tuple(dict.fromkeys(families)) for families in sets]
    assert len(table) == len(sets)


@given(SETS, st.lists(st.sampled_from("ABCXYZ"), unique=True, max_size=6))
def test_given_columns_are_kept_and_others_left_out(sets: list[tuple[str, ...]], names: list[str]) -> None:
    direct = DomainSets.from_sets(sets, names=names)
    later = DomainSets.from_sets(sets).with_names(names)
    lists = [list(dict.fromkeys(families)) for families in sets]
    expected = [[float(found.index(name) + 1) if name in found else 0.0 for name in names] for found in lists]
    assert direct.names == later.names == tuple(names)
    np.testing.assert_array_equal(direct.matrix.toarray(), np.array(expected).reshape(len(sets), len(names)))
    np.testing.assert_array_equal(direct.matrix.toarray(), later.matrix.toarray())
    assert later.matrix.dtype == np.float32


@given(SETS, st.data())
def test_taking_rows_is_taking_sets(sets: list[tuple[str, ...]], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(sets) - 1), max_size=10))
    table = DomainSets.from_sets(sets)
    taken = table.take(np.asarray(indices, dtype=np.int64))
    assert taken.names == table.names
    assert taken.sets() == [table.sets()[index] for index in indices]


def test_names_and_columns_must_agree() -> None:
    table = DomainSets.from_sets([("A", "B")])
    with pytest.raises(ValueError, match="2 columns for 1 names"):
        DomainSets(("A",), table.matrix)
