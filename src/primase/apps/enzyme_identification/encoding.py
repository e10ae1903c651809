"""From proteins to the tensors of the network, by what the training part taught about domains and their names.

A protein becomes a short list of numbered features with weights; everything else about it is zero:

- each domain that training proteins have, weighted 1 / sqrt(place in the list), so that the best hit counts most;
- the pieces of the names of all its domains, also of those that are new: curators name related families alike
  (``Glyco_hydro_47`` and ``Glyco_hydro_92``), which lets the network guess at a family that it has never seen;
- that it has no domain at all, where so;
- where its sequence is known, its length and amino-acid composition, in standard deviations from the training mean.

Every feature has an owner, the domain or block that it speaks for, so that an explanation can take out a domain whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse

from primase.apps.enzyme_identification.proteins import Proteins
from primase.bio.composition import describe_sequences
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Indices
from primase.errors import BundleError

NO_DOMAIN: Final = "no domain"
COMPOSITION: Final = "length and composition"

# Pieces that fewer families share say nothing about other families.
_FAMILIES_PER_PIECE: Final = 3
_PIECE_LENGTHS: Final = (3, 4)


def name_pieces(name: str) -> set[str]:
    """Cut the name of a family into the pieces that related families may share.

    Examples
    --------
    >>> sorted(name_pieces("SH3_1"))
    ['3_1', '3_1>', '<sh', '<sh3', '_1>', 'h3_', 'h3_1', 'sh', 'sh3', 'sh3_']
    """
    marked = f"<{name.lower()}>"
    pieces = {marked[at : at + size] for size in _PIECE_LENGTHS for at in range(len(marked) - size + 1)}
    return pieces | {word for word in re.split(r"[^a-z]+", name.lower()) if len(word) > 1}


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedProteins:
    """The features of each protein, one after the other.

    Parameters
    ----------
    starts
        Where the features of each protein begin; one more entry than proteins.
    features, weights
        The number and the weight of each feature.
    owners
        The number of the domain or block that each feature speaks for, into ``owner_names``.
    """

    starts: Int[np.ndarray, "proteins_and_one"]
    features: Int[np.ndarray, "slots"]
    weights: Float[np.ndarray, "slots"]
    owners: Int[np.ndarray, "slots"]
    owner_names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.starts) - 1

    def batch(self, indices: Indices) -> Batch:
        """Return ``features`` and ``weights``, padded with zeros to the longest list among these proteins."""
        slots, there = self._slots(indices)
        features, weights = self.features[slots] * there, self.weights[slots] * there
        return {"features": torch.from_numpy(features), "weights": torch.from_numpy(weights)}

    def matrix(self, size: int) -> sparse.csr_array:
        """Return the same as a sparse matrix, shape (proteins, ``size`` features)."""
        slots = slice(0, int(self.starts[-1]))
        shape = (len(self), size)
        matrix = sparse.csr_array((self.weights[slots], self.features[slots] - 1, self.starts), shape=shape)
        # Names of several domains may share a piece, and linear models want each column once, in order.
        matrix.sum_duplicates()
        return matrix

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch slots"]:
        """Return the owner of every feature of :meth:`batch`, -1 in padding."""
        slots, there = self._slots(indices)
        return np.where(there, self.owners[slots], -1)

    def _slots(self, indices: Indices) -> tuple[Int[np.ndarray, "batch slots"], Bool[np.ndarray, "batch slots"]]:
        begins, ends = self.starts[indices], self.starts[indices + 1]
        columns = np.arange(max(int((ends - begins).max(initial=0)), 1))
        slots = begins[:, None] + columns
        there = slots < ends[:, None]
        return np.where(there, slots, 0), there


@final
@dataclass(frozen=True, eq=False)
class ProteinEncoder(Encoder[Proteins]):
    """Numbers features as the training part had them.

    Parameters
    ----------
    vocabulary
        The domains of training proteins; they have the numbers from 1 on.
    pieces
        The pieces of names in use; their numbers follow.
    profiles
        What the domains were found with: the sha256 of the profile file; empty where domain lists were given.
    center, scale
        Mean and standard deviation of length and composition in training; empty where they are not used.
    """

    vocabulary: Sequence[str]
    pieces: Sequence[str] = ()
    profiles: Mapping[str, Any] = field(default_factory=dict)
    center: Sequence[float] = ()
    scale: Sequence[float] = ()

    @classmethod
    def fit(cls, proteins: Proteins, *, names: bool, composition: bool) -> ProteinEncoder:
        """Learn the domains, the pieces of their names, and the usual composition, from training proteins."""
        counts = np.bincount(proteins.domains.matrix.indices, minlength=len(proteins.domains.names))
        vocabulary = [name for name, count in zip(proteins.domains.names, counts, strict=True) if count]
        families = Counter(piece for name in vocabulary for piece in name_pieces(name)) if names else Counter()
        pieces = sorted(piece for piece, count in families.items() if count >= _FAMILIES_PER_PIECE)
        center: list[float] = []
        scale: list[float] = []
        if composition and proteins.sequences is not None:
            described = describe_sequences(proteins.sequences)
            center, scale = described.mean(axis=0).tolist(), np.maximum(described.std(axis=0), 1e-6).tolist()
        return cls(tuple(sorted(vocabulary)), tuple(pieces), dict(proteins.profiles), tuple(center), tuple(scale))

    @property
    def size(self) -> int:
        """The number of features; they are numbered from 1."""
        return len(self.vocabulary) + len(self.pieces) + 1 + len(self.center)

    def encode(self, inputs: Proteins) -> EncodedProteins:
        """Lay out the features of each protein."""
        blocks = [self._domain_slots(inputs), self._empty_slots(inputs)]
        if self.center:
            blocks.append(self._sequence_slots(inputs))
        rows, features, weights, owners = (np.concatenate(column) for column in zip(*blocks, strict=True))
        order = np.argsort(rows, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(inputs)))])
        names = [*inputs.domains.names, NO_DOMAIN, COMPOSITION]
        # An entry behind the last one lets an empty batch column point somewhere.
        return EncodedProteins(
            starts.astype(np.int64),
            np.append(features[order], 0).astype(np.int64),
            np.append(weights[order], 0).astype(np.float32),
            np.append(owners[order], -1).astype(np.int64),
            names,
        )

    def matrix(self, inputs: Proteins) -> sparse.csr_array:
        """Return the plain domain vectors: sparse, shape (proteins, vocabulary), 1 where a domain is there."""
        matrix = inputs.domains.with_names(self.vocabulary).matrix
        matrix.data = np.ones_like(matrix.data)
        return matrix

    def known(self, inputs: Proteins) -> Bool[np.ndarray, "proteins"]:
        """Tell which proteins have a domain that training proteins have."""
        return np.diff(self.matrix(inputs).indptr) > 0

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.vocabulary, start=1)}

    @cached_property
    def _number_of_piece(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces, start=len(self.vocabulary) + 1)}

    def _features_of(self, name: str) -> list[tuple[int, float]]:
        """List what a domain adds: itself if known, and the known pieces of its name, together of length 1."""
        own = self._number_of.get(name)
        pieces = [number for piece in name_pieces(name) if (number := self._number_of_piece.get(piece)) is not None]
        share = 1.0 / np.sqrt(max(len(pieces), 1))
        itself = [] if own is None else [(own, 1.0)]
        return [*itself, *((number, share) for number in sorted(pieces))]

    def _domain_slots(self, inputs: Proteins) -> _Slots:
        table = inputs.domains.matrix
        columns = table.indices
        used = np.unique(columns)
        lists = {column: self._features_of(inputs.domains.names[column]) for column in used.tolist()}
        sizes = np.zeros(len(inputs.domains.names) + 1, dtype=np.int64)
        sizes[used] = [len(lists[column]) for column in used.tolist()]
        offsets = np.cumsum(sizes) - sizes
        flat = [feature for column in used.tolist() for feature in lists[column]]
        numbers = np.array([number for number, _ in flat], dtype=np.int64)
        shares = np.array([share for _, share in flat], dtype=np.float64)
        repeats = sizes[columns]
        within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        picked = np.repeat(offsets[columns], repeats) + within
        rows = np.repeat(np.repeat(np.arange(len(inputs)), np.diff(table.indptr)), repeats)
        weights = np.repeat(1.0 / np.sqrt(table.data.astype(np.float64)), repeats) * shares[picked]
        return rows, numbers[picked], weights, np.repeat(columns.astype(np.int64), repeats)

    def _empty_slots(self, inputs: Proteins) -> _Slots:
        rows = np.flatnonzero(np.diff(inputs.domains.matrix.indptr) == 0)
        number = len(self.vocabulary) + len(self.pieces) + 1
        owners = np.full(len(rows), len(inputs.domains.names))
        return rows, np.full(len(rows), number), np.ones(len(rows)), owners

    def _sequence_slots(self, inputs: Proteins) -> _Slots:
        columns, count = len(self.center), len(inputs)
        if inputs.sequences is None:
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, np.empty(0), empty
        described = (describe_sequences(inputs.sequences) - np.array(self.center)) / np.array(self.scale)
        first = len(self.vocabulary) + len(self.pieces) + 2
        owners = np.full(count * columns, len(inputs.domains.names) + 1)
        return (
            np.repeat(np.arange(count), columns),
            np.tile(np.arange(first, first + columns), count),
            described.ravel(),
            owners,
        )

    def state(self) -> EncoderState:
        """Return everything that was learned."""
        names = ("vocabulary", "pieces", "center", "scale")
        return EncoderState({**{name: list(getattr(self, name)) for name in names}, "profiles": dict(self.profiles)})

    @classmethod
    def from_state(cls, state: EncoderState) -> ProteinEncoder:
        """Read what :meth:`state` returned."""
        try:
            return cls(**state.facts)
        except TypeError as error:
            what = "the encoder of the bundle is not what it should be"
            raise BundleError(what, got=str(error)) from None


_Slots = tuple[Int[np.ndarray, "slots"], Int[np.ndarray, "slots"], Float[np.ndarray, "slots"], Int[np.ndarray, "slots"]]
"""Rows, feature numbers, weights and owners."""
