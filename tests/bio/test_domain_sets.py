from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MultiLabelBinarizer

from primase.bio.domain_sets import DomainSets
from primase.bio.domain_table import read_domain_table
from primase.errors import ReadError

SETS = st.lists(st.lists(st.sampled_from("ABCDEFGH"), max_size=6).map(tuple), min_size=1, max_size=12)


@given(SETS)
def test_the_table_is_that_of_scikit_learn(sets: list[tuple[str, ...]]) -> None:
    table = DomainSets.from_sets(sets)
    oracle = MultiLabelBinarizer()
    expected = oracle.fit_transform(sets)
    assert list(table.names) == list(oracle.classes_)
    np.testing.assert_array_equal(table.matrix.toarray(), expected)
    assert table.matrix.dtype == np.float32
    assert table.matrix.has_sorted_indices
    assert table.sets() == [tuple(sorted(set(families))) for families in sets]
    assert len(table) == len(sets)


@given(SETS, st.lists(st.sampled_from("ABCXYZ"), unique=True, max_size=6))
def test_given_columns_are_kept_and_others_left_out(sets: list[tuple[str, ...]], names: list[str]) -> None:
    direct = DomainSets.from_sets(sets, names=names)
    later = DomainSets.from_sets(sets).with_names(names)
    expected = [[float(name in families) for name in names] for families in sets]
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


def _table(folder: Path, text: str, name: str = "t.tsv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


GOOD = "id\tdomains\tclass\np1\tPkinase; SH3;Pkinase\tenzyme\n\n007\t\t\n"


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_of_domain_lists_is_read_as_text(tmp_path: Path, name: str, line_end: str) -> None:
    table = read_domain_table(_table(tmp_path, GOOD.replace("\n", line_end), name), target_column="class")
    assert table.ids == ("p1", "007")
    assert table.domains == (("Pkinase", "SH3"), ())
    assert table.targets == ("enzyme", None)
    assert len(table) == 2


def test_without_a_target_column_there_are_no_targets(tmp_path: Path) -> None:
    assert read_domain_table(_table(tmp_path, GOOD)).targets is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["empty"]),
        ("id\tdomains\tclass\n", ["no rows"]),
        ("id\tfamilies\tclass\np\tA\tx\n", ["'domains'", "id, families, class"]),
        ("id\tdomains\np\tA\n", ["'class'", "id, domains"]),
        ("id\tdomains\tclass\np\tA\tx\n\nq\tB\n", ["line 4", "too few cells"]),
        ("id\tdomains\tclass\np\tA\tx\ty\n", ["line 2", "too many cells"]),
        ("id\tdomains\tclass\np\tA\tx\nq\tB\ty\np\tB\ty\n", ["line 4", "'p'", "line 2"]),
        ("id\tdomains\tclass\n\tA\tx\n", ["line 2", "without a name"]),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_place(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = _table(tmp_path, text)
    with pytest.raises(ReadError) as caught:
        read_domain_table(path, target_column="class")
    message = str(caught.value)
    assert message.startswith(str(path))
    for part in parts:
        assert part in message
