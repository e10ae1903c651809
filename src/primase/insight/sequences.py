"""Explain networks that read nucleotides: what each letter of a sequence contributes to the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from primase.bio.nucleotides import decode_nucleotides
from primase.data.sequences import EncodedSequences
from primase.events import Listener, silent
from primase.insight.attribution import SCHEMA, Attribution, SelfCheck, rank_correlation
from primase.insight.columns import Codes, codes_of, is_letter, observed
from primase.insight.controls import mean_of_defined, randomised
from primase.insight.gradients import (
    INTEGRATED_GRADIENTS,
    GradientMethod,
    Gradients,
    attribute_gradients,
)
from primase.insight.mutagenesis import Mutagenesis, mutate_everywhere
from primase.predictor.predictor import Predictor

MUTAGENESIS: Final = "mutagenesis"
CONTROL_NETWORKS: Final = 3
CONTROL_SEQUENCES: Final = 16
"""The control is made with so many sequences, spread over all: each costs as much as an explanation."""

SequenceMethod = Literal["mutagenesis"] | GradientMethod


@final
@dataclass(frozen=True, slots=True, eq=False)
class SequenceAttribution:
    """The contribution of every letter of some sequences to the score of one label each.

    Parameters
    ----------
    attribution
        The table, with a row per letter (not per position that is padding), and how far to trust it. ``feature`` is
        the letter, ``position`` its place in the window that the network read, from 0.
    codes
        The sequences as the network read them.
    contributions
        Per method, what the letter at each position contributes, in log-odds; 0 in padding.
    changes
        By mutagenesis: by how much the score rises if the letter at a position is replaced by A, C, G or T; None if
        this was not asked for.
    """

    attribution: Attribution
    codes: Codes
    contributions: Mapping[str, Float[np.ndarray, "sequences length"]]
    changes: Float[np.ndarray, "sequences 4 length"] | None

    def dense(self, method: str) -> Float[np.ndarray, "sequences 4 length"]:
        """Return the contributions by one method, each at the letter that is there."""
        return observed(self.contributions[method], self.codes)

    @property
    def hypothetical(self) -> Float[np.ndarray, "sequences 4 length"] | None:
        """What each of the four letters would contribute at each position, by mutagenesis; their mean is 0."""
        if self.changes is None:
            return None
        return np.asarray(self.changes - self.changes.mean(axis=1, keepdims=True), dtype=np.float32)


@final
@dataclass(frozen=True, slots=True)
class _Question:
    """What all methods are asked."""

    predictor: Predictor[Any]
    encoded: EncodedSequences
    labels: Int[np.ndarray, "sequences"]
    seed: int

    def answer(self, method: SequenceMethod, listener: Listener) -> Mutagenesis | Gradients:
        if method == MUTAGENESIS:
            return mutate_everywhere(self.predictor, self.encoded, self.labels, listener=listener)
        return attribute_gradients(
            self.predictor,
            self.encoded,
            self.labels,
            method=method,
            seed=self.seed,
            listener=listener,
        )

    def control(self, network: int) -> _Question:
        """Ask a network with shuffled weights about a few of the sequences."""
        chosen = self.few()
        encoded = EncodedSequences(self.encoded.sequences.take(chosen), self.encoded.encoder)
        shuffled = randomised(self.predictor, self.seed + network)
        return _Question(shuffled, encoded, self.labels[chosen], self.seed)

    def few(self) -> Int[np.ndarray, "few"]:
        count = len(self.encoded)
        return np.unique(np.linspace(0, count - 1, min(count, CONTROL_SEQUENCES)).astype(np.int64))


def explain_sequences(
    predictor: Predictor[Any],
    encoded: EncodedSequences,
    ids: Sequence[str],
    labels: Int[np.ndarray, "sequences"],
    *,
    methods: Sequence[SequenceMethod] = (MUTAGENESIS, INTEGRATED_GRADIENTS),
    seed: int = 0,
    rna: bool = False,
    listener: Listener = silent,
) -> SequenceAttribution:
    """Attribute the log-odds of a label to the letters of each sequence, in ways that check each other.

    By mutagenesis a letter contributes what its replacements lose: minus the mean change of the score over the three
    other letters, each measured. Gradients share the change from shuffled sequences out among the letters
    (:func:`primase.insight.gradients.attribute_gradients`).

    Parameters
    ----------
    labels
        The index of the label to explain, per sequence.
    methods
        One or more; the first two are compared with each other.
    seed
        For the shuffling, and for the networks with shuffled weights.
    rna
        Write U for T in the table.
    listener
        Hears of the progress in sequences.

    Raises
    ------
    InputError
        If DeepLIFT is asked for and would be wrong.
    """
    question = _Question(predictor, encoded, np.asarray(labels), seed)
    answers = {method: question.answer(method, listener) for method in methods}
    codes = codes_of(encoded, np.arange(len(encoded)))
    there = is_letter(codes)
    contributions: dict[str, Any] = {
        method: np.where(there, answer.contributions, 0.0) for method, answer in answers.items()
    }
    targets = np.asarray(predictor.task.labels, dtype=object)[labels]
    letters = pl.Series("feature", list(decode_nucleotides(codes[there] & 15, rna=rna)), dtype=pl.String)
    tables = [_table(there, values, (ids, targets, letters), method) for method, values in contributions.items()]
    measured = next((answer for answer in answers.values() if isinstance(answer, Mutagenesis)), None)
    check = _check(question, answers, there) if there.any() else None
    table = pl.concat(tables) if tables else pl.DataFrame(schema=SCHEMA)
    return SequenceAttribution(
        Attribution(table, check), codes, contributions, None if measured is None else measured.changes
    )


def _table(
    there: Any,
    values: Float[np.ndarray, "sequences length"],
    names: tuple[Sequence[str], Any, pl.Series],
    method: str,
) -> pl.DataFrame:
    ids, targets, letters = names
    rows, positions = there.nonzero()
    columns = {
        "id": pl.Series(list(ids), dtype=pl.String).gather(rows),
        "target": pl.Series(list(targets), dtype=pl.String).gather(rows),
        "feature": letters,
        "position": positions,
        "value": values[there],
        "method": pl.repeat(method, len(rows), dtype=pl.String, eager=True),
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def _check(question: _Question, answers: Mapping[SequenceMethod, Mutagenesis | Gradients], there: Any) -> SelfCheck:
    """Compare the methods with each other, and one of them with networks that know nothing."""
    first, *others = [answer.contributions[there] for answer in answers.values()]
    second = others[0] if others else np.full_like(first, np.nan)
    gradients = [answer for answer in answers.values() if isinstance(answer, Gradients)]
    errors = np.concatenate([answer.errors for answer in gradients] or [np.empty(0)])
    changes = np.concatenate([answer.changes for answer in gradients] or [np.empty(0)])
    defined = np.isfinite(errors)
    method: SequenceMethod = next(
        (name for name, answer in answers.items() if isinstance(answer, Gradients)), MUTAGENESIS
    )
    few = question.few()
    own, few_there = answers[method].contributions[few], there[few]
    controls = [
        question.control(network).answer(method, silent).contributions[few_there] for network in range(CONTROL_NETWORKS)
    ]
    return SelfCheck(
        completeness_error=float(errors[defined].max()) if defined.any() else float("nan"),
        score_range=float(np.abs(changes[defined]).max()) if defined.any() else float("nan"),
        agreement=rank_correlation(first, second) if others else float("nan"),
        sign_agreement=float(np.mean(np.sign(first) == np.sign(second))) if others else float("nan"),
        randomised_agreement=mean_of_defined([rank_correlation(own[few_there], control) for control in controls]),
    )
