"""What the network may hear: training links alone, while it learns about a link all but a share of those."""

import json

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from primase.apps.protein_interaction.app import APP
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.model import InteractionNetwork
from primase.apps.protein_interaction.pairs import ProteinPairs, Proteins
from primase.bio.graphs import Graph, pair_keys
from primase.bio.spectral import eigenvectors
from primase.configuration import configure
from primase.data.encoding import EncoderState
from primase.data.examples import Examples
from primase.data.negatives import uniform_negatives
from primase.data.tasks import Task
from primase.errors import BundleError, InputError

COUNT = 60
TASK = Task("binary", ("no interaction", "interaction"))
SETTINGS = {"hidden": (8, 8), "spectral": 8, "folds": 4}


@pytest.fixture(scope="module")
def graph():
    generator = np.random.default_rng(0)
    weights = 1 / np.arange(1, COUNT + 1) ** 0.5
    pairs = generator.choice(COUNT, (400, 2), p=weights / weights.sum())
    return Graph.of([f"P{number}" for number in range(COUNT)], pairs)


def examples_of(graph, *, features=None, links=None):
    """Label the links of a graph and as many other pairs."""
    edges = graph.edges if links is None else graph.edges[links]
    others = uniform_negatives(graph, len(edges), seed=1)
    names = () if features is None else tuple(f"f{number}" for number in range(features.shape[1]))
    inputs = ProteinPairs(np.concatenate([edges, others]), Proteins(graph.names, features, names))
    ids = np.array(["|".join(sorted(pair)) for pair in inputs.names.tolist()], dtype=object)
    return Examples(ids, inputs, np.repeat([1, 0], [len(edges), len(others)]))


def fitted(examples, **settings):
    return PairEncoder.fit(examples, configure(InteractionConfiguration, {**SETTINGS, **settings}))


def scores(encoder, inputs, weights=None, **settings):
    """Score pairs by a network of given or of new weights; also return these."""
    torch.manual_seed(0)
    configuration = configure(InteractionConfiguration, {**SETTINGS, **settings})
    network = APP.load().network(encoder, TASK, configuration).eval()
    if weights is not None:
        network.load_state_dict(weights)
    encoded = encoder.encode(inputs)
    with torch.inference_mode():
        return network(**encoded.batch(np.arange(len(encoded)))), network.state_dict()


# The message graph


@pytest.mark.parametrize("width", [0, 8])
def test_only_links_of_training_are_heard(graph, width):
    kept = np.arange(len(graph.edges)) % 5 > 0
    encoder = fitted(examples_of(graph, links=kept), spectral=width)
    assert np.array_equal(encoder.graph.edges, graph.edges[kept])
    assert not any(view.graph.links(graph.edges[~kept]).any() for view in encoder.views)
    alone = fitted(examples_of(Graph(graph.names, graph.edges[kept])), spectral=width)
    for one, other in zip(encoder.views, alone.views, strict=True):
        assert np.array_equal(one.places, other.places)
    whole = fitted(examples_of(graph), spectral=width)
    assert np.array_equal(whole.views[0].places, encoder.views[0].places) == (width == 0)


def test_each_link_is_learned_from_a_graph_that_lacks_it_and_the_rest_of_its_fold(graph):
    examples = examples_of(graph)
    encoder = fitted(examples)
    assert encoder.folds == 4
    folds = encoder.fold_of(graph.edges)
    assert min(np.bincount(folds, minlength=4)) > 0
    for fold, view in enumerate(encoder.views[1:]):
        assert np.array_equal(view.graph.edges, graph.edges[folds != fold])
        assert view.scale == pytest.approx(4 / 3)
    gone = [set(graph.keys) - set(view.graph.keys) for view in encoder.views[1:]]
    assert sum(map(len, gone)) == len(graph.edges)
    assert set().union(*gone) == set(graph.keys)
    # Pairs without interaction are learned beside the links of a fold, from the same graph.
    encoded = encoder.encode(examples.inputs)
    assert set(encoded.folds[examples.targets == 0]) == set(range(4))
    assert np.array_equal(encoded.folds[: len(folds)], folds)


@pytest.mark.parametrize("seed", [0, 1, 2**31])
@pytest.mark.parametrize("split", ["random", "node-disjoint"])
def test_the_fold_of_a_pair_is_the_same_either_way_round(graph, seed, split):
    encoder = fitted(examples_of(graph), seed=seed, split=split)
    everyone = np.stack(np.triu_indices(COUNT, 1), axis=1)
    folds = encoder.fold_of(everyone)
    assert np.array_equal(folds, encoder.fold_of(everyone[:, ::-1]))
    order = np.random.default_rng(0).permutation(len(everyone))
    assert np.array_equal(folds[order], encoder.fold_of(everyone[order]))
    keys = pair_keys(everyone, COUNT)
    assert len(np.unique(keys)) == len(keys)
    # About as many in each, and others with another seed.
    assert np.bincount(folds, minlength=4).min() > len(folds) / 8
    other = fitted(examples_of(graph), seed=seed + 1, split=split).fold_of(everyone)
    assert 0.1 < (other == folds).mean() < 0.5


def test_proteins_are_taken_out_whole_where_they_are_kept_apart(graph):
    encoder = fitted(examples_of(graph), split="node-disjoint")
    taken = []
    for view in encoder.views[1:]:
        gone = ~view.graph.links(graph.edges)
        alone = (view.graph.degrees == 0) & (graph.degrees > 0)
        # Every link that is missing is one of a protein that has none left.
        assert alone[graph.edges[gone]].any(axis=1).all()
        taken.append(alone)
        assert view.scale == 1
    assert np.stack(taken).any(axis=0)[graph.degrees > 0].all()
    folds = encoder.fold_of(graph.edges)
    for fold, alone in enumerate(taken):
        assert alone[graph.edges[folds == fold]].any(axis=1).all()


def test_the_places_in_a_fold_do_not_know_its_links(graph):
    """Coordinates are turned as a whole, which keeps their inner products: those of the eigenvectors of the rest."""
    encoder = fitted(examples_of(graph))
    for view in encoder.views:
        values, vectors = eigenvectors(view.graph, 8)
        expected = vectors * np.sqrt(np.abs(values) * len(graph))
        np.testing.assert_allclose(view.places @ view.places.T, expected @ expected.T, atol=1e-3)
    whole = encoder.views[0].places
    for view in encoder.views[1:]:
        turned = np.abs((view.places * whole).sum(axis=0))
        assert (turned > 0.5 * (whole**2).sum(axis=0)).mean() > 0.5


def test_a_network_in_training_scores_a_link_by_the_graph_that_lacks_it(graph):
    examples = examples_of(graph)
    encoder = fitted(examples)
    torch.manual_seed(0)
    network = APP.load().network(encoder, TASK, configure(InteractionConfiguration, SETTINGS)).train()
    assert isinstance(network, InteractionNetwork)
    encoded = encoder.encode(examples.inputs)
    with torch.no_grad():
        learned = network(**encoded.batch(np.arange(len(encoded))))
        for fold in range(4):
            chosen = np.flatnonzero(encoded.folds == fold)
            alone = network.score(torch.from_numpy(encoded.nodes[chosen]), fold + 1)
            torch.testing.assert_close(learned[chosen, 1], alone)
        asked = network.eval()(**encoded.batch(np.arange(len(encoded))))
        torch.testing.assert_close(asked[:, 1], network.score(torch.from_numpy(encoded.nodes), 0))
    assert not torch.allclose(asked, learned)


def test_without_folds_there_is_one_graph(graph):
    encoder = fitted(examples_of(graph), folds=0)
    assert (encoder.folds, len(encoder.views)) == (0, 1)
    assert not encoder.encode(examples_of(graph).inputs).folds.any()


def test_small_graphs_have_few_axes_and_may_have_none_at_all():
    names = ["a", "b", "c"]
    graph = Graph.of(names, np.array([[0, 1], [1, 2]]))
    inputs = ProteinPairs(np.array([[0, 1], [1, 2], [0, 2]]), Proteins(graph.names))
    encoder = fitted(Examples(np.array(names, dtype=object), inputs, np.array([1, 1, 0])), folds=2, spectral=256)
    assert encoder.views[0].places.shape == (3, 8)
    assert all(np.isfinite(view.places).all() for view in encoder.views)
    assert torch.isfinite(scores(encoder, inputs, folds=2, spectral=256)[0]).all()


# Features and state


def features_of(kind):
    generator = np.random.default_rng(3)
    if kind == "none":
        return None
    matrix = generator.normal(5, 3, (COUNT, 6)).astype(np.float32)
    matrix[7] = 0
    if kind == "dense":
        return matrix
    matrix[generator.random(matrix.shape) < [0.1, 0.2, 0.7, 0.9, 0.95, 0.8]] = 0
    return sparse.csr_array(matrix)


@pytest.mark.parametrize("kind", ["dense", "sparse", "none"])
def test_what_an_encoder_knows_survives_a_file(graph, kind):
    examples = examples_of(graph, features=features_of(kind))
    encoder = fitted(examples)
    before, weights = scores(encoder, examples.inputs)
    state = encoder.state()
    again = PairEncoder.from_state(EncoderState(json.loads(json.dumps(state.facts)), state.arrays))
    after, _ = scores(again, examples.inputs, weights)
    assert torch.equal(before, after)
    assert (again.folds, again.width, again.positive_share) == (0, 2, 0.5)
    assert again.state().facts == state.facts
    assert all(np.array_equal(again.state().arrays[name], array) for name, array in state.arrays.items())
    assert sparse.issparse(again.proteins.features) == (kind == "sparse")
    arrays = {name: array for name, array in state.arrays.items() if name != "places"}
    with pytest.raises(BundleError, match="no 'places'"):
        PairEncoder.from_state(EncoderState(state.facts, arrays))


def with_new(proteins, features):
    """Add two proteins that the model does not know, X and Y."""
    names = np.array([*proteins.names, "X", "Y"], dtype=object)
    if features is None:
        return Proteins(names)
    stack = np.vstack if isinstance(features, np.ndarray) else sparse.vstack
    both = stack([features, features[[3, 9]]])
    return Proteins(names, both if isinstance(both, np.ndarray) else both.tocsr(), proteins.feature_names)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("spectral", [0, 8])
def test_new_proteins_are_known_by_their_features(graph, kind, spectral):
    features = features_of(kind)
    examples = examples_of(graph, features=features)
    encoder = fitted(examples, spectral=spectral)
    _, weights = scores(encoder, examples.inputs, spectral=spectral)
    loaded = PairEncoder.from_state(encoder.state())
    proteins = with_new(examples.inputs.proteins, features)
    asked = ProteinPairs(np.array([[0, COUNT], [COUNT + 1, COUNT], [1, 2]]), proteins)
    encoded = loaded.encode(asked)
    assert encoded.nodes.tolist() == [[0, COUNT], [COUNT + 1, COUNT], [1, 2]]
    # X has the features of protein 3 and Y those of 9, which are scaled in the same way.
    known = encoder.proteins.features[[3, 9]]
    known = known if isinstance(known, np.ndarray) else known.toarray()
    np.testing.assert_allclose(encoded.new_features, known, atol=1e-6)
    together, _ = scores(loaded, asked, weights, spectral=spectral)
    assert torch.isfinite(together).all()
    for row in range(3):
        alone, _ = scores(loaded, asked.take(np.array([row])), weights, spectral=spectral)
        torch.testing.assert_close(alone[0], together[row])
    expected, _ = scores(
        encoder, ProteinPairs(np.array([[1, 2]]), examples.inputs.proteins), weights, spectral=spectral
    )
    torch.testing.assert_close(together[2], expected[0])
    assert not torch.allclose(together[0], together[1])


def test_sparse_features_of_new_proteins_mean_the_same_where_training_had_dense_ones(graph):
    features = features_of("dense")
    features[3, :3] = 0
    encoder = fitted(examples_of(graph, features=features))
    dense = with_new(examples_of(graph, features=features).inputs.proteins, features)
    thin = Proteins(dense.names, sparse.csr_array(dense.features), dense.feature_names)
    one, other = (encoder.encode(ProteinPairs(np.array([[0, COUNT]]), proteins)) for proteins in (dense, thin))
    np.testing.assert_allclose(one.new_features, other.new_features, atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "none"])
def test_a_new_protein_without_features_is_refused_by_name(graph, kind):
    features = features_of(kind)
    examples = examples_of(graph, features=features)
    asked = ProteinPairs(np.array([[0, COUNT + 1]]), with_new(examples.inputs.proteins, None))
    with pytest.raises(InputError, match=r"of which no features are given\. Found: Y"):
        fitted(examples).encode(asked)


def test_dense_features_are_scaled_by_described_training_proteins(graph):
    features = features_of("dense")
    kept = (graph.edges < 40).all(axis=1)
    inside = Graph(graph.names[:40], graph.edges[kept])
    pairs = np.concatenate([inside.edges, uniform_negatives(inside, int(kept.sum()), seed=1)])
    examples = examples_of(graph, features=features)
    examples = Examples(
        np.arange(len(pairs)).astype(object),
        ProteinPairs(pairs, examples.inputs.proteins),
        np.repeat([1, 0], len(pairs) // 2),
    )
    encoder = fitted(examples)
    seen = np.setdiff1d(np.unique(pairs), [7])
    assert 7 in pairs
    expected = StandardScaler().fit(features[seen]).transform(features)
    expected[7] = 0
    np.testing.assert_allclose(encoder.proteins.features, expected, atol=1e-4)


def test_sparse_features_stay_sparse_and_only_common_ones_are_centred(graph):
    features = features_of("sparse")
    encoder = fitted(examples_of(graph, features=features))
    scaled, raw = encoder.proteins.features.toarray(), features.toarray()
    assert np.array_equal(scaled != 0, raw != 0)
    common = (raw != 0).mean(axis=0) > 0.5
    assert common.tolist() == [True, True, False, False, False, False]
    np.testing.assert_allclose(scaled[:, ~common], raw[:, ~common], atol=1e-6)
    for column in np.flatnonzero(common):
        present = raw[:, column] != 0
        expected = StandardScaler().fit_transform(raw[present, column][:, None])[:, 0]
        np.testing.assert_allclose(scaled[present, column], expected, atol=1e-4)


def test_pairs_and_single_proteins_are_told_apart(graph):
    examples = examples_of(graph)
    proteins = Proteins(graph.names, graph=graph)
    single = Examples(graph.names, ProteinPairs(np.arange(COUNT)[:, None], proteins), np.arange(COUNT) % 2)
    assert fitted(single).folds == 0
    assert np.array_equal(fitted(single).graph.edges, graph.edges)
    with pytest.raises(InputError, match="questions about pairs of proteins"):
        fitted(examples).encode(single.inputs)
    with pytest.raises(InputError, match="questions about single proteins"):
        fitted(single).encode(examples.inputs)
