"""The data files of DeepSEA, which are MATLAB files: read a block of sequences at a time, however large they are.

DeepSEA (Zhou and Troyanskaya 2015, Nature Methods 12:931) publishes ``train.mat``, which is HDF5 (MATLAB 7.3), and
``valid.mat`` and ``test.mat``, which are MATLAB 5. A sequence of 1,000 letters is four rows of zeros and ones, in the
order A, G, C, T (Quang and Xie 2016, Nucleic Acids Research 44:e107, "Features and data", which its author confirms
in issue 6 of uci-cbcl/DanQ). The second half of a file is the first once more, as reverse complements in the same
order (issue 14 there): half of the examples are enough where both strands are used anyway, and a metric is that of
the mean over the two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, final

import numpy as np
from jaxtyping import Int8, Shaped, UInt8

from primase.bio.matlab_elements import Numbers, is_matlab5, map_variables, refuse_class, refuse_damage
from primase.bio.nucleotides import BASES
from primase.bio.reading import open_binary
from primase.errors import ConfigurationError, ReadError

Part = Literal["train", "validation", "test"]

_CODES_OF_ROWS: Final = (1, 4, 2, 8)
"""A, G, C, T: the order of the rows in the files of DeepSEA."""

_VARIABLES: Final[Mapping[Part, tuple[str, str]]] = {
    "train": ("trainxdata", "traindata"),
    "validation": ("validxdata", "validdata"),
    "test": ("testxdata", "testdata"),
}
_WANTED: Final = "the train.mat, valid.mat or test.mat of DeepSEA (MATLAB 5 or 7.3)"
# In a MATLAB file the sequences of one letter and row stand side by side: short reads would go through all of it.
_EXAMPLES_PER_READ = 4096

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HDF5_PLACES = (0, 512)


class _Source(Protocol):
    def read(self, start: int, stop: int) -> tuple[Numbers, Numbers]:
        """Return sequences (examples, 4, length) and targets (examples, targets)."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class DeepSeaFile:
    """One part of the DeepSEA data, on disk.

    Parameters
    ----------
    path
        The file.
    examples, length, targets
        How many sequences it has, of how many letters, with how many targets.
    source
        What reads a run of them.
    """

    path: Path
    examples: int
    length: int
    targets: int
    source: _Source

    def blocks(
        self, size: int
    ) -> Iterator[tuple[UInt8[np.ndarray, "examples length"], Int8[np.ndarray, "examples targets"]]]:
        """Go through the sequences in order.

        Parameters
        ----------
        size
            Examples per block, at least 1; the last block may have fewer.

        Yields
        ------
        codes, targets
            Codes of :mod:`primase.bio.nucleotides`, N where a column is all zeros; and 0 or 1 per target.

        Raises
        ------
        ReadError
            If a number is neither 0 nor 1, or the file is damaged.
        ConfigurationError
            If the size is less than 1.
        """
        if size < 1:
            what = "a block must have at least one example"
            raise ConfigurationError(what, got=str(size))
        run = -(-max(size, _EXAMPLES_PER_READ) // size) * size
        for start in range(0, self.examples, run):
            columns, targets = self.source.read(start, min(start + run, self.examples))
            for first in range(0, len(columns), size):
                part = slice(first, first + size)
                yield (
                    self._codes(self._bits(columns[part], start + first, "letters")),
                    self._bits(targets[part], start + first, "targets").astype(np.int8),
                )

    def _bits(self, numbers: Numbers, first: int, name: str) -> Shaped[np.ndarray, "..."]:
        bits = numbers == 1
        odd = bits != (numbers != 0)
        if odd.any():
            where = np.unravel_index(int(odd.argmax()), odd.shape)
            what = f"the {name} of an example hold a number that is neither 0 nor 1"
            place = f"{self.path}, example {first + int(where[0]) + 1:,}"
            raise ReadError(what, where=place, got=f"{numbers[where]}", wanted="0 and 1")
        return np.asarray(bits)

    @staticmethod
    def _codes(bits: Shaped[np.ndarray, "examples 4 length"]) -> UInt8[np.ndarray, "examples length"]:
        codes = np.zeros((bits.shape[0], bits.shape[2]), dtype=np.uint8)
        for row, code in enumerate(_CODES_OF_ROWS):
            codes |= bits[:, row].astype(np.uint8) * np.uint8(code)
        codes[codes == 0] = BASES
        return codes


def open_deepsea(path: Path, part: Part, *, folder: Path | None = None) -> DeepSeaFile:
    """Open a data file of DeepSEA, in either of the formats of MATLAB, and tell how much is in it.

    Parameters
    ----------
    path
        The file.
    part
        ``"train"``, ``"validation"`` or ``"test"``: the names of the variables say so.
    folder
        Where a compressed variable of a MATLAB 5 file is unpacked to, in a file without a name that goes with the
        process; the system's folder for such files if None. DeepSEA's test set takes 2.3 GB.

    Raises
    ------
    ReadError
        If the file is missing, damaged or no MATLAB file, or if a variable is missing, holds no numbers, or has
        another shape than DeepSEA's.
    """
    path = Path(path)
    with open_binary(path):
        pass  # says what is wrong with a file that cannot be read
    with path.open("rb") as file:
        start = file.read(max(_HDF5_PLACES) + len(_HDF5_SIGNATURE))
    names = _VARIABLES[part]
    if any(start[place:].startswith(_HDF5_SIGNATURE) for place in _HDF5_PLACES):
        return _open_hdf5(path, names)
    if is_matlab5(start):
        return _open_matlab5(path, names, folder)
    what = "this is no MATLAB file"
    raise ReadError(what, where=str(path), got=f"a file that starts with {start[:16]!r}", wanted=_WANTED)


@dataclass(frozen=True, slots=True)
class _Hdf5Source:
    """MATLAB 7.3: the axes stand in the opposite order. The file is opened for each run, so that it can be pickled."""

    path: Path
    names: tuple[str, str]

    def read(self, start: int, stop: int) -> tuple[Numbers, Numbers]:
        import h5py  # noqa: PLC0415  loads the HDF5 library, which few need

        try:
            with h5py.File(self.path, "r") as file:
                columns, targets = (file[name][..., start:stop] for name in self.names)
        except OSError as error:
            refuse_damage(self.path, str(error))
        return columns.transpose(2, 1, 0), targets.T


def _open_hdf5(path: Path, names: tuple[str, str]) -> DeepSeaFile:
    import h5py  # noqa: PLC0415  as above

    try:
        with h5py.File(path, "r") as file:
            _require(path, names, list(file))
            datasets = [file[name] for name in names]
            for name, dataset in zip(names, datasets, strict=True):
                if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biuf":
                    refuse_class(path, name)
            shapes = [tuple(reversed(dataset.shape)) for dataset in datasets]
    except OSError as error:
        refuse_damage(path, str(error))
    return _checked(path, names, shapes, _Hdf5Source(path, names))


@dataclass(frozen=True, slots=True, eq=False)
class _MappedSource:
    """MATLAB 5: both variables memory-mapped."""

    columns: Numbers
    targets: Numbers

    def read(self, start: int, stop: int) -> tuple[Numbers, Numbers]:
        return np.ascontiguousarray(self.columns[start:stop]), np.ascontiguousarray(self.targets[start:stop])


def _open_matlab5(path: Path, names: tuple[str, str], folder: Path | None) -> DeepSeaFile:
    variables, present = map_variables(path, names, folder)
    _require(path, names, present)
    columns, targets = (variables[name] for name in names)
    shapes = [columns.shape, targets.shape]
    return _checked(path, names, shapes, _MappedSource(columns, targets))


def _checked(path: Path, names: tuple[str, str], shapes: list[tuple[int, ...]], source: _Source) -> DeepSeaFile:
    columns, targets = shapes
    if len(columns) != 3 or len(targets) != 2 or columns[1] != 4 or columns[0] != targets[0] or not columns[0]:
        what = "the variables do not have the shapes of DeepSEA's"
        got = " and ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in zip(names, shapes, strict=True))
        wanted = "sequences x 4 x letters and sequences x targets, as MATLAB counts the axes"
        raise ReadError(what, where=str(path), got=got, wanted=wanted)
    return DeepSeaFile(path, columns[0], columns[2], targets[1], source)


def _require(path: Path, names: tuple[str, str], present: Collection[str]) -> None:
    missing = [name for name in names if name not in present]
    if not missing:
        return
    what = f"the variable {missing[0]!r} is missing"
    shown = ", ".join(name for name in present if not name.startswith("#")) or "none"
    parts = [part for part, others in _VARIABLES.items() if set(others) <= set(present)]
    advice = f"This is the {parts[0]} part." if parts else None
    raise ReadError(what, where=str(path), got=f"the variables {shown}", wanted=" and ".join(names), advice=advice)
