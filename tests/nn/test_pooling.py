import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.nn.pooling import AttentionPooling, GlobalPooling, masked_max, masked_mean


def drawn(seed, count=4, channels=6, places=9):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(count, places, generator=generator) < 0.6
    mask[:, 0] = True
    return torch.randn(count, channels, places, generator=generator) - 2, mask


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_maximum_and_mean_of_what_is_there(seed):
    features, mask = drawn(seed)
    for row in range(len(features)):
        there = features[row][:, mask[row]]
        torch.testing.assert_close(masked_max(features, mask)[row], there.max(dim=1).values)
        torch.testing.assert_close(masked_mean(features, mask)[row], there.mean(dim=1))


def pools(channels=6):
    torch.manual_seed(0)
    return [GlobalPooling(), AttentionPooling(channels, heads=3)]


@pytest.mark.parametrize("pool", pools())
def test_what_is_masked_has_no_influence(pool):
    features, mask = drawn(0)
    changed = torch.where(mask.unsqueeze(1), features, torch.tensor(1e6))
    torch.testing.assert_close(pool(changed, mask), pool(features, mask))


@pytest.mark.parametrize("pool", pools())
def test_the_order_of_places_has_no_influence(pool):
    features, mask = drawn(1)
    order = torch.randperm(features.shape[2])
    torch.testing.assert_close(pool(features[:, :, order], mask[:, order]), pool(features, mask))


@pytest.mark.parametrize("pool", pools())
def test_nothing_gives_zeros_and_finite_gradients(pool):
    features, mask = drawn(2)
    mask[1] = False
    features.requires_grad_()
    pooled = pool(features, mask)
    assert torch.equal(pooled[1], torch.zeros_like(pooled[1]))
    assert pooled[0].abs().min() > 0
    pooled.sum().backward()
    assert torch.isfinite(features.grad).all()
    assert torch.equal(features.grad[1], torch.zeros_like(features.grad[1]))


def test_attention_is_scaled_dot_product_attention_with_its_scores():
    features, mask = drawn(3)
    pool = AttentionPooling(6, heads=3)
    scores = pool.score(features)
    values = features.transpose(1, 2)
    # An identity as keys makes the scores themselves the products of queries and keys.
    keys = torch.eye(9).expand(4, -1, -1)
    expected = torch.nn.functional.scaled_dot_product_attention(
        scores, keys, values, attn_mask=mask.unsqueeze(1).expand(-1, 3, -1), scale=1.0
    )
    torch.testing.assert_close(pool(features, mask), expected.flatten(1))
    torch.testing.assert_close(pool.weights(features, mask).sum(dim=2), torch.ones(4, 3))


def test_a_long_mean_keeps_its_digits_in_sixteen_bits():
    features = torch.full((1, 1, 100_000), 0.1, dtype=torch.bfloat16)
    mean = masked_mean(features, torch.ones(1, 100_000, dtype=torch.bool))
    assert mean.item() == pytest.approx(features[0, 0, 0].item(), rel=1e-4)
