"""What protein interaction shows: the embedding as a map, pairs with the neighbours that speak for them, and tables."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from sklearn.manifold import TSNE

from primase.apps.protein_interaction.embedding import protein_embeddings
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.explaining import link_name
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.bio.communities import communities
from primase.bio.graphs import Graph, Pairs
from primase.bio.topology import common_neighbours
from primase.data.examples import Examples
from primase.events import Listener
from primase.insight.attribution import Attribution
from primase.insight.features import ABLATION, INTEGRATED_GRADIENTS
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures import contributions, neighbourhood, scatter
from primase.report.figures.shared_neighbours import Neighbourhood
from primase.report.sections import Block, Paragraph, Section, Table

SHOWN_PAIRS: Final = 8
MAPPED: Final = 2_000
"""So many proteins are laid out on the map: more take minutes."""
NAMED: Final = 8
SURE_PAIRS: Final = 10

_HOW: Final = (
    "The contribution of a link is how far the log-odds of an interaction fall when an average protein is heard "
    "through it, instead of the one that it leads to; that of a feature, when it is not there. As each of many links "
    "could be missed, all others are heard by half meanwhile. The link between the two proteins themselves is left "
    "out. A log-odds of +1 multiplies the odds by 2.7, of +3 by 20."
)


def columns(inputs: ProteinPairs, encoder: PairEncoder) -> pl.DataFrame:
    """Say beside each prediction how many training links its proteins have, and how many neighbours they share."""
    nodes, graph = encoder.encode(inputs).nodes, encoder.graph
    degrees = np.append(graph.degrees, 0)[np.minimum(nodes, len(graph))]
    if encoder.width == 1:
        return pl.DataFrame({"degree": degrees[:, 0]})
    return pl.DataFrame(
        {
            "degree_a": degrees[:, 0],
            "degree_b": degrees[:, 1],
            "shared_neighbours": _shared(graph, nodes),
            "known_link": np.all(nodes < len(graph), axis=1) & graph.links(np.minimum(nodes, len(graph) - 1)),
        }
    )


def insights(predictor: Predictor[ProteinPairs], test: Examples[ProteinPairs], listener: Listener) -> list[Section]:
    """Draw the map of all proteins, and the neighbourhood of the test pair that the network is surest of."""
    del listener
    encoder = predictor.encoder
    assert isinstance(encoder, PairEncoder)
    sections = [_map(predictor, encoder)]
    if encoder.width == 2:
        sections.append(_surest(predictor, encoder, test))
    return sections


def explanation(
    predictor: Predictor[ProteinPairs], examples: Examples[ProteinPairs], attribution: Attribution
) -> list[Section]:
    """Show for the first pairs which shared neighbours, links and features speak for an interaction."""
    encoder = predictor.encoder
    assert isinstance(encoder, PairEncoder)
    nodes = encoder.encode(examples.inputs).nodes
    probabilities = predictor.answers(examples.inputs)
    answers = np.ones(len(examples), dtype=np.int64) if encoder.width == 2 else probabilities.argmax(axis=1)
    blocks: list[Block] = [Paragraph(_HOW)]
    per_example = attribution.of(ABLATION)
    for row, name in enumerate(examples.ids[:SHOWN_PAIRS].tolist()):
        own = per_example.filter(pl.col("id") == name)
        answer = predictor.task.labels[answers[row]]
        title = f"{name}: “{answer}” with probability {probabilities[row, answers[row]]:.3f}"
        if encoder.width == 2 and np.all(nodes[row] < len(encoder.graph)):
            blocks.append(neighbourhood(_around(encoder.graph, nodes[row], own), title=title))
        if not own.is_empty():
            values = own["value"].to_list()
            blocks.append(
                contributions(own["feature"].to_list(), values, title=title, quantity="effect on the log-odds")
            )
    if attribution.check is not None:
        blocks.append(self_check(attribution.check, ABLATION, INTEGRATED_GRADIENTS, part="link or feature"))
    return [Section("Pair by pair" if encoder.width == 2 else "Protein by protein", blocks)]


def _around(graph: Graph, pair: Int[np.ndarray, "two"], own: pl.DataFrame) -> Neighbourhood:
    """Find the shared neighbours of a pair, with what the links to them contribute."""
    value_of = dict(zip(own["feature"].to_list(), own["value"].to_list(), strict=True))
    edges = _edges_of(graph, pair)
    values = np.array([value_of.get(link_name(graph, *edge), np.nan) for edge in edges.tolist()])
    return Neighbourhood.of(graph.names.tolist(), edges, (int(pair[0]), int(pair[1])), np.nan_to_num(values))


def _edges_of(graph: Graph, pair: Int[np.ndarray, "two"]) -> Pairs:
    return graph.edges[np.isin(graph.edges, pair).any(axis=1)]


def _map(predictor: Predictor[ProteinPairs], encoder: PairEncoder) -> Section:
    """Lay the embeddings out in the plane, coloured by the communities of the graph."""
    graph, embeddings = encoder.graph, protein_embeddings(predictor)
    linked = np.flatnonzero(graph.degrees)
    shown = np.sort(np.random.default_rng(0).permutation(linked)[:MAPPED])
    found = communities(graph)
    groups = [f"community {number + 1}" for number in found[shown].tolist()]
    points = _plane(embeddings[shown])
    hubs = np.argsort(-graph.degrees[shown], kind="stable")[:NAMED]
    named = {int(place): str(graph.names[shown[place]]) for place in hubs}
    drawn = f"{len(shown):,} of the {len(linked):,}" if len(shown) < len(linked) else f"the {len(linked):,}"
    text = (
        f"Each dot is one of {drawn} proteins that have links in training; what the network takes for alike lies "
        "together (t-SNE of the embedding: near is alike, far says little). Colours are communities, groups with many "
        "links among themselves, which were found in the links alone (Louvain). The proteins with most links are named."
    )
    figure = scatter(
        points,
        groups,
        title="Where the network puts each protein",
        axes=("first coordinate of the map", "second coordinate of the map"),
        named=named,
    )
    table = "The command primase embed writes the embedding of every protein as a table."
    return Section("The map of proteins", [Paragraph(text), figure, Paragraph(table)])


def _plane(embeddings: Float[np.ndarray, "proteins latent"]) -> Float[np.ndarray, "proteins 2"]:
    """Lay points out so that neighbours stay neighbours; the same each time."""
    if len(embeddings) < 4 or embeddings.shape[1] < 2:
        padded = np.zeros((len(embeddings), 2))
        padded[:, : min(2, embeddings.shape[1])] = embeddings[:, :2]
        return padded
    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
    return np.asarray(layout.fit_transform(embeddings), dtype=np.float64)


def _surest(predictor: Predictor[ProteinPairs], encoder: PairEncoder, test: Examples[ProteinPairs]) -> Section:
    """Show the test pairs that the network is surest of, right or wrong."""
    nodes, graph = encoder.encode(test.inputs).nodes, encoder.graph
    probability = predictor.answers(test.inputs)[:, 1]
    order = np.argsort(-probability, kind="stable")[:SURE_PAIRS]
    shared = _shared(graph, nodes[order])
    known = np.append(graph.degrees, 0)
    rows = [
        [
            *(str(name) for name in test.inputs.names[place]),
            f"{probability[place]:.3f}",
            "yes" if test.targets[place] == 1 else "not known to",
            *(int(known[min(node, len(graph))]) for node in nodes[place]),
            int(count),
        ]
        for place, count in zip(order.tolist(), shared.tolist(), strict=True)
    ]
    header = ["Protein A", "Protein B", "Probability", "Interact", "Links of A", "Links of B", "Shared neighbours"]
    caption = f"The {len(rows)} test pairs that the network is surest of, with the training links of each protein."
    note = "Probabilities are for a test in which half of the pairs interact. primase rank lists untested pairs."
    best = nodes[order[0]]
    blocks: list[Block] = [Table(header, rows, caption, note)]
    if np.all(best < len(graph)):
        shown = Neighbourhood.of(graph.names.tolist(), _edges_of(graph, best), (int(best[0]), int(best[1])))
        title = f"{rows[0][0]} and {rows[0][1]}, the first of them, among their neighbours in training"
        blocks.append(neighbourhood(shown, title=title))
    return Section("What it is surest of", blocks)


def _shared(graph: Graph, nodes: Int[np.ndarray, "pairs 2"]) -> Int[np.ndarray, "pairs"]:
    """Count the neighbours that both proteins of each pair have; a new protein has none."""
    counts = np.zeros(len(nodes), dtype=np.int64)
    known = np.all(nodes < len(graph), axis=1)
    counts[known] = np.rint(common_neighbours(graph, nodes[known])).astype(np.int64)
    return counts
