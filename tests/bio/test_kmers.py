from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.bio.kmers import count_kmers, kmer_features, kmer_names
from primase.bio.nucleotides import encode_nucleotides
from primase.errors import ConfigurationError

SEQUENCES = st.lists(st.text("ACGTUacgtuNnRY", max_size=30), min_size=1, max_size=6)
PAIRS = str.maketrans("ACGT", "TGCA")


def block(texts: list[str]) -> np.ndarray:
    codes = np.zeros((len(texts), max(map(len, texts))), dtype=np.uint8)
    for row, text in enumerate(texts):
        codes[row, : len(text)] = encode_nucleotides(text, where="a test")
    return codes


def naive(text: str, longest: int, *, both_strands: bool) -> Counter[str]:
    text = text.upper().replace("U", "T")
    words = (
        text[start : start + size] for size in range(1, longest + 1) for start in range(max(0, len(text) - size + 1))
    )
    clean = (word for word in words if set(word) <= set("ACGT"))
    return Counter(min(word, word[::-1].translate(PAIRS)) if both_strands else word for word in clean)


@settings(max_examples=60)
@given(texts=SEQUENCES, longest=st.integers(1, 4), both_strands=st.booleans())
def test_words_are_counted_as_a_counter_counts_them(texts: list[str], longest: int, *, both_strands: bool) -> None:
    counts = count_kmers(block(texts), longest, both_strands=both_strands)
    names = kmer_names(longest, both_strands=both_strands)
    assert counts.dtype == np.float32
    assert counts.shape == (len(texts), len(names))
    for row, text in zip(counts.toarray(), texts, strict=True):
        found = {name: int(count) for name, count in zip(names, row, strict=True) if count}
        assert found == dict(naive(text, longest, both_strands=both_strands))


def test_the_default_has_all_words_of_one_to_six_letters() -> None:
    assert len(kmer_names()) == 4 + 16 + 64 + 256 + 1024 + 4096
    assert len(kmer_names(both_strands=True)) == 2 + 10 + 32 + 136 + 512 + 2080
    assert kmer_names(rna=True)[3] == "U"


def test_many_blocks_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(0).choice(np.array([1, 2, 4, 8, 15], np.uint8), size=(50, 30))
    whole = count_kmers(codes, 5)
    monkeypatch.setattr("primase.bio.kmers._CELLS_PER_BLOCK", 3000)
    assert (count_kmers(codes, 5) != whole).nnz == 0


@given(SEQUENCES)
def test_the_other_strand_has_the_same_words(texts: list[str]) -> None:
    turned = [text.upper().replace("U", "T")[::-1].translate(str.maketrans("ACGTRY", "TGCAYR")) for text in texts]
    one, other = (count_kmers(block(side), 3, both_strands=True) for side in (texts, turned))
    assert (one != other).nnz == 0


def test_features_are_rows_of_length_one_whatever_stands_beside_them() -> None:
    texts = ["ACGTTTTTTTTTACG", "", "NNN", "GATTACA", "C"]
    features = kmer_features(block(texts), 3)
    lengths = np.linalg.norm(features.toarray(), axis=1)
    assert lengths == pytest.approx([1, 0, 0, 1, 1])
    alone = kmer_features(block(["GATTACA"]), 3)
    assert alone.toarray()[0] == pytest.approx(features.toarray()[3], abs=0)
    expected = np.log1p(count_kmers(block(["GATTACA"]), 3).toarray()[0])
    assert alone.toarray()[0] == pytest.approx(expected / np.linalg.norm(expected))


@pytest.mark.parametrize("longest", [0, 9])
def test_a_word_length_out_of_range_is_refused(longest: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 8"):
        count_kmers(np.zeros((1, 5), np.uint8), longest)
