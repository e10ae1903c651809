"""What is said of files of expression once they are read: how they were understood, and what is odd in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from primase.bio.expression import Expression, ExpressionFile
from primase.bio.expression_survey import LARGEST_LOGARITHM, Survey
from primase.data.audit import Finding
from primase.events import Severity

FEWEST_TO_GUESS: Final = 100
"""Fewer values tell nothing of their scale."""

_SHOWN: Final = 5
_WARNED_OF: Final = frozenset({"samples and genes swapped"})
_OVERRIDES: Final = {"orientation": " If that is wrong, say --orientation {other}."}
_NO_GENES: Final = frozenset(
    {"age", "sex", "gender", "batch", "time", "event", "status", "label", "target", "class", "cluster", "study"}
    | {"weight", "height", "bmi", "stage", "grade", "survival", "dose", "replicate", "plate", "total", "n_counts"}
)


def findings_of_files(files: Sequence[ExpressionFile]) -> list[Finding]:
    """Say how each file was understood."""
    findings = []
    for file in files:
        for name, text in file.says.items():
            hint = ""
            if name == "orientation" and "D-GEX" not in text:
                other = "genes-in-rows" if "samples in rows" in text else "samples-in-rows"
                hint = _OVERRIDES[name].format(other=other)
            severity: Severity = "warning" if name in _WARNED_OF else "info"
            count = len(file.ids) if name in _WARNED_OF else 0
            findings.append(Finding(name, count, severity, text + hint))
    return findings


def findings_of_values(
    files: Sequence[ExpressionFile], surveys: Sequence[Survey], stores: Sequence[Expression], *, raw: bool, why: str
) -> list[Finding]:
    """Say which scale the values are on, and what is missing, negative, constant or there twice."""
    taken = "raw, and log2(x + 1) is taken of them" if raw else "logarithms, or scaled already, and taken as they are"
    findings = [Finding("scale", 0, "info", f"Values count as {taken}, {why}.")]
    for file, found, store in zip(files, surveys, stores, strict=True):
        findings += [*_missing(file, found), *_negative(file, found), *_constant(file, found)]
        findings += [*_repeated(file, store, raw=raw), *_no_genes(file)]
    return findings


def doubted_scales(
    files: Sequence[ExpressionFile], surveys: Sequence[Survey], *, raw: bool, learned: str
) -> Iterator[Finding]:
    """Find files that look as if they were on another scale than what is learned from.

    Parameters
    ----------
    raw
        Whether what is learned from counts as raw.
    learned
        What that is, in words.
    """
    words = {True: "raw values", False: "logarithms"}
    for file, found in zip(files, surveys, strict=True):
        guessed, why = found.guess_raw()
        if guessed != raw and len(file.ids) * len(file.genes) >= FEWEST_TO_GUESS:
            text = (
                f"{file.name} looks like {words[guessed]} ({why}), and {learned} {words[raw]}. Figures on another "
                f"scale mean nothing. If it is no mistake, say --scale {'raw' if raw else 'log'}."
            )
            yield Finding("another scale", len(file.ids), "warning", text)


def _missing(file: ExpressionFile, found: Survey) -> Iterator[Finding]:
    count = int(found.missing.sum())
    if found.first_missing is None:
        return
    genes = int((found.missing > 0).sum())
    text = (
        f"{count:,} values of {genes:,} genes are missing in {file.name}; the first is {_brief(file, found)}. With "
        "--missing mean they are filled with the mean of their gene in training; else training refuses them."
    )
    yield Finding("missing values", count, "warning", text)
    nothing = np.flatnonzero(found.missing == len(file.ids))
    if len(nothing):
        text = f"Of {len(nothing):,} genes no value is known: {_listed(file, nothing)}."
        yield Finding("genes without values", len(nothing), "warning", text)


def _brief(file: ExpressionFile, found: Survey) -> str:
    row, column = found.first_missing or (0, 0)
    return f"that of sample {file.ids[row]!r}, gene {file.genes[column]!r}"


def _negative(file: ExpressionFile, found: Survey) -> Iterator[Finding]:
    if found.negative:
        share = found.negative / max(len(file.ids) * len(file.genes), 1)
        verb = "value is" if found.negative == 1 else "values are"
        text = f"{found.negative:,} {verb} negative in {file.name} ({share:.1%}), as logarithms and ratios may be."
        if found.maximum > LARGEST_LOGARITHM and found.first_negative is not None:
            text = (
                f"{found.negative:,} {verb} negative in {file.name}, the first in {file.cell(*found.first_negative)}, "
                f"and the largest is {found.maximum:,.4g}, which no logarithm is. If these are counts, mend what is "
                "negative and say --scale raw."
            )
            yield Finding("negative values", found.negative, "warning", text)
            return
        yield Finding("negative values", found.negative, "info", text)


def _constant(file: ExpressionFile, found: Survey) -> Iterator[Finding]:
    constant = found.constant
    if len(constant):
        text = (
            f"{len(constant):,} genes have one value in all samples of {file.name}: {_listed(file, constant)}. They "
            "tell nothing, and R2 and correlation have no value for them."
        )
        yield Finding("constant genes", len(constant), "info", text)


def _repeated(file: ExpressionFile, store: Expression, *, raw: bool) -> Iterator[Finding]:
    names = store.repeated
    if names:
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        done = "added" if raw else "averaged"
        text = f"{len(names):,} genes stand several times in {file.name}: {shown}. Their copies are {done}."
        yield Finding("repeated genes", len(names), "warning", text)


def _no_genes(file: ExpressionFile) -> Iterator[Finding]:
    odd = [name for name in file.genes if name.strip().lower() in _NO_GENES]
    if odd:
        text = (
            f"Columns of numbers in {file.name} count as genes, and their names do not look like it: "
            f"{', '.join(odd[:_SHOWN])}. If they are none, name them with --label-column, or leave them out."
        )
        yield Finding("columns that may be no genes", len(odd), "warning", text)


def _listed(file: ExpressionFile, columns: np.ndarray) -> str:
    names = [file.genes[column] for column in columns[:_SHOWN].tolist()]
    return ", ".join(names) + (", …" if len(columns) > _SHOWN else "")
