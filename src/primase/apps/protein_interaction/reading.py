"""Read the graph of a user's own files: its links, the pairs known not to interact, and what was odd about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from jaxtyping import Int, Shaped
from scipy import sparse

from primase.apps.protein_interaction.cleaning import (
    clean_nonedges,
    findings_of_links,
    findings_of_reading,
    keep_apart,
)
from primase.apps.protein_interaction.configuration import GraphData
from primase.apps.protein_interaction.pairs import FeatureMatrix, ProteinPairs, Proteins
from primase.apps.protein_interaction.reading_features import read_features
from primase.bio.delimited import Layout, read_cells, sample_rows
from primase.bio.edge_layout import EdgeOptions
from primase.bio.edge_lists import EdgeList, NamedPairs, read_edges, read_pairs
from primase.bio.graphs import Graph, Pairs
from primase.bio.tables import TextTable, read_text_table
from primase.data.audit import Finding
from primase.data.splits import PARTS, Part
from primase.errors import InputError
from primase.events import Listener, Notice, silent

_PREFIXES: Final[Mapping[Part, str]] = {"train": "", "validation": "validation_", "test": "test_"}
_SHOWN: Final = 3


@final
@dataclass(frozen=True, slots=True, eq=False)
class GraphInput:
    """What a user's files say.

    Parameters
    ----------
    proteins
        All proteins that any file of pairs names, and what is known of them.
    edges
        The links of each part, as numbers into ``proteins``; all under ``"train"`` if no part was given apart. A link
        stands in one part only.
    nonedges
        Pairs given as not interacting, of the parts for which there are any; none is a link of any part.
    findings
        What was odd.
    profiles
        The file that domains were found with and its sha256; empty where none were searched.
    """

    proteins: Proteins
    edges: Mapping[Part, Pairs]
    nonedges: Mapping[Part, Pairs]
    findings: Sequence[Finding]
    profiles: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that links are given for."""
        return tuple(part for part in PARTS if part in self.edges)


def read_graph(data: GraphData, listener: Listener = silent) -> GraphInput:
    """Read the links, the pairs that do not interact, and what is known of the proteins.

    Every link is kept once. One that stands in two parts stays in the later one only, which is said as a warning. Pairs
    that are given as not interacting and are links of any part are left out and counted.

    Parameters
    ----------
    data
        Its paths, which must be files; a registered data set has been resolved to its files before.

    Raises
    ------
    InputError
        If there are no edges, or a file is not what it should be.
    """
    lists, given = _read_files(data)
    names = _all_names(lists, given)
    number_of = {name: number for number, name in enumerate(names)}
    findings = [*findings_of_reading(lists, given, _options(data))]
    edges, leaks = keep_apart({part: _numbered(one, number_of) for part, one in lists.items()}, len(names))
    if leaks:
        text = (
            f"{leaks:,} links stand in two parts. They stay in the later one only, so that none is learned from and "
            "asked for."
        )
        findings.append(Finding("edges in two parts", leaks, "warning", text))
    nonedges, removed = clean_nonedges({part: _numbers(one, number_of) for part, one in given.items()}, edges, names)
    findings += removed
    findings += findings_of_links(edges, len(names))
    features = read_features(data, names, listener)
    findings += features.findings
    called = np.array(names, dtype=object)
    graph = Graph.of(names, edges["train"]) if data.node_labels is not None else None
    proteins = Proteins(called, features.matrix, features.names, graph)
    return GraphInput(proteins, edges, nonedges, findings, features.profiles)


def _options(data: GraphData) -> EdgeOptions:
    return EdgeOptions(data.pair_columns, data.score_column, data.minimum_score, data.evidence)


def _read_files(data: GraphData) -> tuple[dict[Part, EdgeList], dict[Part, NamedPairs]]:
    if data.edges is None:
        what = "there is no graph"
        raise InputError(what, wanted="--dataset NAME or --edges FILE")
    lists: dict[Part, EdgeList] = {}
    given: dict[Part, NamedPairs] = {}
    for part in PARTS:
        edges, nonedges = (getattr(data, f"{_PREFIXES[part]}{word}") for word in ("edges", "nonedges"))
        if data.node_labels is not None and (nonedges is not None or (edges is not None and part != "train")):
            what = "pairs of one part, or that do not interact, play no part where proteins are classified"
            raise InputError(what, where=str(nonedges or edges), wanted="--edges and --node-labels only")
        if edges is not None:
            lists[part] = read_edges(edges, _options(data))
        if nonedges is not None:
            given[part] = read_pairs(nonedges, _options(data))
    return lists, given


def _all_names(lists: Mapping[Part, EdgeList], given: Mapping[Part, NamedPairs]) -> list[str]:
    names: dict[str, None] = {}
    for one in lists.values():
        names.update(dict.fromkeys(one.names.tolist()))
    for pairs in given.values():
        names.update(dict.fromkeys(np.stack([pairs.first, pairs.second], axis=1).ravel().tolist()))
    return [*names]


def _numbered(one: EdgeList, number_of: Mapping[str, int]) -> Pairs:
    numbers = np.array([number_of[name] for name in one.names.tolist()], dtype=np.int64)
    return np.asarray(numbers[one.pairs])


def _numbers(pairs: NamedPairs, number_of: Mapping[str, int]) -> Pairs:
    columns = [[number_of[name] for name in column.tolist()] for column in (pairs.first, pairs.second)]
    return np.array(columns, dtype=np.int64).T


def read_node_labels(data: GraphData, proteins: Proteins) -> tuple[list[str | None], list[Finding]]:
    """Read the label of each protein of the graph, such as ``enzyme``; None where there is none.

    Raises
    ------
    InputError
        If the table cannot be read, is of other proteins, or gives one protein two labels.
    """
    if data.node_labels is None:
        what = "there are no labels"
        raise InputError(what, wanted="--node-labels FILE")
    table = read_text_table(data.node_labels)
    names, labels = _label_columns(table, data, proteins)
    found: dict[str, str] = {}
    others: dict[str, None] = {}
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        if name not in proteins.number_of:
            others[name] = None
        elif label and found.setdefault(name, label) != label:
            what = "one protein has two different labels"
            got = f"{name!r} as {found[name]!r} and as {label!r}"
            raise InputError(what, where=table.where(row), got=got, wanted="one label per protein")
    if not found:
        what = "the labels are of other proteins: none of the graph has one"
        got, wanted = (", ".join(some[:_SHOWN]) for some in (names, proteins.names.tolist()))
        raise InputError(
            what, where=str(table.path), got=f"{got}, …", wanted=f"the names of the graph, such as {wanted}"
        )
    findings = []
    missing = len(proteins) - len(found)
    if missing:
        text = f"{missing:,} of {len(proteins):,} proteins have no label: they are in the graph, and not learned from."
        findings.append(Finding("proteins without a label", missing, "info", text))
    if others:
        text = f"{len(others):,} proteins in {table.path.name} are not in the graph: their labels are not used."
        findings.append(Finding("labels of other proteins", len(others), "warning", text))
    return [found.get(name) for name in proteins.names.tolist()], findings


def _label_columns(table: TextTable, data: GraphData, proteins: Proteins) -> tuple[Sequence[str], Sequence[str]]:
    columns = [*table.columns]
    if columns[0] in proteins.number_of:
        what = "the first line is a protein of the graph, where column names are wanted"
        raise InputError(what, where=str(table.path), got=repr(columns[0]), wanted="a first line such as id,label")
    if len(columns) < 2:
        what = "there is one column, where a name and a label are wanted"
        raise InputError(what, where=str(table.path), got=repr(columns[0]), wanted="a CSV or TSV table of two columns")
    chosen = []
    for word, place in (("id_column", 0), ("label_column", 1)):
        name: str = getattr(data, word)
        usual = name == GraphData.model_fields[word].default
        known = name in columns or not usual
        chosen.append(table.column(name if known else columns[place], option=f"--{word.replace('_', '-')}"))
    return chosen[0], chosen[1]


def read_pairs_to_predict(
    path: Path, data: GraphData, known: Proteins, listener: Listener = silent
) -> tuple[Shaped[np.ndarray, "pairs"], ProteinPairs]:
    """Read the pairs of proteins that a trained model is asked about.

    Parameters
    ----------
    path
        A file of pairs as :func:`~primase.bio.edge_lists.read_pairs` reads it.
    known
        The proteins of the model. Others are welcome if the data words name what is known of them.

    Returns
    -------
    tuple
        The id of each pair, its names with a bar between as they are written, and the pairs.

    Raises
    ------
    InputError
        If a protein is not known; the message names it and its line.
    """
    pairs = read_pairs(path, EdgeOptions(data.pair_columns))
    proteins = _with_others(path, np.stack([pairs.first, pairs.second], axis=1), pairs.lines, data, known, listener)
    loops = int((pairs.first == pairs.second).sum())
    if loops:
        text = f"{loops:,} of the pairs are a protein with itself, which the model has never learned about."
        listener(Notice(text, "warning"))
    ids = np.array([f"{a}|{b}" for a, b in zip(pairs.first, pairs.second, strict=True)], dtype=object)
    return ids, ProteinPairs(_numbers(pairs, proteins.number_of), proteins)


def read_proteins_to_predict(
    path: Path, data: GraphData, known: Proteins, listener: Listener = silent
) -> tuple[Shaped[np.ndarray, "proteins"], ProteinPairs]:
    """Read the single proteins that a model of node labels is asked about: one a line, or a column of a table.

    The column is that of ``--id-column``, else the first. A first line that is no protein of the graph, but a word such
    as ``protein``, names the columns.

    Raises
    ------
    InputError
        As :func:`read_pairs_to_predict`.
    """
    sample = sample_rows(path)
    first = sample.rows[0]
    words = {"id", "name", "protein", "gene", "node", data.id_column.lower()}
    header = first[0] not in known.number_of and any(cell.lower() in words for cell in first)
    columns = tuple(first) if header else tuple(str(number) for number in range(1, len(first) + 1))
    layout = Layout(path, sample.separator, columns, sample.lines[0] if header else 0)
    blocks = [*read_cells(layout, [columns.index(data.id_column) if data.id_column in columns else 0])]
    names = np.array([name for block in blocks for name in block.cells[0].to_list()], dtype=object)
    if len(names) == 0:
        what = "no proteins below the column names"
        raise InputError(what, where=str(path), wanted="one protein per line")
    lines = np.concatenate([block.lines for block in blocks])
    proteins = _with_others(path, names[:, None], lines, data, known, listener)
    numbers = np.array([proteins.number_of[name] for name in names.tolist()], dtype=np.int64)
    return names, ProteinPairs(numbers[:, None], proteins)


def _with_others(
    path: Path,
    asked: Shaped[np.ndarray, "examples width"],
    lines: Int[np.ndarray, "examples"],
    data: GraphData,
    known: Proteins,
    listener: Listener,
) -> Proteins:
    """Return the proteins with those added that the model does not know, if their features are given."""
    new = [name for name in dict.fromkeys(asked.ravel().tolist()) if name not in known.number_of]
    if not new:
        return known
    described = np.zeros(len(new), dtype=np.bool_)
    features = None
    if known.features is not None and (data.features or data.proteins):
        features = read_features(data, new, listener, columns=known.feature_names, at_least=0)
        described = features.known
    if known.features is None or features is None or features.matrix is None or not described.all():
        name = new[int(np.flatnonzero(~described)[0])]
        row = int(np.flatnonzero((asked == name).any(axis=1))[0])
        what = "a protein that the model does not know, and of which no features are given"
        advice = None
        if known.features is not None:
            advice = "The model can be asked about it if --features or --proteins, as in training, have it too."
        wanted = f"names of the graph, such as {', '.join(known.names[:_SHOWN].tolist())}"
        raise InputError(what, where=f"{path}, line {lines[row]}", got=repr(name), wanted=wanted, advice=advice)
    names = np.concatenate([known.names, np.array(new, dtype=object)])
    graph = None if known.graph is None else Graph(names, known.graph.edges)
    return Proteins(names, _stacked(known.features, features.matrix), known.feature_names, graph)


def _stacked(above: FeatureMatrix, below: FeatureMatrix) -> FeatureMatrix:
    if isinstance(above, np.ndarray) and isinstance(below, np.ndarray):
        return np.concatenate([above, below])
    return sparse.vstack([sparse.csr_array(above), sparse.csr_array(below)]).tocsr()
