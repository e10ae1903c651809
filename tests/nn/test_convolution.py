import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from primase.errors import ConfigurationError
from primase.nn.convolution import ConvolutionLayer, DilatedResidual, Trunk
from primase.nn.letters import OneHot

SIZES = st.fixed_dictionaries(
    {
        "layers": st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=3),
        "residual_blocks": st.integers(0, 2),
        "pooling": st.sampled_from(["max", "average"]),
        "normalise": st.booleans(),
        "padded": st.booleans(),
    }
)


def trunk_of(sizes, seed=0):
    torch.manual_seed(seed)
    widths, pools = zip(*sizes["layers"], strict=True)
    rest = {name: value for name, value in sizes.items() if name != "layers"}
    trunk = Trunk(filters=[5] * len(widths), widths=widths, pools=pools, **rest).eval()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm1d):  # statistics as after training: zeros and ones would hide the biases
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias)
    return trunk


def onehot_of(length, count=2, seed=0):
    return OneHot()(2 ** torch.randint(0, 4, (count, length), generator=torch.Generator().manual_seed(seed)).byte())


def window(onehot, start, end):
    """Cut letters from start to end, with columns of zeros where there are none."""
    length = onehot.shape[2]
    inside = onehot[:, :, max(start, 0) : max(min(end, length), 0)]
    return functional.pad(inside, (max(-start, 0), max(end - length, 0)))


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(50, 90), st.data())
def test_a_patch_gives_the_features_of_the_whole(sizes, length, data):
    trunk, onehot = trunk_of(sizes), onehot_of(length)
    if not trunk.padded and trunk.receptive_field > length:
        return
    whole, mask = trunk(onehot)
    assert whole.shape[2] == mask.shape[1] == trunk.places(length)
    assert mask.all()
    first = data.draw(st.integers(0, whole.shape[2] - 1))
    last = data.draw(st.integers(first, whole.shape[2] - 1))
    start, end = (place * trunk.stride - trunk.margin for place in (first, last))
    patch = trunk.features(window(onehot, start, end + trunk.receptive_field))
    torch.testing.assert_close(patch, whole[:, :, first : last + 1])


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(50, 80), st.data())
def test_a_mutation_reaches_the_places_that_see_it(sizes, length, data):
    trunk, onehot = trunk_of({**sizes, "pooling": "average"}), onehot_of(length, count=1)
    if not trunk.padded and trunk.receptive_field > length:
        return
    position = data.draw(st.integers(0, length - 1))
    onehot.requires_grad_()
    features, _ = trunk.double()(onehot.double())
    seen = []
    for place in range(features.shape[2]):
        if features.requires_grad:
            gradient = torch.autograd.grad(features[:, :, place].sum(), onehot, retain_graph=True)[0]
            if gradient[:, :, position].any():
                seen.append(place)
    start = [place * trunk.stride - trunk.margin for place in range(features.shape[2])]
    allowed = [place for place, at in enumerate(start) if at <= position < at + trunk.receptive_field]
    assert set(seen) <= set(allowed)


def test_the_receptive_field_is_no_wider_than_needed():
    # Without ReLU's dead ends every letter in view has an influence.
    trunk = Trunk(filters=(8, 8), widths=(5, 3), pools=(2, 1), pooling="average", residual_blocks=1).eval().double()
    onehot = onehot_of(200, count=20).double().requires_grad_()
    features, _ = trunk(onehot)
    place = features.shape[2] // 2
    gradient = torch.autograd.grad(features[:, :, place].sum(), onehot)[0]
    reached = gradient.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert reached[0] == place * trunk.stride - trunk.margin
    assert reached[-1] == place * trunk.stride - trunk.margin + trunk.receptive_field - 1


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(30, 60))
def test_places_are_masked_where_they_stand_for_padding(before, after, length):
    trunk = trunk_of({"layers": [(5, 2), (3, 2)], "residual_blocks": 0, "pooling": "max", "normalise": True})
    padded = functional.pad(onehot_of(length), (before, after))
    features, mask = trunk(padded)
    real = [any(before <= letter < before + length for letter in range(4 * j, 4 * j + 4)) for j in range(mask.shape[1])]
    assert mask.tolist() == [real, real]
    assert mask.shape == (2, features.shape[2])


@pytest.mark.parametrize("whole_strides", [0, 1, 3])
def test_padding_leaves_the_features_of_the_letters_alone(whole_strides):
    trunk = trunk_of({"layers": [(5, 2), (3, 2)], "residual_blocks": 1, "pooling": "max", "normalise": True})
    onehot = onehot_of(41)
    bare, _ = trunk(onehot)
    features, mask = trunk(functional.pad(onehot, (whole_strides * trunk.stride, 9)))
    torch.testing.assert_close(features[:, :, mask[0]], bare)


def test_a_layer_is_the_formula():
    torch.manual_seed(0)
    features = torch.randn(3, 4, 21)
    highest = ConvolutionLayer(4, 6, 5, 2, normalise=False)
    convolved = functional.conv1d(features, highest.convolve.weight, highest.convolve.bias)
    torch.testing.assert_close(highest(features), functional.max_pool1d(convolved.relu(), 2))
    mean = ConvolutionLayer(4, 6, 5, 2, pooling="average", normalise=False)
    convolved = functional.conv1d(features, mean.convolve.weight, mean.convolve.bias)
    torch.testing.assert_close(mean(features), functional.avg_pool1d(convolved.relu(), 2))


def test_a_normalised_layer_pools_first_and_has_no_idle_bias():
    torch.manual_seed(0)
    features = torch.randn(3, 4, 21)
    layer = ConvolutionLayer(4, 6, 5, 2).train()
    pooled = functional.max_pool1d(functional.conv1d(features, layer.convolve.weight), 2)
    centred = pooled - pooled.mean(dim=(0, 2), keepdim=True)
    scaled = centred / (pooled.var(dim=(0, 2), keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(layer(features), scaled.relu())
    assert layer.convolve.bias is None


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_a_residual_block_adds_to_what_is_there(dilation):
    block = DilatedResidual(5, dilation).eval()
    features = torch.randn(2, 5, 30)
    assert block(features).shape == (2, 5, 30 - 2 * dilation)
    with torch.no_grad():
        block.change[-2].weight.zero_()
        block.change[-2].bias.zero_()
    assert torch.equal(block(features), features[..., dilation:-dilation])


def test_sequences_shorter_than_the_filters_are_refused():
    sizes = {"filters": (4,), "widths": (11,), "pools": (2,)}
    with pytest.raises(ConfigurationError, match=r"shorter than the filters.*10 letters.*at least 11 letters"):
        Trunk(**sizes)(onehot_of(10))
    with pytest.raises(ConfigurationError, match="at least 12 letters"):
        Trunk(**sizes, padded=False).places(11)
    assert Trunk(**sizes).places(11) == 6


def test_sizes_that_do_not_match_are_refused():
    with pytest.raises(ConfigurationError, match="2 numbers of filters, 1 widths, 2 poolings"):
        Trunk(filters=(4, 4), widths=(11,), pools=(2, 1))
    with pytest.raises(ConfigurationError, match="at least one"):
        Trunk(filters=(), widths=(), pools=())
