"""BioGRID files (tab2 and tab3): which interactions to take, and what to call their proteins.

Oughtred et al. (2021), Protein Science 30, 187, describe the database.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import polars as pl

from primase.bio.delimited import read_cells
from primase.bio.edge_formats import NamedBlock, read_scores, refuse_empty
from primase.bio.edge_layout import EdgeLayout, EdgeOptions, listing
from primase.errors import ReadError

# Below it, a graph would mix two ways of naming, and features given by one of them would miss the other.
_SYSTEMATIC_SHARE: Final = 0.95
_NO_NAME: Final = ("-", "")
_SHOWN_ORGANISMS: Final = 5
_COLUMNS: Final = {
    "evidence": ("experimental system type",),
    "systematic_a": ("systematic name interactor a",),
    "systematic_b": ("systematic name interactor b",),
    "symbol_a": ("official symbol interactor a",),
    "symbol_b": ("official symbol interactor b",),
}
# By name in tab3, by number in tab2.
_ORGANISMS: Final = {
    f"organism_{side}": (f"organism name interactor {side}", f"organism interactor {side}") for side in "ab"
}


def read_biogrid(layout: EdgeLayout, options: EdgeOptions) -> tuple[NamedBlock, int, tuple[str, ...]]:
    """Read the interactions of a BioGRID file that rest on the evidence that is asked for.

    Proteins are called by their systematic names where at least 95 % have one, and by their official symbols there
    where they have none; otherwise all by their official symbols.

    Returns
    -------
    tuple
        The interactions, how many others were left out, and how the file was read, in whole sentences.

    Raises
    ------
    ReadError
        If a column is missing, or a row is broken.
    """
    numbers = _column_numbers(layout, options)
    kept: list[pl.DataFrame] = []
    total = 0
    for block in read_cells(layout.table, [*numbers.values()]):
        total += len(block.lines)
        frame = pl.DataFrame(dict(zip(numbers, block.cells, strict=True))).with_columns(line=pl.Series(block.lines))
        if options.evidence != "all":
            frame = frame.filter(pl.col("evidence").str.to_lowercase() == options.evidence)
        kept.append(frame)
    rows = pl.concat(kept)
    lines = rows["line"].to_numpy()
    first, second, naming = _names(layout, options, rows)
    for number, column in zip(layout.pair, (first, second), strict=True):
        refuse_empty(layout.table, number, column, lines)
    scores = None if layout.score is None else read_scores(layout.table, layout.score, rows["score"], lines)
    kind = "physical or genetic" if options.evidence == "all" else options.evidence
    remarks = [f"Of {total:,} interactions of BioGRID, the {len(rows):,} that are {kind} are taken.", naming]
    return NamedBlock(first, second, lines, scores), total - len(rows), (*remarks, *_several_organisms(rows))


def _column_numbers(layout: EdgeLayout, options: EdgeOptions) -> dict[str, int]:
    """Find the columns that are needed, by what they are for."""
    number_of = {name.lower(): number for number, name in enumerate(layout.table.columns)}
    numbers: dict[str, int] = {}
    for what, names in (_COLUMNS | _ORGANISMS).items():
        number = next((number_of[name] for name in names if name in number_of), None)
        if number is not None:
            numbers[what] = number
        elif what in _COLUMNS:
            missing = f"the BioGRID file has no column {names[0].title()!r}"
            raise ReadError(missing, where=str(layout.table.path), got=f"the columns {listing(layout.table.columns)}")
    if options.pair_columns:
        numbers |= {"asked_a": layout.pair[0], "asked_b": layout.pair[1]}
    if layout.score is not None:
        numbers["score"] = layout.score
    return numbers


def _names(layout: EdgeLayout, options: EdgeOptions, rows: pl.DataFrame) -> tuple[pl.Series, pl.Series, str]:
    if options.pair_columns:
        called = " and ".join(layout.table.columns[number] for number in layout.pair)
        return rows["asked_a"], rows["asked_b"], f"Proteins are called as in the columns {called}."
    systematic = [~rows[f"systematic_{side}"].is_in(_NO_NAME) for side in "ab"]
    share = sum(int(there.sum()) for there in systematic) / max(2 * len(rows), 1)
    if share < _SYSTEMATIC_SHARE:
        text = f"Proteins are called by their official symbols, as only {share:.0%} have a systematic name."
        return rows["symbol_a"], rows["symbol_b"], text
    first, second = (
        rows.select(pl.when(there).then(pl.col(f"systematic_{side}")).otherwise(pl.col(f"symbol_{side}"))).to_series()
        for side, there in zip("ab", systematic, strict=True)
    )
    text = "Proteins are called by their systematic names"
    return first, second, f"{text}, and where they have none by their official symbols." if share < 1 else f"{text}."


def _several_organisms(rows: pl.DataFrame) -> tuple[str, ...]:
    columns = [rows[name] for name in _ORGANISMS if name in rows.columns]
    counts: Counter[str] = Counter()
    for column in columns:
        counts.update(dict(column.value_counts().iter_rows()))
    if len(counts) < 2:
        return ()
    shown = [f"{organism} ({count:,})" for organism, count in counts.most_common(_SHOWN_ORGANISMS)]
    more = ", and others" if len(counts) > _SHOWN_ORGANISMS else ""
    return (f"The proteins are of {len(counts)} organisms: {', '.join(shown)}{more}; those of one name count as one.",)
