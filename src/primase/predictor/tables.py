"""Tables of predictions on disk: CSV, TSV or Parquet by the ending of the name, written in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, final

import polars as pl
from pyarrow import parquet

from primase.errors import InputError

SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
ENDINGS: Final = (".parquet", *SEPARATORS)


def check_table_path(path: Path) -> None:
    """Refuse a name from which the format cannot be told, a name that is taken, and a folder that does not exist.

    Raises
    ------
    InputError
        If the table cannot be written there.
    """
    if path.suffix not in ENDINGS:
        what = "the format of the table is told by its ending"
        raise InputError(what, where=str(path), got=path.suffix or "none", wanted=", ".join(ENDINGS))
    if path.exists():
        what = "there is already a file of this name"
        raise InputError(what, where=str(path))
    if not path.absolute().parent.is_dir():
        what = "the folder does not exist"
        raise InputError(what, where=str(path.absolute().parent))


def write_table(path: Path, blocks: Iterable[pl.DataFrame]) -> int:
    """Write blocks of one table to a file that appears when it is whole.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    InputError
        If the table cannot be written there.
    """
    check_table_path(path)
    staged = path.with_name(f".{path.name}.part")
    rows = 0
    try:
        with staged.open("wb") as file:
            table = _ParquetRows(file) if path.suffix == ".parquet" else _DelimitedRows(file, SEPARATORS[path.suffix])
            try:
                for block in blocks:
                    table.append(block)
                    rows += len(block)
            finally:
                table.close()
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return rows


@final
class _ParquetRows:
    """Append blocks to a Parquet file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.writer: parquet.ParquetWriter | None = None

    def append(self, block: pl.DataFrame) -> None:
        table = block.to_arrow()
        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.file, table.schema, compression="zstd")
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


@final
class _DelimitedRows:
    """Append blocks to a CSV or TSV file."""

    def __init__(self, file: BinaryIO, separator: str) -> None:
        self.file = file
        self.separator = separator
        self.header = True

    def append(self, block: pl.DataFrame) -> None:
        block.write_csv(self.file, separator=self.separator, include_header=self.header)
        self.header = False

    def close(self) -> None:
        self.file.flush()
