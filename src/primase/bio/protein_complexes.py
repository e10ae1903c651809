"""Which proteins are found in one complex: what the annotation of a genome says, as complexes and as a graph.

An annotated genome names the cellular components of each protein with terms of the Gene Ontology (Ashburner et al.
2000, Nature Genetics 25:25-29). Those that are complexes, rather than places such as the nucleus, group the proteins;
every two proteins of a group are a pair. This is the matrix model (Bader and Hogue 2002, Nature Biotechnology
20:991-997): it says that two proteins work in one machine, not that they touch each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, final

import numpy as np

from primase.bio.genbank import AnnotatedProtein, OntologyTerm
from primase.bio.graphs import Graph

UNCURATED: Final = frozenset({"IEA", "ND"})
"""The evidence codes that no curator stands behind: inferred electronically, and no data.

All others do count: experiments (IDA, IPI, IMP, IGI, …), statements of authors and curators (TAS, NAS, IC), and
sequence analyses that a curator has looked at (ISS, ISM, ISA, IBA, …).
"""

WORDS_OF_COMPLEXES: Final = (
    "complex",
    *("ribosomal subunit", "ribosome", "snRNP", "spliceosome", "proteasome", "exocyst", "signalosome", "holoenzyme"),
    *("nucleosome", "ATP synthase", "ATPase", "vesicle coat"),
)
"""The name of a complex contains one of these; those behind the first name machines that the word is not used for.

"Preribosome" and "polysomal ribosome" contain one too. The proteasome storage granule stays, since what is listed there
are the subunits of one proteasome. Names of structures, such as pores, rings and filaments, have none.
"""

SMALLEST: Final = 2
LARGEST: Final = 40
"""Proteins; what is larger, as both cytosolic ribosomal subunits are, would outweigh all other pairs together."""


@final
@dataclass(frozen=True, slots=True)
class ProteinComplex:
    """A complex and the proteins in it.

    Parameters
    ----------
    accession, name
        The term of the Gene Ontology.
    members
        The systematic names of the proteins' genes, sorted.
    """

    accession: str
    name: str
    members: tuple[str, ...]


def find_complexes(
    proteins: Iterable[AnnotatedProtein], *, smallest: int = SMALLEST, largest: int = LARGEST
) -> list[ProteinComplex]:
    """Group proteins by the complexes that curators have found them in.

    A protein is counted where the annotation names a term itself: the terms of the parts of a complex are not added to
    the whole. Terms that name a kind of complex, such as "SNARE complex", make one group too.

    Parameters
    ----------
    proteins
        As :func:`primase.bio.genbank.read_proteins` yields them.
    smallest, largest
        How many proteins a complex must have, and may have.

    Returns
    -------
    list of ProteinComplex
        In the order of their accessions.
    """
    names: dict[str, str] = {}
    members: dict[str, set[str]] = defaultdict(set)
    for protein in proteins:
        for term in protein.components:
            if is_complex(term.name) and is_curated(term):
                names.setdefault(term.accession, term.name)
                members[term.accession].add(protein.locus_tag)
    return [
        ProteinComplex(accession, name, tuple(sorted(members[accession])))
        for accession, name in sorted(names.items())
        if smallest <= len(members[accession]) <= largest
    ]


def is_complex(name: str) -> bool:
    """Tell whether a cellular component is a complex by its name.

    Examples
    --------
    >>> is_complex("Ndc80 complex"), is_complex("U5 snRNP"), is_complex("nucleus")
    (True, True, False)
    """
    return any(word in name for word in WORDS_OF_COMPLEXES)


def is_curated(term: OntologyTerm) -> bool:
    """Tell whether a curator stands behind any evidence for a term."""
    return not UNCURATED.issuperset(term.evidence)


def co_complex_graph(complexes: Sequence[ProteinComplex]) -> Graph:
    """Link every two proteins that are in one complex or more.

    Examples
    --------
    >>> graph = co_complex_graph([ProteinComplex("GO:1", "one", ("B", "A")), ProteinComplex("GO:2", "two", ("A", "C"))])
    >>> graph.names.tolist(), graph.edges.tolist()
    (['A', 'B', 'C'], [[0, 1], [0, 2]])
    """
    names = sorted({name for group in complexes for name in group.members})
    number_of = {name: number for number, name in enumerate(names)}
    pairs = [
        (number_of[first], number_of[second]) for group in complexes for first, second in combinations(group.members, 2)
    ]
    return Graph.of(names, np.array(pairs, dtype=np.int64).reshape(-1, 2))
