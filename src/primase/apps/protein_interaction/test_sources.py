from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from primase.apps.card import HEADINGS, read_card
from primase.apps.protein_interaction import datasets
from primase.apps.protein_interaction.configuration import GraphData
from primase.apps.protein_interaction.datasets import dataset_files, write_complexes
from primase.apps.protein_interaction.reading import read_graph
from primase.apps.protein_interaction.sources import CORA, SOURCES, YEAST_COMPLEXES, YEAST_PPI
from primase.bio import protein_complexes
from primase.bio.fasta import read_fasta
from primase.bio.genbank import AnnotatedProtein, OntologyTerm, read_proteins
from primase.data import pfam, yeast_genome
from primase.data.fetch import locate
from primase.data.sources import Source
from primase.data.words import INPUT_WORDS
from primase.errors import ConfigurationError
from primase.events import Event, Notice


def protein(tag: str, gene: str | None, product: str, *complexes: int) -> AnnotatedProtein:
    terms = tuple(OntologyTerm(f"GO:{number}", f"complex {number}", ("IDA",)) for number in complexes)
    return AnnotatedProtein(tag, gene, product, (), f"MKV{tag[-1]}", "I", 0, 9, 1, terms)


PROTEINS = [
    protein("Y3A", "GEN3", "third", 1, 2),
    protein("Y1C", None, "", 1),
    protein("Y2D", "GEN2", "second protein", 2, 3),
    protein("Y4E", "GEN4", "alone", 3),
    protein("Y5F", "GEN5", "nowhere"),
]


@pytest.fixture
def five_proteins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and a yeast genome of five proteins."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PRIMASE_CACHE", str(folder))
    files = {yeast_genome.FILE.name: tmp_path / "genome.zip", pfam.SUBSET_FILE.name: tmp_path / "Pfam.h3m"}
    monkeypatch.setattr(datasets, "fetch", lambda source, listener: files)
    monkeypatch.setattr(datasets, "read_proteins", lambda path: iter(PROTEINS))
    yield folder
    assert [path.name for path in folder.rglob(".*")] == [], "left behind"


def test_complexes_are_written_as_pairs_sequences_and_memberships(tmp_path: Path) -> None:
    write_complexes(tmp_path, PROTEINS)
    assert (tmp_path / "edges.tsv").read_text() == "protein_a\tprotein_b\nY1C\tY3A\nY2D\tY3A\nY2D\tY4E\n"
    records = list(read_fasta(tmp_path / "proteins.fasta"))
    assert [(record.id, record.description, record.sequence) for record in records] == [
        ("Y1C", "", "MKVC"),
        ("Y2D", "GEN2 second protein", "MKVD"),
        ("Y3A", "GEN3 third", "MKVA"),
        ("Y4E", "GEN4 alone", "MKVE"),
    ]
    rows = (tmp_path / "complexes.tsv").read_text().splitlines()
    assert rows[0] == "accession\tcomplex\tprotein\tgene"
    assert rows[1:3] == ["GO:1\tcomplex 1\tY1C\t", "GO:1\tcomplex 1\tY3A\tGEN3"]
    assert len(rows) == 7


def test_complexes_are_written_into_the_cache_once(five_proteins: Path) -> None:
    files = dataset_files("yeast-complexes")
    assert [*files] == ["edges", "proteins", "profiles"]
    assert {files["edges"].parent, files["proteins"].parent} == {*(five_proteins / "graphs").iterdir()}
    assert files["profiles"].name == pfam.SUBSET_FILE.name
    written = files["edges"].stat().st_mtime_ns
    assert dataset_files("yeast-complexes") == files
    assert files["edges"].stat().st_mtime_ns == written


def test_other_rules_are_other_files(five_proteins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dataset_files("yeast-complexes")["edges"]
    monkeypatch.setattr(protein_complexes, "LARGEST", 39)
    assert dataset_files("yeast-complexes")["edges"].parent != first.parent


def test_an_interruption_leaves_nothing_that_would_be_used(
    five_proteins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(folder: Path, proteins: object) -> None:
        (folder / "edges.tsv").write_text("half of")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(datasets, "write_complexes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dataset_files("yeast-complexes")
    assert [*(five_proteins / "graphs").iterdir()] == []
    assert len(dataset_files("yeast-complexes")["edges"].read_text().splitlines()) == 4


def test_another_process_may_have_been_faster(five_proteins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(folder: Path, proteins: object) -> None:
        write_complexes(folder, PROTEINS)
        place = folder.parent / folder.name[1:].rpartition(".")[0]
        place.mkdir()
        write_complexes(place, PROTEINS[:2])

    monkeypatch.setattr(datasets, "write_complexes", overtaken)
    files = dataset_files("yeast-complexes")
    assert files["edges"].read_text().splitlines()[1:] == ["Y1C\tY3A"]


def test_the_simulated_graph_is_always_the_same_and_said_to_be_simulated(five_proteins: Path) -> None:
    heard: list[Event] = []
    files = dataset_files("simulated", heard.append)
    content, written = files["edges"].read_bytes(), files["edges"].stat().st_mtime_ns
    assert len(content.splitlines()) == 2001
    assert any(isinstance(event, Notice) and "simulated" in event.text for event in heard)
    time.sleep(0.01)
    assert dataset_files("simulated") == files
    assert files["edges"].stat().st_mtime_ns == written
    assert (files["edges"].parent / "blocks.tsv").exists()


@pytest.mark.parametrize("source", [YEAST_PPI, CORA], ids=lambda source: source.name)
def test_published_files_are_read_under_the_words_of_their_names(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        datasets, "fetch", lambda source, listener: {file.name: Path(file.name) for file in source.files}
    )
    files = dataset_files(source.name)
    assert {*files} <= INPUT_WORDS | {"features"}
    for word, path in files.items():
        part, _, kind = word.rpartition("_")
        assert kind in path.name
        assert part.removesuffix("idation") in path.name


@pytest.mark.parametrize("source", [YEAST_PPI, CORA], ids=lambda source: source.name)
def test_published_graphs_hold_what_is_said_of_them(source: Source) -> None:
    if any(location.path is None for location in locate(source).values()):
        pytest.skip(f"{source.name} is only in a mirror folder, and PRIMASE_MIRROR names none that has it")
    graph = read_graph(GraphData.model_validate(dict(dataset_files(source.name))))
    for pairs in graph.edges.values():
        assert f"{len(pairs):,} " in source.description
    assert f"{len(graph.proteins):,} " in f"{source.title} {source.description}"
    if source is CORA:
        assert graph.proteins.features is not None
        assert f"{graph.proteins.features.shape[1]:,} words" in source.description
    else:
        assert f"{sum(map(len, graph.edges.values())):,} interactions" in source.title
        assert {part: len(pairs) for part, pairs in graph.nonedges.items()} == {"validation": 10_602, "test": 10_609}


def test_an_unknown_data_set_is_refused_by_name(five_proteins: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--dataset karate.*yeast-complexes, yeast-ppi, cora, simulated"):
        dataset_files("karate")


def test_the_card_says_all_that_a_card_must() -> None:
    card = read_card(Path(datasets.__file__).parent)
    assert all(card[heading] for heading in HEADINGS)


def test_every_source_can_be_trained_on() -> None:
    assert [*datasets.DATASETS] == [*(source.name for source in SOURCES), "simulated"]


def test_the_genome_holds_what_is_said_of_it(tmp_path: Path) -> None:
    location = locate(YEAST_COMPLEXES)[yeast_genome.FILE.name]
    if location.path is None:
        pytest.skip("the yeast genome has not been fetched, and PRIMASE_MIRROR does not hold it")
    write_complexes(tmp_path, list(read_proteins(location.path)))
    pairs = [line.split("\t") for line in (tmp_path / "edges.tsv").read_text().splitlines()[1:]]
    names, degrees = np.unique(np.array(pairs), return_counts=True)
    memberships = [line.split("\t") for line in (tmp_path / "complexes.tsv").read_text().splitlines()[1:]]
    sizes = np.unique([row[0] for row in memberships], return_counts=True)[1]
    assert (len(names), len(pairs), len(sizes)) == (1677, 9134, 408)
    for number in (f"{len(names):,}", f"{len(pairs):,}", str(len(sizes))):
        assert f"{number} " in YEAST_COMPLEXES.description
    assert (sizes.min(), sizes.max()) == (2, 32)
    assert degrees.min() >= 1
    assert sum(1 for _ in read_fasta(tmp_path / "proteins.fasta")) == len(names)
    assert ["GO:0000127", "transcription factor TFIIIC complex", "YAL001C", "TFC3"] in memberships
