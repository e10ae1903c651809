"""Rank all pairs of proteins that nobody has tested, without ever holding them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int

from primase.apps.protein_interaction.encoding import PairEncoder
from primase.apps.protein_interaction.model import InteractionNetwork
from primase.apps.protein_interaction.pairs import ProteinPairs
from primase.apps.workflow import Ranking
from primase.bio.graphs import Graph, Pairs, pair_keys
from primase.bio.topology import shared_neighbours
from primase.errors import InputError
from primase.events import Listener, Progress
from primase.predictor.predictor import Predictor

PAIRS_AT_ONCE: Final = 1_000_000
SHOWN_SUPPORT: Final = 5


def rank_pairs(predictor: Predictor[ProteinPairs], ranking: Ranking, listener: Listener) -> pl.DataFrame:
    """List the untested pairs that the model is surest of, the surest first.

    Returns
    -------
    polars.DataFrame
        ``rank``, ``protein_a``, ``protein_b``, ``probability`` at the prevalence, ``prevalence``, ``degree_a``,
        ``degree_b``, ``shared_neighbours`` and ``supported_by``: those of them with the fewest links.

    Raises
    ------
    InputError
        If the model is not about pairs, a name is unknown, or all pairs have been tested.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, PairEncoder)
    if encoder.width == 1:
        what = "the model classifies single proteins: there are no pairs to rank"
        raise InputError(what, where="rank")
    graph = encoder.graph
    tested = np.union1d(graph.keys, _keys_of_ids(graph, ranking.tested))
    best = _best_pairs(predictor, encoder, ranking, tested, listener)
    if not len(best):
        what = "all pairs of these proteins have been tested: there is nothing to rank"
        raise InputError(what, where="rank")
    probabilities = predictor.answers(ProteinPairs(best, encoder.proteins))[:, 1]
    possible = len(graph) * (len(graph) - 1) / 2
    prevalence = ranking.prevalence if ranking.prevalence is not None else len(tested) / possible
    corrected = at_prevalence(probabilities, learned=encoder.positive_share, prevalence=prevalence)
    order = np.argsort(-corrected, kind="stable")
    return _table(graph, best[order], corrected[order], prevalence)


def at_prevalence(
    probabilities: Float[np.ndarray, "pairs"], *, learned: float, prevalence: float
) -> Float[np.ndarray, "pairs"]:
    """Say how probable something is where it is rarer, or more frequent, than among the examples learned from.

    The odds are multiplied by the ratio of the prior odds (Saerens, Latinne and Decaestecker 2002, equation 4).

    Examples
    --------
    >>> at_prevalence(np.array([0.5, 0.99]), learned=0.5, prevalence=0.01).round(3).tolist()
    [0.01, 0.5]
    """
    ratio = prevalence / (1 - prevalence) * (1 - learned) / learned
    return np.asarray(probabilities * ratio / (probabilities * ratio + 1 - probabilities))


def _best_pairs(
    predictor: Predictor[ProteinPairs],
    encoder: PairEncoder,
    ranking: Ranking,
    tested: Int[np.ndarray, "tested"],
    listener: Listener,
) -> Pairs:
    """Keep the best of each block of pairs with the best so far."""
    graph = encoder.graph
    rows = _rows(graph, ranking.among)
    best, scores = np.empty((0, 2), dtype=np.int64), np.empty(0)
    networks = [member for member in predictor.members if isinstance(member, InteractionNetwork)]
    with torch.inference_mode():
        embeddings = [network.eval().embed() for network in networks]
        for done, pairs in _blocks(rows, len(graph)):
            fresh = pairs[~np.isin(pair_keys(pairs, len(graph)), tested)]
            if len(fresh):
                nodes = torch.from_numpy(fresh)
                decoded = zip(networks, embeddings, strict=True)
                chances = torch.stack([network.decode(values, nodes).sigmoid() for network, values in decoded])
                found = np.concatenate([scores, chances.double().mean(dim=0).numpy()])
                candidates = np.concatenate([best, fresh])
                kept = np.argsort(-found, kind="stable")[: ranking.top]
                best, scores = candidates[kept], found[kept]
            listener(Progress("rank", done, len(rows), "proteins"))
    return best


def _blocks(rows: Int[np.ndarray, "rows"], nodes: int) -> Iterator[tuple[int, Pairs]]:
    """Pair each protein of ``rows`` with all that come after it, and with those before it that are no rows."""
    is_row = np.zeros(nodes, dtype=np.bool_)
    is_row[rows] = True
    at_once = max(PAIRS_AT_ONCE // max(nodes, 1), 1)
    everyone = np.arange(nodes)
    for start in range(0, len(rows), at_once):
        chosen = rows[start : start + at_once]
        wanted = (everyone[None, :] > chosen[:, None]) | ((everyone[None, :] < chosen[:, None]) & ~is_row[None, :])
        row, column = np.nonzero(wanted)
        yield min(start + at_once, len(rows)), np.stack([chosen[row], column], axis=1)


def _rows(graph: Graph, among: tuple[str, ...]) -> Int[np.ndarray, "rows"]:
    if not among:
        return np.arange(len(graph))
    for name in among:
        if name not in graph.number_of:
            shown = ", ".join(graph.names[:3].tolist())
            what = "there is no such protein in the graph"
            raise InputError(what, where="--among", got=name, wanted=f"names such as {shown}")
    return np.unique([graph.number_of[name] for name in among])


def _keys_of_ids(graph: Graph, ids: frozenset[str]) -> Int[np.ndarray, "tested"]:
    """Find the pairs that ids such as ``A|B`` name; a name may itself have a bar in it."""
    found = []
    for name in ids:
        cuts = [place for place, letter in enumerate(name) if letter == "|"]
        both = ((name[:cut], name[cut + 1 :]) for cut in cuts)
        known = [pair for pair in both if pair[0] in graph.number_of and pair[1] in graph.number_of]
        found += [[graph.number_of[first], graph.number_of[second]] for first, second in known]
    return pair_keys(np.array(found, dtype=np.int64).reshape(-1, 2), len(graph))


def _table(graph: Graph, pairs: Pairs, probabilities: Float[np.ndarray, "pairs"], prevalence: float) -> pl.DataFrame:
    shared = [shared_neighbours(graph, int(first), int(second)) for first, second in pairs]
    first, second = pairs.T
    return pl.DataFrame(
        {
            "rank": np.arange(1, len(pairs) + 1),
            "protein_a": pl.Series(graph.names[first].tolist(), dtype=pl.String),
            "protein_b": pl.Series(graph.names[second].tolist(), dtype=pl.String),
            "probability": probabilities,
            "prevalence": np.full(len(pairs), prevalence),
            "degree_a": graph.degrees[first],
            "degree_b": graph.degrees[second],
            "shared_neighbours": [len(nodes) for nodes in shared],
            "supported_by": pl.Series(
                [";".join(graph.names[nodes[:SHOWN_SUPPORT]].tolist()) for nodes in shared], dtype=pl.String
            ),
        }
    )
