"""The files that a scan ends as: Parquet, BED or bigWig by the ending of the name, written block by block."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Float, Shaped

from primase.apps.sequences.scan_blocks import ScanBlocks, Values
from primase.apps.sequences.scan_windows import ScanWindows
from primase.bio.reading import write_then_rename
from primase.errors import InputError
from primase.predictor.tables import write_table

PARQUET, BED, BIGWIG = ".parquet", ".bed", ".bw"
ENDINGS: Final = (PARQUET, BED, BIGWIG)
BOTH: Final = (".",)
STRANDED: Final = ("+", "-")

ROW_GROUP_VALUES: Final = 1 << 22
BIGWIG_BYTES: Final = 11
"""Measured, per value, with the zoom levels that browsers need."""
PARQUET_BYTES: Final = 3
"""Measured, per row, beside four bytes for each probability."""
STRAND_NAMES: Final = {"+": "plus", "-": "minus"}


@dataclass(frozen=True, slots=True)
class ScanColumns:
    """What is predicted for each window.

    Parameters
    ----------
    targets
        Names.
    strands
        ``"."`` where one answer holds for both strands, else ``"+"`` and ``"-"``. All targets of the first strand come
        before those of the second.
    """

    targets: tuple[str, ...]
    strands: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of values of a window."""
        return len(self.targets) * len(self.strands)


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """A scan whose windows have all been predicted."""

    windows: ScanWindows
    columns: ScanColumns
    blocks: ScanBlocks

    def frame(self, number: int) -> pl.DataFrame:
        """Lay a block out as the rows of a table: of each window, a row per strand."""
        first, last = self.blocks.range(number)
        places = self.windows.places(first, last)
        starts, ends = self.windows.borders(places)
        strands, targets = len(self.columns.strands), len(self.columns.targets)
        values = by_strand(self.blocks.read(number), self.columns).reshape(-1, targets)
        texts = {
            "chromosome": np.repeat(self.windows.names(places), strands).tolist(),
            "strand": list(self.columns.strands) * (last - first),
        }
        return pl.DataFrame(
            {
                "chromosome": pl.Series(texts["chromosome"], dtype=pl.String),
                "start": np.repeat(starts, strands),
                "end": np.repeat(ends, strands),
                "strand": pl.Series(texts["strand"], dtype=pl.String),
                **{
                    f"probability_{target}": pl.Series(np.ascontiguousarray(values[:, place])).fill_nan(None)
                    for place, target in enumerate(self.columns.targets)
                },
            }
        )


def by_strand(values: Values, columns: ScanColumns) -> Float[np.ndarray, "windows strands targets"]:
    """Lay the values of a block out by window, strand and target."""
    return values.reshape(len(columns.strands), len(columns.targets), -1).transpose(2, 0, 1)


class ScanWriter(ABC):
    """Writes a scan as files of one kind."""

    @abstractmethod
    def paths(self, out: Path, columns: ScanColumns) -> list[Path]:
        """Name the files."""

    @abstractmethod
    def bytes_expected(self, windows: int, columns: ScanColumns, first_block: Values) -> float:
        """Estimate the size of all files together."""

    @abstractmethod
    def write(self, out: Path, scanned: Scanned, staging: Path) -> None:
        """Write the files; each appears under its name when it is whole.

        Parameters
        ----------
        staging
            A folder on the same disk, for what is not yet whole.
        """


def writer_of(out: Path, minimum: float | None) -> ScanWriter:
    """Choose the kind of file by the ending of the name.

    Raises
    ------
    InputError
        If it ends otherwise, or if ``minimum`` is given for a kind that keeps all windows.
    """
    if out.suffix not in ENDINGS:
        what = "the format of a scan is told by the ending of the file"
        raise InputError(what, where=str(out), got=out.suffix or "none", wanted=", ".join(ENDINGS))
    if minimum is not None and out.suffix != BED:
        what = "a minimum is for BED: the other formats keep every window"
        raise InputError(what, where="--minimum", advice="Leave it out, or let --out end in .bed.")
    if out.suffix == BED:
        return BedWriter(0.5 if minimum is None else minimum)
    return ParquetWriter() if out.suffix == PARQUET else BigWigWriter()


def refuse_taken(paths: Sequence[Path]) -> None:
    """Refuse names that are taken, and a folder that does not exist.

    Raises
    ------
    InputError
        If a file cannot be written there.
    """
    for path in paths:
        if path.exists():
            what = "there is already a file of this name"
            raise InputError(what, where=str(path))
    folder = paths[0].absolute().parent
    if not folder.is_dir():
        what = "the folder does not exist"
        raise InputError(what, where=str(folder))


@final
class ParquetWriter(ScanWriter):
    """One table of all windows: chromosome, start, end, strand, and a column per target."""

    def paths(self, out: Path, columns: ScanColumns) -> list[Path]:
        """Name the file."""
        del columns
        return [out]

    def bytes_expected(self, windows: int, columns: ScanColumns, first_block: Values) -> float:
        """Estimate its size: probabilities hardly compress, places do."""
        del first_block
        return windows * (4 * len(columns) + PARQUET_BYTES * len(columns.strands))

    def write(self, out: Path, scanned: Scanned, staging: Path) -> None:
        """Write the table, several blocks at a time: readers are slow on small row groups."""
        del staging
        values = scanned.blocks.block * len(scanned.columns)
        together = max(1, ROW_GROUP_VALUES // values)
        numbers = range(scanned.blocks.count)
        groups = (numbers[first : first + together] for first in range(0, len(numbers), together))
        write_table(out, (pl.concat([scanned.frame(number) for number in group]) for group in groups))


@final
@dataclass(frozen=True, slots=True)
class BedWriter(ScanWriter):
    """A line per window and target at or above a probability: the target is the name, the score a thousand times it."""

    minimum: float

    def paths(self, out: Path, columns: ScanColumns) -> list[Path]:
        """Name the file."""
        del columns
        return [out]

    def bytes_expected(self, windows: int, columns: ScanColumns, first_block: Values) -> float:
        """Estimate its size, if what comes is like the first block."""
        name = float(np.mean([len(target.encode()) for target in columns.targets]))
        return windows * len(columns) * float((first_block >= self.minimum).mean()) * (34 + name)

    def write(self, out: Path, scanned: Scanned, staging: Path) -> None:
        """Write the lines, sorted by chromosome and start."""
        del staging
        with write_then_rename(out) as file:
            for number in range(scanned.blocks.count):
                frame = self._lines(scanned, number)
                file.write(frame.write_csv(separator="\t", include_header=False, quote_style="never"))

    def _lines(self, scanned: Scanned, number: int) -> pl.DataFrame:
        first, last = scanned.blocks.range(number)
        values = by_strand(scanned.blocks.read(number), scanned.columns)
        window, strand, target = np.nonzero(values >= self.minimum)
        places = scanned.windows.places(first, last)
        starts, ends = scanned.windows.borders(places)
        scores = np.minimum(np.round(values[window, strand, target] * 1000), 1000).astype(np.int64)
        return pl.DataFrame(
            {
                "chromosome": pl.Series(scanned.windows.names(places)[window].tolist(), dtype=pl.String),
                "start": starts[window],
                "end": ends[window],
                "name": pl.Series(_chosen(scanned.columns.targets, target), dtype=pl.String),
                "score": scores,
                "strand": pl.Series(_chosen(scanned.columns.strands, strand), dtype=pl.String),
            }
        )


def _chosen(names: Sequence[str], numbers: Shaped[np.ndarray, "rows"]) -> list[str]:
    return [names[number] for number in numbers.tolist()]


@final
class BigWigWriter(ScanWriter):
    """A file per target, and per strand where there are two: a value per window, for the stride around its centre."""

    def paths(self, out: Path, columns: ScanColumns) -> list[Path]:
        """Name the files: the target stands before the ending where there are several, the strand where there are two.

        Letters that do not belong into the name of a file become underscores; names that are then the same are
        numbered.
        """
        names = [re.sub(r"[^\w.+-]+", "_", target) for target in columns.targets]
        same = Counter(name.lower() for name in names)  # some file systems do not tell A from a
        names = [f"{name}-{number}" if same[name.lower()] > 1 else name for number, name in enumerate(names, start=1)]
        parts = [[name] if len(names) > 1 else [] for name in names]
        ends = [[STRAND_NAMES[strand]] if strand in STRAND_NAMES else [] for strand in columns.strands]
        return [out.with_name(".".join([out.stem, *part, *end]) + BIGWIG) for end in ends for part in parts]

    def bytes_expected(self, windows: int, columns: ScanColumns, first_block: Values) -> float:
        """Estimate the size of all files together."""
        del first_block
        return windows * len(columns) * BIGWIG_BYTES

    def write(self, out: Path, scanned: Scanned, staging: Path) -> None:
        """Write all files, then give them their names."""
        genome = scanned.windows.genome
        numbers = np.unique(scanned.windows.stretches.chromosomes).tolist()
        sizes = {genome.names[number]: int(genome.lengths[number]) for number in numbers}
        paths = self.paths(out, scanned.columns)
        for column, path in enumerate(paths):
            write_big_wig(staging / path.name, sizes, _bins(scanned, column))
        for path in paths:
            (staging / path.name).replace(path)


Bin = tuple[str, int, int, float]


def _bins(scanned: Scanned, column: int) -> Iterator[Bin]:
    for number in range(scanned.blocks.count):
        first, last = scanned.blocks.range(number)
        values = scanned.blocks.read(number, column)[0]
        known = ~np.isnan(values)
        starts, ends = scanned.windows.bins(first, last)
        names = scanned.windows.names(scanned.windows.places(first, last))
        columns = (names[known], starts[known], ends[known], values[known])
        yield from zip(*(part.tolist() for part in columns), strict=True)


def write_big_wig(path: Path, sizes: Mapping[str, int], bins: Iterable[Bin]) -> None:
    """Write a bigWig file.

    Parameters
    ----------
    sizes
        The length of each chromosome.
    bins
        Chromosome, start, end and value, in order and without overlaps.

    Raises
    ------
    OSError
        If the file is not whole when it is done, for want of room perhaps.
    """
    import pybigtools  # noqa: PLC0415  a large library, needed for this format only

    failed: list[BaseException] = []
    covered = 0

    def handed_over() -> Iterator[Bin]:
        # The library prints what goes wrong here, an interruption too, and ends as if all were well.
        nonlocal covered
        try:
            for one in bins:
                covered += one[2] - one[1]
                yield one
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    pybigtools.open(str(path), "w").write(dict(sizes), handed_over())
    if failed:
        raise failed[0]
    try:
        with pybigtools.open(str(path)) as file:
            found = file.info()["summary"]["basesCovered"]
    except pybigtools.BBIReadError:
        found = None
    if found != covered:
        message = f"the bigWig file {path} is not whole"
        raise OSError(message)
