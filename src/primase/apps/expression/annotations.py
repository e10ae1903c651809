"""What is known of each sample beside its expression: columns of the file itself, and of a table of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.expression.configuration import ExpressionData
from primase.bio.expression import ExpressionFile
from primase.bio.expression_layout import MISSING_WORDS
from primase.bio.tables import TextTable, read_text_table
from primase.data.audit import Finding
from primase.data.splits import group_by_key
from primase.errors import InputError

_SHOWN: Final = 10

Columns = Mapping[str, Shaped[np.ndarray, "samples"]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Columns of words about the samples of all files, one below the other; an empty text where nothing is known."""

    columns: Columns
    findings: Sequence[Finding]


def annotate(data: ExpressionData, files: Sequence[ExpressionFile], *, needed: bool = True) -> Annotations:
    """Gather the columns of words of all files, and join those of ``--samples`` by the id of the sample.

    Parameters
    ----------
    needed
        Whether the label and group columns must be there.

    Raises
    ------
    InputError
        If one of them is not there, a sample is described twice, or the table is of other samples.
    """
    names = list(dict.fromkeys(name for file in files for name in file.texts))
    empty = [np.full(len(file.ids), "", dtype=object) for file in files]
    columns = {
        name: np.concatenate([file.texts.get(name, blank) for file, blank in zip(files, empty, strict=True)])
        for name in names
    }
    ids = np.concatenate([file.ids for file in files])
    findings = [*_of_words(data, names)]
    if data.samples is not None:
        joined, more = _joined(data, ids, needed=needed)
        columns.update(joined)
        findings += more
    if needed:
        _refuse_absent(data, columns, files)
    return Annotations(columns, findings)


def groups_of(
    data: ExpressionData, annotations: Annotations, ids: Shaped[np.ndarray, "samples"]
) -> tuple[dict[str, Integer[np.ndarray, "samples"]], list[Finding]]:
    """Give numbers to what the group column keeps together; a sample of no known group stands alone."""
    if data.group_column is None:
        return {}, []
    words = annotations.columns[data.group_column]
    unknown = words == ""
    keys = np.where(unknown, np.array([f"\0{name}" for name in ids.tolist()], dtype=object), words)
    groups = {data.group_column: group_by_key(keys)}
    if not unknown.any():
        return groups, []
    count = int(unknown.sum())
    text = f"{count:,} samples have no {data.group_column}: each is treated as a group of its own."
    return groups, [Finding("samples without a group", count, "warning", text)]


def is_kind(words: Shaped[np.ndarray, "samples"], most_levels: int) -> bool:
    """Tell whether a column sorts samples into kinds, so many at most, rather than naming each."""
    levels = len({str(word) for word in words.tolist()})
    return 2 <= levels <= min(most_levels, max(len(words) // 5, 2))


def _of_words(data: ExpressionData, names: Sequence[str]) -> list[Finding]:
    # The embedding may be told a column, and says so itself.
    known = {*data.label_column, data.group_column, getattr(data, "condition_column", None)}
    others = [name for name in names if name not in known]
    if not others:
        return []
    shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
    text = f"Columns of words that are not learned from, and that the audit compares with the labels: {shown}."
    return [Finding("columns of words", len(others), "info", text)]


def _joined(
    data: ExpressionData, ids: Shaped[np.ndarray, "samples"], *, needed: bool
) -> tuple[dict[str, Shaped[np.ndarray, "samples"]], list[Finding]]:
    """Look up each sample in the table of samples."""
    assert data.samples is not None
    table = read_text_table(data.samples)
    names = [*table.columns]
    id_name = data.id_column if data.id_column in names else names[0]
    row_of = _rows_by_id(table, id_name)
    rows = np.array([row_of.get(name, -1) for name in ids.tolist()], dtype=np.int64)
    known = rows >= 0
    if not known.any() and needed:
        what = "the table describes other samples: none of those with expression is in it"
        got = f"in column {id_name!r} {', '.join([*row_of][:3])}, …"
        advice = "Name the column of ids with --id-column."
        raise InputError(what, where=str(table.path), got=got, wanted=f"{', '.join(ids[:3])}, …", advice=advice)
    columns = {}
    for name in names:
        if name != id_name:
            cells = np.array(["" if cell in MISSING_WORDS else cell for cell in table.columns[name]], dtype=object)
            columns[name] = np.where(known, cells[np.maximum(rows, 0)], "")
    findings = []
    if not known.all():
        count = int((~known).sum())
        text = f"{count:,} of {len(ids):,} samples are not in {table.path.name}: nothing is known of them."
        findings.append(Finding("samples without annotation", count, "warning", text))
    return columns, findings


def _rows_by_id(table: TextTable, id_name: str) -> dict[str, int]:
    row_of: dict[str, int] = {}
    for row, name in enumerate(table.columns[id_name]):
        if row_of.setdefault(name, row) != row:
            what = "a sample is described twice"
            got = f"{name!r}, as in {table.where(row_of[name])}"
            raise InputError(what, where=table.where(row), got=got, wanted="one row per sample")
    return row_of


def _refuse_absent(data: ExpressionData, columns: Columns, files: Sequence[ExpressionFile]) -> None:
    wanted = [("--label-column", name) for name in data.label_column]
    wanted += [("--group-column", data.group_column)] if data.group_column else []
    for option, name in wanted:
        if name not in columns:
            what = f"there is no column {name!r}"
            shown = ", ".join([*columns][:_SHOWN]) or "none"
            advice = f"Name another one with {option}, or give a table of samples that has it with --samples."
            raise InputError(what, where=files[0].where, got=f"columns of words: {shown}", advice=advice)
