"""The Huffman coder: what goes in comes out, nothing is much longer than its entropy, and damage is noticed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.predictor.huffman import LONGEST, Stream, code_lengths, decode, encode


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_what_goes_in_comes_out(content):
    symbols = np.frombuffer(content, dtype=np.uint8)
    assert decode(encode(symbols)).tobytes() == content


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=300))
def test_it_takes_at_most_a_bit_per_symbol_more_than_the_entropy(values):
    symbols = np.array(values, dtype=np.uint8)
    shares = np.unique(symbols, return_counts=True)[1] / len(symbols)
    entropy = -(shares * np.log2(shares)).sum() * len(symbols)
    assert entropy <= 8 * len(encode(symbols).bits) <= entropy + len(symbols) + 8


def test_more_than_a_block_of_bits_is_read_whole():
    symbols = np.random.default_rng(0).integers(0, 256, 300_000).astype(np.uint8)
    assert np.array_equal(decode(encode(symbols)), symbols)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=256).filter(any))
def test_the_words_are_a_code_of_at_most_fifteen_bits(counts):
    lengths = code_lengths(np.array(counts))
    used = lengths[lengths > 0].astype(int)
    assert lengths.max() <= LONGEST
    assert np.array_equal(lengths > 0, np.array(counts) > 0)
    # Kraft's inequality: no word begins another.
    assert (2.0**-used).sum() <= 1


def test_the_average_word_is_as_short_as_any_code_allows():
    # The example of Huffman (1952) with known lengths.
    lengths = code_lengths(np.array([1, 1, 2, 4, 8]))
    assert sorted(lengths.tolist()) == [1, 2, 3, 4, 4]


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (Stream(9, np.array([1, 1], dtype=np.uint8), b"\x00"), "too few"),
        (Stream(1, np.array([1, 1, 1], dtype=np.uint8), b"\x00"), "no code"),
        (Stream(1, np.zeros(3, dtype=np.uint8), b"\x00"), "no code"),
        (Stream(1, np.array([0, 1], dtype=np.uint8), b"\xff"), "no word"),
        (Stream(4, np.array([1, 2, 2], dtype=np.uint8), b"\xff"), None),
        (Stream(-5, np.array([1, 2, 2], dtype=np.uint8), b"\xff"), "cannot be -5"),
        (Stream(5, np.array([1, 2, 2], dtype=np.uint8), b"\xff"), "end before"),
    ],
)
def test_damage_is_noticed(stream, said):
    if said is None:
        assert len(decode(stream)) == 4
        return
    with pytest.raises(ValueError, match=said):
        decode(stream)
