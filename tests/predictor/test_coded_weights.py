"""The file of coded weights: it holds exactly the numbers it was made of, is short where it can be, and is read with
care."""

import json
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.errors import BundleError
from primase.predictor.coded_weights import MAGIC, decode_weights, encode_weights, read_coded
from primase.remedies.compression.quantising import rounded


def round_trip(weights):
    read = decode_weights(encode_weights(weights))
    assert list(read) == list(weights)
    for name, tensor in weights.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor), name


def sparse(shape, share, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(shape, generator=generator)
    weights[torch.rand(shape, generator=generator) < share] = 0
    return weights


def header_of(content):
    return json.loads(zlib.decompress(content[16 : 16 + int.from_bytes(content[8:16], "little")]))


def with_header(content, header):
    length = int.from_bytes(content[8:16], "little")
    packed = zlib.compress(json.dumps(header).encode())
    return MAGIC + len(packed).to_bytes(8, "little") + packed + content[16 + length :]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bfloat16, torch.bool]),
    st.lists(st.integers(0, 12), min_size=0, max_size=3),
    st.floats(0, 1),
)
def test_every_tensor_comes_back(dtype, shape, share):
    round_trip({"some.name": sparse(tuple(shape), share).to(dtype)})


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4000), st.floats(0.5, 1), st.integers(1, 300))
def test_sparse_and_shared_values_come_back(count, share, values):
    book = torch.randn(values, generator=torch.Generator().manual_seed(values))
    shared = book[torch.arange(count) % values] * (sparse((count,), share) != 0)
    round_trip({"sparse": sparse((count,), share), "shared": shared})


def test_long_rows_of_zeros_come_back():
    weights = torch.zeros(5000)
    weights[[0, 255, 256, 511, 767, 4999]] = torch.arange(1.0, 7.0)
    round_trip({"far apart": weights})


def test_each_kind_of_weights_is_written_short():
    zeros = sparse((200, 200), 0.95)
    assert len(encode_weights({"w": zeros})) < zeros.numel() * 4 * 0.09
    book = torch.randn(16)
    shared = book[torch.randint(0, 16, (200, 200))] * (zeros != 0)
    assert len(encode_weights({"w": shared})) < zeros.numel() * 4 / 45
    assert len(encode_weights({"w": torch.randn(200, 200)})) < 200 * 200 * 4 + 200


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "member-1.coded"
    path.write_bytes(b"nonsense")
    with pytest.raises(BundleError, match=r"member-1\.coded.*no coded weights"):
        read_coded(path)


@pytest.mark.parametrize("cut", [4, 12, 20, -1])
def test_a_file_that_is_cut_off_is_refused(cut):
    content = encode_weights({"w": sparse((100, 100), 0.9), "b": torch.ones(3)})
    with pytest.raises(ValueError, match=r"no coded weights|cut off|not one|not there"):
        decode_weights(content[:cut])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shape": [50, 100]}, "beyond the end"),
        ({"shape": [-1, 100]}, "no shape"),
        ({"shape": [1 << 20, 1 << 20]}, "no shape"),
        ({"shape": [1 << 31]}, "no shape"),
        ({"shape": "x"}, "not one|invalid"),
        ({"gaps": {"count": -5, "code": [0, 2], "bits": [0, 1]}}, "cannot be -5"),
        ({"plain": [0, 100], "dtype": "quint8", "shape": [100]}, "of type quint8"),
        ({"gaps": {"count": 5, "code": [0, 10**9], "bits": [0, 1]}}, "not there"),
        ({"gaps": {"count": 5, "code": [-1, 2], "bits": [0, 1]}}, "not there"),
        ({"gaps": None}, "not one"),
    ],
)
def test_a_header_that_lies_is_refused(change, said):
    content = encode_weights({"w": sparse((100, 100), 0.9)})
    header = header_of(content)
    assert "gaps" in header["tensors"][0]
    header["tensors"][0] |= change
    with pytest.raises(ValueError, match=said):
        decode_weights(with_header(content, header))


def test_what_is_not_finite_is_kept():
    weights = {"w": torch.tensor([float("inf"), float("nan"), -0.0, 1.0]).repeat(40, 1)}
    read = decode_weights(encode_weights(weights))["w"]
    assert np.array_equal(read.numpy(), weights["w"].numpy(), equal_nan=True)


def test_many_tensors_of_zeros_ask_for_no_more_than_one_may():
    content = encode_weights({"w": torch.zeros(100, 100)})
    header = header_of(content)
    (one,) = header["tensors"]
    header["tensors"] = [{**one, "name": f"w{number}", "shape": [1 << 20, 100]} for number in range(11)]
    with pytest.raises(ValueError, match="no shape"):
        decode_weights(with_header(content, header))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(30, 20), (7, 20, 6)])
def test_scaled_values_come_back_along_either_axis_with_and_without_zeros(axis, shape):
    generator = torch.Generator().manual_seed(0)
    for share in (0.0, 0.9):
        weights = rounded(sparse(shape, share), axis)
        assert ("scaled" in header_of(encode_weights({"w": weights}))["tensors"][0]) or share
        round_trip({"w": weights, "other": torch.randn(3, generator=generator)})
