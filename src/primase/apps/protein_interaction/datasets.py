"""The registered data sets that can be trained on, as files that are read as a user's own would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from primase.apps.protein_interaction.simulator import simulate
from primase.apps.protein_interaction.sources import CORA, WORDS, YEAST_COMPLEXES, YEAST_PPI
from primase.bio import protein_complexes
from primase.bio.alphabets import PROTEIN, clean_sequence
from primase.bio.fasta import SequenceRecord, write_fasta
from primase.bio.genbank import AnnotatedProtein, read_proteins
from primase.bio.protein_complexes import ProteinComplex, co_complex_graph, find_complexes
from primase.data import pfam, yeast_genome
from primase.data.derived import SIMULATED, digest, simulated_folder, write_once
from primase.data.fetch import cache_folder, fetch
from primase.data.sources import Source
from primase.errors import ConfigurationError
from primase.events import Listener, Notice, silent

SIMULATED_EXAMPLES: Final = 4000

LAYOUT: Final = 1
"""Raised whenever other files are written for the same complexes."""


def dataset_files(name: str, listener: Listener = silent) -> Mapping[str, Path]:
    """Name the files of a registered data set by the input words under which they are read.

    Parameters
    ----------
    name
        ``"yeast-complexes"``, ``"yeast-ppi"``, ``"cora"`` or ``"simulated"``.
    listener
        Hears of downloads, and that simulated data are simulated.

    Returns
    -------
    mapping of str to Path
        Such as ``{"edges": …, "proteins": …, "profiles": …}``. The files lie in the cache and must not be changed.

    Raises
    ------
    ConfigurationError
        There is no such data set.
    SourceError
        A file cannot be had.
    """
    if name not in DATASETS:
        what = "this data set holds no graph"
        raise ConfigurationError(what, where=f"--dataset {name}", wanted=", ".join(DATASETS))
    return DATASETS[name](listener)


def yeast_complexes(listener: Listener) -> Mapping[str, Path]:
    """Write the yeast proteins that share a complex, and the pairs of them, once."""
    fetched = fetch(YEAST_COMPLEXES, listener=listener)
    folder = cache_folder() / "graphs" / f"{YEAST_COMPLEXES.name}-{_rules()}"
    if not folder.is_dir():
        archive = fetched[yeast_genome.FILE.name]
        write_once(folder, lambda staged: write_complexes(staged, list(read_proteins(archive))))
    return {
        "edges": folder / "edges.tsv",
        "proteins": folder / "proteins.fasta",
        "profiles": fetched[pfam.SUBSET_FILE.name],
    }


def pfam_subset(listener: Listener = silent) -> Path:
    """Find the registered profiles with which domains are searched where no others are named."""
    return fetch(YEAST_COMPLEXES, listener=listener)[pfam.SUBSET_FILE.name]


def files_as_words(source: Source) -> Callable[[Listener], Mapping[str, Path]]:
    """Read a data set whose files are what a user's own would be."""

    def files(listener: Listener) -> Mapping[str, Path]:
        fetched = fetch(source, listener=listener)
        return {word: fetched[file.name] for word, file in zip(WORDS[source.name], source.files, strict=True)}

    return files


def simulated(listener: Listener) -> Mapping[str, Path]:
    """Simulate a graph, always the same; the user is told."""
    text = (
        f"These {SIMULATED_EXAMPLES // 2:,} links are simulated: blocks of proteins that mostly interact among "
        "themselves."
    )
    listener(Notice(text, "info"))
    folder = simulated_folder("graph", "edges.tsv", lambda place: simulate(place, SIMULATED_EXAMPLES, 0))
    return {"edges": folder / "edges.tsv"}


DATASETS: Final[Mapping[str, Callable[[Listener], Mapping[str, Path]]]] = {
    YEAST_COMPLEXES.name: yeast_complexes,
    **{source.name: files_as_words(source) for source in (YEAST_PPI, CORA)},
    SIMULATED: simulated,
}


def write_complexes(folder: Path, proteins: Sequence[AnnotatedProtein]) -> None:
    """Write ``edges.tsv``, ``proteins.fasta`` (with gene names) and ``complexes.tsv`` (who is in what)."""
    by_tag = {protein.locus_tag: protein for protein in proteins}
    complexes = find_complexes(proteins)
    graph = co_complex_graph(complexes)
    pairs = ["protein_a\tprotein_b", *("\t".join(graph.names[edge]) for edge in graph.edges)]
    (folder / "edges.tsv").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    (folder / "complexes.tsv").write_text("\n".join(_memberships(complexes, by_tag)) + "\n", encoding="utf-8")
    write_fasta(folder / "proteins.fasta", (_record(by_tag[name]) for name in graph.names.tolist()))


def _memberships(complexes: Sequence[ProteinComplex], by_tag: Mapping[str, AnnotatedProtein]) -> list[str]:
    rows = [
        f"{group.accession}\t{group.name}\t{tag}\t{by_tag[tag].gene or ''}"
        for group in complexes
        for tag in group.members
    ]
    return ["accession\tcomplex\tprotein\tgene", *rows]


def _record(protein: AnnotatedProtein) -> SequenceRecord:
    description = " ".join(filter(None, (protein.gene, protein.product)))
    sequence = clean_sequence(protein.translation, PROTEIN, where=protein.locus_tag)
    return SequenceRecord(protein.locus_tag, description, sequence)


def _rules() -> str:
    """Tell one way to make the files from another, so that a newer one never meets files of an older one."""
    rules = (
        yeast_genome.FILE.sha256,
        sorted(protein_complexes.UNCURATED),
        protein_complexes.WORDS_OF_COMPLEXES,
        (protein_complexes.SMALLEST, protein_complexes.LARGEST, LAYOUT),
    )
    return digest(repr(rules).encode())
