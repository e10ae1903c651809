"""The work of protein interaction, from a graph to ranked pairs and their explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Shaped
from torch import Tensor, nn

from primase.apps.protein_interaction import pages
from primase.apps.protein_interaction.configuration import InteractionConfiguration
from primase.apps.protein_interaction.embedding import embedding_table
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.explaining import explain_links
from primase.apps.protein_interaction.labelling import (
    NEGATIVES,
    PART,
    SEEN,
    UNIT,
    joined,
    kinds,
    labelled_pairs,
    labelled_proteins,
    refuse_words_of_pairs,
    with_files,
    without_known_links,
)
from primase.apps.protein_interaction.model import InteractionNetwork, ProteinClassifier, ProteinEmbedding
from primase.apps.protein_interaction.node_rivals import protein_baselines, protein_probes
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.apps.protein_interaction.ranking import rank_pairs
from primase.apps.protein_interaction.reading import (
    read_graph,
    read_pairs_to_predict,
    read_proteins_to_predict,
)
from primase.apps.protein_interaction.rivals import baselines, probes
from primase.apps.protein_interaction.simulator import simulate
from primase.apps.protein_interaction.unlinked import contrast_negatives
from primase.apps.workflow import Explanation, Labelled, Ranking, Simulated, Workflow
from primase.bio.graphs import Graph
from primase.bio.topology import other_degrees
from primase.data.audit import Fingerprints
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Examples
from primase.data.splits import Groups, Part, Partition
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.baselines import Baseline
from primase.evaluation.contrasts import Contrast
from primase.evaluation.intervals import Units
from primase.evaluation.probes import Probe
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.training.fit import FitOptions
from primase.training.losses import loss_of
from primase.training.sampling import OrderedBatches

_MEANING: Final = {
    "uniform": (
        "Uniform negatives are any two proteins without a known interaction. Most proteins have few partners, and most "
        "interactions are of proteins with many, so that counting partners goes a long way."
    ),
    "degree-matched": (
        "Degree-matched negatives keep one protein of each interaction and swap the other for one that has about as "
        "many partners, so that counting partners does not help."
    ),
    "given": "The negatives of the test are those that were given.",
}
_READING: Final = (
    "Go by the figures under uniform negatives to screen all pairs of a proteome, where finding the proteins with many "
    "partners is part of the task; go by those under degree-matched negatives to choose the partners of one protein. "
    "A model is best at what it was trained with: --negatives says which."
)
_SUBSETS: Final = {
    "C1": "C1: both proteins seen in training",
    "C2": "C2: one protein seen in training",
    "C3": "C3: no protein seen in training",
}


@final
class InteractionWorkflow(Workflow[ProteinPairs, InteractionConfiguration]):
    """Read, divide, learn and explain the links of a graph of proteins."""

    def read(
        self, configuration: InteractionConfiguration, task: Task | None, listener: Listener
    ) -> Labelled[ProteinPairs]:
        """Read the graph; draw pairs without interaction beside its links, or take the labels of its proteins."""
        graph = read_graph(with_files(configuration.data, listener), listener)
        if configuration.data.node_labels is not None:
            refuse_words_of_pairs(configuration.split)
            return labelled_proteins(graph, configuration.data, task)
        return labelled_pairs(graph, configuration, divided=task is None)

    def read_new(
        self, configuration: InteractionConfiguration, predictor: Predictor[ProteinPairs], listener: Listener
    ) -> Labelled[ProteinPairs]:
        """Read new links; what is drawn beside them must not be among those that the model knows."""
        labelled = self.read(configuration, predictor.task, listener)
        own = _pair_encoder(predictor.encoder)
        return labelled if own.width == 1 else without_known_links(labelled, own)

    def stream(
        self,
        path: Path,
        configuration: InteractionConfiguration,
        encoder: Encoder[ProteinPairs],
        listener: Listener,
    ) -> Iterator[Examples[ProteinPairs]]:
        """Read pairs, or proteins, to predict."""
        own = _pair_encoder(encoder)
        read = read_pairs_to_predict if own.width == 2 else read_proteins_to_predict
        ids, inputs = read(path, with_files(configuration.data, listener), own.proteins, listener)
        yield Examples(ids, inputs, np.full(len(ids), -1, dtype=np.int64))

    def units(
        self,
        examples: Examples[ProteinPairs],
        policy: str,
        configuration: InteractionConfiguration,
        listener: Listener,
    ) -> Groups:
        """Keep a link and the pair that was drawn to match it together."""
        del configuration, listener
        return np.arange(len(examples)) if policy == "node-disjoint" else examples.groups[UNIT]

    def unit_name(self, policy: str) -> str:
        """Name what a split keeps together."""
        return {"degree-matched": "matched link-negative pair", "node-disjoint": "protein"}.get(policy, "pair")

    def policy(self, examples: Examples[ProteinPairs], configuration: InteractionConfiguration) -> str:
        """Say what ``auto`` was taken for when the pairs were drawn."""
        if configuration.split.split != "auto":
            return configuration.split.split
        if examples.parts is not None:
            return "given"
        matched = NEGATIVES in examples.covariates and "degree-matched" in examples.covariates[NEGATIVES][:1]
        return "degree-matched" if matched else "random"

    def parts(
        self, examples: Examples[ProteinPairs], policy: str, configuration: InteractionConfiguration
    ) -> Shaped[np.ndarray, "examples"] | None:
        """Name the parts that were given, or that follow from those of the proteins."""
        del configuration
        return examples.covariates[PART] if policy == "node-disjoint" else examples.parts

    def resampled(self, examples: Examples[ProteinPairs], units: Groups, policy: str) -> Units:
        """Draw intervals over the proteins that were held out, where proteins were: their pairs are not independent."""
        if policy != "node-disjoint":
            return Units.of(units, self.unit_name(policy))
        return Units.of(examples.groups["held out"], "held-out protein")

    @property
    def input_name(self) -> str:
        """Name what is compared."""
        return "pair of proteins"

    def fingerprints(self, inputs: ProteinPairs) -> Fingerprints:
        """Write the names of each pair in their order."""
        return joined(inputs)

    def fit_encoder(
        self, train: Examples[ProteinPairs], configuration: InteractionConfiguration, listener: Listener
    ) -> Encoder[ProteinPairs]:
        """Make the message graph of the training links."""
        del listener
        return PairEncoder.fit(train, configuration)

    def adopt_encoder(
        self,
        parent: Predictor[ProteinPairs],
        train: Examples[ProteinPairs],
        task: Task,
        configuration: InteractionConfiguration,
    ) -> Encoder[ProteinPairs]:
        """Refuse: what is learned is the place of each protein in one graph."""
        del parent, train, task, configuration
        what = "a model of interactions knows the proteins of its own graph, and no other can start from it"
        raise ConfigurationError(what, where="--from")

    @property
    def is_judged_on_train(self) -> bool:
        """The links of training are in the graph that the network hears through: it reads what it would be asked."""
        return False

    def load_encoder(self, state: EncoderState) -> Encoder[ProteinPairs]:
        """Read the message graph of a bundle."""
        return PairEncoder.from_state(state)

    def network(self, encoder: Encoder[ProteinPairs], task: Task, configuration: InteractionConfiguration) -> nn.Module:
        """Build the network that scores pairs, or classifies proteins."""
        own, settings = _pair_encoder(encoder), configuration.network
        embedding = ProteinEmbedding(own.proteins.features, own.views, settings)
        if own.width == 1:
            return ProteinClassifier(embedding, settings.hidden[-1], task.outputs)
        return InteractionNetwork(embedding, settings, len(own.proteins))

    def fit_options(
        self,
        encoder: Encoder[ProteinPairs],
        task: Task,
        train: Examples[ProteinPairs],
        configuration: InteractionConfiguration,
    ) -> FitOptions:
        """Learn each fold from the graph that lacks it, or all pairs at once."""
        own, settings = _pair_encoder(encoder), configuration.network
        loss = loss_of(task.kind, configuration.training.label_smoothing)
        exact = settings.pairs == "exact" and own.width == 2

        def objective(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
            assert isinstance(network, InteractionNetwork | ProteinClassifier)
            value = network.exact_loss() if exact else loss(network(**inputs), targets)  # type: ignore[operator]  # exact is for pairs
            divergence = network.embedding.divergence
            # As in Kipf and Welling (2016): the divergence of all proteins is spread over the entries of a row.
            return value if divergence is None else value + divergence / len(own.proteins)

        if exact and configuration.training.label_smoothing:
            what = "the loss of all pairs at once has no labels that could be smoothed"
            got = str(configuration.training.label_smoothing)
            raise ConfigurationError(what, where="--label-smoothing", got=got, wanted="0, or --pairs sampled")
        if exact:
            # A step is about all pairs, whatever the batch.
            return FitOptions(kind=task.kind, objective=objective, sampler=OrderedBatches(1, 1))
        groups = own.encode(train.inputs).folds if own.folds else None
        return FitOptions(kind=task.kind, objective=objective, groups=groups)

    def baselines(self, encoder: Encoder[ProteinPairs]) -> Sequence[Baseline]:
        """Name the classic scores of pairs; for single proteins, what their features tell without the graph."""
        own = _pair_encoder(encoder)
        return baselines(own.graph, own.proteins.features) if own.width == 2 else protein_baselines(own)

    def probes(self, train: Examples[ProteinPairs]) -> Sequence[Probe]:
        """Name the degrees: how many links a protein has says nothing of the pair."""
        nodes, proteins = train.inputs.nodes, train.inputs.proteins
        if proteins.graph is not None:
            return protein_probes(proteins.graph)
        return probes(Graph.of(proteins.names, nodes[train.targets == 1]))

    def subsets(
        self, test: Examples[ProteinPairs], encoder: Encoder[ProteinPairs]
    ) -> Mapping[str, Bool[np.ndarray, "tested"]]:
        """Tell pairs by how many of their proteins were seen, and those of proteins without any link in training."""
        own = _pair_encoder(encoder)
        if own.width == 1:
            return {}
        if SEEN in test.covariates:
            found = {name: test.covariates[SEEN] == short for short, name in _SUBSETS.items()}
        else:
            degrees = other_degrees(own.graph, own.encode(test.inputs).nodes).min(axis=1)
            found = {
                "both proteins linked in training": degrees > 0,
                "a protein without links in training": degrees == 0,
            }
        return found

    def contrasts(
        self, labelled: Labelled[ProteinPairs], partition: Partition, configuration: InteractionConfiguration
    ) -> Sequence[Contrast]:
        """Put the test links beside the other kind of negatives."""
        examples = labelled.examples
        if examples.inputs.nodes.shape[1] == 1:
            return ()
        kind = str(examples.covariates[NEGATIVES][0])
        drawn = contrast_negatives(
            examples.inputs.nodes,
            examples.targets,
            partition.names(len(examples)),
            examples.inputs.proteins.names,
            negatives=kind,  # type: ignore[arg-type]  # one of the literals
            seed=configuration.seed,
            kinds=kinds(examples),
        )
        test = partition.test
        links = test[examples.targets[test] == 1]
        nodes = np.concatenate([examples.inputs.nodes[links], drawn.pairs])
        inputs = ProteinPairs(nodes, examples.inputs.proteins)
        targets = np.repeat([1, 0], [len(links), len(drawn.pairs)])
        # A link and the negative beside it are drawn together.
        units = np.tile(np.arange(len(links)), 2)[: len(targets)]
        return [
            Contrast(
                name=f"{drawn.negatives} negatives",
                main_name=f"{kind} negatives",
                meaning=f"{_MEANING[kind]} {_MEANING[drawn.negatives]}",
                reading=_READING,
                examples=Examples(joined(inputs), inputs, targets),
                units=Units.of(units, "link-negative pair"),
            )
        ]

    def columns(self, inputs: ProteinPairs, encoder: Encoder[ProteinPairs]) -> pl.DataFrame:
        """Say how many links each protein has, and how many proteins are linked to both."""
        return pages.columns(inputs, _pair_encoder(encoder))

    def explain(
        self, predictor: Predictor[ProteinPairs], examples: Examples[ProteinPairs], listener: Listener
    ) -> Explanation:
        """Say which links and features of both proteins speak for an interaction."""
        found = explain_links(predictor, examples, listener)
        return Explanation(found, pages.explanation(predictor, examples, found))

    def insights(
        self, predictor: Predictor[ProteinPairs], parts: Mapping[Part, Examples[ProteinPairs]], listener: Listener
    ) -> Insights:
        """Draw the embedding, and the neighbourhood of the pair that the network is surest of."""
        return Insights(pages.insights(predictor, parts["test"], listener))

    def rank(self, predictor: Predictor[ProteinPairs], ranking: Ranking, listener: Listener) -> pl.DataFrame:
        """List the untested pairs that the network is surest of."""
        return rank_pairs(predictor, ranking, listener)

    def embed(
        self,
        predictor: Predictor[ProteinPairs],
        blocks: Iterator[Examples[ProteinPairs]] | None,
        listener: Listener,
    ) -> Iterator[pl.DataFrame]:
        """Give the embedding of each protein of the graph."""
        del blocks, listener
        yield embedding_table(predictor)

    def simulate(self, folder: Path, count: int, seed: int) -> Simulated:
        """Write a graph with planted blocks."""
        return simulate(folder, count, seed)


def _pair_encoder(encoder: Encoder[ProteinPairs]) -> PairEncoder:
    assert isinstance(encoder, PairEncoder)
    return encoder
