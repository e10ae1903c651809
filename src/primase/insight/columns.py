"""Sequences as an explanation sees them: one-hot columns on the device of the networks, and who is a letter in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer, UInt8
from torch import Tensor

from primase.bio.nucleotides import BASES as BASE_BITS
from primase.bio.nucleotides import PADDING
from primase.data.examples import Indices
from primase.data.sequences import EncodedSequences
from primase.nn.letters import BASES, OneHot
from primase.predictor.predictor import Predictor

OneHotColumns = Float[Tensor, "sequences channels length"]
Codes = UInt8[np.ndarray, "sequences length"]


def device_of(predictor: Predictor[Any]) -> torch.device:
    """Tell where the networks are; a network without weights is wherever its input is."""
    weights = next((weight for member in predictor.members for weight in member.parameters()), None)
    return torch.device("cpu") if weights is None else weights.device


def codes_of(encoded: EncodedSequences, indices: Indices) -> Codes:
    """Return the letters of some sequences as the networks read them."""
    codes: Codes = encoded.batch(indices)["letters"].numpy()
    return codes


def columns_of(codes: Codes, encoded: EncodedSequences, device: torch.device) -> OneHotColumns:
    """Make one-hot columns of codes: four channels, or five where the encoder keeps lower case."""
    read = OneHot(BASES + 1 if encoded.encoder.case else BASES).to(device)
    columns: OneHotColumns = read(torch.from_numpy(codes).to(device))
    return columns.contiguous()


def is_letter(codes: Codes) -> Bool[np.ndarray, "sequences length"]:
    """Tell letters from padding."""
    return np.asarray((codes & BASE_BITS) != PADDING)


def observed(values: Float[np.ndarray, "sequences length"], codes: Codes) -> Float[np.ndarray, "sequences 4 length"]:
    """Put the value of each position at the letter that stands there; an ambiguous letter shares it among its bases."""
    bits = (codes[:, None] >> np.arange(BASES)[:, None]) & 1
    shares = bits / np.maximum(bits.sum(axis=1, keepdims=True), 1)
    return np.asarray(shares * values[:, None], dtype=np.float32)


def blocks(count: int, size: int) -> Iterator[Integer[np.ndarray, "block"]]:
    """Cut so many things into blocks of at most this size, one at least."""
    for start in range(0, count, max(1, size)):
        yield np.arange(start, min(start + max(1, size), count))
