"""The network of protein interaction: what is known of each protein and of its neighbours, and how two fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from torch import Tensor, nn

from primase.apps.protein_interaction.configuration import GraphNetwork
from primase.apps.protein_interaction.pairs import FeatureMatrix
from primase.bio.graphs import Graph
from primase.nn.decoders import decoder_of, exact_link_loss
from primase.nn.graph import Propagation, graph_layer
from primase.nn.message_graph import (
    MessageGraph,
    Neighbourhoods,
    sample_neighbours,
    sparse_matrix,
    sparse_product,
)

PAIRS_AT_ONCE: Final = 65_536
"""So many pairs are scored at once where nothing is learned."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A graph that proteins hear through, with the place of each protein in it.

    Parameters
    ----------
    places
        The coordinates of each protein along the main axes of this graph, shape (nodes, axes).
    values
        The eigenvalue of each axis; 0 for one that the graph is too small to have.
    scale
        What degrees are multiplied by, where a share of the links was taken out.
    """

    graph: Graph
    places: Float[np.ndarray, "nodes axes"]
    values: Float[np.ndarray, "axes"]
    scale: float = 1.0


@final
class ProteinEmbedding(nn.Module):
    """Numbers for each protein: its own features, its place in the graph, and what it hears from its neighbours.

    Parameters
    ----------
    features
        One row per protein; None where nothing is known of them.
    views
        The graph that the network is judged with, and those that it learns with, from each of which the links that are
        asked about in a step were taken out.
    """

    def __init__(self, features: FeatureMatrix | None, views: Sequence[View], settings: GraphNetwork) -> None:
        super().__init__()
        widths, nodes = settings.hidden, len(views[0].graph)
        self.graphs = nn.ModuleList(MessageGraph(view.graph, scale=view.scale) for view in views)
        for number, view in enumerate(views):
            self.register_buffer(f"places_{number}", torch.from_numpy(view.places), persistent=False)
        self.register_buffer("axis_values", torch.from_numpy(views[0].values), persistent=False)
        axes = views[0].places.shape[1]
        self.features = None if features is None else FeatureTable(features, widths[0])
        self.place = nn.Linear(axes, widths[0]) if axes else None
        needs_one = features is None and not axes
        self.own = nn.Embedding(nodes, widths[0]) if settings.learned_embedding or needs_one else None
        if self.own is not None:
            nn.init.xavier_uniform_(self.own.weight)
        outputs = [*widths[:-1], 2 * widths[-1]] if settings.variational else list(widths)
        layers = [graph_layer(settings.encoder, *sizes) for sizes in pairwise([widths[0], *outputs])]
        if settings.encoder == "gcn" and not settings.residual and len(widths) > 1:
            # What each input is turned into is the weight matrix of the first layer already.
            layers[0] = Propagation(widths[0])
        self.layers = nn.ModuleList(layers)
        self.residual = settings.residual
        self.widest = max(widths)
        # Attention weighs messages one by one, and so hears one list of weights at a time.
        self.needs_one_list = settings.encoder == "gat"
        self.variational = settings.variational
        self.dropout = nn.Dropout(settings.dropout)
        self.norm = nn.LayerNorm(widths[-1]) if settings.residual else nn.Identity()
        self.divergence: Tensor | None = None

    def inputs(
        self,
        view: int,
        nodes: Int[Tensor, "at_hand"] | None = None,
        new_features: Float[Tensor, "new features"] | None = None,
    ) -> Float[Tensor, "nodes width"]:
        """Add up what is known of each protein before it hears from any other.

        Parameters
        ----------
        nodes
            Only these; all where not given.
        new_features
            Those of proteins that were not known in training, which follow the others.
        """
        parts = []
        if self.features is not None:
            described: Tensor = self.features(nodes)
            parts.append(described)
        if self.place is not None:
            places: Tensor = getattr(self, f"places_{view}")
            parts.append(self.place(places if nodes is None else places[nodes]))
        if self.own is not None:
            parts.append(self.own.weight if nodes is None else self.own(nodes))
        total = torch.stack(parts).sum(dim=0)
        if new_features is not None and len(new_features):
            assert self.features is not None
            new = new_features @ self.features.weight + self.features.bias
            new = new if self.place is None else new + self.place.bias
            total = torch.cat([total, new])
        dropped: Tensor = self.dropout(total)
        return dropped

    def place_heard(self) -> Float[Tensor, "nodes width"]:
        """Give what each protein adds to the place of a neighbour, but for the roots of both degrees.

        The place of a protein along an axis is the sum of the places of its neighbours, each divided by the roots of
        both degrees, over the eigenvalue: that is what an eigenvector is. So each link has its share in the place.
        """
        assert self.place is not None
        places, values = self.get_buffer("places_0"), self.get_buffer("axis_values")
        shares = torch.where(values == 0, 0.0, places / torch.where(values == 0, 1.0, values))
        heard: Tensor = shares @ self.place.weight.T
        return heard

    def forward(self, values: Float[Tensor, "nodes width"], graph: Neighbourhoods) -> Float[Tensor, "nodes latent"]:
        """Let proteins hear from their neighbours, layer by layer.

        Parameters
        ----------
        values
            What :meth:`inputs` returned, shape (nodes, first width).
        """
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            heard = layer(values, graph)
            if self.residual:
                heard = torch.relu(heard)
                values = heard + values if heard.shape == values.shape else heard
            else:
                values = heard if number == last else self.dropout(torch.relu(heard))
        if not self.variational:
            normed: Tensor = self.norm(values)
            return normed
        mean, log_deviation = values.chunk(2, dim=-1)
        log_deviation = log_deviation.clamp(max=10)
        # The Kullback-Leibler divergence from the standard normal distribution, per node (Kingma and Welling 2014).
        self.divergence = 0.5 * (mean**2 + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum(dim=-1).mean()
        drawn = mean + torch.randn_like(mean) * log_deviation.exp() if self.training else mean
        embedded: Tensor = self.norm(drawn)
        return embedded


@final
class FeatureTable(nn.Module):
    """A linear layer on the features of known proteins, which may be sparse."""

    def __init__(self, features: FeatureMatrix, width: int) -> None:
        super().__init__()
        matrix = sparse.csr_array(features).astype(np.float32)
        self.shape = matrix.shape
        for name, one in (("rows", matrix), ("columns", matrix.T.tocsr())):
            one.sort_indices()
            for part in ("indptr", "indices", "data"):
                values = getattr(one, part)
                tensor = torch.from_numpy(values if part == "data" else values.astype(np.int64))
                self.register_buffer(f"{name}_{part}", tensor, persistent=False)
        self.weight = nn.Parameter(torch.empty(matrix.shape[1], width))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, nodes: Int[Tensor, "at_hand"] | None) -> Float[Tensor, "nodes width"]:
        """Transform the features of all proteins, or of some."""
        count, columns = self.shape
        rows = self._matrix("rows", (count, columns))
        product = sparse_product(rows, self._matrix("columns", (columns, count)), self.weight) + self.bias
        return product if nodes is None else product[nodes]

    def value(self, node: int, column: int) -> float:
        """Look up one feature of one protein."""
        starts: Tensor = self.get_buffer("rows_indptr")
        own = slice(int(starts[node]), int(starts[node + 1]))
        there = self.get_buffer("rows_indices")[own] == column
        return float(self.get_buffer("rows_data")[own][there].sum())

    def _matrix(self, name: str, shape: tuple[int, int]) -> Tensor:
        parts = [getattr(self, f"{name}_{part}") for part in ("indptr", "indices", "data")]
        return sparse_matrix(parts[0], parts[1], parts[2], shape)


@final
class InteractionNetwork(nn.Module):
    """Embed all proteins, then score pairs of them.

    Parameters
    ----------
    embedding
        What makes the numbers of each protein.
    settings
        The section of the configuration.
    """

    def __init__(self, embedding: ProteinEmbedding, settings: GraphNetwork, nodes: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.decoder = decoder_of(
            settings.decoder,
            width=settings.hidden[-1],
            nodes=nodes,
            hidden=settings.decoder_hidden,
            dropout=settings.dropout,
        )
        self.fan_out = settings.fan_out

    def forward(
        self,
        nodes: Int[Tensor, "pairs 2"],
        fold: Int[Tensor, "pairs"],
        new_features: Float[Tensor, "new features"] | None = None,
    ) -> Float[Tensor, "pairs 2"]:
        """Score pairs.

        Parameters
        ----------
        nodes
            Numbers of proteins; those beyond the known ones are rows of ``new_features``.
        fold
            In training: from which of the graphs the link of the pair was taken out, if it is one.

        Returns
        -------
        Tensor
            Logits of "no interaction" and "interaction"; the former are 0.
        """
        if self.training and len(self.embedding.graphs) > 1:
            scores = nodes.new_zeros(len(nodes), dtype=torch.float32)
            # Batches are of one fold, or have a few.
            for number in torch.unique(fold).tolist():
                chosen = fold == number
                scores = scores.masked_scatter(
                    chosen, self.score(nodes[chosen], number + 1, new_features).to(scores.dtype)
                )
        else:
            scores = self.score(nodes, 0, new_features)
        return torch.stack([torch.zeros_like(scores), scores], dim=1)

    def score(
        self, nodes: Int[Tensor, "pairs 2"], view: int, new_features: Float[Tensor, "new features"] | None = None
    ) -> Float[Tensor, "pairs"]:
        """Score pairs by one of the graphs."""
        graph = self.embedding.graphs[view]
        assert isinstance(graph, MessageGraph)
        if self.training and self.fan_out:
            seeds, places = torch.unique(nodes, return_inverse=True)
            sampled = sample_neighbours(graph, seeds, self.fan_out)
            values = self.embedding.inputs(view, sampled.nodes)
            return self._decode(self.embedding(values, sampled), places, nodes, sampled.degrees)
        embeddings = self.embedding(self.embedding.inputs(view, None, new_features), graph)
        return self._decode(embeddings, nodes, nodes, graph.degrees)

    def embed(self, new_features: Float[Tensor, "new features"] | None = None) -> Float[Tensor, "nodes latent"]:
        """Give the embedding of every protein."""
        graph = self.embedding.graphs[0]
        embeddings: Tensor = self.embedding(self.embedding.inputs(0, None, new_features), graph)
        return embeddings

    def decode(
        self, embeddings: Float[Tensor, "nodes latent"], nodes: Int[Tensor, "pairs 2"]
    ) -> Float[Tensor, "pairs"]:
        """Score pairs by embeddings of all proteins."""
        graph = self.embedding.graphs[0]
        assert isinstance(graph, MessageGraph)
        return self._decode(embeddings, nodes, nodes, graph.degrees)

    def exact_loss(self) -> Float[Tensor, ""]:
        """Compute the loss over all pairs of proteins; only for decoders that are a product of matrices."""
        graph = self.embedding.graphs[0]
        assert isinstance(graph, MessageGraph)
        factors = self.decoder.factors(self.embed())
        assert factors is not None, "the configuration refuses this decoder"
        return exact_link_loss(*factors, graph.starts, graph.neighbours)

    def _decode(
        self,
        embeddings: Float[Tensor, "at_hand latent"],
        places: Int[Tensor, "pairs 2"],
        nodes: Int[Tensor, "pairs 2"],
        degrees: Float[Tensor, "at_hand"],
    ) -> Float[Tensor, "pairs"]:
        missing = len(embeddings) - len(degrees)
        logarithms = torch.cat([degrees, degrees.new_zeros(missing)]).log1p()
        blocks = []
        size = max(len(places), 1) if self.training else PAIRS_AT_ONCE
        for start in range(0, max(len(places), 1), size):
            chosen = slice(start, start + size)
            first, second = places[chosen].T
            blocks.append(
                self.decoder(embeddings[first], embeddings[second], logarithms[places[chosen]], nodes[chosen])
            )
        return torch.cat(blocks)


@final
class ProteinClassifier(nn.Module):
    """Embed all proteins, then classify single ones, such as enzymes and others."""

    def __init__(self, embedding: ProteinEmbedding, latent: int, labels: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.head = nn.Linear(latent, labels)

    def forward(
        self,
        nodes: Int[Tensor, "proteins 1"],
        fold: Int[Tensor, "proteins"],
        new_features: Float[Tensor, "new features"] | None = None,
    ) -> Float[Tensor, "proteins labels"]:
        """Give the logits of each protein."""
        del fold
        logits: Tensor = self.head(self.embed(new_features)[nodes[:, 0]])
        return logits

    def embed(self, new_features: Float[Tensor, "new features"] | None = None) -> Float[Tensor, "nodes latent"]:
        """Give the embedding of every protein."""
        embeddings: Tensor = self.embedding(self.embedding.inputs(0, None, new_features), self.embedding.graphs[0])
        return embeddings
