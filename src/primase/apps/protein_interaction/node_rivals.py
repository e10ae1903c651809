"""What a network that classifies proteins is measured against: their features and their place, without a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.bio.graphs import Graph
from primase.data.examples import Examples
from primase.evaluation.baselines import Baseline, majority_baseline
from primase.evaluation.models import Features, LogisticRegression
from primase.evaluation.probes import Probe


def protein_baselines(encoder: PairEncoder) -> Sequence[Baseline]:
    """Name linear models of what is known of each protein, and of where it stands in the graph."""
    features, places = encoder.proteins.features, encoder.views[0].places

    def described(examples: Examples[ProteinPairs]) -> Features:
        assert features is not None
        return features[examples.inputs.nodes[:, 0]]

    def placed(examples: Examples[ProteinPairs]) -> Features:
        return np.asarray(places[examples.inputs.nodes[:, 0]])

    found = [majority_baseline()]
    if features is not None:
        text = "Logistic regression on the features of the protein itself: the graph is not looked at."
        found.append(Baseline("features alone", text, described, LogisticRegression()))
    if places.shape[1]:
        text = "Logistic regression on where the protein stands along the main axes of the graph (eigenvectors)."
        found.append(Baseline("place in the graph", text, placed, LogisticRegression()))
    return found


def protein_probes(graph: Graph) -> Sequence[Probe]:
    """Name the degree: well-studied proteins have many links and many labels."""

    def degrees(examples: Examples[ProteinPairs]) -> Float[np.ndarray, "proteins one"]:
        return np.asarray(np.log1p(graph.degrees[examples.inputs.nodes[:, :1]].astype(np.float64)))

    return [Probe("number of links", degrees)]
