import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from primase.apps.protein_interaction import rivals
from primase.apps.protein_interaction.pairs import ProteinPairs, Proteins
from primase.apps.protein_interaction.rivals import baselines, probes
from primase.apps.protein_interaction.splitting import draw_examples
from primase.bio.graphs import Graph
from primase.bio.topology import common_neighbours
from primase.data.examples import Examples
from primase.data.splits import Fractions
from primase.data.tasks import Task

TASK = Task("binary", ("no interaction", "interaction"))
Parts = tuple[Graph, dict[str, Examples[ProteinPairs]]]


def parts_of(negatives: str, *, planted: bool = True) -> Parts:
    """Draw a graph of hubs, and of four groups within which most links are; and pairs of it in three parts."""
    generator = np.random.default_rng(0)
    weights = generator.pareto(2.0, 200) + 0.5
    group = np.arange(200) % 4
    within = np.where(group[:, None] == group[None, :], 3.0, 0.2) if planted else 1.0
    chance = np.minimum(0.05 * np.outer(weights, weights) * within, 0.8)
    edges = generator.permutation(np.argwhere(np.triu(generator.random((200, 200)) < chance, 1)))
    names = np.arange(200).astype(str).astype(object)
    count = len(edges)
    given = {
        "train": edges[: 6 * count // 10],
        "validation": edges[6 * count // 10 : 8 * count // 10],
        "test": edges[8 * count // 10 :],
    }
    drawn = draw_examples(given, {}, names, split="given", negatives=negatives, fractions=Fractions(), seed=0)
    proteins = Proteins(names)
    examples = Examples(
        ids=np.arange(len(drawn.nodes)).astype(object),
        inputs=ProteinPairs(drawn.nodes, proteins),
        targets=drawn.targets,
    )
    found = {part: examples.take(np.flatnonzero(drawn.parts == part)) for part in given}
    return Graph.of(names, given["train"]), found


@pytest.fixture(scope="module")
def matched() -> Parts:
    return parts_of("degree-matched")


@pytest.fixture(scope="module")
def uniform() -> Parts:
    return parts_of("uniform", planted=False)


def figures(rivals_of, parts: Parts) -> dict[str, float]:
    graph, examples = parts
    found = {}
    for rival in rivals_of(graph):
        fitted = rival.fit(TASK, examples["train"], examples["validation"])
        probabilities = fitted.answers(examples["test"])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        found[rival.name] = float(roc_auc_score(examples["test"].targets, probabilities[:, 1]))
    return found


def test_planted_groups_are_seen_where_degrees_tell_nothing(matched: Parts) -> None:
    found = figures(baselines, matched)
    assert [*found] == [
        "majority class",
        "common neighbours",
        "Adamic-Adar",
        "L3",
        "eigenvectors",
        "boosted trees on all scores",
    ]
    assert found["majority class"] == 0.5
    assert all(value > 0.65 for name, value in found.items() if name != "majority class"), found
    assert found["eigenvectors"] > 0.75
    assert 0.4 < figures(probes, matched)["degree product"] < 0.6


def test_degrees_alone_tell_links_from_uniform_pairs(uniform: Parts) -> None:
    assert figures(probes, uniform)["degree product"] > 0.75


def test_the_order_of_the_two_proteins_does_not_matter(matched: Parts) -> None:
    graph, examples = matched
    test = examples["test"]
    swapped = Examples(
        ids=test.ids, inputs=ProteinPairs(test.inputs.nodes[:, ::-1], test.inputs.proteins), targets=test.targets
    )
    for rival in [*baselines(graph), *probes(graph)]:
        np.testing.assert_allclose(rival.features(swapped), rival.features(test), atol=1e-12)


def test_scores_are_computed_once(matched: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, examples = matched
    calls = []

    def counted(graph: Graph, pairs: np.ndarray) -> np.ndarray:
        calls.append(len(pairs))
        return common_neighbours(graph, pairs)

    monkeypatch.setattr(rivals, "common_neighbours", counted)
    for rival in baselines(graph):
        rival.features(examples["test"])
        rival.features(examples["test"])
    assert calls == [len(examples["test"])]


def test_a_sample_is_enough_for_trees(matched: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, examples = matched
    boosted = baselines(graph)[-1]
    whole = boosted.fit(TASK, examples["train"], examples["validation"]).answers(examples["test"])
    monkeypatch.setattr(rivals, "MOST_PAIRS", 300)
    fitted = boosted.fit(TASK, examples["train"], examples["validation"])
    some = fitted.answers(examples["test"])
    assert not np.array_equal(some, whole)
    assert roc_auc_score(examples["test"].targets, some[:, 1]) > 0.6
    assert "300" in fitted.description


def test_pairs_of_other_proteins_are_refused(matched: Parts) -> None:
    graph, examples = matched
    with pytest.raises(ValueError, match="not of the proteins"):
        probes(Graph(graph.names[:-1], graph.edges[:0]))[0].features(examples["test"])
