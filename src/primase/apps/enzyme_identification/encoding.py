"""From the domains of proteins to the tensors of the network, by the vocabulary of the training part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool, Int
from scipy import sparse

from primase.apps.enzyme_identification.proteins import Proteins
from primase.data.encoding import Batch, Encoder, EncoderState
from primase.data.examples import Indices
from primase.errors import BundleError


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedDomains:
    """Domain numbers of each protein, padded with 0 to the longest list."""

    numbers: Int[np.ndarray, "proteins slots"]

    def __len__(self) -> int:
        """Return the number of proteins."""
        return len(self.numbers)

    def batch(self, indices: Indices) -> Batch:
        """Return ``features`` and ``weights``, as wide as the longest list among these proteins."""
        rows = self.numbers[indices]
        longest = max(int((rows != 0).sum(axis=1).max(initial=0)), 1)
        features = torch.from_numpy(rows[:, :longest].astype(np.int64))
        return {"features": features, "weights": (features != 0).float()}


@final
@dataclass(frozen=True, slots=True)
class DomainEncoder(Encoder[Proteins]):
    """Numbers domains by a fixed vocabulary; a domain that no training protein has is left out.

    Parameters
    ----------
    vocabulary
        Names of domains; the first has number 1.
    profiles
        What the domains were found with: the sha256 of the profile file, or empty where domain lists were given.
    """

    vocabulary: Sequence[str]
    profiles: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, proteins: Proteins) -> DomainEncoder:
        """Take the domains that occur in training."""
        present = proteins.domains.matrix.sum(axis=0) > 0
        names = [name for name, there in zip(proteins.domains.names, np.asarray(present).ravel(), strict=True) if there]
        return cls(tuple(sorted(names)), dict(proteins.profiles))

    def encode(self, inputs: Proteins) -> EncodedDomains:
        """Number the domains of each protein."""
        matrix = self.matrix(inputs)
        counts = np.diff(matrix.indptr)
        numbers = np.zeros((len(inputs), max(int(counts.max(initial=0)), 1)), dtype=np.int32)
        slots = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
        numbers[np.repeat(np.arange(len(inputs)), counts), slots] = matrix.indices + 1
        return EncodedDomains(numbers)

    def matrix(self, inputs: Proteins) -> sparse.csr_array:
        """Return the domain vectors: sparse, shape (proteins, vocabulary), 1 where a domain is there."""
        return inputs.domains.with_names(self.vocabulary).matrix

    def known(self, inputs: Proteins) -> Bool[np.ndarray, "proteins"]:
        """Tell which proteins have a domain that the network has learned about."""
        return np.diff(self.matrix(inputs).indptr) > 0

    def state(self) -> EncoderState:
        """Return the vocabulary and the profile set."""
        return EncoderState({"vocabulary": list(self.vocabulary), "profiles": dict(self.profiles)})

    @classmethod
    def from_state(cls, state: EncoderState) -> DomainEncoder:
        """Read what :meth:`state` returned."""
        try:
            return cls(tuple(state.facts["vocabulary"]), dict(state.facts["profiles"]))
        except KeyError as error:
            what = "the encoder of the bundle is incomplete"
            raise BundleError(what, got=f"no {error}") from None


def number_names(encoder: DomainEncoder) -> list[str]:
    """Name every feature number, number 0 being padding."""
    return ["", *encoder.vocabulary]
