"""From expression profiles to what the auto-encoder reads, fitted on train alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, final

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler
from primase.apps.expression_embedding.axes import Start, starting_axes
from primase.apps.expression_embedding.configuration import EmbeddingNetworkSection, Likelihood
from primase.apps.expression_embedding.model import Positives
from primase.bio.expression import is_raw, to_file
from primase.data.encoding import Batch, Encoder, EncoderState, Values
from primase.data.examples import Indices
from primase.errors import BundleError, ConfigurationError, InputError
from primase.nn.latent import inverse_positive_part

ENOUGH_ZEROS: Final = 0.001
"""From this share of exact zeros on, and with nothing below zero, values are taken for logarithms of counts."""
VALUES_AT_ONCE: Final = 8_000_000
KNOWN_BEFORE: Final = 5
"""What is usual among genes counts as much as so many values of a gene."""
_LEAST_DEVIATION: Final = 0.1


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedProfiles:
    """Profiles whose values are read, and scaled, when a batch of them is asked for."""

    profiles: Profiles
    scaler: Scaler
    conditions: Int[np.ndarray, "examples"] | None
    with_modelled: bool

    @property
    def largest_batch(self) -> int:
        """How many samples to compute at once: those of a few megabytes."""
        return int(np.clip(VALUES_AT_ONCE // max(len(self.profiles.columns), 1), 16, 4096))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.profiles)

    def batch(self, indices: Indices) -> Batch:
        """Read some samples: values on the scale of the network, and what else its loss needs."""
        modelled = self.profiles.values(indices)
        found = {"values": torch.from_numpy(self.scaler.scaled(modelled))}
        if self.with_modelled:
            filled = np.where(np.isnan(modelled), self.scaler.means, modelled)
            found["modelled"] = torch.from_numpy(filled)
        if self.conditions is not None:
            found["condition"] = torch.from_numpy(self.conditions[indices])
        return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class ProfileEncoder(Encoder[Profiles]):
    """What training has told of the profiles.

    Parameters
    ----------
    genes
        Those that are modelled, in the order of the network.
    scaler
        How they are scaled.
    raw
        Whether the user's files have raw values, of which log2(x + 1) was taken.
    likelihood
        What training makes likely.
    samples
        How many there were in train.
    latent
        How many numbers describe a sample.
    conditions
        The words that the network knows, none where it is told nothing.
    condition_column
        The column of these words.
    label_columns
        Columns that evaluate and colour.
    positives
        What a zero-inflated likelihood needs to know; only training does.
    start
        Where the linear path begins, likewise.
    """

    genes: tuple[str, ...]
    scaler: Scaler
    raw: bool
    likelihood: Likelihood
    samples: int
    latent: int
    conditions: tuple[str, ...] = ()
    condition_column: str = ""
    label_columns: tuple[str, ...] = ()
    positives: Positives | None = None
    start: Start | None = None

    @classmethod
    def fit(cls, train: Profiles, settings: EmbeddingNetworkSection, condition_column: str | None) -> ProfileEncoder:
        """Fit to the training part, which is read block by block.

        Raises
        ------
        ConfigurationError
            If the likelihood that was asked for does not fit the values.
        """
        scaler = Scaler.fit(train, settings.scaling)
        zeros = _Zeros.count(train)
        likelihood = _likelihood(settings.likelihood, zeros)
        words = () if train.condition is None else tuple(sorted({str(word) for word in train.condition.tolist()}))
        return cls(
            genes=train.genes,
            scaler=scaler,
            raw=is_raw(train.store),
            likelihood=likelihood,
            samples=len(train),
            latent=settings.latent,
            conditions=words,
            condition_column=condition_column or "",
            positives=zeros.positives() if likelihood == "zero-inflated" else None,
            start=starting_axes(train, scaler, settings.latent) if settings.linear_path else None,
        )

    def encode(self, inputs: Profiles) -> EncodedProfiles:
        """Prepare profiles, whatever the order of their genes; nothing is read yet.

        Raises
        ------
        InputError
            If a gene is missing, or a condition that the network does not know.
        """
        own = inputs if inputs.genes == self.genes else inputs.only(self.genes)
        conditions = self.numbers(inputs.condition, len(inputs)) if self.conditions else None
        return EncodedProfiles(own, self.scaler, conditions, self.likelihood == "zero-inflated")

    def numbers(
        self, words: Shaped[np.ndarray, "examples"] | Sequence[str] | None, count: int
    ) -> Int[np.ndarray, "examples"]:
        """Turn conditions into the numbers that the network has for them.

        Raises
        ------
        InputError
            If there are none, or one that was not in train.
        """
        wanted = shown(self.conditions)
        if words is None:
            what = "the model must be told the condition of each sample, and there is no such column"
            advice = f"It was {self.condition_column!r}: name it with --condition-column, or give --samples with it."
            raise InputError(what, got=f"{count:,} samples without", wanted=wanted, advice=advice)
        number_of = {word: number for number, word in enumerate(self.conditions)}
        numbers = np.array([number_of.get(str(word), -1) for word in words], dtype=np.int64)
        if (numbers < 0).any():
            strange = sorted({str(word) for word, number in zip(words, numbers.tolist(), strict=True) if number < 0})
            what = f"the model knows no such {self.condition_column}"
            raise InputError(what, got=shown(strange), wanted=wanted)
        return numbers

    @property
    def value_scale(self) -> str:
        """The scale of the figures."""
        return "log2(x + 1)" if self.raw else ""

    def decode(self, values: Values) -> Values:
        """Undo the scaling."""
        return self.scaler.restored(values)

    def to_file(self, values: Values) -> Values:
        """Undo the logarithm, where one was taken."""
        return to_file(values, raw=self.raw)

    def state(self) -> EncoderState:
        """Return what later verbs need; what only training does is left out."""
        part = self.scaler.state()
        facts = {
            "genes": list(self.genes),
            "raw": self.raw,
            "likelihood": self.likelihood,
            "samples": self.samples,
            "latent": self.latent,
            "label_columns": list(self.label_columns),
            "conditions": list(self.conditions),
            "condition_column": self.condition_column,
        }
        return EncoderState({**facts, **part.facts}, dict(part.arrays))

    @classmethod
    def from_state(cls, state: EncoderState) -> ProfileEncoder:
        """Make the encoder again that :meth:`state` describes.

        Raises
        ------
        BundleError
            If something is missing.
        """
        facts = state.facts
        try:
            return cls(
                genes=tuple(facts["genes"]),
                scaler=Scaler.from_state(state),
                raw=bool(facts["raw"]),
                likelihood=cast("Likelihood", facts["likelihood"]),
                samples=int(facts["samples"]),
                latent=int(facts["latent"]),
                label_columns=tuple(facts["label_columns"]),
                conditions=tuple(facts["conditions"]),
                condition_column=str(facts["condition_column"]),
            )
        except KeyError as error:
            what = "the encoder of the bundle is not what it should be"
            raise BundleError(what, got=f"no {error}") from None


@final
@dataclass(slots=True)
class _Zeros:
    """Counts known values, zeros and positive ones, and sums up the latter, gene by gene."""

    lowest: float
    known: Float[np.ndarray, "genes"]
    above: Float[np.ndarray, "genes"]
    zeros: Float[np.ndarray, "genes"]
    sums: Float[np.ndarray, "genes"]
    squares: Float[np.ndarray, "genes"]

    @classmethod
    def count(cls, train: Profiles) -> _Zeros:
        """Read the training part once."""
        genes = len(train.columns)
        found = cls(np.inf, *(np.zeros(genes) for _ in range(5)))
        for _, block in train.blocks():
            found.known += (~np.isnan(block)).sum(axis=0)
            found.lowest = min(found.lowest, float(np.nanmin(block, initial=np.inf)))
            found.zeros += (block == 0).sum(axis=0)
            positive = block > 0
            found.above += positive.sum(axis=0)
            standard = inverse_positive_part(torch.from_numpy(np.where(positive, block, 1.0))).double().numpy()
            found.sums += np.where(positive, standard, 0).sum(axis=0)
            found.squares += np.where(positive, standard**2, 0).sum(axis=0)
        return found

    @property
    def share(self) -> float:
        """The share of exact zeros among the known values."""
        return float(self.zeros.sum()) / max(float(self.known.sum()), 1.0)

    def positives(self) -> Positives:
        """Return means and deviations of what is above zero, and how often it is not.

        Those of a gene that is hardly ever above zero are drawn towards the usual ones.
        """
        above = self.above
        usual = self.sums.sum() / max(above.sum(), 1)
        means = (self.sums + KNOWN_BEFORE * usual) / (above + KNOWN_BEFORE)
        own = np.maximum(self.squares - 2 * means * self.sums + above * means**2, 0)
        variances = (own + KNOWN_BEFORE * own.sum() / max(above.sum(), 1)) / (above + KNOWN_BEFORE)
        numbers = (means, np.maximum(np.sqrt(variances), _LEAST_DEVIATION), self.zeros / np.maximum(self.known, 1))
        return Positives(*(torch.from_numpy(one.astype(np.float32)) for one in numbers))


def _likelihood(asked: str, zeros: _Zeros) -> Likelihood:
    if asked == "auto":
        return "zero-inflated" if zeros.lowest >= 0 and zeros.share >= ENOUGH_ZEROS else "gaussian"
    if asked == "zero-inflated" and zeros.lowest < 0:
        what = "values below zero are no logarithms of counts, of which zero-inflation makes sense"
        raise ConfigurationError(
            what, where="likelihood", got=f"{zeros.lowest:g}", advice="Say --likelihood gaussian, or --scale raw."
        )
    return cast("Likelihood", asked)


def shown(names: Sequence[str], most: int = 10) -> str:
    """List the first few of some names.

    Examples
    --------
    >>> shown(["a", "b", "c"], most=2)
    'a, b, …'
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def profile_encoder(encoder: Encoder[Profiles]) -> ProfileEncoder:
    """Say that the encoder of this application is its own."""
    assert isinstance(encoder, ProfileEncoder)
    return encoder
