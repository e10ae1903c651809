"""Links of a graph as people have them: tables of pairs, links of STRING, BioGRID, and GraphML, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, Shaped

from primase.bio.biogrid import read_biogrid
from primase.bio.delimited import sample_rows
from primase.bio.edge_formats import NamedBlock, graphml_block, read_blocks
from primase.bio.edge_layout import EdgeOptions, Header, Kind, lay_out
from primase.bio.graphml import is_graphml
from primase.bio.graphs import Pairs, pair_keys
from primase.errors import ReadError

_MARKUP_HEADER: Final = Header("GraphML has no line of column names.", taken=False)


@final
@dataclass(frozen=True, slots=True)
class EdgeCounts:
    """How many rows a file of links has, and how many of them were left out, for the first of these reasons.

    Parameters
    ----------
    other_evidence
        Of another kind of evidence than was asked for.
    below_threshold
        With a score below the least that was asked for.
    self_loops
        A node linked to itself.
    repeated
        A link that stands above, the same or the other way round.
    """

    rows: int
    other_evidence: int
    below_threshold: int
    self_loops: int
    repeated: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class EdgeList:
    """The links of a file, each once.

    Parameters
    ----------
    names
        The nodes in the order in which the file first names them, dtype object; also those without a link to another.
    pairs
        The two nodes of each link as numbers into ``names``, in the order of the file.
    kind
        What the file was taken for.
    remarks
        What else was decided in reading it, in whole sentences.
    """

    path: Path
    kind: Kind
    names: Shaped[np.ndarray, "nodes"]
    pairs: Pairs
    counts: EdgeCounts
    header: Header
    remarks: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class NamedPairs:
    """The pairs of a file as they stand there, nothing left out.

    Parameters
    ----------
    first, second
        The two names of each pair, dtype object.
    lines
        The line in which each pair stands, counted from 1.
    """

    path: Path
    first: Shaped[np.ndarray, "pairs"]
    second: Shaped[np.ndarray, "pairs"]
    lines: Int[np.ndarray, "pairs"]
    header: Header

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.lines)


def read_edges(path: Path, options: EdgeOptions | None = None) -> EdgeList:
    """Read which nodes of a graph are linked; the direction of links plays no part.

    Tables may be separated by tabs, commas, semicolons or any spaces, with or without a line of column names, plain or
    gzip. A file of STRING, BioGRID (tab2 and tab3) or GraphML is known by its content. Of BioGRID the systematic names
    are used where nearly all nodes have one, else the official symbols.

    Parameters
    ----------
    options
        Where names and scores stand, and which rows are kept; see :class:`EdgeOptions`.

    Raises
    ------
    ReadError
        If the file is empty, cannot be read, has one column, no column of a name that is asked for, or a score that is
        no number; if no link is left, or there is one node only. The message names the line where there is one.
    """
    path, options = Path(path), options or EdgeOptions()
    coder = _Coder()
    kind, header, remarks = _open(path, options, coder)
    names, pairs = coder.finish()
    if coder.kept == 0:
        _refuse_nothing_left(path, options, coder)
    if len(names) < 2:
        what = "a graph with one protein has no pair"
        raise ReadError(what, where=str(path), got=f"the protein {names[0]} only", wanted="at least two proteins")
    loops = pairs[:, 0] == pairs[:, 1]
    apart = pairs[~loops]
    _, places = np.unique(pair_keys(apart, len(names)), return_index=True)
    if len(places) == 0:
        what = "no link between two different proteins"
        raise ReadError(what, where=str(path), got=f"{int(loops.sum()):,} proteins linked to themselves")
    counts = EdgeCounts(
        coder.rows, coder.other_evidence, coder.below_threshold, int(loops.sum()), len(apart) - len(places)
    )
    return EdgeList(path, kind, names, apart[np.sort(places)], counts, header, remarks)


def read_pairs(path: Path, options: EdgeOptions | None = None) -> NamedPairs:
    """Read pairs of names in the order of the file, nothing left out: such as non-edges, or pairs to predict.

    The formats are those of :func:`read_edges`; scores play no part.

    Raises
    ------
    ReadError
        As :func:`read_edges`, but one protein alone is fine.
    """
    path, options = Path(path), options or EdgeOptions()
    options = EdgeOptions(pair_columns=options.pair_columns, evidence="all")
    gatherer = _Gatherer()
    _, header, _ = _open(path, options, gatherer)
    first, second = (
        np.array(pl.concat(column).to_list() if column else [], dtype=object)
        for column in (gatherer.first, gatherer.second)
    )
    if len(first) == 0:
        what = "no pairs in the file"
        raise ReadError(what, where=str(path), wanted="one pair per line")
    return NamedPairs(path, first, second, np.concatenate(gatherer.lines), header)


def _open(path: Path, options: EdgeOptions, taker: _Coder | _Gatherer) -> tuple[Kind, Header, tuple[str, ...]]:
    """Read a file of any kind block by block."""
    if is_graphml(path):
        nodes, block, remarks = graphml_block(path, options)
        taker.declare(nodes)
        taker.take(block, options.minimum_score)
        return "GraphML", _MARKUP_HEADER, remarks
    layout = lay_out(sample_rows(path), options)
    if layout.kind == "BioGRID tab3":
        block, others, remarks = read_biogrid(layout, options)
        taker.leave_out(others)
        taker.take(block, options.minimum_score)
        return layout.kind, layout.header, remarks
    for block in read_blocks(layout):
        taker.take(block, options.minimum_score)
    return layout.kind, layout.header, ()


def _refuse_nothing_left(path: Path, options: EdgeOptions, coder: _Coder) -> None:
    what = "no link is left"
    if coder.below_threshold:
        low, high = coder.score_range
        got = f"{coder.below_threshold:,} links with scores from {low:g} to {high:g}"
        raise ReadError(what, where=str(path), got=got, wanted=f"scores of at least {options.minimum_score:g}")
    if coder.other_evidence:
        got = f"{coder.other_evidence:,} interactions, none of them {options.evidence}"
        raise ReadError(what, where=str(path), got=got, advice="Choose others with --evidence.")
    what = "a graph without links"
    raise ReadError(what, where=str(path), got=f"{len(coder.number_of):,} nodes", wanted="at least one link")


@dataclass(slots=True)
class _Gatherer:
    """Keeps the names of all rows."""

    first: list[pl.Series] = field(default_factory=list)
    second: list[pl.Series] = field(default_factory=list)
    lines: list[Int[np.ndarray, "rows"]] = field(default_factory=list)

    def declare(self, nodes: Sequence[str]) -> None:
        """Leave nodes without links out."""

    def leave_out(self, rows: int) -> None:
        """Nothing is left out."""

    def take(self, block: NamedBlock, minimum: float | None) -> None:
        del minimum
        self.first.append(block.first)
        self.second.append(block.second)
        self.lines.append(block.lines)


@dataclass(slots=True)
class _Coder:
    """Turns names into numbers block by block, so that the text of a large file is never in memory at once."""

    number_of: dict[str, int] = field(default_factory=dict)
    blocks: list[Pairs] = field(default_factory=list)
    declared: bool = False
    rows: int = 0
    kept: int = 0
    other_evidence: int = 0
    below_threshold: int = 0
    score_range: tuple[float, float] = (np.inf, -np.inf)

    def declare(self, nodes: Sequence[str]) -> None:
        self.number_of = {name: number for number, name in enumerate(nodes)}
        self.declared = True

    def leave_out(self, rows: int) -> None:
        self.rows += rows
        self.other_evidence += rows

    def take(self, block: NamedBlock, minimum: float | None) -> None:
        self.rows += len(block.lines)
        first, second = block.first, block.second
        if block.scores is not None and minimum is not None and len(block.scores):
            low, high = self.score_range
            self.score_range = (min(low, block.scores.min()), max(high, block.scores.max()))
            enough: Bool[np.ndarray, "rows"] = block.scores >= minimum
            self.below_threshold += int((~enough).sum())
            first, second = first.filter(pl.Series(enough)), second.filter(pl.Series(enough))
        self.kept += len(first)
        names = pl.concat([first, second]).unique()
        numbers = [self.number_of.setdefault(name, len(self.number_of)) for name in names.to_list()]
        self.blocks.append(np.stack([_coded(column, names, numbers) for column in (first, second)], axis=1))

    def finish(self) -> tuple[Shaped[np.ndarray, "nodes"], Pairs]:
        """Give the nodes numbers in the order in which the file first names them."""
        pairs = np.concatenate([np.empty((0, 2), dtype=np.int64), *self.blocks])
        names = np.array([*self.number_of], dtype=object)
        if self.declared:
            return names, pairs
        flat = pairs.ravel()
        seen = np.empty(len(names), dtype=np.int64)
        # Where a number stands several times, the assignment that comes last stays: that of its first place.
        seen[flat[::-1]] = np.arange(len(flat))[::-1]
        order = np.argsort(seen, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return names[order], np.asarray(place[pairs])


def _coded(column: pl.Series, names: pl.Series, numbers: Iterable[int]) -> Int[np.ndarray, "rows"]:
    coded = column.replace_strict(names, pl.Series([*numbers], dtype=pl.Int64), return_dtype=pl.Int64)
    return np.asarray(coded.to_numpy(), dtype=np.int64)
