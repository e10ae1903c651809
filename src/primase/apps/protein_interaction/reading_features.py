"""Read what is known of each protein: a table or matrix of the user's, and composition and domains of sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int
from scipy import sparse

from primase.apps.protein_interaction.configuration import GraphData
from primase.apps.protein_interaction.pairs import FeatureMatrix
from primase.bio.composition import COMPOSITION_COLUMNS, describe_sequences
from primase.bio.domain_cache import DomainCache
from primase.bio.domain_sets import DomainSets
from primase.bio.domains import find_domains
from primase.bio.fasta import read_fasta
from primase.bio.node_features import read_node_features
from primase.bio.profiles import ProfileSet
from primase.data.audit import Finding
from primase.data.fetch import cache_folder
from primase.errors import InputError
from primase.events import Listener, silent

DOMAIN: Final = "Pfam domain "
"""Stands before the name of a domain in the name of a feature."""

# A domain of one protein says nothing of another.
_PROTEINS_PER_DOMAIN: Final = 2
_SHOWN: Final = 3


@final
@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is known of some proteins.

    Parameters
    ----------
    matrix
        One row per protein, float32, zeros where nothing is known; None if there are no features at all.
    names
        What the columns are.
    known
        Which proteins something is known of.
    profiles
        The file that domains were found with and its sha256; empty where none were searched.
    """

    matrix: FeatureMatrix | None
    names: tuple[str, ...]
    known: Bool[np.ndarray, "nodes"]
    findings: Sequence[Finding] = ()
    profiles: Mapping[str, Any] = field(default_factory=dict)

    def with_columns(self, names: Sequence[str], *, where: str) -> Features:
        """Return the same with the columns of a trained model; a domain that no protein has is zero.

        Raises
        ------
        InputError
            If another kind of column is missing.
        """
        place_of = {name: place for place, name in enumerate(self.names)}
        missing = [name for name in names if name not in place_of and not name.startswith(DOMAIN)]
        if missing or self.matrix is None:
            what = f"{len(missing):,} features that the model was trained with are missing"
            got = ", ".join(self.names[:_SHOWN]) or "no features"
            raise InputError(what, where=where, got=got, wanted=f"{', '.join(missing[:_SHOWN])} and the others")
        targets = np.array([place_of.get(name, -1) for name in names], dtype=np.int64)
        there = np.flatnonzero(targets >= 0)
        if isinstance(self.matrix, np.ndarray):
            chosen = np.zeros((len(self.matrix), len(names)), dtype=np.float32)
            chosen[:, there] = self.matrix[:, targets[there]]
            return Features(chosen, tuple(names), self.known, self.findings, self.profiles)
        ones = np.ones(len(there), dtype=np.float32)
        selection = sparse.csr_array((ones, (targets[there], there)), shape=(len(self.names), len(names)))
        selected = sparse.csr_array(self.matrix @ selection)
        selected.sort_indices()
        return Features(selected, tuple(names), self.known, self.findings, self.profiles)


def read_features(
    data: GraphData,
    names: Sequence[str],
    listener: Listener = silent,
    *,
    columns: Sequence[str] | None = None,
    at_least: int = 1,
) -> Features:
    """Read the features of proteins that the data words name, from a table or matrix, from sequences, or from both.

    Parameters
    ----------
    names
        The proteins.
    columns
        The features of a trained model; None takes all of the table and the domains that two proteins have or more.
    at_least
        So many of the proteins must be in each file.

    Raises
    ------
    InputError
        If a file cannot be read, is of other proteins, or lacks a column.
    """
    blocks = []
    if data.features is not None:
        blocks.append(_table_features(data.features, names, at_least))
    if data.proteins is not None:
        blocks.append(_sequence_features(data, data.proteins, names, listener, (columns, at_least)))
    stacked = stack_features(blocks, len(names))
    if columns is None:
        return stacked
    return stacked.with_columns(columns, where=str(data.features or data.proteins or "features"))


def stack_features(blocks: Sequence[Features], proteins: int) -> Features:
    """Lay features of the same proteins side by side; sparse if any of them are.

    Parameters
    ----------
    proteins
        How many proteins there are, for when there is no block.
    """
    matrices = [block.matrix for block in blocks if block.matrix is not None]
    known = np.zeros(proteins, dtype=np.bool_)
    for block in blocks:
        known |= block.known
    dense = [one for one in matrices if isinstance(one, np.ndarray)]
    matrix: FeatureMatrix | None = None
    if len(matrices) == 1:
        matrix = matrices[0]
    elif len(dense) == len(matrices) > 0:
        matrix = np.concatenate(dense, axis=1)
    elif matrices:
        matrix = sparse.hstack([sparse.csr_array(one) for one in matrices]).tocsr()
    names = tuple(name for block in blocks for name in block.names)
    findings = [finding for block in blocks for finding in block.findings]
    return Features(
        matrix, names, known, findings, {key: block.profiles[key] for block in blocks for key in block.profiles}
    )


def _table_features(path: Path, names: Sequence[str], at_least: int) -> Features:
    read = read_node_features(path, names, at_least=at_least)
    findings = list(_coverage(read.known, names, path, "features", read.unused))
    if read.constant:
        text = (
            f"{read.constant:,} of {len(read.columns):,} features in {path.name} have one value for all proteins of "
            "the graph, and tell none from another."
        )
        findings.append(Finding("constant features", read.constant, "warning", text))
    return Features(read.matrix, read.columns, read.known, findings)


def _coverage(
    known: Bool[np.ndarray, "nodes"], names: Sequence[str], path: Path, what: str, unused: int
) -> list[Finding]:
    findings = []
    missing = np.flatnonzero(~known)
    if len(missing):
        shown = ", ".join(names[number] for number in missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        text = f"{len(missing):,} of {len(names):,} proteins have no {what} in {path.name} ({shown}): theirs are zero."
        findings.append(Finding(f"proteins without {what}", len(missing), "warning", text))
    if unused:
        text = f"{unused:,} proteins in {path.name} are not in the graph, and are not used."
        findings.append(Finding(f"{what} of other proteins", unused, "info", text))
    return findings


def _sequence_features(
    data: GraphData,
    path: Path,
    names: Sequence[str],
    listener: Listener,
    trained: tuple[Sequence[str] | None, int],
) -> Features:
    columns, at_least = trained
    sequences, unused, first = _read_sequences(path, names)
    known = np.array([name in sequences for name in names], dtype=np.bool_)
    if known.sum() < at_least:
        what = "the sequences are of other proteins: none of the graph is among them"
        wanted = f"the names of the graph, such as {', '.join(names[:_SHOWN])}"
        raise InputError(what, where=str(path), got=f"{', '.join(first)}, …", wanted=wanted)
    places = np.flatnonzero(known)
    letters = [sequences[names[place]] for place in places.tolist()]
    composition = np.zeros((len(names), len(COMPOSITION_COLUMNS)), dtype=np.float32)
    if letters:
        composition[places] = describe_sequences(pl.Series(letters, dtype=pl.String))
    blocks = [Features(composition, COMPOSITION_COLUMNS, known, _coverage(known, names, path, "sequence", unused))]
    if data.profiles is not None:
        blocks.append(_domain_features(data, data.profiles, letters, places, len(names), columns, listener))
    return stack_features(blocks, len(names))


def _read_sequences(path: Path, names: Sequence[str]) -> tuple[dict[str, str], int, list[str]]:
    """Read the sequences of the proteins; also count the others, and name the first records."""
    wanted = {*names}
    sequences: dict[str, str] = {}
    first: list[str] = []
    unused = 0
    for record in read_fasta(path):
        if len(first) < _SHOWN:
            first.append(record.id)
        # UniProt writes >sp|P00546|CDK1_YEAST, and a graph has one of the parts.
        name = next((name for name in (record.id, *record.id.split("|")[1:]) if name in wanted), None)
        if name is None:
            unused += 1
        elif sequences.setdefault(name, record.sequence) != record.sequence:
            what = "one protein has two different sequences"
            raise InputError(what, where=f"{path}, record {record.id}", wanted="one sequence per protein")
    return sequences, unused, first


def _domain_features(
    data: GraphData,
    path: Path,
    sequences: Sequence[str],
    places: Int[np.ndarray, "known"],
    proteins: int,
    columns: Sequence[str] | None,
    listener: Listener,
) -> Features:
    """Search domains; which are there is 1, and a domain of a single protein is left out."""
    with DomainCache(cache_folder() / "domains.sqlite") as cache:
        profiles = ProfileSet(path, cache=cache)
        found = find_domains(
            sequences, profiles, cache=cache, threads=data.threads, listener=listener, total=len(sequences)
        )
        domains = DomainSets.from_sets(found)
    counts = np.bincount(domains.matrix.indices, minlength=len(domains.names))
    kept = np.flatnonzero(counts >= (_PROTEINS_PER_DOMAIN if columns is None else 1))
    table = domains.with_names([domains.names[number] for number in kept.tolist()])
    rows = places[np.repeat(np.arange(len(sequences)), np.diff(table.matrix.indptr))]
    ones = np.ones(len(rows), dtype=np.float32)
    matrix = sparse.coo_array((ones, (rows, table.matrix.indices)), shape=(proteins, len(kept))).tocsr()
    known = np.zeros(proteins, dtype=np.bool_)
    known[places] = True
    without = int((np.diff(matrix.indptr)[places] == 0).sum())
    text = (
        f"{len(kept):,} domains of {path.name} are in {_PROTEINS_PER_DOMAIN} proteins or more, and become features; "
        f"{without:,} of {len(places):,} proteins have none of them."
    )
    findings = [Finding("proteins without a domain", without, "info", text)] if columns is None else []
    facts = {"file": path.name, "sha256": profiles.sha256}
    return Features(matrix, tuple(DOMAIN + name for name in table.names), known, findings, facts)
