from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from primase.bio import nucleotide_words
from primase.bio.coordinates import coordinates_in_header
from primase.bio.nucleotide_similarity import cluster_nucleotides, cluster_overlapping, overlapping_across
from primase.bio.nucleotides import encode_nucleotides, reverse_complement
from primase.errors import ConfigurationError
from primase.events import Event, Progress

RANDOM = np.random.default_rng(7)


def _random(size: int) -> str:
    return "".join(RANDOM.choice(list("ACGT"), size))


def _codes(*texts: str) -> list[np.ndarray]:
    return [encode_nucleotides(text, where="a test") for text in texts]


def _other_strand(text: str) -> str:
    return text.upper().replace("U", "T").translate(str.maketrans("ACGTN", "TGCAN"))[::-1]


def _simple(word: str) -> bool:
    for period in range(1, min(6, len(word) // 2) + 1):
        pairs = list(zip(word, word[period:], strict=False))
        if sum(one != other for one, other in pairs) <= len(pairs) / 3 + 1e-9:
            return True
    return False


def _word_set(text: str, length: int, *, both: bool) -> set[str]:
    words = set()
    for strand in [text, _other_strand(text)] if both else [text]:
        words |= {strand[start : start + length] for start in range(len(strand) - length + 1)}
    return {word for word in words if set(word) <= set("ACGT") and not _simple(word)}


def _merged(count: int, linked: Sequence[tuple[int, int]]) -> list[int]:
    labels = list(range(count))
    for one, other in linked:
        old, new = labels[one], labels[other]
        labels = [new if label == old else label for label in labels]
    number: dict[int, int] = {}
    return [number.setdefault(label, len(number)) for label in labels]


def _same(one: str, other: str, *, both: bool) -> bool:
    return one == other or (both and one == _other_strand(other))


@st.composite
def windows(draw: st.DrawFn) -> list[str]:
    """Windows of a short genome with repeats and unknown bases, from either strand, and short ones of few letters."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    genome = (
        "".join(random.choice(list("ACGT"), 120)) + "CA" * 10 + "A" * 15 + "".join(random.choice(list("ACGTN"), 60))
    )
    texts = []
    for _ in range(draw(st.integers(0, 12))):
        start = int(random.integers(0, len(genome) - 5))
        text = genome[start : start + int(random.integers(1, 60))]
        texts.append(_other_strand(text) if random.random() < 0.3 else text)
    return texts + draw(st.lists(st.text(alphabet="ACN", max_size=12), max_size=4))


@settings(deadline=None)
@given(texts=windows(), length=st.sampled_from([1, 3, 4, 8, 15, 16, 24, 31]), both=st.booleans())
def test_clusters_are_those_of_comparing_all_words(*, texts: list[str], length: int, both: bool) -> None:
    words = [_word_set(text, length, both=both) for text in texts]
    linked = [
        (one, other)
        for one in range(len(texts))
        for other in range(one)
        if words[one] & words[other] or _same(texts[one], texts[other], both=both)
    ]
    labels = cluster_nucleotides(_codes(*texts), both_strands=both, word_length=length)
    assert labels.tolist() == _merged(len(texts), linked)


@settings(deadline=None)
@given(
    test=windows(),
    train=windows(),
    lengths=st.sampled_from([(30, 20), (12, 8), (31, 31), (9, 3)]),
    both=st.booleans(),
)
def test_overlap_across_is_that_of_comparing_all_words(
    *, test: list[str], train: list[str], lengths: tuple[int, int], both: bool
) -> None:
    stretch, shortest = lengths
    expected = []
    for text in test:
        needed = min(stretch, max(shortest, len(text) // 2))
        words = _word_set(text, needed, both=both)
        expected.append(
            any(_same(text, other, both=both) or words & _word_set(other, needed, both=both) for other in train)
        )
    found = overlapping_across(_codes(*test), _codes(*train), both_strands=both, stretch=stretch, shortest=shortest)
    assert found.tolist() == expected


@settings(deadline=None)
@given(windows(), windows(), st.integers(1, 100))
def test_blocks_of_any_size_give_the_same(test: list[str], train: list[str], block: int) -> None:
    def both() -> tuple[list[int], list[bool]]:
        codes = _codes(*train)
        labels = cluster_nucleotides(codes, both_strands=True, word_length=11)
        return labels.tolist(), overlapping_across(_codes(*test), codes, both_strands=True).tolist()

    expected = both()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nucleotide_words, "_LETTERS_PER_BLOCK", block)
        assert both() == expected


def _without_frequent(texts: list[str], *, both: bool) -> list[str]:
    """Write N for letters in words of twelve that stand in more than two texts, where they are less than half."""
    sets = [_word_set(text, 12, both=both) for text in texts]
    masked = []
    for text in texts:
        covered: set[int] = set()
        for start in range(len(text) - 11):
            word = text[start : start + 12]
            if _word_set(word, 12, both=both) and sum(word in one for one in sets) > 2:
                covered |= set(range(start, start + 12))
        kept = 2 * len(covered) >= len(text) + 1
        masked.append(text if kept else "".join("N" if at in covered else one for at, one in enumerate(text)))
    return masked


@settings(deadline=None, max_examples=25)
@given(texts=windows(), both=st.booleans())
def test_stretches_in_many_sequences_are_left_out_as_by_comparing_all(*, texts: list[str], both: bool) -> None:
    different: list[str] = []
    for text in texts:
        if not any(_same(text, other, both=both) for other in different):
            different.append(text)
    words = [_word_set(text, 13, both=both) for text in _without_frequent(different, both=both)]
    linked = [(one, other) for one in range(len(words)) for other in range(one) if words[one] & words[other]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nucleotide_words, "_LEAST_HOLDERS", 2)
        labels = cluster_nucleotides(_codes(*different), both_strands=both, word_length=13)
    assert labels.tolist() == _merged(len(different), linked)


@settings(deadline=None)
@given(windows())
def test_the_strand_and_the_case_of_a_sequence_do_not_matter_for_dna(texts: list[str]) -> None:
    turned = [_other_strand(text).lower() if row % 2 else text for row, text in enumerate(texts)]
    expected = cluster_nucleotides(_codes(*texts), both_strands=True, word_length=12)
    assert_array_equal(cluster_nucleotides(_codes(*turned), both_strands=True, word_length=12), expected)


def test_rna_has_one_strand() -> None:
    text = _random(60)
    codes = _codes(text, _other_strand(text))
    assert cluster_nucleotides(codes, both_strands=False).tolist() == [0, 1]
    assert cluster_nucleotides(codes, both_strands=True).tolist() == [0, 0]
    assert overlapping_across(codes[1:], codes[:1], both_strands=False).tolist() == [False]
    assert overlapping_across(codes[1:], codes[:1], both_strands=True).tolist() == [True]


@pytest.mark.parametrize(
    "repeat", ["A" * 60, "CA" * 30, "GAA" * 20, "TTAGGG" * 10, ("A" * 7 + "C") * 8, "AAAAAACAAAAAAAAAATAAAAAAAAAA" * 2]
)
def test_simple_repeats_link_nothing(repeat: str) -> None:
    codes = _codes(_random(40) + repeat + _random(40), _random(40) + repeat + _random(40))
    assert cluster_nucleotides(codes, both_strands=True, word_length=20).tolist() == [0, 1]
    assert overlapping_across(codes[:1], codes[1:], both_strands=True).tolist() == [False]


@pytest.mark.parametrize("size", [14, 20, 24, 40])
def test_an_adapter_links_nothing_and_an_overlap_does(size: int) -> None:
    adapter = _random(size)
    genome = _random(20_000)
    apart = [genome[start : start + 100] + adapter for start in range(0, 20_000, 200)]
    overlapping = [*apart, genome[30:130] + adapter]
    labels = cluster_nucleotides(_codes(*overlapping), both_strands=True)
    assert labels.tolist() == [*range(100), 0]
    across = overlapping_across(_codes(*overlapping)[99:], _codes(*overlapping)[:99], both_strands=True)
    assert across.tolist() == [False, True]


def test_an_adapter_is_none_where_the_user_says_so() -> None:
    adapter = _random(40)
    codes = _codes(*(_random(100) + adapter for _ in range(100)))
    assert cluster_nucleotides(codes, both_strands=True).max() == 99
    assert cluster_nucleotides(codes, both_strands=True, most_holders=1.0).max() == 0
    assert not overlapping_across(codes[:50], codes[50:], both_strands=True).any()
    assert overlapping_across(codes[:50], codes[50:], both_strands=True, most_holders=1.0).all()


def test_variants_of_one_sequence_are_one_cluster() -> None:
    # All their words stand in very many sequences, as an adapter's do.
    parent = _random(200)
    variants = [parent[:at] + {"A": "C"}.get(parent[at], "A") + parent[at + 1 :] for at in range(200)]
    assert cluster_nucleotides(_codes(*variants), both_strands=True).max() == 0
    assert overlapping_across(_codes(*variants[:20]), _codes(*variants[20:]), both_strands=True).all()


def test_dense_tiles_of_one_place_are_one_cluster() -> None:
    place = _random(500)
    tiles = _codes(*(place[start : start + 100] for start in range(0, 400, 2)))
    assert cluster_nucleotides(tiles, both_strands=True).max() == 0


def test_copies_of_one_sequence_are_one_cluster_however_many() -> None:
    text = _random(50)
    texts = [text] * 40 + [_other_strand(text)] * 40 + [_random(50)]
    assert cluster_nucleotides(_codes(*texts), both_strands=True).tolist() == [0] * 80 + [1]


def test_short_sequences_are_linked_to_identical_ones_only() -> None:
    codes = _codes("ACGTTGCAAC", "GTTGCAACGT", "ACGTTGCAAC", "ACGTTGCAACTT")
    assert cluster_nucleotides(codes, both_strands=False).tolist() == [0, 1, 0, 2]
    assert overlapping_across(codes[1:3], codes[:1], both_strands=False).tolist() == [False, True]


def test_random_sequences_are_apart() -> None:
    codes = [(1 << RANDOM.integers(0, 4, 200)).astype(np.uint8) for _ in range(5_000)]
    assert cluster_nucleotides(codes, both_strands=True).max() == 4_999
    assert not overlapping_across(codes[:500], codes[500:], both_strands=True).any()


def test_windows_of_a_genome_are_grouped_as_by_their_coordinates() -> None:
    size, count, overlap = 100, 2_000, 24
    genome = (1 << RANDOM.integers(0, 4, 100_000)).astype(np.uint8)
    starts = RANDOM.integers(0, len(genome) - size, count)
    codes = [genome[start : start + size] for start in starts]
    codes = [reverse_complement(one) if row % 2 else one for row, one in enumerate(codes)]
    # An overlap of fewer letters than a word has is none.
    expected = cluster_overlapping(np.full(count, "chr1"), starts, starts + size - overlap + 1)
    assert_array_equal(cluster_nucleotides(codes, both_strands=True, word_length=overlap), expected)
    assert 10 < expected.max() < count - 10


@given(st.lists(st.tuples(st.sampled_from(["", "1", "2", "X"]), st.integers(0, 60), st.integers(1, 12)), max_size=15))
def test_overlapping_intervals_are_those_of_comparing_all(rows: list[tuple[str, int, int]]) -> None:
    linked = [
        (one, other)
        for one, (name, start, size) in enumerate(rows)
        for other, (other_name, other_start, other_size) in enumerate(rows[:one])
        if name and name == other_name and start < other_start + other_size and other_start < start + size
    ]
    chromosomes = np.array([row[0] for row in rows], dtype=str)
    starts = np.array([row[1] for row in rows], dtype=np.int64)
    ends = starts + np.array([row[2] for row in rows], dtype=np.int64)
    assert cluster_overlapping(chromosomes, starts, ends).tolist() == _merged(len(rows), linked)


def test_nothing_has_no_clusters() -> None:
    assert cluster_nucleotides([], both_strands=True).tolist() == []
    assert overlapping_across([], _codes("ACGT"), both_strands=True).tolist() == []
    assert overlapping_across(_codes("ACGT"), [], both_strands=True).tolist() == [False]


def test_progress_is_reported() -> None:
    heard: list[Event] = []
    codes = _codes(_random(40), _random(40))
    cluster_nucleotides(codes, both_strands=True, listener=heard.append)
    overlapping_across(codes[:1], codes[1:], both_strands=True, listener=heard.append)
    assert heard == [Progress("compare sequences", 2, 2, "sequences"), Progress("compare sequences", 1, 1, "sequences")]


@pytest.mark.parametrize("length", [0, 32])
def test_a_word_length_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 31 letters"):
        cluster_nucleotides([], both_strands=True, word_length=length)
    with pytest.raises(ConfigurationError, match="1 to 31 letters"):
        overlapping_across([], [], both_strands=True, stretch=length)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match="out of range"):
        cluster_nucleotides([], both_strands=True, most_holders=share)


@pytest.mark.parametrize("name", ["ALKBH5_Baltz2012", "C17ORF85_Baltz2012"])
def test_published_windows_that_overlap_by_coordinates_are_found_by_their_letters(name: str) -> None:
    folder = Path(os.environ.get("PRIMASE_MIRROR", "/nowhere")) / "rbp24"
    if not folder.exists():
        pytest.skip("PRIMASE_MIRROR does not hold the RBP-24 sets")
    codes: dict[str, list[np.ndarray]] = {"train": [], "ls": []}
    places: dict[str, list[tuple[str, int, int]]] = {"train": [], "ls": []}
    for part, read in codes.items():
        for kind in ("positives", "negatives"):
            with gzip.open(folder / f"{name}.{part}.{kind}.fa.gz", "rt") as file:
                for record in file.read().split(">")[1:]:
                    header, letters = record.split("\n", 1)
                    read.append(encode_nucleotides(letters.replace("\n", ""), where=header))
                    site = coordinates_in_header(header)
                    assert site is not None
                    places[part].append((site.chromosome, site.start - 150, site.end + 150))
    by_place = np.array(
        [
            any(one[0] == o[0] and one[1] + 30 <= o[2] and o[1] + 30 <= one[2] for o in places["train"])
            for one in places["ls"]
        ]
    )
    by_letters = overlapping_across(codes["ls"], codes["train"], both_strands=True)
    assert 0.05 < by_place.mean() < 0.15
    # Flanks are cut at the ends of transcripts, so that a few windows are shorter than their site and 150 at each side.
    assert by_letters[by_place].mean() > 0.9
    assert by_place.mean() < by_letters.mean() < 0.3
