"""From what a user's files say to labelled examples: pairs with and without interaction, or classes of proteins."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.protein_interaction.configuration import GraphData, InteractionConfiguration, PairSplit
from primase.apps.protein_interaction.datasets import dataset_files, pfam_subset
from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.apps.protein_interaction.reading import GraphInput, read_node_labels
from primase.apps.protein_interaction.splitting import draw_examples
from primase.apps.workflow import Labelled
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.labels import order_labels
from primase.data.splits import Fractions, Groups
from primase.data.tasks import Task
from primase.errors import InputError
from primase.events import Listener

INTERACTION: Final = Task("binary", ("no interaction", "interaction"))
UNIT: Final = "unit"
SEEN: Final = "seen"
PART: Final = "part"
NEGATIVES: Final = "negatives"


def with_files(data: GraphData, listener: Listener) -> GraphData:
    """Find the files of a registered data set; words given beside it win."""
    if data.dataset is None:
        searched = data.proteins is not None and data.profiles is None
        return data.model_copy(update={"profiles": pfam_subset(listener)}) if searched else data
    files = dataset_files(data.dataset, listener)
    words = {name: path for name, path in files.items() if getattr(data, name) is None}
    return data.model_copy(update={**words, "dataset": None})


def without_known_links(labelled: Labelled[ProteinPairs], encoder: PairEncoder) -> Labelled[ProteinPairs]:
    """Leave out pairs that were drawn to stand for no interaction, and are links that the model knows."""
    examples = labelled.examples
    nodes = encoder.encode(examples.inputs).nodes
    known = np.all(nodes < len(encoder.graph), axis=1)
    known[known] = encoder.graph.links(nodes[known])
    wrong = known & (examples.targets == 0)
    if not wrong.any():
        return labelled
    count = int(wrong.sum())
    text = f"{count:,} pairs without interaction are links that the model was trained with: they are left out."
    finding = Finding("negative pairs that are known links", count, "warning", text)
    return replace(labelled, examples=examples.take(np.flatnonzero(~wrong)), findings=[*labelled.findings, finding])


def labelled_pairs(
    graph: GraphInput, configuration: InteractionConfiguration, *, divided: bool
) -> Labelled[ProteinPairs]:
    """Draw pairs without interaction beside the links.

    Parameters
    ----------
    divided
        Whether the pairs will be divided into parts, for which there must be enough.
    """
    split = configuration.split
    if split.split == "node-disjoint" and graph.proteins.features is None:
        what = "proteins that are kept apart have no links to learn from, and nothing else is known of them"
        advice = "Give --features or --proteins, or choose another --split."
        raise InputError(what, where="--split node-disjoint", advice=advice)
    drawn = draw_examples(
        graph.edges,
        graph.nonedges,
        graph.proteins.names,
        split=split.split,
        negatives=split.negatives,
        fractions=Fractions(split.validation_fraction, split.test_fraction) if divided else None,
        seed=configuration.seed,
    )
    inputs = ProteinPairs(drawn.nodes, graph.proteins)
    covariates = {NEGATIVES: np.full(len(inputs), drawn.negatives, dtype=object)}
    groups = {UNIT: drawn.units}
    parts = drawn.parts
    if drawn.kinds is not None and drawn.parts is not None:
        kinds = drawn.kinds[drawn.nodes]
        unseen = np.where(kinds[:, 0] >= kinds[:, 1], drawn.nodes[:, 0], drawn.nodes[:, 1])
        covariates |= {SEEN: drawn.seen, PART: drawn.parts, "first kind": kinds[:, 0], "second kind": kinds[:, 1]}
        groups["held out"] = unseen
        parts = None
    examples = Examples(joined(inputs), inputs, drawn.targets, groups, parts, covariates)
    return Labelled(examples, INTERACTION, [*graph.findings, *drawn.findings])


def refuse_words_of_pairs(split: PairSplit) -> None:
    """Refuse splits and negatives that have no meaning where single proteins are classified."""
    if split.split not in {"auto", "random"}:
        what = "where proteins are classified, they are divided at random"
        raise InputError(what, where="--node-labels", got=f"--split {split.split}", wanted="--split random")
    if split.negatives != "auto":
        what = "where proteins are classified, there are no pairs to draw"
        raise InputError(what, where="--node-labels", got=f"--negatives {split.negatives}", wanted="no --negatives")


def labelled_proteins(graph: GraphInput, data: GraphData, task: Task | None) -> Labelled[ProteinPairs]:
    """Take the proteins whose label is known; the graph between all of them stays whole."""
    labels, findings = read_node_labels(data, graph.proteins)
    if graph.parts != ("train",):
        what = "the labels of proteins are learned, and the graph between them is whole: parts of it cannot be given"
        raise InputError(what, where="--node-labels", advice="Leave the --validation- and --test- words out.")
    chosen = task or Task.from_labels(order_labels(labels, f"{data.node_labels}"))
    number_of = {label: number for number, label in enumerate(chosen.labels)}
    unknown = sorted({label for label in labels if label is not None and label not in number_of})
    if unknown:
        what = "a label that the model was not trained on"
        raise InputError(what, where=str(data.node_labels), got=unknown[0], wanted=", ".join(chosen.labels))
    known = np.flatnonzero([label is not None for label in labels])
    targets = np.array([number_of[str(labels[row])] for row in known.tolist()], dtype=np.int64)
    inputs = ProteinPairs(known[:, None], graph.proteins)
    left_out = len(labels) - len(known)
    if left_out:
        text = (
            f"{left_out:,} of {len(labels):,} proteins have no label: they are heard, but not learned from or judged."
        )
        findings = [*findings, Finding("proteins without a label", left_out, "info", text)]
    groups = {UNIT: np.arange(len(known))}
    return Labelled(Examples(joined(inputs), inputs, targets, groups), chosen, [*graph.findings, *findings])


def joined(inputs: ProteinPairs) -> Shaped[np.ndarray, "examples"]:
    """Name examples by their proteins, those of a pair in alphabetical order with a bar between."""
    names = inputs.names
    if names.shape[1] == 1:
        return np.asarray(names[:, 0])
    return np.array(["|".join(sorted(pair)) for pair in names.tolist()], dtype=object)


def kinds(examples: Examples[ProteinPairs]) -> Groups | None:
    """Tell which part each protein is in, where proteins were divided."""
    if SEEN not in examples.covariates:
        return None
    kinds = np.zeros(len(examples.inputs.proteins), dtype=np.int64)
    for column, name in enumerate(("first kind", "second kind")):
        kinds[examples.inputs.nodes[:, column]] = examples.covariates[name]
    return kinds
