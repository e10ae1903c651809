from __future__ import annotations

import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.io import savemat

from primase.bio import matlab, matlab_elements
from primase.bio.matlab import DeepSeaFile, Part, open_deepsea
from primase.bio.nucleotides import decode_nucleotides
from primase.errors import ConfigurationError, ReadError

PARTS: dict[Part, str] = {"train": "train", "validation": "valid", "test": "test"}


def _data(examples: int, length: int, targets: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = np.eye(5, 4, dtype=np.uint8)[random.integers(0, 5, (examples, length))].transpose(0, 2, 1)
    return columns.copy(), random.integers(0, 2, (examples, targets)).astype(np.uint8)


def _letters(columns: np.ndarray) -> list[str]:
    """The order of DeepSEA's rows, and N where a column is all zeros, said in another way."""
    return ["".join("AGCT"[column.argmax()] if column.any() else "N" for column in one.T) for one in columns]


def _save_hdf5(path: Path, prefix: str, columns: np.ndarray, targets: np.ndarray, **options: object) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset(f"{prefix}xdata", data=columns.T, **options)
        file.create_dataset(f"{prefix}data", data=targets.T, **options)
    with path.open("r+b") as block:
        block.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def _save(path: Path, kind: str, prefix: str, columns: np.ndarray, targets: np.ndarray) -> Path:
    if kind.startswith("7.3"):
        options = {"chunks": True, "compression": "gzip"} if kind == "7.3 packed" else {}
        return _save_hdf5(path, prefix, columns, targets, **options)
    variables = {"a": 1.0, f"{prefix}xdata": columns, f"{prefix}data": targets, "z": "text"}
    savemat(path, variables, do_compression=kind == "5 packed")
    return path


def _all(file: DeepSeaFile, size: int) -> tuple[np.ndarray, np.ndarray]:
    codes, targets = zip(*file.blocks(size), strict=True)
    assert all(len(block) == size for block in codes[:-1])
    return np.concatenate(codes), np.concatenate(targets)


@pytest.mark.parametrize("kind", ["5", "5 packed", "7.3", "7.3 packed"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_both_formats_give_the_letters_and_targets(tmp_path: Path, kind: str, part: Part, size: int) -> None:
    columns, targets = _data(13, 20, 6)
    file = open_deepsea(_save(tmp_path / "x.mat", kind, PARTS[part], columns, targets), part)
    assert (file.examples, file.length, file.targets) == (13, 20, 6)
    codes, read = _all(file, size)
    assert [decode_nucleotides(one) for one in codes] == _letters(columns)
    assert_array_equal(read, targets)
    assert (codes.dtype.name, read.dtype.name) == ("uint8", "int8")


@pytest.mark.parametrize("kind", ["5", "5 packed", "7.3"])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.int16, np.int32, np.uint32, np.float32, np.float64])
def test_numbers_of_any_type_are_read(tmp_path: Path, kind: str, dtype: type) -> None:
    columns, targets = _data(5, 8, 3)
    path = _save(tmp_path / "x.mat", kind, "test", columns.astype(dtype), targets.astype(dtype))
    codes, read = _all(open_deepsea(path, "test"), 2)
    assert [decode_nucleotides(one) for one in codes] == _letters(columns)
    assert_array_equal(read, targets)


@settings(deadline=None, max_examples=30)
@given(
    examples=st.integers(1, 9),
    length=st.integers(1, 9),
    targets=st.integers(1, 5),
    run=st.integers(1, 4),
    packed=st.booleans(),
)
def test_files_of_any_size_are_read_as_they_are(
    *, tmp_path_factory: pytest.TempPathFactory, examples: int, length: int, targets: int, run: int, packed: bool
) -> None:
    columns, labels = _data(examples, length, targets, seed=examples * length)
    path = _save(tmp_path_factory.mktemp("mat") / "x.mat", "5 packed" if packed else "5", "valid", columns, labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matlab, "_EXAMPLES_PER_READ", run)
        patch.setattr(matlab_elements, "_UNPACKED_BYTES", 5)
        codes, read = _all(open_deepsea(path, "validation"), 2)
    assert [decode_nucleotides(one) for one in codes] == _letters(columns)
    assert_array_equal(read, labels)


def _element(kind: int, content: bytes, order: str) -> bytes:
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(name: str, numbers: np.ndarray, order: str, storage: tuple[int, str], number_class: int = 6) -> bytes:
    content = _element(6, struct.pack(f"{order}II", number_class, 0), order)
    content += _element(5, struct.pack(f"{order}{numbers.ndim}i", *numbers.shape), order)
    content += _element(1, name.encode(), order)
    content += _element(storage[0], numbers.astype(f"{order}{storage[1]}").tobytes(order="F"), order)
    return _element(14, content, order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("storage", [(2, "u1"), (4, "u2"), (9, "f8")])
def test_either_byte_order_and_smaller_storage_than_the_class_are_read(
    tmp_path: Path, order: str, storage: tuple[int, str]
) -> None:
    # MATLAB itself writes doubles that are whole numbers in as few bytes as they need, which savemat never does.
    columns, targets = _data(5, 8, 3)
    version = struct.pack(f"{order}H", 0x0100) + (b"IM" if order == "<" else b"MI")
    content = b"MATLAB 5.0 MAT-file".ljust(124) + version
    content += _matrix("testdata", targets, order, storage) + _matrix("testxdata", columns, order, storage)
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    codes, read = _all(open_deepsea(path, "test"), 4)
    assert [decode_nucleotides(one) for one in codes] == _letters(columns)
    assert_array_equal(read, targets)


@pytest.mark.parametrize("kind", ["5", "7.3"])
def test_memory_is_bounded(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "_EXAMPLES_PER_READ", 64)
    columns, targets = _data(4000, 500, 5)
    path = _save(tmp_path / "x.mat", kind, "train", columns, targets)
    file = open_deepsea(path, "train")
    next(file.blocks(32))  # imports are not counted
    tracemalloc.start()
    try:
        total = sum(len(codes) for codes, _ in file.blocks(32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 4000
    assert peak < 2_000_000 < columns.nbytes / 3


def test_a_compressed_variable_is_unpacked_as_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab_elements, "_UNPACKED_BYTES", 1 << 16)
    columns, targets = _data(4000, 500, 5)
    path = _save(tmp_path / "x.mat", "5 packed", "test", columns, targets)
    (tmp_path / "room").mkdir()
    tracemalloc.start()
    try:
        file = open_deepsea(path, "test", folder=tmp_path / "room")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 < columns.nbytes / 3
    assert list((tmp_path / "room").iterdir()) == []  # it has no name
    assert file.examples == 4000


def test_a_file_of_hdf5_can_be_given_to_another_process(tmp_path: Path) -> None:
    columns, targets = _data(3, 4, 2)
    file = open_deepsea(_save(tmp_path / "x.mat", "7.3", "train", columns, targets), "train")
    assert_array_equal(_all(pickle.loads(pickle.dumps(file)), 2)[1], targets)


@pytest.mark.parametrize("kind", ["5", "5 packed", "7.3"])
def test_a_variable_that_is_missing_is_named(tmp_path: Path, kind: str) -> None:
    path = _save(tmp_path / "x.mat", kind, "valid", *_data(3, 4, 2))
    with pytest.raises(ReadError) as caught:
        open_deepsea(path, "test")
    error = caught.value
    assert error.what == "the variable 'testxdata' is missing"
    assert error.got is not None
    assert "validxdata" in error.got
    assert error.advice == "This is the validation part."


@pytest.mark.parametrize("kind", ["5", "7.3"])
@pytest.mark.parametrize(
    ("columns", "targets"),
    [((3, 5, 8), (3, 2)), ((3, 4, 8), (4, 2)), ((8, 4, 3), (3, 2)), ((3, 4), (3, 2)), ((0, 4, 8), (0, 2))],
)
def test_other_shapes_are_refused(
    tmp_path: Path, kind: str, columns: tuple[int, ...], targets: tuple[int, ...]
) -> None:
    path = _save(tmp_path / "x.mat", kind, "test", np.zeros(columns), np.zeros(targets))
    with pytest.raises(ReadError) as caught:
        open_deepsea(path, "test")
    assert "the variables do not have the shapes of DeepSEA's" in str(caught.value)
    assert f"testxdata {' x '.join(map(str, columns))}" in str(caught.value)


@pytest.mark.parametrize("kind", ["5", "5 packed", "7.3"])
@pytest.mark.parametrize(("wrong", "name"), [(2, "letters"), (-1, "letters"), (2, "targets")])
def test_numbers_other_than_zero_and_one_are_named(tmp_path: Path, kind: str, wrong: int, name: str) -> None:
    columns, targets = (array.astype(np.int8) for array in _data(9, 8, 3))
    if name == "letters":
        columns[6, 2, 5] = wrong
    else:
        targets[6, 1] = wrong
    file = open_deepsea(_save(tmp_path / "x.mat", kind, "test", columns, targets), "test")
    with pytest.raises(ReadError) as caught:
        list(file.blocks(2))
    expected = f"{tmp_path / 'x.mat'}, example 7: the {name} of an example hold a number that is neither 0 nor 1"
    assert str(caught.value).startswith(f"{expected}. Found: {wrong}.")


@pytest.mark.parametrize("content", [b"", b"not a MATLAB file", b">a\nACGT\n" * 100, b"\x93NUMPY" + bytes(600)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(ReadError, match=r"x\.mat: this is no MATLAB file"):
        open_deepsea(tmp_path / "x.mat", "train")


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        open_deepsea(tmp_path / "x.mat", "train")


@pytest.mark.parametrize("kind", ["5", "5 packed", "7.3"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.98])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    path = _save(tmp_path / "x.mat", kind, "test", *_data(100, 50, 5))
    content = path.read_bytes()
    path.write_bytes(content[: max(600, int(kept * len(content)))])
    with pytest.raises(ReadError, match="damaged or cut off"):
        open_deepsea(path, "test")


def test_a_damaged_compressed_variable_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "x.mat", "5 packed", "test", *_data(100, 50, 5))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(ReadError, match="damaged or cut off"):
        open_deepsea(path, "test")


@pytest.mark.parametrize("value", ["text", np.array([{"a": 1}], dtype=object), np.ones((3, 2)) * 1j])
def test_a_variable_without_numbers_is_refused(tmp_path: Path, value: object) -> None:
    savemat(tmp_path / "x.mat", {"testxdata": np.zeros((3, 4, 8)), "testdata": value})
    with pytest.raises(ReadError, match="the variable 'testdata' holds no numbers"):
        open_deepsea(tmp_path / "x.mat", "test")


def test_a_group_or_text_in_hdf5_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.mat", "w") as file:
        file["testxdata"] = np.zeros((8, 4, 3))
        file.create_group("testdata")
    with pytest.raises(ReadError, match="the variable 'testdata' holds no numbers"):
        open_deepsea(tmp_path / "x.mat", "test")


def test_a_matrix_whose_numbers_do_not_fill_it_is_refused(tmp_path: Path) -> None:
    columns, targets = _data(5, 8, 3)
    wrong = _matrix("testdata", targets, "<", (2, "u1")).replace(struct.pack("<2i", 5, 3), struct.pack("<2i", 5, 4))
    content = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + wrong + _matrix("testxdata", columns, "<", (2, "u1"))
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(ReadError, match="damaged or cut off"):
        open_deepsea(tmp_path / "x.mat", "test")


def test_a_compressed_variable_without_its_checksum_is_refused(tmp_path: Path) -> None:
    columns, targets = _data(5, 8, 3)
    packed = zlib.compress(_matrix("testxdata", columns, "<", (2, "u1")))[:-4]
    content = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + _matrix("testdata", targets, "<", (2, "u1"))
    (tmp_path / "x.mat").write_bytes(content + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(ReadError, match="a compressed element that ends too early"):
        open_deepsea(tmp_path / "x.mat", "test")


def test_a_compressed_element_that_is_no_matrix_is_passed_over(tmp_path: Path) -> None:
    columns, targets = _data(5, 8, 3)
    other = zlib.compress(_element(1, b"something", "<"))
    content = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(other)) + other
    content += _matrix("testdata", targets, "<", (2, "u1")) + _matrix("testxdata", columns, "<", (2, "u1"))
    (tmp_path / "x.mat").write_bytes(content)
    assert open_deepsea(tmp_path / "x.mat", "test").examples == 5


def test_a_block_must_have_an_example(tmp_path: Path) -> None:
    file = open_deepsea(_save(tmp_path / "x.mat", "5", "test", *_data(3, 4, 2)), "test")
    with pytest.raises(ConfigurationError, match="at least one example"):
        next(file.blocks(0))
