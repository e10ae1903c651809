from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from primase.apps.protein_interaction.simulator import PLANTED_PAIRS, simulate
from primase.apps.workflow import Simulated
from primase.bio.graphs import Graph
from primase.data.negatives import degree_matched_negatives, uniform_negatives


def made(folder: Path, count: int, seed: int = 0) -> tuple[Graph, np.ndarray, Simulated]:
    """The graph, the block of each protein and what the simulator said."""
    simulated = simulate(folder, count, seed)
    rows = [line.split("\t") for line in (folder / "edges.tsv").read_text().splitlines()]
    assert rows[0] == ["protein_a", "protein_b"]
    labels = [line.split("\t") for line in (folder / "blocks.tsv").read_text().splitlines()]
    assert labels[0] == ["id", "label"]
    names = [name for name, _ in labels[1:]]
    number_of = {name: number for number, name in enumerate(names)}
    graph = Graph.of(names, np.array([[number_of[first], number_of[second]] for first, second in rows[1:]]))
    assert len(graph.edges) == len(rows) - 1, "a link twice, or of a protein with itself"
    return graph, np.array([label for _, label in labels[1:]]), simulated


def without(graph: Graph, share: float, seed: int) -> tuple[Graph, np.ndarray]:
    """The message graph, and the links that are left out of it."""
    left_out = np.random.default_rng(seed).permutation(len(graph.edges))[: int(share * len(graph.edges))]
    return Graph(graph.names, np.delete(graph.edges, left_out, axis=0)), graph.edges[left_out]


def area(score: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> float:
    pairs = np.concatenate([positives, negatives])
    return float(roc_auc_score(np.arange(len(pairs)) < len(positives), score[pairs[:, 0], pairs[:, 1]]))


@pytest.mark.parametrize("count", [20, 21, 100, 400, 4000])
def test_there_are_as_many_links_as_asked_for_and_each_protein_has_one(tmp_path: Path, count: int) -> None:
    graph, labels, simulated = made(tmp_path, count)
    assert len(graph.edges) == count // 2
    assert graph.degrees.min() >= 1
    assert simulated.inputs == ["--edges", "edges.tsv"]
    assert simulated.facts["blocks"] == dict(zip(graph.names.tolist(), labels.tolist(), strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks.tsv", "edges.tsv"]


def test_links_stay_mostly_in_their_block_and_some_proteins_have_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, labels, _ = made(tmp_path, 4000)
    assert np.mean(labels[graph.edges[:, 0]] == labels[graph.edges[:, 1]]) == pytest.approx(0.95)
    assert graph.degrees.mean() == pytest.approx(10, rel=0.02)
    assert len(set(labels)) == 16
    monkeypatch.setattr("primase.apps.protein_interaction.simulator.MOST_SOCIABLE", 1.0)
    equal, _, _ = made(tmp_path, 4000)
    assert graph.degrees.std() > 1.5 * equal.degrees.std()


@pytest.mark.parametrize("count", [400, 1200, 2000, 4000])
def test_spectral_clustering_of_the_message_graph_recovers_the_blocks(tmp_path: Path, count: int) -> None:
    graph, labels, _ = made(tmp_path, count)
    message, _ = without(graph, 0.1, seed=1)
    root = np.sqrt(np.maximum(message.degrees, 1))
    blocks = len(set(labels))
    vectors = np.linalg.eigh(message.adjacency.toarray() / np.outer(root, root))[1][:, -blocks:]
    # Rows of unit length do not tell how many links a protein has (Rohe et al. 2016).
    rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found = KMeans(blocks, n_init=10, random_state=0).fit_predict(rows)
    assert adjusted_rand_score(labels, found) >= 0.95


@pytest.mark.parametrize("count", [1200, 4000])
def test_degrees_tell_links_from_any_pairs_but_not_from_matched_ones_and_blocks_do(tmp_path: Path, count: int) -> None:
    products, neighbours, uniform = [], [], []
    for seed in range(3):
        (folder := tmp_path / str(seed)).mkdir()
        graph, _, _ = made(folder, count, seed)
        message, test = without(graph, 0.1, seed)
        matched = degree_matched_negatives(graph, test, seed=seed, measured=message).pairs
        adjacency = message.adjacency.toarray()
        product = np.outer(message.degrees, message.degrees)
        products.append(area(product, test, matched))
        neighbours.append(area(adjacency @ adjacency, test, matched))
        full = np.outer(graph.degrees, graph.degrees)
        uniform.append(area(full, graph.edges, uniform_negatives(graph, len(graph.edges), seed=seed)))
    assert np.mean(products) == pytest.approx(0.5, abs=0.05)
    assert np.mean(neighbours) >= 0.9
    assert np.mean(uniform) >= 0.6


def test_planted_are_the_links_within_the_block_that_support_a_link(tmp_path: Path) -> None:
    graph, labels, simulated = made(tmp_path, 400)
    block = dict(zip(graph.names.tolist(), labels.tolist(), strict=True))
    links = {frozenset(pair) for pair in graph.names[graph.edges].tolist()}
    expected = Counter(
        ("|".join(sorted(link)), "\N{EN DASH}".join(sorted(support)))
        for link in links
        for support in links
        if len(link & support) == 1 and len({block[name] for name in link | support}) == 1
    )
    assert Counter((row["id"], row["feature"]) for row in simulated.planted) == expected
    assert max(expected.values()) == 1
    assert len({row["id"] for row in simulated.planted}) == pytest.approx(0.95 * len(links), rel=0.02)


def test_what_is_planted_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PLANTED_PAIRS >= 2000
    monkeypatch.setattr("primase.apps.protein_interaction.simulator.PLANTED_PAIRS", 10)
    _, _, simulated = made(tmp_path, 400)
    assert 0 < len({row["id"] for row in simulated.planted}) <= 10


def test_neither_names_nor_lines_tell_the_block(tmp_path: Path) -> None:
    _, labels, _ = made(tmp_path, 4000)
    assert np.mean(labels[1:] == labels[:-1]) < 0.15
    first = [line.split("\t")[0] for line in (tmp_path / "edges.tsv").read_text().splitlines()[1:]]
    assert first != sorted(first)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    contents = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        (folder := tmp_path / name).mkdir()
        simulated = simulate(folder, 100, seed)
        files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        contents.append((files, json.dumps([simulated.planted, simulated.facts])))
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]
