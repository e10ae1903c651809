"""Refuse values that cannot be learned from, and name the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Integer

from primase.apps.expression.configuration import ExpressionData
from primase.apps.expression.remarks import FEWEST_TO_GUESS
from primase.bio.expression import DenseMatrix, ExpressionFile, Values, to_file
from primase.bio.expression_survey import Survey, survey
from primase.errors import InputError
from primase.events import Listener, Notice

MISSING_ADVICE: Final = (
    "Say --missing mean to fill them with the mean of their gene in training (a missing target does not count)."
)


def refuse_values(file: ExpressionFile, found: Survey, *, raw: bool) -> None:
    """Refuse values that are infinite, and negative ones that are said to be raw.

    Raises
    ------
    InputError
        The message names the first such cell.
    """
    if found.first_infinite is not None:
        what = "a value is infinite"
        advice = "It may be the logarithm of zero: add a pseudocount before taking logarithms."
        raise InputError(what, where=file.cell(*found.first_infinite), wanted="finite numbers", advice=advice)
    if raw and found.first_negative is not None:
        what = f"{found.negative:,} values are negative, which raw values cannot be"
        got = f"{_value(file, found.first_negative):g}"
        advice = "If they are logarithms or otherwise scaled, say --scale log."
        raise InputError(what, where=file.cell(*found.first_negative), got=got, advice=advice)


def refuse_missing_cells(file: ExpressionFile, found: Survey, data: ExpressionData) -> None:
    """Refuse missing values of a file, unless the settings say what to do with them."""
    if data.missing == "refuse" and found.first_missing is not None:
        count = int(found.missing.sum())
        what = f"{count:,} {'value is' if count == 1 else 'values are'} missing"
        raise InputError(what, where=file.cell(*found.first_missing), wanted="a number", advice=MISSING_ADVICE)


def _value(file: ExpressionFile, place: tuple[int, int]) -> float:
    return float(file.matrix.rows(np.array([place[0]]))[0, place[1]])


def refuse_block(
    file: ExpressionFile,
    genes: Sequence[str],
    present: Integer[np.ndarray, "present"],
    values: Values,
    start: int,
    data: ExpressionData,
    *,
    raw: bool,
) -> None:
    """Refuse missing and impossible values in a block of samples, of the genes that are present.

    Parameters
    ----------
    values
        On the modelled scale.
    start
        The place of the first sample of the block in the file.

    Raises
    ------
    InputError
        The message names the first such cell.
    """
    read = values[:, present]
    absent = ~np.isfinite(read)
    if not absent.any():
        # A raw value between -1 and 0 has a logarithm, which is negative.
        absent = read < 0 if raw else absent
        if not absent.any():
            return
    row, column = np.unravel_index(int(absent.argmax()), absent.shape)
    name = genes[int(present[int(column)])]
    place = (start + int(row), file.genes.index(name))
    found = _value(file, place)
    if raw and found < 0:
        what = "a value is negative, which those that the model has learned from cannot be"
        raise InputError(what, where=file.cell(*place), got=f"{found:g}", wanted="raw values, as in training")
    if np.isinf(found):
        what = "a value is infinite"
        raise InputError(what, where=file.cell(*place), wanted="finite numbers")
    if data.missing == "refuse":
        what = "a value is missing"
        raise InputError(what, where=file.cell(*place), wanted="a number", advice=MISSING_ADVICE)


def doubt_scale(file: ExpressionFile, values: Values, listener: Listener, *, raw: bool) -> None:
    """Warn where the first samples look like those of another scale than the model's."""
    found = survey(DenseMatrix(to_file(values, raw=raw)))
    guessed, why = found.guess_raw()
    if guessed != raw and len(values) * values.shape[1] >= FEWEST_TO_GUESS:
        words = {True: "raw values", False: "logarithms"}
        text = (
            f"{file.where} looks like {words[guessed]} ({why}), and the model has learned from {words[raw]}. Figures "
            "on another scale mean nothing."
        )
        listener(Notice(text, "warning"))
