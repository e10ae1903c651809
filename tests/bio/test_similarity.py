from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from primase.bio import similarity, words
from primase.bio.similarity import cluster_sequences, nearest_similarity
from primase.bio.words import WordTable
from primase.errors import ConfigurationError
from primase.events import Event, Progress

AMINO = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", dtype=np.uint8)


def _words(sequence: str, length: int) -> set[str]:
    stretches = (sequence[start : start + length] for start in range(len(sequence) - length + 1))
    return {stretch for stretch in stretches if "X" not in stretch}


def _brute_force_clusters(sequences: Sequence[str], length: int, share: float) -> list[int]:
    sets = [_words(sequence, length) for sequence in sequences]
    labels = list(range(len(sequences)))
    for one in range(len(sequences)):
        for other in range(one):
            shared = len(sets[one] & sets[other])
            linked = shared >= 6 and shared >= share * min(len(sets[one]), len(sets[other])) - 1e-9
            if linked or sequences[one] == sequences[other]:
                old, new = labels[one], labels[other]
                labels = [new if label == old else label for label in labels]
    number: dict[int, int] = {}
    return [number.setdefault(label, len(number)) for label in labels]


@st.composite
def families(draw: st.DrawFn) -> list[str]:
    """Random proteins, mutated copies and fragments of them, and short ones of few different letters."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    sequences: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        parent = random.choice(AMINO, size=random.integers(3, 60))
        for _ in range(draw(st.integers(1, 5))):
            child = parent.copy()
            changed = random.random(len(child)) < random.uniform(0, 0.25)
            child[changed] = random.choice(AMINO, size=changed.sum())
            start = random.integers(0, max(1, len(child) // 2))
            sequences.append(child[start:].tobytes().decode())
    sequences += draw(st.lists(st.text(alphabet="ACX", max_size=25), max_size=4))
    return list(random.permutation(sequences))


@settings(deadline=None)
@given(families(), st.sampled_from([2, 3, 5, 8]), st.sampled_from([0.1, 0.3, 0.5, 0.7, 1.0]))
def test_clusters_are_those_of_comparing_all_sets(sequences: list[str], length: int, share: float) -> None:
    labels = cluster_sequences(sequences, word_length=length, minimum_shared=share)
    assert labels.tolist() == _brute_force_clusters(sequences, length, share)


@settings(deadline=None)
@given(families(), families(), st.sampled_from([2, 3, 5, 8]))
def test_nearest_similarity_is_that_of_comparing_all_sets(
    queries: list[str], references: list[str], length: int
) -> None:
    sets = [_words(reference, length) for reference in references]
    expected = []
    for query in queries:
        own = _words(query, length)
        shared = max((len(own & other) for other in sets), default=0)
        expected.append(1.0 if query in references else shared / len(own) if shared >= 6 else 0.0)
    assert_array_equal(nearest_similarity(queries, references, word_length=length), expected)


@settings(deadline=None)
@given(families())
def test_blocks_of_any_size_give_the_same(sequences: list[str]) -> None:
    expected = cluster_sequences(sequences, word_length=3)
    nearest = nearest_similarity(sequences[::2], sequences[1::2], word_length=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "_MULTIPLICATIONS_PER_BLOCK", 3)
        patch.setattr(similarity, "_PAIRS_PER_CHECK", 2)
        patch.setattr(similarity, "_EDGES_PER_MERGE", 1)
        patch.setattr(words, "_RESIDUES_PER_BLOCK", 10)
        assert_array_equal(cluster_sequences(sequences, word_length=3), expected)
        assert_array_equal(nearest_similarity(sequences[::2], sequences[1::2], word_length=3), nearest)


@settings(deadline=None)
@given(families())
def test_no_cluster_is_torn_by_a_split_that_keeps_clusters_together(sequences: list[str]) -> None:
    labels = cluster_sequences(sequences)
    left = [sequence for sequence, label in zip(sequences, labels, strict=True) if label % 2 == 0]
    right = [sequence for sequence, label in zip(sequences, labels, strict=True) if label % 2 == 1]
    assert (nearest_similarity(left, right) < 0.5).all()


def test_a_large_family_hangs_together_where_words_are_looked_up_in_few_of_its_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    parent = random.choice(AMINO, size=200)
    sequences = []
    for _ in range(60):
        child = parent.copy()
        child[random.choice(200, size=5, replace=False)] = random.choice(AMINO, size=5)
        sequences.append(child.tobytes().decode())
    sequences += [random.choice(AMINO, size=200).tobytes().decode() for _ in range(20)]
    monkeypatch.setattr(similarity, "_HOLDERS_PER_WORD", 5)
    labels = cluster_sequences(sequences)
    assert set(labels[:60].tolist()) == {0}
    assert len(set(labels[60:].tolist())) == 20


def test_the_word_table_counts_each_word_once_and_orders_columns_by_rarity() -> None:
    table = WordTable.from_sequences(["ACDACD", "ACDXACD", "AC", "CDAC"], 3)
    assert table.sizes.tolist() == [3, 1, 0, 2]  # ACD CDA DAC | ACD | | CDA DAC
    assert table.matrix.toarray().tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]]
    more = WordTable.from_sequences(["AAAACD", "AAACDA", "AAAYYY", "YYYY", "ACDAAA"], 3)
    assert more.matrix.sum(axis=0).tolist() == sorted(more.matrix.sum(axis=0).tolist())
    assert len(set(more.matrix.sum(axis=0).tolist())) > 1


def test_no_sequences_make_no_clusters() -> None:
    assert cluster_sequences([]).tolist() == []
    assert nearest_similarity([], ["MKV"]).tolist() == []
    assert nearest_similarity(["MKVLAMKVLA"], []).tolist() == [0.0]


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="share of words"):
        cluster_sequences(["MKV"], minimum_shared=share)


@pytest.mark.parametrize("length", [0, 9])
def test_a_word_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 8"):
        cluster_sequences(["MKV"], word_length=length)


def test_progress_ends_at_the_total() -> None:
    events: list[Event] = []
    cluster_sequences(["MKVLAMKVLAWW", "WYTRQPNHIL"], listener=events.append)
    assert events[-1] == Progress("compare sequences", 2, 2, "sequences")


def test_a_share_that_is_met_exactly_links_although_floats_round_up() -> None:
    assert 0.56 * 25 > 14
    text = np.random.default_rng(3).choice(AMINO, size=60).tobytes().decode()
    small, large = text[:29], text[:18] + text[30:60]
    assert len(_words(small, 5)) == 25
    assert len(_words(small, 5) & _words(large, 5)) == 14
    assert cluster_sequences([small, large], minimum_shared=0.56).tolist() == [0, 0]
    assert cluster_sequences([small, large], minimum_shared=0.57).tolist() == [0, 1]
