"""The rows of each kind of file of links as names, lines and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from primase.bio.delimited import Layout, read_cells
from primase.bio.edge_layout import EdgeLayout, EdgeOptions
from primase.bio.graphml import read_graphml
from primase.errors import ReadError


@dataclass(frozen=True, slots=True, eq=False)
class NamedBlock:
    """Some rows of a file of links.

    Parameters
    ----------
    first, second
        The two names of each row.
    lines
        The line in which each row stands, counted from 1.
    scores
        The score of each row; None where scores play no part.
    """

    first: pl.Series
    second: pl.Series
    lines: Int[np.ndarray, "rows"]
    scores: Float[np.ndarray, "rows"] | None = None


def read_blocks(layout: EdgeLayout) -> Iterator[NamedBlock]:
    """Read the names, and the scores where they play a part, of a table of links."""
    score = [] if layout.score is None else [layout.score]
    for block in read_cells(layout.table, [*layout.pair, *score]):
        first, second = block.cells[:2]
        for number, column in zip(layout.pair, (first, second), strict=True):
            refuse_empty(layout.table, number, column, block.lines)
        scores = None if layout.score is None else read_scores(layout.table, layout.score, block.cells[2], block.lines)
        yield NamedBlock(first, second, block.lines, scores)


def refuse_empty(table: Layout, number: int, column: pl.Series, lines: Int[np.ndarray, "rows"]) -> None:
    """Refuse a row without a name.

    Raises
    ------
    ReadError
        Which names the line.
    """
    empty = (column == "").arg_max()
    if empty is not None and column[empty] == "":
        what = f"a name is missing in column {table.columns[number]}"
        raise ReadError(what, where=f"{table.path}, line {lines[empty]}", got="an empty cell", wanted="two names")


def read_scores(
    table: Layout, number: int, column: pl.Series, lines: Int[np.ndarray, "rows"]
) -> Float[np.ndarray, "rows"]:
    """Turn a column of scores into numbers.

    Raises
    ------
    ReadError
        If one is no number; the message names its line.
    """
    scores = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    wrong = np.flatnonzero(np.isnan(scores))
    if len(wrong):
        what = f"a score that is no number in column {table.columns[number]}"
        got = repr(column[int(wrong[0])]) if column[int(wrong[0])] else "an empty cell"
        raise ReadError(what, where=f"{table.path}, line {lines[wrong[0]]}", got=got, wanted="a number")
    return np.asarray(scores, dtype=np.float64)


def graphml_block(path: Path, options: EdgeOptions) -> tuple[list[str], NamedBlock, tuple[str, ...]]:
    """Read a GraphML file: its nodes, its links, and how it was read."""
    if options.minimum_score is not None and options.score_column is None:
        what = "a least score is asked for, and no attribute of scores is named"
        raise ReadError(what, where=str(path), advice="Name it with --score-column.")
    graph = read_graphml(path, options.score_column)
    first, second = pl.Series(graph.first, dtype=pl.String), pl.Series(graph.second, dtype=pl.String)
    return graph.nodes, NamedBlock(first, second, graph.lines, graph.scores), graph.remarks
