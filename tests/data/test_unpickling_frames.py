from __future__ import annotations

import io
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.apps.expression.sources import BREAST_CANCER
from primase.data import unpickling_frames
from primase.data.mirror import MirrorFolder
from primase.data.unpickling_frames import load_frame
from primase.errors import ReadError

# numpy 2 and pandas 3 write what they have renamed under its new name; the names are read alike.
WHOLE = pd.DataFrame(
    {
        "pid": pd.Series(["a", "b", "c"], dtype=object),
        "event": [0, 1, 1],
        "grade": pd.Categorical(["1", "missing", "1"]),
        "stage": pd.Categorical(["x", None, "y"]),
        "level": pd.Categorical([2, 0, 2]),
        "num_TP53": [1.5, np.nan, -2.0],
        "num_MYC": [0.0, 1e300, 3.0],
        "flag": [True, False, True],
    },
    columns=pd.Index(["pid", "event", "grade", "stage", "level", "num_TP53", "num_MYC", "flag"], dtype=object),
)
WHOLE["stage"] = WHOLE["stage"].cat.rename_categories(pd.Index(["x", "y"], dtype=object))
WHOLE["grade"] = WHOLE["grade"].cat.rename_categories(pd.Index(["1", "missing"], dtype=object))


def write(folder: Path, content: object, protocol: int = 5) -> Path:
    path = folder / "frame.pickle"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


def check(path: Path, frame: pd.DataFrame) -> None:
    found = load_frame(path)
    assert [*found] == [str(name) for name in frame.columns]
    for name, values in found.items():
        wanted = frame[name]
        if values.dtype == object:
            assert values.tolist() == [None if pd.isna(cell) else cell for cell in wanted.tolist()]
        else:
            np.testing.assert_array_equal(values, wanted.to_numpy())


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_table_comes_back_as_pandas_wrote_it(tmp_path: Path, protocol: int) -> None:
    check(write(tmp_path, WHOLE, protocol), WHOLE)


def test_rows_and_columns_that_were_reordered(tmp_path: Path) -> None:
    frame = WHOLE.iloc[[2, 0], [6, 0, 5, 3, 1]]
    check(write(tmp_path, frame), frame)


@pytest.mark.parametrize("kind", [np.float64, np.int32, object])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_table_of_one_kind(tmp_path: Path, kind: type, order: Literal["C", "F"]) -> None:
    frame = pd.DataFrame(
        np.arange(6).reshape(2, 3).astype(kind, order=order), columns=pd.Index(list("abc"), dtype=object)
    )
    check(write(tmp_path, frame), frame)


@pytest.mark.parametrize("kind", [np.float64, np.bool_, object])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [4, 5])
def test_the_order_of_values_in_memory_does_not_matter(
    tmp_path: Path, kind: type, order: Literal["C", "F"], protocol: int
) -> None:
    array = np.arange(6).reshape(2, 3).astype(kind, order=order)
    note = unpickling_frames._Notes(io.BytesIO(pickle.dumps(array, protocol)), tmp_path).load()
    np.testing.assert_array_equal(unpickling_frames._array(note), array)


class _Harmful:
    def __init__(self, what: Any, *arguments: Any) -> None:
        self.what, self.arguments = what, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.what, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("what", "arguments", "named"),
    [
        (os.system, ("exit 3",), "system"),
        (eval, ("1/0",), "eval"),
        (subprocess.Popen, (["true"],), "Popen"),
        (getattr, (WHOLE, "to_csv"), "getattr"),
        (np.load, ("x.npy",), "load"),
    ],
)
def test_anything_harmful_is_named_and_never_called(
    tmp_path: Path, protocol: int, what: Any, arguments: tuple[Any, ...], named: str
) -> None:
    frame = pd.DataFrame({"a": pd.Series([_Harmful(what, *arguments)], dtype=object)}) if protocol > 2 else None
    path = write(tmp_path, _Harmful(what, *arguments) if frame is None else frame, protocol)
    with pytest.raises(ReadError, match=f"forbidden.*global .*{named}"):
        load_frame(path)


def test_an_allowed_name_makes_nothing_either(tmp_path: Path) -> None:
    # numpy.dtype would complain about this name; a note of it does not, and is refused as no table.
    with pytest.raises(ReadError, match="no table"):
        load_frame(write(tmp_path, b"\x80\x02cnumpy\ndtype\nU\x07nothing\x85R."))


def test_persistent_ids_extensions_and_states_are_refused(tmp_path: Path) -> None:
    for content in (b"Psecret\n.", b"\x80\x02]\x82\x01a.", b"\x80\x02cnumpy\ndtype\n)\x81}U\x01ab."):
        with pytest.raises(ReadError):
            load_frame(write(tmp_path, content))


def test_what_is_no_table_is_said(tmp_path: Path) -> None:
    for content in ([1, 2], {"a": 1}, "words", np.arange(3)):
        with pytest.raises(ReadError, match="no table of pandas"):
            load_frame(write(tmp_path, content))
    with pytest.raises(ReadError, match="no table of pandas"):
        load_frame(write(tmp_path, pd.DataFrame([[[1]]], columns=[0])))
    with pytest.raises(ReadError, match="cannot be read"):
        load_frame(tmp_path / "absent.pickle")


@given(cut=st.integers(0, 5000), flip=st.integers(0, 255))
def test_damage_is_a_read_error_or_changes_values_only(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    content = bytearray(pickle.dumps(WHOLE))
    folder = tmp_path_factory.getbasetemp()
    place = cut % len(content)
    with pytest.raises(ReadError):
        load_frame(write(folder, bytes(content[:place])))
    content[place] = flip
    try:
        load_frame(write(folder, bytes(content)))
    except ReadError:
        return


@given(content=st.binary(max_size=200))
def test_no_bytes_cause_any_other_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    with pytest.raises(ReadError):
        load_frame(write(tmp_path_factory.getbasetemp(), content))


def test_the_registered_tables_agree_with_pandas() -> None:
    folder = os.environ.get("PRIMASE_MIRROR")
    mirror = MirrorFolder(Path(folder)) if folder else None
    found = [mirror.find(file) if mirror else None for file in BREAST_CANCER.files]
    if None in found:
        pytest.skip("PRIMASE_MIRROR does not hold the breast-cancer set")
    for path in filter(None, found):
        # The content is that of the registered sha256, so that the ordinary unpickler is safe here.
        check(path, pd.read_pickle(path))
