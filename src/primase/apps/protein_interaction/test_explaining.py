"""Which parts an explanation has, and that a part which is taken out is not there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from primase.apps.protein_interaction import explaining
from primase.apps.protein_interaction.app import APP
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.explaining import (
    ALL_FEATURES,
    FEATURE,
    ITSELF,
    LINK,
    OWN,
    WeightedExamples,
    WeightedNetwork,
    explain_links,
    link_name,
    parts_of,
)
from primase.apps.protein_interaction.pairs import ProteinPairs, Proteins
from primase.bio.graphs import Graph
from primase.configuration import configure
from primase.data.examples import Examples
from primase.data.negatives import uniform_negatives
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.per_label import uncalibrated
from primase.events import silent
from primase.insight.features import ABLATION
from primase.predictor.predictor import Predictor

COUNT = 30
TASK = Task("binary", ("no interaction", "interaction"))
LABELS = Task("multiclass", ("nucleus", "vacuole", "membrane"))
ENCODERS = ("gcn", "sage", "gat", "propagation")
DASH = "\N{EN DASH}"


@pytest.fixture(scope="module")
def graph():
    generator = np.random.default_rng(0)
    return Graph.of([f"P{number:02}" for number in range(COUNT)], generator.integers(0, COUNT, (70, 2)))


def predictor_of(graph, *, labels=False, features=True, members=1, **settings):
    """Make untrained networks that say something else of each pair."""
    generator = np.random.default_rng(1)
    matrix = sparse.csr_array(np.round(generator.random((COUNT, 5)) * (generator.random((COUNT, 5)) < 0.5), 3))
    names = tuple(f"domain {number}" for number in range(5))
    known = (matrix.astype(np.float32), names) if features else (None, ())
    if labels:
        inputs = ProteinPairs(np.arange(COUNT)[:, None], Proteins(graph.names, *known, graph))
        examples = Examples(graph.names, inputs, np.arange(COUNT) % 3)
    else:
        pairs = np.concatenate([graph.edges, uniform_negatives(graph, len(graph.edges), seed=2)])
        inputs = ProteinPairs(pairs, Proteins(graph.names, *known))
        ids = np.array(["|".join(pair) for pair in inputs.names.tolist()], dtype=object)
        examples = Examples(ids, inputs, np.repeat([1, 0], len(graph.edges)))
    words = {"hidden": (8, 8), "spectral": 4, "folds": 0, "decoder_hidden": 8, **settings}
    configuration = configure(InteractionConfiguration, words)
    workflow, task = APP.load(), LABELS if labels else TASK
    encoder = workflow.fit_encoder(examples, configuration, silent)
    torch.manual_seed(0)
    networks = tuple(workflow.network(encoder, task, configuration).eval() for _ in range(members))
    return Predictor(task, encoder, networks, uncalibrated(task)), examples


def weighted(predictor, nodes, **of):
    """Weigh the parts of one example; all of them count where nothing else is said."""
    network, encoder = predictor.members[0], predictor.encoder
    parts = parts_of(encoder, nodes, learned=network.embedding.own is not None)
    examples = WeightedExamples(nodes[None], [parts], np.zeros(1, dtype=np.int64), parts.names)
    batch = examples.batch(np.zeros(1, dtype=np.int64))
    weights = batch["weights"].clone()
    for name, weight in of.items():
        weights[0, parts.owners == parts.names.index(name)] = weight
    with torch.inference_mode():
        return WeightedNetwork(network, examples)(batch["row"], weights)[0]


def said(predictor, examples, row):
    """Ask the network itself."""
    batch = predictor.encoder.encode(examples.inputs).batch(np.array([row]))
    with torch.inference_mode():
        return predictor.members[0](**batch)[0]


# Parts


def test_the_parts_of_a_pair_are_its_links_and_what_is_known_of_both(graph):
    predictor, _ = predictor_of(graph, learned_embedding=True)
    encoder = predictor.encoder
    first, second = graph.edges[np.argmax(graph.degrees[graph.edges].sum(axis=1))]
    parts = parts_of(encoder, np.array([first, second]), learned=True)
    assert len(set(parts.names)) == len(parts.names)
    expected = {link_name(graph, node, other) for node in (first, second) for other in graph.neighbours(node)} - {
        link_name(graph, first, second)
    }
    links = [parts.names[owner] for owner in parts.owners[parts.kinds == LINK]]
    assert set(links) == expected
    for node in (first, second):
        name, row = graph.names[node], encoder.proteins.features[[int(node)]]
        own = {parts.names[owner] for owner in parts.owners[(parts.kinds == FEATURE) & (parts.first == node)]}
        assert own == {f"{name}: domain {column}" for column in row.indices}
    assert [parts.names[owner] for owner in parts.owners[parts.kinds == OWN]] == [
        f"{graph.names[node]}: its learned embedding" for node in (first, second)
    ]
    # The link that is asked about is no part of the answer.
    assert parts.owners[parts.kinds == ITSELF].tolist() == [-1]
    assert set(parts.owners[parts.kinds != ITSELF]) == set(range(len(parts.names)))


def test_links_to_shared_neighbours_come_first_and_the_last_ones_are_taken_together(graph, monkeypatch):
    predictor, _ = predictor_of(graph, features=False)
    neighbours = [set(graph.neighbours(node).tolist()) for node in range(COUNT)]
    pairs = [(i, j) for i in range(COUNT) for j in range(i) if len(neighbours[i] & neighbours[j]) > 1]
    first, second = max(pairs, key=lambda pair: len(neighbours[pair[0]]))
    shared, others = neighbours[first] & neighbours[second], neighbours[first] - {second}
    monkeypatch.setattr(explaining, "MOST_LINKS", len(shared))
    parts = parts_of(predictor.encoder, np.array([first, second]), learned=False)
    own = np.flatnonzero((parts.kinds == LINK) & (parts.first == first))
    assert set(parts.second[own[: len(shared)]]) == shared
    assert set(parts.second[own]) == others
    rest = {parts.names[owner] for owner in parts.owners[own[len(shared) :]]}
    assert rest == {f"the other {len(others) - len(shared):,} links of {graph.names[first]}"}


def test_many_features_are_one_part(graph, monkeypatch):
    monkeypatch.setattr(explaining, "MOST_FEATURES", 1)
    predictor, _ = predictor_of(graph)
    counts = np.diff(predictor.encoder.proteins.features.indptr)
    node = int(np.argmax(counts))
    parts = parts_of(predictor.encoder, np.array([node]), learned=False)
    assert f"{graph.names[node]}: its {counts[node]:,} features" in parts.names
    assert (parts.kinds == ALL_FEATURES).sum() == 1
    assert not (parts.kinds == FEATURE).any()


# Weights


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("decoder", ["inner", "bias", "bilinear", "mlp"])
def test_where_all_parts_count_the_network_says_what_it_says(graph, kind, decoder):
    predictor, examples = predictor_of(graph, encoder=kind, decoder=decoder)
    unlinked = np.flatnonzero(examples.targets == 0)[:8]
    for row in unlinked:
        expected = said(predictor, examples, row)
        torch.testing.assert_close(weighted(predictor, examples.inputs.nodes[row]), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ENCODERS)
def test_of_a_label_too(graph, kind):
    predictor, examples = predictor_of(graph, labels=True, encoder=kind)
    for row in range(5):
        found = weighted(predictor, examples.inputs.nodes[row])
        torch.testing.assert_close(found, said(predictor, examples, row), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("most", [60, 1])
def test_a_feature_of_weight_zero_is_not_there(graph, kind, most, monkeypatch):
    """Compare with a network whose table of features lacks it, with the same weights."""
    monkeypatch.setattr(explaining, "MOST_FEATURES", most)
    predictor, examples = predictor_of(graph, encoder=kind)
    row = int(np.flatnonzero(examples.targets == 0)[0])
    nodes = examples.inputs.nodes[row]
    features = predictor.encoder.proteins.features
    parts = parts_of(predictor.encoder, nodes, learned=False)
    place = int(np.flatnonzero(np.isin(parts.kinds, [FEATURE, ALL_FEATURES]) & (parts.owners >= 0))[0])
    changed = features.toarray()
    columns = slice(None) if parts.kinds[place] == ALL_FEATURES else parts.second[place]
    changed[parts.first[place], columns] = 0
    proteins = replace(predictor.encoder.proteins, features=sparse.csr_array(changed))
    words = {"hidden": (8, 8), "spectral": 4, "folds": 0, "decoder_hidden": 8, "encoder": kind}
    lacking = APP.load().network(
        replace(predictor.encoder, proteins=proteins), TASK, configure(InteractionConfiguration, words)
    )
    lacking.load_state_dict(predictor.members[0].state_dict())
    expected = said(replace(predictor, members=(lacking.eval(),)), examples, row)
    found = weighted(predictor, nodes, **{parts.names[parts.owners[place]]: 0.0})
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, weighted(predictor, nodes))


@pytest.mark.parametrize("kind", ENCODERS)
def test_links_change_what_is_said(graph, kind):
    predictor, examples = predictor_of(graph, encoder=kind, features=False)
    row = int(np.flatnonzero((examples.targets == 0) & (graph.degrees[examples.inputs.nodes].min(axis=1) > 1))[0])
    nodes = examples.inputs.nodes[row]
    names = parts_of(predictor.encoder, nodes, learned=False).names
    whole = weighted(predictor, nodes)
    for name in names:
        assert DASH in name
        assert not torch.allclose(weighted(predictor, nodes, **{name: 0.0}), whole)


def test_the_link_that_is_asked_about_does_not_speak_for_itself(graph):
    """Its weight is 0 from the start, so that the score is not that of a network which has it in its graph."""
    predictor, examples = predictor_of(graph)
    for row in range(5):
        assert examples.targets[row] == 1
        found = weighted(predictor, examples.inputs.nodes[row])
        assert not torch.allclose(found, said(predictor, examples, row), atol=1e-5)


# Attributions


def test_ablation_is_how_far_the_log_odds_fall(graph, monkeypatch):
    monkeypatch.setattr(explaining, "OTHERS", 1.0)
    predictor, examples = predictor_of(graph)
    chosen = examples.take(np.flatnonzero(examples.targets == 0)[:3])
    found = explain_links(predictor, chosen, silent)
    assert set(found.table["id"]) == set(chosen.ids)
    assert set(found.table["target"]) == {"interaction"}
    for row, nodes in enumerate(chosen.inputs.nodes):
        whole = weighted(predictor, nodes)[1]
        names = parts_of(predictor.encoder, nodes, learned=False).names
        own = found.of(ABLATION).filter(id=chosen.ids[row])
        values = dict(zip(own["feature"], own["value"], strict=True))
        assert values.keys() == set(names)
        for name in names:
            fall = whole - weighted(predictor, nodes, **{name: 0.0})[1]
            assert values[name] == pytest.approx(fall.item(), abs=1e-4)


def test_of_a_protein_the_label_is_explained_that_it_is_given(graph):
    predictor, examples = predictor_of(graph, labels=True)
    chosen = examples.take(np.arange(6))
    found = explain_links(predictor, chosen, silent)
    answers = predictor.outputs(chosen.inputs).argmax(axis=1)
    given = dict(zip(chosen.ids, (LABELS.labels[answer] for answer in answers), strict=True))
    assert {(row["id"], row["target"]) for row in found.table.iter_rows(named=True)} == set(given.items())


def test_a_protein_that_is_not_known_is_not_explained(graph):
    predictor, examples = predictor_of(graph)
    encoder = PairEncoder.from_state(predictor.encoder.state())
    names = np.array([*graph.names, "X"], dtype=object)
    features = sparse.vstack([encoder.proteins.features, encoder.proteins.features[[0]]]).tocsr()
    inputs = ProteinPairs(np.array([[0, COUNT]]), Proteins(names, features, examples.inputs.proteins.feature_names))
    asked = Examples(np.array(["P00|X"], dtype=object), inputs, np.array([-1]))
    with pytest.raises(InputError, match=r"explain: a protein that the model does not know.* Found: X\."):
        explain_links(replace(predictor, encoder=encoder), asked, silent)
