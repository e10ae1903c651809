"""The trained model: an encoder, one or more networks, and a calibration. Every later verb acts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from primase.data.encoding import Batch, EncodedInputs, Encoder, largest_batch
from primase.data.examples import InputsT
from primase.data.tasks import Task
from primase.evaluation.conformal import Conformal
from primase.evaluation.operating import OperatingPoint
from primase.evaluation.per_label import AnyCalibrator
from primase.predictor.safeguards import Safeguards

Outputs = Float[np.ndarray, "examples outputs"]
Score = Callable[[Batch, Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Predictor(Generic[InputsT]):
    """From inputs to answers: calibrated probabilities, or values.

    Parameters
    ----------
    members
        Networks whose probabilities, or values, are averaged.
    calibrator
        Fitted on validation; turns what the networks say into probabilities that mean what they say, or values into
        intervals that hold the truth as often as they say.
    safeguards
        What stands beside the answers, and for which prevalence they are.
    operating
        From which calibrated probability on a label is predicted, where it is not the most probable one.
    """

    task: Task
    encoder: Encoder[InputsT]
    members: tuple[nn.Module, ...]
    calibrator: AnyCalibrator
    safeguards: Safeguards = field(default_factory=Safeguards)
    operating: OperatingPoint | None = None

    def outputs(self, inputs: InputsT) -> Outputs:
        """Compute what the networks say, before calibration.

        The result does not depend on the order of the inputs or on how many there are.

        Returns
        -------
        array
            The logarithm of the averaged probabilities; their log-odds, if multilabel; averaged values on the scale of
            the targets, where values are predicted.
        """
        return self.outputs_of(self.encoder.encode(inputs))

    def outputs_of(self, encoded: EncodedInputs) -> Outputs:
        """Compute the same of inputs that are encoded already."""
        blocks = [np.empty((0, self.task.outputs), dtype=np.float32 if self.task.is_value else np.float64)]
        with self._evaluating(), torch.inference_mode():
            size = largest_batch(encoded)
            for start in range(0, len(encoded), size):
                batch = encoded.batch(np.arange(start, min(start + size, len(encoded))))
                averaged = self._averaged(batch).numpy()
                blocks.append(self.encoder.decode(averaged) if self.task.is_value else averaged.astype(np.float64))
        return np.concatenate(blocks)

    def answers(self, inputs: InputsT) -> Outputs:
        """Compute the calibrated probability of every label (rows sum to one, unless multilabel), or every value.

        Probabilities are corrected for the prevalence that was stated, where one was.
        """
        return self.corrected(self.calibrator.answers(self.outputs(inputs)))

    def corrected(self, answers: Outputs) -> Outputs:
        """Correct calibrated answers for the prevalence that was stated, where one was."""
        prevalence = self.safeguards.prevalence
        return answers if prevalence is None else prevalence.corrected(answers)

    @property
    def cuts(self) -> Sequence[float] | None:
        """From which probability of :meth:`answers` on a label is predicted; None for the most probable one.

        A stated prevalence moves the cuts with the probabilities, so that the same examples stay above them.
        """
        prevalence = self.safeguards.prevalence
        if self.operating is None or prevalence is None:
            return None if self.operating is None else self.operating.cuts
        within = np.clip(self.operating.cuts, 0, 1)
        corrected = prevalence.corrected(np.stack([1 - within, within], axis=1))[:, 1]
        beyond = np.asarray(self.operating.cuts) > 1
        return tuple(np.where(beyond, self.operating.cuts, corrected).tolist())

    def columns(self, answers: Outputs) -> pl.DataFrame:
        """Lay answers out as a user reads them: values, and the intervals around them, on the scale of the files.

        Parameters
        ----------
        answers
            As :meth:`answers` gives them.
        """
        if not self.task.is_value:
            return self.task.prediction_columns(answers, self.cuts)
        tables = [self.task.value_columns("value", self.encoder.to_file(answers))]
        if isinstance(self.calibrator, Conformal):
            low, high = self.calibrator.bounds(answers)
            tables.append(self.task.value_columns("low", self.encoder.to_file(low)))
            tables.append(self.task.value_columns("high", self.encoder.to_file(high)))
        return pl.concat(tables, how="horizontal")

    def score(self, batch: Batch, output: Tensor) -> Tensor:
        """Score one output of each example, as attributions explain it: log-odds of a label, or a value.

        Parameters
        ----------
        output
            The index of the label or target, shape (batch,).

        Returns
        -------
        Tensor
            Shape (batch,), through which gradients flow to the batch: see :meth:`log_odds`; a value is on the scale of
            the network.
        """
        if not self.task.is_value:
            return self.log_odds(batch, output)
        values: Tensor = self._averaged(batch).gather(1, output[:, None])[:, 0]
        return values

    def log_odds(self, batch: Batch, label: Tensor) -> Tensor:
        """Score a label by its log-odds, before calibration; gradients flow to the batch.

        Parameters
        ----------
        label
            The index of the label that each example is scored for, shape (batch,).

        Returns
        -------
        Tensor
            Shape (batch,): log p / (1 - p). In a binary task without an ensemble this is the difference of the logits.
        """
        log_probabilities: Tensor = self._averaged(batch)
        if self.task.is_multilabel:
            log_odds: Tensor = log_probabilities.gather(1, label[:, None])[:, 0]
            return log_odds
        chosen = nn.functional.one_hot(label, self.task.outputs).bool()
        others = log_probabilities.masked_fill(chosen, -torch.inf).logsumexp(dim=1)
        scores: Tensor = log_probabilities[chosen] - others
        return scores

    def scorer(self) -> Score:
        """Return :meth:`score` with the networks set to evaluation for good."""
        for member in self.members:
            member.eval()
        return self.score

    def _averaged(self, batch: Batch) -> Tensor:
        """Average the members' probabilities: as log-probabilities, or as the log-odds of each label if multilabel.

        Or their values.
        """
        members = torch.stack([member(**batch).float() for member in self.members])
        if self.task.is_value:
            return members.mean(dim=0)
        if self.task.is_multilabel:
            if len(members) == 1:
                return members[0]
            return logsigmoid(members).logsumexp(dim=0) - logsigmoid(-members).logsumexp(dim=0)
        averaged: Tensor = members.log_softmax(dim=2).logsumexp(dim=0) - np.log(len(self.members))
        return averaged

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Set the members to evaluation, and afterwards to what they were."""
        modes = [member.training for member in self.members]
        for member in self.members:
            member.eval()
        try:
            yield
        finally:
            for member, mode in zip(self.members, modes, strict=True):
                member.train(mode)
