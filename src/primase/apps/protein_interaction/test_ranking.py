"""The list of untested pairs: what is on it, in which order, and how probable each pair is."""

import importlib
from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from primase.apps.protein_interaction import ranking
from primase.apps.protein_interaction.app import APP
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.apps.protein_interaction.ranking import at_prevalence, rank_pairs
from primase.apps.protein_interaction.simulator import simulate
from primase.apps.workflow import Ranking
from primase.errors import ConfigurationError, InputError
from primase.events import silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here

SMALL = {"epochs": 2, "hidden": (8, 8), "folds": 2, "spectral": 8}
EVERY = 10_000


def barred(name):
    """Some proteins have a bar in their name, so that ids such as A|1|B can be cut in two ways."""
    return f"{name[:2]}|{name[2:]}" if int(name[1:]) % 3 == 0 else name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("graph")
    simulate(made, 360, 1)
    header, *rows = (made / "edges.tsv").read_text().splitlines()
    pairs = [[barred(name) for name in row.split("\t")] for row in rows]
    (made / "edges.tsv").write_text("\n".join([header, *("\t".join(pair) for pair in pairs)]) + "\n")
    return made


@pytest.fixture(scope="module")
def links(folder):
    rows = (folder / "edges.tsv").read_text().splitlines()[1:]
    return {frozenset(row.split("\t")) for row in rows}


@pytest.fixture(scope="module")
def model(folder):
    """Two networks, whose probabilities are averaged."""
    return primase.train(APP.name, out=folder / "model", edges=folder / "edges.tsv", members=2, **SMALL).model


@pytest.fixture(scope="module")
def table(model, folder):
    return model.rank(folder / "all.parquet", top=EVERY, prevalence=0.05)


def pairs_of(table):
    return [frozenset(pair) for pair in zip(table["protein_a"], table["protein_b"], strict=True)]


def brute_force(model, links):
    """Ask for every pair of different proteins that is no link of any part, and sort."""
    proteins = model.predictor.encoder.proteins
    pairs = [
        pair
        for pair in combinations(range(len(proteins)), 2)
        if frozenset(proteins.names[list(pair)].tolist()) not in links
    ]
    nodes = np.array(pairs)
    probabilities = model.predictor.answers(ProteinPairs(nodes, proteins))[:, 1]
    return {frozenset(names): one for names, one in zip(proteins.names[nodes].tolist(), probabilities, strict=True)}


def by_bayes(probability, learned, prevalence):
    """Weigh both answers by how much more frequent they are than in training, and share out again."""
    yes, no = probability * prevalence / learned, (1 - probability) * (1 - prevalence) / (1 - learned)
    return yes / (yes + no)


def test_all_pairs_are_listed_but_links_of_any_part_and_self_pairs(model, table, links):
    proteins = len(model.predictor.encoder.proteins)
    listed = pairs_of(table)
    assert len(set(listed)) == len(listed) == proteins * (proteins - 1) // 2 - len(links)
    assert not links & set(listed)
    assert min(map(len, listed)) == 2
    parts = pl.read_parquet(model.path / "predictions.parquet").filter(pl.col("target") == "interaction")["part"]
    assert set(parts) == {"validation", "test"}
    assert len(model.predictor.encoder.graph.edges) < len(links)
    assert any("|" in name for pair in links for name in pair)


def test_the_list_is_that_of_asking_for_every_pair(model, table, links):
    expected = brute_force(model, links)
    share = model.predictor.encoder.positive_share
    assert share == 0.5
    found = dict(zip(pairs_of(table), table["probability"], strict=True))
    assert found.keys() == expected.keys()
    for pair, probability in expected.items():
        assert found[pair] == pytest.approx(by_bayes(probability, share, 0.05), rel=1e-4)
    assert table["rank"].to_list() == list(range(1, len(expected) + 1))
    assert table["probability"].is_sorted(descending=True)
    assert table["probability"].n_unique() > len(table) / 2
    assert (table["prevalence"] == 0.05).all()


def test_what_stands_beside_each_pair(model, table):
    graph = model.predictor.encoder.graph
    neighbours = {name: set(graph.names[graph.neighbours(node)]) for name, node in graph.number_of.items()}
    for row in table.head(50).iter_rows(named=True):
        one, other = neighbours[row["protein_a"]], neighbours[row["protein_b"]]
        assert (row["degree_a"], row["degree_b"]) == (len(one), len(other))
        assert row["shared_neighbours"] == len(one & other)
        shown = set(filter(None, row["supported_by"].split(";")))
        assert shown <= one & other
        assert len(shown) == min(len(one & other), ranking.SHOWN_SUPPORT)


@pytest.mark.parametrize("at_once", [1, 50, 333])
def test_blocks_change_nothing(model, table, monkeypatch, tmp_path, at_once):
    monkeypatch.setattr(ranking, "PAIRS_AT_ONCE", at_once)
    every = model.rank(tmp_path / "all.parquet", top=EVERY, prevalence=0.05)
    few = model.rank(tmp_path / "few.parquet", top=20, prevalence=0.05)
    assert pl.read_parquet(tmp_path / "few.parquet").equals(few)
    chances = dict(zip(pairs_of(table), table["probability"], strict=True))
    # Pairs that are as probable as each other but for the last bit may change places.
    for found in (every, few):
        expected = table["probability"].head(len(found))
        np.testing.assert_allclose(found["probability"], expected, rtol=1e-5)
        np.testing.assert_allclose([chances[pair] for pair in pairs_of(found)], expected, rtol=1e-5)
    assert (len(set(pairs_of(every))), len(set(pairs_of(few)))) == (len(table), 20)


@pytest.mark.parametrize("at_once", [50, 1_000_000])
def test_only_pairs_with_one_of_some_proteins(model, table, monkeypatch, tmp_path, at_once):
    monkeypatch.setattr(ranking, "PAIRS_AT_ONCE", at_once)
    graph = model.predictor.encoder.graph
    among = (*graph.names[[9, 3]], next(name for name in graph.names if "|" in name))
    found = model.rank(tmp_path / "some.parquet", top=EVERY, prevalence=0.05, among=among)
    chosen = table.filter(pl.col("protein_a").is_in(among) | pl.col("protein_b").is_in(among))
    assert set(pairs_of(found)) == set(pairs_of(chosen))
    assert len(found) == len(chosen) > 0
    np.testing.assert_allclose(found["probability"], chosen["probability"], rtol=1e-6)
    with pytest.raises(InputError, match=r"--among: there is no such protein in the graph\. Found: nobody"):
        model.rank(tmp_path / "none.parquet", among=(among[0], "nobody"))


def test_the_prevalence_is_by_default_what_the_known_links_make_up(model, table, links, tmp_path):
    found = model.rank(tmp_path / "all.parquet", top=EVERY)
    proteins = len(model.predictor.encoder.proteins)
    expected = len(links) / (proteins * (proteins - 1) / 2)
    assert found["prevalence"].to_numpy() == pytest.approx(expected)
    assert pairs_of(found) == pairs_of(table)
    rarer = at_prevalence(table["probability"].to_numpy(), learned=0.05, prevalence=expected)
    np.testing.assert_allclose(found["probability"], rarer, rtol=1e-6)


@pytest.mark.parametrize("prevalence", [1e-4, 0.02, 0.5, 0.9])
@pytest.mark.parametrize("learned", [0.2, 0.5])
def test_prevalence_against_bayes(learned, prevalence):
    probabilities = np.array([0.0, 1e-9, 0.1, 0.5, 0.999, 1.0])
    found = at_prevalence(probabilities, learned=learned, prevalence=prevalence)
    np.testing.assert_allclose(found, by_bayes(probabilities, learned, prevalence), rtol=1e-12)
    back = at_prevalence(found, learned=prevalence, prevalence=learned)
    np.testing.assert_allclose(back, probabilities, rtol=1e-6)


def test_pairs_that_were_tested_are_told_by_ids_of_names_with_bars(model, table):
    graph = model.predictor.encoder.graph
    first = table.filter(pl.col("protein_a").str.contains("|", literal=True)).row(0, named=True)
    tested = frozenset({f"{first['protein_b']}|{first['protein_a']}", "of|another|graph", "none"})
    found = rank_pairs(model.predictor, Ranking(top=EVERY, prevalence=0.05, tested=tested), silent)
    everything = rank_pairs(model.predictor, Ranking(top=EVERY, prevalence=0.05), silent)
    assert set(pairs_of(everything)) - set(pairs_of(found)) == {frozenset([first["protein_a"], first["protein_b"]])}
    # Those of validation and test are left out only because the bundle names them.
    assert len(everything) == len(graph) * (len(graph) - 1) // 2 - len(graph.edges) > len(table)


def test_nothing_is_left_where_all_was_tested(model):
    names = model.predictor.encoder.graph.names
    ids = frozenset("|".join(sorted(pair)) for pair in combinations(names.tolist(), 2))
    with pytest.raises(InputError, match="rank: all pairs of these proteins have been tested"):
        rank_pairs(model.predictor, Ranking(tested=ids), silent)


def test_single_proteins_have_no_pairs(model):
    single = replace(model.predictor, encoder=replace(model.predictor.encoder, width=1))
    with pytest.raises(InputError, match="there are no pairs to rank"):
        rank_pairs(single, Ranking(), silent)


@pytest.mark.parametrize("settings", [{"top": 0}, {"prevalence": 0.0}, {"prevalence": 1.0}])
def test_numbers_that_make_no_sense(settings):
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        Ranking(**settings)
