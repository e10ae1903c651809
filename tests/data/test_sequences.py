from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from primase.bio.nucleotides import (
    BASES,
    LOWER_CASE,
    PADDING,
    decode_nucleotides,
    encode_nucleotides,
    reverse_complement,
)
from primase.data import sequences as sequences_module
from primase.data.sequences import Places, SequenceEncoder, Sequences


def encoded(text):
    return encode_nucleotides(text, where="a test")


def places(count, chromosome="chr1"):
    starts = np.arange(count) * 10
    return Places(
        np.array([chromosome] * count, dtype=object), starts, starts + 5, np.array(["+"] * count, dtype=object)
    )


@st.composite
def views(draw):
    """Draw views into a row of letters, each within borders of its own, some read from the other strand."""
    row = np.array(draw(st.lists(st.integers(1, 31).filter(lambda code: code & BASES), min_size=1, max_size=40)))
    count = draw(st.integers(1, 6))
    lows, highs, starts, lengths = [], [], [], []
    for _ in range(count):
        low = draw(st.integers(0, len(row) - 1))
        high = draw(st.integers(low + 1, len(row)))
        start = draw(st.integers(low - 8, high))
        length = draw(st.integers(1, 20))
        for column, value in zip((lows, highs, starts, lengths), (low, high, start, length), strict=True):
            column.append(value)
    reverse = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    columns = (np.array(column, dtype=np.int64) for column in (starts, lengths, lows, highs))
    return Sequences(row.astype(np.uint8), *columns, reverse)


def naive_letters(sequences, row, first, length):
    """Read letters one at a time, padding outside of the borders."""
    return [
        int(sequences.letters[place]) if sequences.lows[row] <= place < sequences.highs[row] else PADDING
        for place in range(first, first + length)
    ]


def naive_window(sequences, row, length):
    """Cut or widen one sequence in its own direction: an odd letter is cut off at its end, or padded at its start."""
    own = naive_letters(sequences, row, int(sequences.starts[row]) - 60, int(sequences.lengths[row]) + 120)
    if sequences.reverse[row]:
        own = reverse_complement(np.array(own, dtype=np.uint8)).tolist()
    surplus = int(sequences.lengths[row]) - length
    first = 60 + surplus // 2
    return own[first : first + length]


@given(views(), st.integers(1, 50))
def test_windows_are_those_cut_letter_by_letter(sequences, length):
    windows = sequences.windows(np.arange(len(sequences)), length)
    assert windows.dtype == np.uint8
    assert windows.tolist() == [naive_window(sequences, row, length) for row in range(len(sequences))]


@given(views())
def test_codes_are_the_window_of_the_own_length(sequences):
    for row in range(len(sequences)):
        codes = sequences.codes(row).tolist()
        assert codes == naive_window(sequences, row, int(sequences.lengths[row]))
        assert sequences.text(row) == decode_nucleotides(sequences.codes(row))


@given(views(), st.lists(st.integers(0, 100), max_size=8), st.integers(1, 30))
def test_taking_is_indexing(sequences, chosen, length):
    rows = np.array([number % len(sequences) for number in chosen], dtype=np.int64)
    taken = sequences.take(rows)
    assert taken.letters is sequences.letters
    assert len(taken) == len(rows)
    assert taken.windows(np.arange(len(rows)), length).tolist() == sequences.windows(rows, length).tolist()


@given(st.lists(views(), min_size=1, max_size=4), st.data())
def test_joined_blocks_read_as_they_did_and_go_on_sharing_their_row(blocks, data):
    blocks = [block for block in blocks for _ in range(data.draw(st.integers(1, 2)))]
    blocks = [block.take(np.arange(len(block))[::-1]) for block in blocks]
    joined = Sequences.concatenate(blocks)
    texts = [block.text(row) for block in blocks for row in range(len(block))]
    assert [joined.text(row) for row in range(len(joined))] == texts
    wide = [window for block in blocks for window in block.windows(np.arange(len(block)), 33).tolist()]
    assert joined.windows(np.arange(len(joined)), 33).tolist() == wide
    rows = {id(block.letters): len(block.letters) for block in blocks}
    assert len(joined.letters) == sum(rows.values())
    if len(rows) == 1:
        assert joined.letters is blocks[0].letters


def test_places_are_joined_and_unknown_where_a_block_has_none():
    one = Sequences.from_codes([encoded("ACG"), encoded("T")], places(2))
    other = Sequences.from_codes([encoded("GG")])
    assert Sequences.concatenate([other, other]).places is None
    some = Sequences.concatenate([other, one]).places
    assert some.known.tolist() == [False, True, True]
    assert some.starts.tolist() == [0, 0, 10]
    both = Sequences.concatenate([one, Sequences.from_codes([encoded("GG")], places(1, "chr2"))]).places
    assert both.chromosomes.tolist() == ["chr1", "chr1", "chr2"]
    assert both.starts.tolist() == [0, 10, 0]
    assert both.take(np.array([2])).chromosomes.tolist() == ["chr2"]


def test_a_place_is_unknown_without_a_chromosome():
    some = Places(np.array(["", "2"], dtype=object), np.zeros(2, int), np.zeros(2, int), np.array([".", "."]))
    assert some.known.tolist() == [False, True]
    assert len(some) == 2


def test_a_record_is_padded_by_nothing_of_its_neighbours():
    sequences = Sequences.from_codes([encoded("AAAA"), encoded("CC"), encoded("GGGG")])
    assert decode_nucleotides(sequences.windows(np.array([1]), 6)[0]) == "--CC--"
    assert decode_nucleotides(sequences.windows(np.array([1]), 5)[0]) == "--CC-"


def test_a_window_of_a_genome_is_widened_to_the_end_of_its_chromosome():
    row = encoded("AAAACCCC")
    sequences = Sequences(row, *(np.array([value]) for value in (1, 2, 0, 4)), np.array([False]))
    assert decode_nucleotides(sequences.windows(np.array([0]), 6)[0]) == "-AAAA-"
    turned = Sequences(row, *(np.array([value]) for value in (1, 2, 0, 4)), np.array([True]))
    assert decode_nucleotides(turned.windows(np.array([0]), 6)[0]) == "-TTTT-"


@given(views(), st.integers(1, 12), st.integers(1, 60))
def test_blocks_go_through_all_sequences_in_bounded_steps(sequences, length, gathered):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences_module, "GATHERED_LETTERS", gathered)
        blocks = list(sequences.blocks(length))
    assert np.concatenate([rows for rows, _ in blocks]).tolist() == list(range(len(sequences)))
    assert all(windows.shape == (len(rows), length) for rows, windows in blocks)
    assert all(windows.size <= max(gathered, length) for _, windows in blocks)


def test_no_sequences_are_no_windows():
    none = Sequences.from_codes([])
    assert len(none) == 0
    assert none.windows(np.arange(0), 7).shape == (0, 7)
    assert list(none.blocks(7)) == []


def test_a_memory_mapped_row_is_neither_read_whole_nor_changed(tmp_path):
    content = np.tile(encoded("acgtACGT"), 100)
    path = tmp_path / "letters"
    path.write_bytes(content.tobytes())
    row = np.memmap(path, dtype=np.uint8, mode="r")
    starts = np.arange(0, 780, 10)
    sequences = Sequences(row, starts, np.full(78, 20), np.zeros(78, int), np.full(78, 800), np.zeros(78, bool))
    encoder = SequenceEncoder(20)
    assert encoder.cut(sequences, np.arange(78)).max() < LOWER_CASE
    assert path.read_bytes() == content.tobytes()
    assert sequences.take(np.arange(3)).letters is row


# The encoder


def test_the_encoder_forgets_case_unless_it_is_a_signal():
    sequences = Sequences.from_codes([encoded("acGU"), encoded("nNaA")])
    forgetful, heedful = SequenceEncoder(4), SequenceEncoder(4, case=True)
    assert [decode_nucleotides(one) for one in forgetful.cut(sequences, np.arange(2))] == ["ACGT", "NNAA"]
    assert [decode_nucleotides(one) for one in heedful.cut(sequences, np.arange(2))] == ["acGT", "nNaA"]
    assert sequences.text(0) == "acGT"


@pytest.mark.parametrize("encoder", [SequenceEncoder(7), SequenceEncoder(3, case=True)])
def test_the_encoder_survives_its_state(encoder):
    assert SequenceEncoder.from_state(encoder.state()) == encoder


def test_batches_are_letters_of_one_length():
    sequences = Sequences.from_codes([encoded("ACGTACGT"), encoded("AC"), encoded("A")])
    batch = SequenceEncoder(4).encode(sequences).batch(np.array([2, 0]))
    assert batch["letters"].dtype == torch.uint8
    assert [decode_nucleotides(one.numpy()) for one in batch["letters"]] == ["--A-", "GTAC"]
    assert len(SequenceEncoder(4).encode(sequences)) == 3
