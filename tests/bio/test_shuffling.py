"""Dinucleotide shuffling: what it keeps, what it does not, and that all orders are equally likely."""

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from primase.bio import shuffling as module
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides
from primase.bio.shuffling import shuffle_dinucleotides


def codes_of(*texts):
    return np.stack([encode_nucleotides(text, where="a test") for text in texts])


def shuffled(text, shuffles=1, seed=0):
    return [decode_nucleotides(row) for row in shuffle_dinucleotides(codes_of(text), shuffles=shuffles, seed=seed)[0]]


def pairs(text):
    return Counter(pairwise(text))


@given(st.text("ACGTacR", min_size=1, max_size=60), st.integers(0, 2**40))
def test_pairs_and_ends_are_kept(text, seed):
    for other in shuffled(text, 3, seed):
        assert pairs(other) == pairs(text)
        assert (other[0], other[-1]) == (text[0], text[-1])


@given(st.lists(st.text("ACGT", min_size=0, max_size=30), min_size=1, max_size=4))
def test_unknown_letters_stay_where_they_are_and_each_stretch_keeps_its_pairs(stretches):
    text = "NN".join(stretches) + "N"
    (other,) = shuffled(text)
    assert [len(stretch) for stretch in other.split("N")] == [len(stretch) for stretch in text.split("N")]
    for before, after in zip(text.split("N"), other.split("N"), strict=True):
        assert pairs(before) == pairs(after)


def test_padding_stays_where_it_is():
    codes = np.pad(codes_of("ACGTTGCAACGGT"), ((0, 0), (3, 5)))
    other = shuffle_dinucleotides(codes, shuffles=5, seed=1)[0]
    assert (other[:, :3] == 0).all()
    assert (other[:, -5:] == 0).all()
    assert (other[:, 3:-5] != 0).all()


@pytest.mark.parametrize("text", ["ACAGATCAGA", "AACCAACGT", "GATTACAGATA"])
def test_every_order_is_equally_likely(text):
    possible = {text[0] + "".join(middle) + text[-1] for middle in permutations(text[1:-1])}
    possible = {order for order in possible if pairs(order) == pairs(text)}
    counts = Counter(shuffled(text, 6000, seed=7))
    assert set(counts) == possible
    assert len(possible) > 3
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_long_sequences_lose_their_order():
    generator = np.random.default_rng(0)
    codes = (1 << generator.integers(0, 4, (50, 400))).astype(np.uint8)
    other = shuffle_dinucleotides(codes, shuffles=4, seed=0)
    assert abs((other == codes[:, None]).mean() - 0.25) < 0.02
    assert abs((other[:, 0] == other[:, 1]).mean() - 0.25) < 0.02


def test_rare_exits_are_found():
    """One way out of a long alternation: random exits alone would need hundreds of attempts."""
    text = "AC" * 300 + "GT" * 3
    (other,) = shuffled(text)
    assert pairs(other) == pairs(text)


def test_the_same_seed_gives_the_same_and_another_one_does_not():
    text = "ACGTGCATCGATCGATTACG" * 3
    assert shuffled(text, 3, seed=4) == shuffled(text, 3, seed=4)
    assert shuffled(text, 3, seed=4) != shuffled(text, 3, seed=5)
    assert shuffled(text, 5, seed=4)[:3] == shuffled(text, 3, seed=4)


def test_a_sequence_is_shuffled_alike_in_any_company(monkeypatch):
    generator = np.random.default_rng(0)
    codes = (1 << generator.integers(0, 4, (20, 50))).astype(np.uint8)
    codes[3, :10], codes[4, 20:22], codes[5, 30:] = 0, 15, 17
    whole = shuffle_dinucleotides(codes, shuffles=3, seed=0)
    for row in range(20):
        np.testing.assert_array_equal(shuffle_dinucleotides(codes[row : row + 1], shuffles=3, seed=0)[0], whole[row])
    monkeypatch.setattr(module, "LETTERS_PER_BLOCK", 400)
    np.testing.assert_array_equal(shuffle_dinucleotides(codes, shuffles=3, seed=0), whole)


def test_the_input_is_left_alone_and_may_be_empty():
    codes = codes_of("ACGTGCATCGAT")
    before = codes.copy()
    shuffle_dinucleotides(codes, shuffles=2, seed=0)
    np.testing.assert_array_equal(codes, before)
    assert shuffle_dinucleotides(codes[:0], shuffles=2, seed=0).shape == (0, 2, 12)
    assert shuffle_dinucleotides(codes[:, :0], shuffles=2, seed=0).shape == (1, 2, 0)
