import numpy as np
import pytest

from primase.apps.protein_interaction.splitting import DrawnPairs, draw_examples
from primase.apps.protein_interaction.unlinked import contrast_negatives
from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.data.negatives import uniform_negatives
from primase.data.splits import PARTS, Fractions, split_given, split_units
from primase.errors import InputError

NODES = 120
NAMES = np.array([f"P{number}" for number in range(NODES)], dtype=object)


@pytest.fixture(scope="module")
def edges() -> Pairs:
    generator = np.random.default_rng(0)
    weights = 1 / np.arange(1, NODES + 1) ** 0.5
    graph = Graph.of(NAMES, generator.choice(NODES, (900, 2), p=weights / weights.sum()))
    return generator.permutation(graph.edges)[:600]


@pytest.fixture(scope="module")
def nonedges(edges: Pairs) -> Pairs:
    return uniform_negatives(Graph.of(NAMES, edges), 200, seed=9)


def draw(edges, nonedges=None, *, split="auto", negatives="auto", seed=0, fractions=None) -> DrawnPairs:
    return draw_examples(
        edges if isinstance(edges, dict) else {"train": edges},
        nonedges or {},
        NAMES,
        split=split,
        negatives=negatives,
        fractions=fractions or Fractions(),
        seed=seed,
    )


def apart(pairs: Pairs) -> dict[str, Pairs]:
    return {"train": pairs[:480], "validation": pairs[480:540], "test": pairs[540:]}


def keys(pairs: Pairs) -> np.ndarray:
    return pair_keys(pairs, NODES)


def assert_fair(drawn: DrawnPairs, edges: Pairs) -> None:
    """No pair stands twice, all links are there, and no pair without interaction is a link of any part."""
    assert len(np.unique(keys(drawn.nodes))) == len(drawn.nodes) == len(drawn.targets) == len(drawn.units)
    assert set(keys(drawn.nodes[drawn.targets == 1])) == set(keys(edges))
    assert not np.isin(keys(drawn.nodes[drawn.targets == 0]), keys(edges)).any()


@pytest.mark.parametrize(
    ("split", "negatives", "given", "policy", "kind"),
    [
        ("auto", "auto", False, "degree-matched", "degree-matched"),
        ("auto", "uniform", False, "random", "uniform"),
        ("auto", "degree-matched", False, "degree-matched", "degree-matched"),
        ("auto", "auto", True, "random", "given"),
        ("auto", "degree-matched", True, "degree-matched", "degree-matched"),
        ("auto", "given", True, "random", "given"),
        ("random", "auto", False, "random", "uniform"),
        ("random", "degree-matched", False, "random", "degree-matched"),
        ("random", "auto", True, "random", "given"),
        ("degree-matched", "auto", True, "degree-matched", "degree-matched"),
        ("node-disjoint", "auto", False, "node-disjoint", "uniform"),
        ("node-disjoint", "degree-matched", False, "node-disjoint", "degree-matched"),
        ("node-disjoint", "auto", True, "node-disjoint", "given"),
    ],
)
def test_automatic_words(split, negatives, given, policy, kind, edges: Pairs, nonedges: Pairs) -> None:
    drawn = draw(edges, {"train": nonedges} if given else {}, split=split, negatives=negatives)
    assert (drawn.policy, drawn.negatives) == (policy, kind)
    assert_fair(drawn, edges)
    assert (drawn.parts is None) == (policy in {"random", "degree-matched"})
    count = len(nonedges) if kind == "given" else len(edges)
    assert (drawn.targets == 0).sum() == count
    assert any(finding.finding == "non-edges left out" for finding in drawn.findings) == (given and kind != "given")


def test_a_link_and_its_match_stay_together_and_all_parts_are_made(edges: Pairs) -> None:
    drawn = draw(edges)
    linked, unlinked = drawn.targets == 1, drawn.targets == 0
    assert sorted(drawn.units[linked]) == sorted(drawn.units[unlinked]) == list(range(len(edges)))
    by_unit = drawn.nodes[np.lexsort((drawn.targets, drawn.units))].reshape(-1, 2, 2)
    share_one = (by_unit[:, 0, :, None] == by_unit[:, 1, None, :]).any(axis=(1, 2))
    assert share_one.mean() > 0.95
    partition = split_units(drawn.units, drawn.targets, policy=drawn.policy, seed=0)
    assert partition.sizes == {"train": 960, "validation": 120, "test": 120}


def test_parts_as_given(edges: Pairs, nonedges: Pairs) -> None:
    given = {"validation": nonedges[:50], "test": nonedges[50:120]}
    drawn = draw(apart(edges), given)
    assert_fair(drawn, edges)
    assert (drawn.policy, drawn.negatives) == ("given", "given")
    for part, links in apart(edges).items():
        here = drawn.nodes[(drawn.parts == part) & (drawn.targets == 0)]
        assert set(keys(drawn.nodes[(drawn.parts == part) & (drawn.targets == 1)])) == set(keys(links))
        if part in given:
            assert set(keys(here)) == set(keys(given[part]))
        else:
            assert len(here) == 480
    assert [finding.count for finding in drawn.findings if finding.finding == "drawn train non-edges"] == [480]
    assert (drawn.seen == "").all()


def test_missing_validation_is_left_to_be_taken_from_train(edges: Pairs) -> None:
    parts = {"train": edges[:500], "test": edges[500:]}
    drawn = draw(parts, negatives="degree-matched")
    assert set(drawn.parts) == {"train", "test"}
    partition = split_given(drawn.parts, drawn.units, drawn.targets, seed=0)
    assert all(np.mean(drawn.targets[partition.part(part)]) == 0.5 for part in PARTS)


@pytest.mark.parametrize("negatives", ["uniform", "degree-matched", "given"])
def test_node_disjoint_parts_are_about_proteins(negatives, edges: Pairs, nonedges: Pairs) -> None:
    drawn = draw(edges, {"train": nonedges}, split="node-disjoint", negatives=negatives)
    assert_fair(drawn, edges)
    assert np.bincount(drawn.kinds).tolist() == [96, 12, 12]
    low, high = np.sort(drawn.kinds[drawn.nodes], axis=1).T
    test, train = drawn.parts == "test", drawn.parts == "train"
    assert (high[train] == 0).all()
    assert (drawn.parts[high == 1] == "validation").all()
    assert test[high == 2].all()
    for name, rows in {"C1": high == 0, "C2": (high == 2) & (low == 0), "C3": (high == 2) & (low > 0)}.items():
        assert np.array_equal(drawn.seen == name, test & rows), name
        of_links, of_others = (drawn.targets[drawn.seen == name] == target for target in (1, 0))
        assert of_links.sum() > 0
        if negatives != "given":
            assert of_links.sum() == of_others.sum()
    assert ((drawn.seen != "") == test).all()
    within = (high == 0) & (drawn.targets == 1)
    assert (within & test).sum() == round(0.1 * within.sum())
    assert (within & (drawn.parts == "validation")).sum() == round(0.1 * within.sum())


def test_non_edges_that_are_edges_are_left_out_and_counted(edges: Pairs, nonedges: Pairs) -> None:
    bad = np.concatenate([nonedges, edges[:3, ::-1], [[5, 5]]])
    drawn = draw(apart(edges), {"test": bad})
    assert_fair(drawn, edges)
    assert [finding.count for finding in drawn.findings if finding.finding == "non-edges that are edges"] == [4]


def test_edges_of_test_are_taken_out_of_train(edges: Pairs) -> None:
    parts = {"train": np.concatenate([edges[:500], edges[590:, ::-1]]), "test": edges[500:]}
    drawn = draw(parts)
    assert_fair(drawn, edges)
    trained = drawn.nodes[(drawn.parts == "train") & (drawn.targets == 1)]
    assert not np.isin(keys(trained), keys(edges[500:])).any()
    assert [finding.count for finding in drawn.findings if finding.finding == "edges in several parts"] == [10]


def test_the_seed_decides(edges: Pairs) -> None:
    for split in ("degree-matched", "random", "node-disjoint"):
        first, again, other = (draw(edges, split=split, seed=seed) for seed in (1, 1, 2))
        assert np.array_equal(first.nodes, again.nodes)
        assert not np.array_equal(first.nodes, other.nodes)


@pytest.mark.parametrize(
    ("links", "others", "words", "message"),
    [
        (slice(0, 4), None, {"split": "random"}, "leaves no validation edges"),
        (slice(0, 4), None, {"split": "node-disjoint"}, "leaves no (validation|test|train) edges"),
        (slice(0, 0), None, {}, "there are no edges"),
        (slice(0, 50), None, {"split": "given"}, "no test edges are"),
        (slice(0, 50), None, {"negatives": "given"}, "none are"),
        (slice(0, 50), None, {"split": "degree-matched", "negatives": "uniform"}, "draws its own negatives"),
        (slice(0, 50), "test", {}, "given for test, but none that do"),
    ],
)
def test_what_cannot_be_is_refused_in_words(links, others, words, message, edges: Pairs, nonedges: Pairs) -> None:
    with pytest.raises(InputError, match=message):
        draw(edges[links], {others: nonedges} if others else None, **words)


def test_given_parts_refuse_another_split(edges: Pairs) -> None:
    with pytest.raises(InputError, match="another"):
        draw(apart(edges), split="random")
    with pytest.raises(InputError, match="leaves no test edges"):
        draw({**apart(edges), "test": edges[:0]})


def test_a_complete_graph_has_nothing_to_draw() -> None:
    every = np.array([[a, b] for a in range(NODES) for b in range(a)])
    with pytest.raises(InputError, match="too dense"):
        draw(every)


@pytest.mark.parametrize(("asked", "other"), [("uniform", "degree-matched"), ("degree-matched", "uniform")])
@pytest.mark.parametrize("split", ["given", "node-disjoint"])
def test_the_other_kind_of_negatives(asked, other, split, edges: Pairs) -> None:
    drawn = draw(apart(edges) if split == "given" else edges, split=split, negatives=asked)
    contrast = contrast_negatives(
        drawn.nodes, drawn.targets, drawn.parts, NAMES, negatives=asked, seed=5, kinds=drawn.kinds
    )
    assert contrast.negatives == other
    tested = drawn.nodes[(drawn.parts == "test") & (drawn.targets == 1)]
    assert len(np.unique(keys(contrast.pairs))) == len(contrast.pairs) == len(tested)
    assert not np.isin(keys(contrast.pairs), keys(edges)).any()
    assert not np.isin(keys(contrast.pairs), keys(drawn.nodes[drawn.parts != "test"])).any()
    assert [finding.finding for finding in contrast.findings] == ["degree-matched negatives"] * (asked == "uniform")
    if drawn.kinds is not None:
        assert np.array_equal(np.sort(drawn.kinds[contrast.pairs]), np.sort(drawn.kinds[tested]))


def test_degrees_match_among_the_links_that_the_network_sees() -> None:
    # Half of the proteins have their links in train, the others in test: all links together, they look the same.
    generator = np.random.default_rng(0)
    train = Graph.of(NAMES, generator.integers(0, 60, (300, 2))).edges
    test = Graph.of(NAMES, generator.integers(60, NODES, (300, 2))).edges
    drawn = draw({"train": train, "test": test}, negatives="degree-matched")
    tested = drawn.nodes[(drawn.parts == "test") & (drawn.targets == 0)]
    assert (tested >= 60).mean() > 0.95
