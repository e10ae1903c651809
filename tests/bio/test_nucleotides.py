from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from primase.bio.nucleotides import (
    BASES,
    FRACTIONS,
    LETTERS,
    LOWER_CASE,
    PADDING,
    complement,
    decode_nucleotides,
    encode_nucleotides,
    reverse_complement,
)
from primase.errors import ReadError

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
DNA_TEXTS = st.text(alphabet="".join(IUPAC) + "".join(IUPAC).lower(), max_size=50)


def _encode(text: str | bytes) -> np.ndarray:
    return encode_nucleotides(text, where="x.fa, record 'a'")


@given(DNA_TEXTS)
def test_dna_comes_back_as_it_was(text: str) -> None:
    assert decode_nucleotides(_encode(text)) == text
    assert_array_equal(_encode(text), _encode(text.encode()))


@given(DNA_TEXTS)
def test_rna_is_the_same_codes_and_comes_back_as_rna(text: str) -> None:
    rna = text.replace("T", "U").replace("t", "u")
    assert_array_equal(_encode(rna), _encode(text))
    assert decode_nucleotides(_encode(text), rna=True) == rna


@given(DNA_TEXTS)
def test_the_other_strand_of_the_other_strand_is_the_first(text: str) -> None:
    codes = _encode(text)
    assert_array_equal(reverse_complement(reverse_complement(codes)), codes)
    assert_array_equal(complement(complement(codes)), codes)


@given(DNA_TEXTS)
def test_the_other_strand_is_what_biopython_style_tables_say(text: str) -> None:
    paired = str.maketrans("ACGTRYSWKMBDHVNacgtryswkmbdhvn", "TGCAYRSWMKVHDBNtgcayrswmkvhdbn")
    assert decode_nucleotides(reverse_complement(_encode(text))) == text.translate(paired)[::-1]


def test_the_other_strand_is_taken_along_the_last_axis() -> None:
    rows = np.stack([_encode("AACG"), _encode("GNTt")])
    assert [decode_nucleotides(row) for row in reverse_complement(rows)] == ["CGTT", "aANC"]


@pytest.mark.parametrize(("letter", "bases"), IUPAC.items())
def test_a_code_says_which_bases_a_letter_stands_for(letter: str, bases: str) -> None:
    (code,) = _encode(letter).tolist()
    assert code == sum({"A": 1, "C": 2, "G": 4, "T": 8}[base] for base in bases)
    assert LETTERS[code] == letter
    assert _encode(letter.lower()).tolist() == [code | LOWER_CASE]
    expected = [("ACGT"[base] in bases) / len(bases) for base in range(4)]
    assert_allclose(FRACTIONS[code], expected, rtol=1e-6)


def test_fractions_sum_to_one_and_padding_has_none() -> None:
    assert_allclose(FRACTIONS[1:].sum(axis=1), 1, rtol=1e-6)
    assert FRACTIONS[PADDING].tolist() == [0, 0, 0, 0]
    assert FRACTIONS[BASES].tolist() == [0.25] * 4


def test_padding_is_written_as_a_dash_and_pairs_with_itself() -> None:
    codes = np.array([PADDING, 1, PADDING | LOWER_CASE], dtype=np.uint8)
    assert decode_nucleotides(codes) == "-A-"
    assert complement(codes).tolist() == [PADDING, 8, PADDING | LOWER_CASE]


@pytest.mark.parametrize("text", ["ACGX", b"ACGX", "ACGE", "ACGé", "ACG@", "ACG\x00"])
def test_a_letter_that_is_no_nucleotide_is_named_with_its_position(text: str | bytes) -> None:
    with pytest.raises(ReadError) as caught:
        _encode(text)
    letter = text[3] if isinstance(text, str) else chr(text[3])
    assert str(caught.value).startswith(f"x.fa, record 'a': a letter that is no nucleotide. Found: {letter!r} at")
    assert "position 4 of 4" in str(caught.value)


def test_gaps_are_refused_with_advice() -> None:
    with pytest.raises(ReadError, match="This looks like an alignment: remove the gaps"):
        _encode("AC-GT")


def test_no_letters_are_no_codes() -> None:
    assert _encode("").tolist() == []
    assert decode_nucleotides(np.empty(0, np.uint8)) == ""
