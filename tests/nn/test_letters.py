import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from primase.bio.nucleotides import encode_nucleotides
from primase.bio.nucleotides import reverse_complement as turned_codes
from primase.nn.letters import OneHot, letter_mask, random_shift, reverse_complement, shifted

LETTERS = st.text("ACGTUNRYacgtnry", min_size=1, max_size=30)


def codes_of(text):
    return torch.from_numpy(encode_nucleotides(text, where="a test").copy())[None]


@settings(deadline=None)
@given(st.text("ACGT", min_size=1, max_size=30))
def test_it_is_the_encoding_of_scikit_learn(text):
    expected = OneHotEncoder(categories=[list("ACGT")], sparse_output=False).fit_transform(
        np.array(list(text))[:, None]
    )
    np.testing.assert_array_equal(OneHot()(codes_of(text))[0].T, expected)


def test_ambiguous_letters_are_fractions_and_padding_is_nothing():
    codes = torch.tensor([[0, 15, 5, 8]], dtype=torch.uint8)  # padding, N, R, T
    expected = torch.tensor([[0, 0.25, 0.5, 0], [0, 0.25, 0, 0], [0, 0.25, 0.5, 0], [0, 0.25, 0, 1]])
    assert torch.equal(OneHot()(codes)[0], expected)
    assert letter_mask(OneHot()(codes)).tolist() == [[False, True, True, True]]


def test_case_is_a_fifth_channel_where_wanted():
    lower, upper = codes_of("acGun"), codes_of("ACGUN")
    assert torch.equal(OneHot(4)(lower), OneHot(4)(upper))
    assert torch.equal(OneHot(5)(lower)[:, :4], OneHot(4)(upper))
    assert OneHot(5)(lower)[0, 4].tolist() == [1, 1, 0, 1, 1]
    assert letter_mask(OneHot(5)(torch.tensor([[16, 0, 17]], dtype=torch.uint8))).tolist() == [[False, False, True]]


def test_columns_are_let_through_with_their_gradients():
    columns = torch.rand(2, 4, 7, requires_grad=True)
    read = OneHot().eval()
    assert read(columns) is columns


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 7, 4), (4, 7)])
def test_columns_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(batch, 4, length\)"):
        OneHot()(torch.rand(shape))


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match="not 3"):
        OneHot(3)


def test_the_table_is_no_weight():
    assert not OneHot().state_dict()
    assert not list(OneHot().parameters())


@settings(deadline=None)
@given(LETTERS, st.sampled_from([4, 5]))
def test_the_other_strand_is_that_of_the_codes(text, channels):
    read, codes = OneHot(channels), codes_of(text)
    other = torch.from_numpy(turned_codes(codes.numpy()).copy())
    assert torch.equal(reverse_complement(read(codes)), read(other))
    assert torch.equal(reverse_complement(reverse_complement(read(codes))), read(codes))


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(1, 8))
def test_a_shift_moves_letters_and_pads(offsets, length):
    codes = torch.randint(1, 16, (len(offsets), length), dtype=torch.uint8)
    moved = shifted(codes, torch.tensor(offsets))
    for row, offset in enumerate(offsets):
        for place in range(length):
            source = place - offset
            assert moved[row, place] == (codes[row, source] if 0 <= source < length else 0)
    read = OneHot()
    assert torch.equal(shifted(read(codes), torch.tensor(offsets)), read(moved))


def test_random_shifts_reach_everything_they_may_and_no_more():
    torch.manual_seed(0)
    letter = torch.zeros(500, 1, 11)
    letter[..., 5] = 1
    assert set(random_shift(letter, 2).argmax(dim=2).flatten().tolist()) == {3, 4, 5, 6, 7}


def test_letters_are_shifted_in_training_only():
    torch.manual_seed(0)
    read, codes = OneHot(shift=3), torch.randint(1, 16, (20, 30), dtype=torch.uint8)
    plain = OneHot()(codes)
    assert not torch.equal(read.train()(codes), plain)
    assert torch.equal(read.eval()(codes), plain)
