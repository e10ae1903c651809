import numpy as np
import pytest

from primase.apps.sequences.borders import hide_borders
from primase.bio.nucleotides import encode_nucleotides
from primase.data.sequences import Sequences


def hidden(texts, letters):
    sequences = Sequences.from_codes([encode_nucleotides(text, where="a test") for text in texts])
    before = np.array(sequences.letters)
    result = hide_borders(sequences, letters)
    assert np.array_equal(sequences.letters, before)
    return [result.text(row) for row in range(len(result))]


@pytest.mark.parametrize(
    ("text", "letters", "expected"),
    [
        ("acgtACGTacgt", 1, "ACGNNCGNNCGT"),
        ("acgtACGTacgt", 2, "ACNNNNNNNNGT"),
        ("ACGTacgt", 1, "ACGNNCGT"),
        ("ACGTACGT", 2, "NNGTACNN"),
        ("acgtacgt", 3, "NNNTANNN"),
        ("ACG", 5, "NNN"),
        ("aC", 1, "NN"),
        ("A", 1, "N"),
        ("acgtACGT", 9, "NNNNNNNN"),
    ],
)
def test_letters_on_either_side_of_borders_are_hidden_and_case_is_forgotten(text, letters, expected):
    assert hidden([text], letters) == [expected]


def test_no_sequence_loses_letters_to_its_neighbours():
    assert hidden(["ACGTACGT", "acgtACGT", "ACGTACGT"], 1) == ["NCGTACGN", "ACGNNCGT", "NCGTACGN"]
    assert hidden(["ACGT", "acGT", "ACGT"], 3) == ["NNNN", "NNNN", "NNNN"]
