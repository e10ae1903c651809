from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.bio.topology import degree_product
from primase.data import negatives
from primase.data.negatives import degree_matched_negatives, uniform_negatives
from primase.errors import InputError


def hubs(nodes: int, links: int, seed: int = 0) -> Graph:
    """Draw a graph whose degrees are very unequal."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, nodes + 1) ** 0.7
    pairs = generator.choice(nodes, (3 * links, 2), p=weights / weights.sum())
    unique = Graph.of(map(str, range(nodes)), pairs)
    return Graph.of(unique.names, generator.permutation(unique.edges)[:links])


def assert_fair(pairs: Pairs, graph: Graph, avoid: np.ndarray) -> None:
    keys = pair_keys(pairs, len(graph))
    assert not graph.links(pairs).any()
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert len(np.unique(keys)) == len(keys)
    assert not np.isin(keys, avoid).any()


@settings(max_examples=60, deadline=None)
@given(nodes=st.integers(4, 15), chance=st.floats(0, 0.9), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_uniform_pairs_are_unlinked_and_drawn_once(nodes: int, chance: float, share: float, seed: int) -> None:
    every = np.array(list(combinations(range(nodes), 2)))
    generator = np.random.default_rng(seed)
    graph = Graph.of(map(str, range(nodes)), every[generator.random(len(every)) < chance])
    free = every[~graph.links(every)]
    avoid = pair_keys(free[: len(free) // 3], nodes)
    left = len(free) - len(avoid)
    count = round(share * left)
    pairs = uniform_negatives(graph, count, seed=seed, avoid=avoid)
    assert len(pairs) == count
    assert_fair(pairs, graph, avoid)
    with pytest.raises(InputError, match="too dense"):
        uniform_negatives(graph, left + 1, seed=seed, avoid=avoid)


@pytest.mark.parametrize("listed", [0, negatives.LISTED])
def test_all_unlinked_pairs_are_as_likely(listed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negatives, "LISTED", listed)
    graph = Graph.of("abcdef", np.array([[0, 1], [0, 2], [0, 3], [4, 5]]))
    drawn = np.concatenate([uniform_negatives(graph, 5, seed=seed) for seed in range(2000)])
    counts = np.unique(pair_keys(drawn, 6), return_counts=True)[1]
    expected = 2000 * 5 / 11
    assert len(counts) == 11
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi-squared, 10 degrees of freedom: p < 0.001


def test_uniform_pairs_between_two_sets() -> None:
    graph = hubs(50, 200)
    low, high = np.arange(20), np.arange(20, 50)
    pairs = uniform_negatives(graph, 100, seed=0, among=(low, high))
    assert ((pairs.min(axis=1) < 20) & (pairs.max(axis=1) >= 20)).all()
    assert_fair(pairs, graph, np.empty(0))
    free = 20 * 30 - int(((graph.edges[:, 0] < 20) & (graph.edges[:, 1] >= 20)).sum())
    assert len(uniform_negatives(graph, free, seed=0, among=(low, high))) == free
    with pytest.raises(InputError, match="too dense"):
        uniform_negatives(graph, free + 1, seed=0, among=(low, high))


def test_one_node_stays_and_the_other_has_a_similar_degree() -> None:
    graph = hubs(2000, 8000)
    matched = degree_matched_negatives(graph, graph.edges, seed=1)
    assert_fair(matched.pairs, graph, np.empty(0))
    stays = (matched.pairs[:, :, None] == graph.edges[:, None, :]).any(axis=(1, 2))
    assert stays.mean() > 0.99
    assert matched.mean_log_ratio < 0.15
    assert matched.unmatched < 0.04 * len(graph.edges)
    uniform = uniform_negatives(graph, len(graph.edges), seed=1)
    assert auroc(graph, graph.edges, uniform) > 0.75


@pytest.mark.parametrize("links", [3000, 20000])
def test_degrees_of_train_do_not_tell_test_links_from_matched_pairs(links: int) -> None:
    graph = hubs(2000, links)
    order = np.random.default_rng(0).permutation(links)
    train = Graph.of(graph.names, graph.edges[order[links // 5 :]])
    test = graph.edges[order[: links // 5]]
    by_train = degree_matched_negatives(graph, test, seed=0, measured=train)
    assert 0.48 < auroc(train, test, by_train.pairs) < 0.52
    # Drawn before the parts are, with the link itself taken out of its degrees, they match as well.
    before = degree_matched_negatives(graph, graph.edges, seed=0).pairs[order[: links // 5]]
    assert 0.47 < auroc(train, test, before) < 0.53


def auroc(graph: Graph, linked: Pairs, unlinked: Pairs) -> float:
    scores = degree_product(graph, np.concatenate([linked, unlinked]))
    return float(roc_auc_score(np.repeat([1, 0], [len(linked), len(unlinked)]), scores))


def test_a_node_is_swapped_for_one_of_its_kind() -> None:
    graph = hubs(300, 1200)
    kinds = np.arange(300) % 3
    matched = degree_matched_negatives(graph, graph.edges, seed=0, kinds=kinds)
    assert np.array_equal(np.sort(kinds[matched.pairs], axis=1), np.sort(kinds[graph.edges], axis=1))
    assert_fair(matched.pairs, graph, np.empty(0))


@settings(max_examples=60, deadline=None)
@given(nodes=st.integers(4, 12), chance=st.floats(0.05, 0.7), seed=st.integers(0, 99))
def test_dense_graphs_are_matched_as_far_as_there_are_pairs(nodes: int, chance: float, seed: int) -> None:
    every = np.array(list(combinations(range(nodes), 2)))
    generator = np.random.default_rng(seed)
    graph = Graph.of(map(str, range(nodes)), every[generator.random(len(every)) < chance])
    free = every[~graph.links(every)]
    avoid = pair_keys(free[: len(free) // 10], nodes)
    if len(graph.edges) > len(free) - len(avoid):
        with pytest.raises(InputError, match="too dense"):
            degree_matched_negatives(graph, graph.edges, seed=seed, avoid=avoid)
        return
    matched = degree_matched_negatives(graph, graph.edges, seed=seed, avoid=avoid)
    assert len(matched.pairs) == len(matched.log_ratios) == len(graph.edges)
    assert_fair(matched.pairs, graph, avoid)


def test_a_link_whose_nodes_have_no_other_partner_gets_any_pair_and_it_is_told() -> None:
    # Node 0 is linked to all, so that a link of 0 and 1 can lose only 0, and for 1 there are no other unlinked nodes.
    star = Graph.of(map(str, range(8)), np.array([[0, n] for n in range(1, 8)] + [[1, n] for n in range(2, 8)]))
    matched = degree_matched_negatives(star, np.array([[0, 1]]), seed=0)
    assert_fair(matched.pairs, star, np.empty(0))
    assert matched.unmatched == 1


def test_the_seed_decides() -> None:
    graph = hubs(200, 800)
    first, again, other = (degree_matched_negatives(graph, graph.edges, seed=seed).pairs for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(uniform_negatives(graph, 50, seed=3), uniform_negatives(graph, 50, seed=3))


def test_nothing_is_asked_for() -> None:
    graph = hubs(20, 30)
    nothing = np.empty((0, 2), dtype=np.int64)
    assert uniform_negatives(graph, 0, seed=0).shape == (0, 2)
    matched = degree_matched_negatives(graph, nothing, seed=0)
    assert matched.pairs.shape == (0, 2)
    assert (matched.mean_log_ratio, matched.unmatched) == (0, 0)
