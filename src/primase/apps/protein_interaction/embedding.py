"""The embedding of each protein as a table, and the groups that the graph falls into."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.model import InteractionNetwork, ProteinClassifier
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.bio.communities import communities
from primase.predictor.predictor import Predictor


def protein_embeddings(predictor: Predictor[ProteinPairs]) -> Float[np.ndarray, "proteins latent"]:
    """Compute the embedding that the first network has for each protein."""
    network = predictor.members[0]
    assert isinstance(network, InteractionNetwork | ProteinClassifier)
    with torch.inference_mode():
        return np.asarray(network.eval().embed().double().numpy())


def embedding_table(predictor: Predictor[ProteinPairs]) -> pl.DataFrame:
    """Lay out each protein with its number of links, its community and its embedding.

    Returns
    -------
    polars.DataFrame
        ``id``, ``degree``, ``community`` (1 is the largest), ``dimension_1`` and on, of the first network.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, PairEncoder)
    embeddings = protein_embeddings(predictor)
    columns = {f"dimension_{number}": column for number, column in enumerate(embeddings.T, start=1)}
    return pl.DataFrame(
        {
            "id": pl.Series(encoder.proteins.names.tolist(), dtype=pl.String),
            "degree": encoder.graph.degrees,
            "community": communities(encoder.graph) + 1,
            **columns,
        }
    )
