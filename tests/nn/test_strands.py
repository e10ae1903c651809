import pytest
import torch
from torch import nn

from primase.nn.letters import OneHot, reverse_complement
from primase.nn.strands import BothStrands


class FirstLetter(nn.Module):
    """Answer with the column of the first letter: it differs between the strands."""

    def forward(self, onehot):
        return onehot[:, :, 0]


@pytest.fixture
def codes():
    return 2 ** torch.randint(0, 4, (400, 12), generator=torch.Generator().manual_seed(0)).byte()


def test_in_evaluation_it_is_the_mean_of_both_strands(codes):
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    onehot = OneHot()(codes)
    expected = (network(onehot) + network(reverse_complement(onehot))) / 2
    torch.testing.assert_close(BothStrands(network).eval()(codes), expected)


def test_in_evaluation_both_strands_get_one_answer(codes):
    network = BothStrands(nn.Sequential(nn.Flatten(), nn.Linear(48, 3))).eval()
    onehot = OneHot()(codes)
    torch.testing.assert_close(network(onehot), network(reverse_complement(onehot)))


def test_in_training_each_example_is_read_from_a_strand_at_random(codes):
    torch.manual_seed(1)
    onehot = OneHot()(codes)
    answers = BothStrands(FirstLetter()).train()(onehot)
    own, other = onehot[:, :, 0], reverse_complement(onehot)[:, :, 0]
    as_written, turned = (answers == own).all(dim=1), (answers == other).all(dim=1)
    assert (as_written | turned).all()
    differ = (own != other).any(dim=1)
    assert 0.4 < turned[differ].float().mean() < 0.6


def test_gradients_reach_the_letters(codes):
    onehot = OneHot()(codes).requires_grad_()
    BothStrands(FirstLetter()).eval()(onehot).sum().backward()
    reached = onehot.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert reached.tolist() == [0, 11]


def test_case_stays_with_its_letter():
    codes = torch.tensor([[1, 1, 24]], dtype=torch.uint8)  # AAt
    answer = BothStrands(FirstLetter(), channels=5).eval()(codes)
    assert answer.tolist() == [[1, 0, 0, 0, 0.5]]  # A of either strand; lower case on the other only
