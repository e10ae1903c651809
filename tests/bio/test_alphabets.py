from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.alphabets import DNA, PROTEIN, RNA, clean_sequence, recognise_nucleotides
from primase.errors import ReadError


@given(st.text(alphabet="ACDEFGHIKLMNPQRSTVWYBJOUXZ*-acx1 é", max_size=30))
def test_first_invalid_is_the_first_character_outside_the_alphabet(text: str) -> None:
    letters = set("ACDEFGHIKLMNPQRSTVWYBJOUXZ")
    wrong = [position for position, letter in enumerate(text) if letter not in letters]
    assert PROTEIN.first_invalid(text) == (wrong[0] if wrong else None)


def test_cleaning_joins_lines_raises_case_and_drops_the_final_stop() -> None:
    assert clean_sequence(" mkv\r\n laXu*\n", PROTEIN, where="x") == "MKVLAXU"


@pytest.mark.parametrize(
    ("text", "found", "advice"),
    [
        ("MK*V", "'*' at position 3 of 4", "end of a protein only"),
        ("MKV**", "'*' at position 4", "end of a protein only"),
        ("MK-V", "'-' at position 3", "remove the gaps"),
        ("mk1", "'1' at position 3", "Accepted"),
    ],
)
def test_a_wrong_letter_is_named_with_its_place(text: str, found: str, advice: str) -> None:
    with pytest.raises(ReadError) as caught:
        clean_sequence(text, PROTEIN, where="file.fa, line 3")
    message = str(caught.value)
    assert message.startswith("file.fa, line 3: ")
    assert found in message
    assert advice in message


@pytest.mark.parametrize("text", ["", " \n", "*"])
def test_nothing_left_is_an_error(text: str) -> None:
    with pytest.raises(ReadError, match="without a sequence"):
        clean_sequence(text, PROTEIN, where="x")


def test_a_stop_is_no_letter_of_nucleotides() -> None:
    with pytest.raises(ReadError, match="not DNA"):
        clean_sequence("ACGT*", DNA, where="x")


def _random_text(letters: str, length: int, seed: int = 0) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def test_dna_and_rna_are_recognised_with_a_few_other_letters() -> None:
    assert recognise_nucleotides([_random_text("ACGT", 300), "NNNNRY"]) == DNA
    assert recognise_nucleotides([_random_text("ACGU", 300)]) == RNA
    assert recognise_nucleotides([_random_text("ACGT", 10, seed) for seed in range(4)]) == DNA


@pytest.mark.parametrize(
    "sequences",
    [
        [],
        ["ACGT"],  # a real tetrapeptide could be this
        ["ACGTACGTA", "TTGCA"],
        ["GAGAGS" * 50],  # silk fibroin
        ["TAATAATAATAAT" * 20],  # antifreeze proteins
        [_random_text("ACDEFGHIKLMNPQRSTVWY", 50), "ACGTTTTACG"],
        ["ACGT" * 100, _random_text("ACDEFGHIKLMNPQRSTVWY", 100)],
    ],
)
def test_what_may_be_protein_is_not_called_nucleotides(sequences: list[str]) -> None:
    assert recognise_nucleotides(sequences) is None
