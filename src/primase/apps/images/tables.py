"""Tables with an image a row: which file each row names, what is learned, and what else is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from primase.apps.images.configuration import IMAGE_COLUMNS, TARGET_COLUMNS, ImageData
from primase.bio.images import ENDINGS
from primase.bio.tables import TextTable, read_text_table
from primase.data.audit import Finding
from primase.errors import ConfigurationError, InputError

TABLE_ENDINGS: Final = (".csv", ".tsv", ".tab", ".txt", ".parquet", ".gz")
_UNKNOWN: Final = frozenset({"", "na", "nan", "n/a", "null"})
_SHOWN: Final = 8


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table and the image that it names; page -1 is that of a file with one page, or all of them."""

    number: int
    path: Path
    page: int
    name: str


@final
@dataclass(frozen=True, slots=True)
class ImageTable:
    """The rows of a table whose images exist; the columns have all rows."""

    table: TextTable
    rows: Sequence[Row]
    labels: Mapping[str, Sequence[str]]
    columns: Mapping[str, Sequence[str]]
    findings: Sequence[Finding]


def is_table(path: Path) -> bool:
    """Tell by the ending whether a file is meant to be a table."""
    return path.suffix.lower() in TABLE_ENDINGS


def rows_of(
    data: ImageData, path: Path, roots: Sequence[Path], *, labelled: bool, predicting: bool = False
) -> ImageTable:
    """Read a table and find the image of every row.

    Parameters
    ----------
    roots
        Folders that paths may be relative to, tried in this order before the table's own.
    labelled
        Whether the columns of what is learned must be there.
    predicting
        Whether the columns of groups and subgroups may be absent, as a prediction needs neither.

    Raises
    ------
    InputError
        If a column is missing, or a row names no file (unless such rows are to be skipped), or one named above.
    """
    table = read_text_table(path)
    image_column = _image_column(data, table)
    targets = _target_columns(data, table) if labelled else []
    named = [*([data.group_column] if data.group_column else []), *data.label_column]
    for name in named if not predicting else []:
        option = "--group-column" if name == data.group_column else "--label-column"
        table.column(name, option=option)
    rows, missing = _existing(data, table, image_column, [*roots, path.parent])
    others = [name for name in table.columns if name not in (image_column, *targets)]
    findings = [*_skipped(path, missing), *(_undeclared(path, others, named) if not predicting else [])]
    return ImageTable(
        table,
        rows,
        {name: [_known(cell) for cell in table.columns[name]] for name in targets},
        {name: [_known(cell) for cell in table.columns[name]] for name in others},
        findings,
    )


def columns_of_no_table(data: ImageData, *, trained: bool) -> list[Finding]:
    """Refuse columns to compare figures by where there is no table; of a trained model, say that there are none.

    Raises
    ------
    ConfigurationError
        If there is no table in training.
    """
    if not data.label_column or data.table is not None:
        return []
    shown = ",".join(data.label_column)
    if not trained:
        what = "there is no table that would have these columns"
        advice = "Name a table of the images and these columns with --table, or leave --label-column out."
        raise ConfigurationError(what, where=f"--label-column {shown}", wanted="--table FILE", advice=advice)
    text = f"There is no table that would have the columns {shown}: no figures are given by them."
    return [Finding("columns of no table", len(data.label_column), "warning", text)]


def _known(cell: str) -> str:
    return "" if cell.lower() in _UNKNOWN else cell


def _image_column(data: ImageData, table: TextTable) -> str:
    usual = type(data).model_fields["image_column"].default
    if data.image_column in table.columns or data.image_column != usual:
        table.column(data.image_column, option="--image-column")
        return data.image_column
    found = [name for name in table.columns if name.lower() in IMAGE_COLUMNS]
    if not found:
        table.column(data.image_column, option="--image-column")
    return found[0]


def _target_columns(data: ImageData, table: TextTable) -> list[str]:
    if data.target_column:
        for name in data.target_column:
            table.column(name, option="--target-column")
        return list(data.target_column)
    apart = {data.group_column, *data.label_column}
    found = [name for name in table.columns if name.lower() in TARGET_COLUMNS and name not in apart]
    if not found:
        what = "there is no column of what is to be learned"
        got = f"the columns {', '.join(list(table.columns)[:_SHOWN])}"
        advice = "Name it with --target-column."
        raise InputError(what, where=str(table.path), got=got, wanted=", ".join(TARGET_COLUMNS), advice=advice)
    return found[:1]


def _existing(
    data: ImageData, table: TextTable, column: str, roots: Sequence[Path]
) -> tuple[list[Row], list[tuple[str, str]]]:
    """Find the file of every row; return those that exist, and of the others where they stand and what they name."""
    rows: list[Row] = []
    missing: list[tuple[str, str]] = []
    row_of: dict[tuple[Path, int], int] = {}
    for number, cell in enumerate(table.columns[column]):
        found = next(_candidates(cell, roots), None) if cell else None
        if found is None:
            if data.broken == "refuse":
                raise _no_such_image(table, number, cell, column, roots)
            missing.append((table.where(number), cell))
            continue
        above = row_of.setdefault(found, number)
        if above != number:
            what = "an image stands twice"
            got = f"{cell!r}, as in {table.where(above)}"
            advice = "Join several labels of one image by ';'."
            raise InputError(what, where=table.where(number), got=got, wanted="one row per image", advice=advice)
        rows.append(Row(number, *found, cell.replace("\\", "/")))
    if not rows:
        raise _no_such_image(table, 0, table.columns[column][0], column, roots)
    return rows, missing


def _candidates(cell: str, roots: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """List the files that a cell may mean: with its page behind ``#``, with slashes turned, without its ending."""
    plain = cell.replace("\\", "/")
    before, _, page = plain.rpartition("#")
    for root in roots:
        for name in dict.fromkeys((cell, plain)):
            if (root / name).is_file():
                yield root / name, -1
        if before and page.isdecimal() and (root / before).is_file():
            yield root / before, int(page)
        if Path(plain).suffix.lower() not in ENDINGS:
            for ending in sorted(ENDINGS):
                if (root / f"{plain}{ending}").is_file():
                    yield root / f"{plain}{ending}", -1


def _no_such_image(table: TextTable, number: int, cell: str, column: str, roots: Sequence[Path]) -> InputError:
    if not cell:
        what = f"column {column!r} names no image"
        return InputError(what, where=table.where(number), got="an empty cell", wanted="the path of an image")
    below = [str(root) for root in dict.fromkeys(roots)]
    is_other = any((root / cell).exists() for root in roots)
    what = "the row names something that is no plain file" if is_other else "the row names an image that does not exist"
    advice = "Paths are relative to --images, or else to the table's folder; see also --broken skip."
    wanted = f"a file below {' or '.join(below)}"
    return InputError(what, where=table.where(number), got=cell, wanted=wanted, advice=advice)


def _skipped(path: Path, missing: Sequence[tuple[str, str]]) -> list[Finding]:
    if not missing:
        return []
    shown = "; ".join(f"{cell or 'an empty cell'} ({place})" for place, cell in missing[:3])
    text = (
        f"{len(missing):,} rows of {path.name} name no image that exists, and are left out, the first of them {shown}."
    )
    return [Finding("missing images", len(missing), "warning", text)]


def _undeclared(path: Path, others: Sequence[str], named: Sequence[str]) -> list[Finding]:
    stray = [name for name in others if name not in named]
    if not stray:
        return []
    shown = ", ".join(stray[:_SHOWN]) + (", …" if len(stray) > _SHOWN else "")
    text = (
        f"Columns of {path.name} that are not learned from, and that the probes and the audit look at: {shown}. "
        "--group-column names the one that a split keeps together, such as the patient or the specimen."
    )
    return [Finding("further columns", len(stray), "info", text)]
