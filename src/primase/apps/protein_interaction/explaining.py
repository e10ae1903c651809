"""Why two proteins are said to interact: what each link of theirs, and each thing known of them, contributes.

A part is taken out by a weight of 0. Through a link of weight 0 the average protein is heard instead of the one that it
leads to, both by the layers of the network and in the place of a protein along the axes of the graph, to which each of
its links adds a share; a feature of weight 0 is not there. The link between the two proteins themselves is taken out
beforehand where it is known, as it is in training: the question is what else speaks for it. Everything else in the
graph stays as it is. Exact removal and integrated gradients over the weights check each other, as for any other
application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor, nn

from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.model import InteractionNetwork, ProteinClassifier
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.bio.graphs import Graph
from primase.bio.topology import shared_neighbours
from primase.data.encoding import Batch
from primase.data.examples import Examples, Indices
from primase.errors import InputError
from primase.events import Listener
from primase.insight.attribution import Attribution
from primase.insight.features import explain_features
from primase.nn.message_graph import MessageGraph, WeightedLinks, spread_change
from primase.predictor.predictor import Predictor

MOST_LINKS: Final = 40
"""So many links of a protein are explained one by one, those to shared neighbours first; the others together."""

VALUES_AT_ONCE: Final = 2_000_000
"""So many numbers are held per layer: as many lists of weights are looked at together."""

OTHERS: Final = 0.5
"""Each of many neighbours could be missed where all others are heard, so that they are heard by half."""

SHUFFLED: Final = 2
"""So many networks with shuffled weights are asked as a control: to ask one about a large graph takes a while."""

MOST_FEATURES: Final = 60
"""So many features of a protein are explained one by one; of one with more, all together."""

LINK, FEATURE, ALL_FEATURES, OWN, ITSELF = range(5)
"""What a part is: a link, a feature, all features, the learned input, the link that is asked about."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of one example that an explanation may take out.

    Parameters
    ----------
    kinds
        What each entry is.
    first, second
        The two ends of a link; else the protein, and the column of a feature.
    owners
        The number of the part that each entry belongs to, -1 for what is no part; the links that are explained together
        share one.
    names
        Of the parts.
    """

    kinds: Int[np.ndarray, "entries"]
    first: Int[np.ndarray, "entries"]
    second: Int[np.ndarray, "entries"]
    owners: Int[np.ndarray, "entries"]
    names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.kinds)


def parts_of(encoder: PairEncoder, nodes: Int[np.ndarray, "width"], *, learned: bool) -> Parts:
    """List the links and features of the proteins of an example.

    Parameters
    ----------
    learned
        Whether the network has a learned input for each protein.
    """
    rows: list[tuple[int, int, int, int]] = []
    names: list[str] = []
    known = [int(node) for node in dict.fromkeys(nodes.tolist()) if node < len(encoder.graph)]
    for node in known:
        links = _links(encoder.graph, node, known)
        for place, (one, other) in enumerate(links):
            if place < MOST_LINKS:
                names.append(link_name(encoder.graph, one, other))
            elif place == MOST_LINKS:
                names.append(f"the other {len(links) - MOST_LINKS:,} links of {encoder.graph.names[node]}")
            rows.append((LINK, one, other, len(names) - 1))
        for kind, column, name in _own(encoder, node, learned=learned):
            names.append(name)
            rows.append((kind, node, column, len(names) - 1))
    if len(known) == 2 and encoder.graph.links(np.array([known]))[0]:
        # An entry without a name: no owner takes it out, as its weight is 0 from the start.
        rows.append((ITSELF, known[0], known[1], -1))
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return Parts(table[:, 0], table[:, 1], table[:, 2], table[:, 3], names)


def link_name(graph: Graph, first: int, second: int) -> str:
    """Name a link by its proteins in alphabetical order."""
    # An en dash, as names of genes have hyphens of their own.
    return "\N{EN DASH}".join(sorted([str(graph.names[first]), str(graph.names[second])]))


def _links(graph: Graph, node: int, known: Sequence[int]) -> list[tuple[int, int]]:
    """List the links of a protein to others than those asked about: to shared neighbours first."""
    others = [other for other in known if other != node]
    shared = set(shared_neighbours(graph, node, others[0]).tolist()) if others else set()
    neighbours = graph.neighbours(node).tolist()
    rest = [neighbour for neighbour in neighbours if neighbour not in others]
    return [(node, other) for other in sorted(rest, key=lambda one: (one not in shared, one))]


def _own(encoder: PairEncoder, node: int, *, learned: bool) -> list[tuple[int, int, str]]:
    """List what is known of a protein by itself."""
    protein, found = encoder.proteins.names[node], []
    features = encoder.proteins.features
    if features is not None:
        row = sparse.csr_array(features[[node]])
        if row.nnz <= MOST_FEATURES:
            found += [(FEATURE, at, f"{protein}: {encoder.proteins.feature_names[at]}") for at in row.indices.tolist()]
        else:
            found.append((ALL_FEATURES, 0, f"{protein}: its {row.nnz:,} features"))
    if learned:
        found.append((OWN, 0, f"{protein}: its learned embedding"))
    return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightedExamples:
    """Examples whose parts have weights, as :func:`primase.insight.features.explain_features` takes them out."""

    nodes: Int[np.ndarray, "examples width"]
    parts: Sequence[Parts]
    offsets: Int[np.ndarray, "examples"]
    owner_names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.nodes)

    def batch(self, indices: Indices) -> Batch:
        """Return ``row``, the number of each example, and ``weights``, 1 for each of its parts."""
        width = max([len(self.parts[row]) for row in indices.tolist()], default=0)
        weights = np.zeros((len(indices), max(width, 1)), dtype=np.float32)
        for place, row in enumerate(indices.tolist()):
            weights[place, : len(self.parts[row])] = self.parts[row].kinds != ITSELF
        return {"row": torch.from_numpy(indices), "weights": torch.from_numpy(weights)}

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch slots"]:
        """Return the part that each weight belongs to, -1 in padding."""
        owners = np.full(self.batch(indices)["weights"].shape, -1, dtype=np.int64)
        for place, row in enumerate(indices.tolist()):
            own = self.parts[row].owners
            owners[place, : len(own)] = np.where(own < 0, -1, own + self.offsets[row])
        return owners


@final
class WeightedNetwork(nn.Module):
    """A network as a function of the weights of the parts of each example."""

    def __init__(self, network: InteractionNetwork | ProteinClassifier, examples: WeightedExamples) -> None:
        super().__init__()
        self.network = network
        self.examples = examples

    def forward(
        self, row: Int[Tensor, "batch"], weights: Float[Tensor, "batch slots"]
    ) -> Float[Tensor, "batch labels"]:
        """Give the logits of each example under its weights."""
        graph, width = self.network.embedding.graphs[0], self.network.embedding.widest
        assert isinstance(graph, MessageGraph)
        nodes = len(graph.degrees)
        at_once = 1 if self.network.embedding.needs_one_list else max(VALUES_AT_ONCE // (nodes * width), 1)
        answers: list[Tensor] = []
        # Rows of one example follow each other: a list of weights for each part that is taken out.
        numbers, counts = torch.unique_consecutive(row, return_counts=True)
        for number, several in zip(numbers.tolist(), torch.split(weights, counts.tolist()), strict=True):
            answers += [self._logits(number, block) for block in torch.split(several, at_once)]
        return torch.cat(answers)

    def _logits(self, row: int, weights: Float[Tensor, "lists slots"]) -> Float[Tensor, "lists labels"]:
        """Give the logits of one example under several lists of weights."""
        embedding, parts = self.network.embedding, self.examples.parts[row]
        graph = embedding.graphs[0]
        assert isinstance(graph, MessageGraph)
        link = np.flatnonzero((parts.kinds == LINK) | (parts.kinds == ITSELF))
        ends = torch.from_numpy(np.stack([parts.first[link], parts.second[link]], axis=1))
        links = WeightedLinks(graph, ends, weights[0, link] if embedding.needs_one_list else weights[:, link])
        values = embedding.inputs(0)
        if not embedding.needs_one_list:
            values = values[:, None].expand(-1, len(weights), -1)
        if embedding.place is not None and len(ends):
            heard = embedding.place_heard()
            heard = heard if embedding.needs_one_list else heard[:, None].expand_as(values)
            scales = (graph.degrees[ends[:, 0]] * graph.degrees[ends[:, 1]]).rsqrt()
            values = spread_change(values, heard, links, scales)
        other = np.flatnonzero((parts.kinds != LINK) & (parts.kinds != ITSELF))
        if len(other):
            contributions = torch.stack([self._contribution(parts, int(entry)) for entry in other])
            change = (weights[:, other, None] - 1) * contributions
            change = change[0] if embedding.needs_one_list else change.movedim(1, 0)
            values = values.index_add(0, torch.from_numpy(parts.first[other]), change)
        embedded = embedding(values, links)
        nodes = torch.from_numpy(self.examples.nodes[row])
        asked = embedded[nodes].view(len(nodes), len(weights), -1)
        if isinstance(self.network, ProteinClassifier):
            logits: Tensor = self.network.head(asked[0])
            return logits
        every = nodes.expand(len(weights), -1)
        score = self.network.decoder(asked[0], asked[1], graph.degrees[every].log1p(), every)
        return torch.stack([torch.zeros_like(score), score], dim=1)

    def _contribution(self, parts: Parts, entry: int) -> Float[Tensor, "width"]:
        """Compute what a part adds to the input of its protein."""
        embedding, node, kind = self.network.embedding, int(parts.first[entry]), parts.kinds[entry]
        if kind == OWN:
            assert embedding.own is not None
            return embedding.own.weight[node]
        assert embedding.features is not None
        if kind == ALL_FEATURES:
            every: Tensor = embedding.features(torch.tensor([node]))[0] - embedding.features.bias
            return every
        return embedding.features.value(node, int(parts.second[entry])) * embedding.features.weight[parts.second[entry]]


def explain_links(
    predictor: Predictor[ProteinPairs], examples: Examples[ProteinPairs], listener: Listener
) -> Attribution:
    """Attribute the score of each pair to the links and features of its two proteins.

    What is explained of a pair is always "interaction", of a single protein the label that it is given.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, PairEncoder)
    networks = [one for one in predictor.members if isinstance(one, InteractionNetwork | ProteinClassifier)]
    encoded = encoder.encode(examples.inputs)
    unknown = encoded.nodes >= len(encoder.graph)
    if unknown.any():
        what = "a protein that the model does not know has no links, and what its features do is not explained"
        got = str(examples.inputs.names[unknown][0])
        raise InputError(what, where="explain", got=got, wanted="proteins of the graph that the model was trained on")
    learned = networks[0].embedding.own is not None
    parts = [parts_of(encoder, nodes, learned=learned) for nodes in encoded.nodes]
    offsets = np.cumsum([0, *(len(one.names) for one in parts)])[:-1]
    names = [name for one in parts for name in one.names]
    weighted = WeightedExamples(encoded.nodes, parts, offsets, names)
    members = tuple(WeightedNetwork(network, weighted) for network in networks)
    labels = np.ones(len(examples), dtype=np.int64)
    if encoder.width == 1:
        labels = predictor.outputs(examples.inputs).argmax(axis=1)
    weighing = replace(predictor, members=members)
    return explain_features(
        weighing,
        weighted,
        examples.ids.tolist(),
        labels,
        others=OTHERS,
        shuffled=SHUFFLED,
        examples_at_once=1,
        listener=listener,
    )
