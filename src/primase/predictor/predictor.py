"""The trained model: an encoder, one or more networks, and a calibration. Every later verb acts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from primase.data.encoding import Batch, Encoder, largest_batch
from primase.data.examples import InputsT
from primase.data.tasks import Task
from primase.evaluation.per_label import AnyCalibrator

Logits = Float[np.ndarray, "examples labels"]
Score = Callable[[Batch, Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Predictor(Generic[InputsT]):
    """From inputs to calibrated probabilities.

    Parameters
    ----------
    members
        Networks whose probabilities are averaged.
    calibrator
        Fitted on validation; turns the averaged logits into probabilities that mean what they say.
    """

    task: Task
    encoder: Encoder[InputsT]
    members: tuple[nn.Module, ...]
    calibrator: AnyCalibrator

    def logits(self, inputs: InputsT) -> Logits:
        """Compute the logarithm of the averaged probabilities, before calibration; their log-odds, if multilabel.

        The result does not depend on the order of the inputs or on how many there are.
        """
        encoded = self.encoder.encode(inputs)
        blocks = [np.empty((0, self.task.outputs))]
        with self._evaluating(), torch.inference_mode():
            size = largest_batch(encoded)
            for start in range(0, len(encoded), size):
                batch = encoded.batch(np.arange(start, min(start + size, len(encoded))))
                blocks.append(self._averaged(batch).double().numpy())
        return np.concatenate(blocks)

    def probabilities(self, inputs: InputsT) -> Logits:
        """Compute the calibrated probability of every label; rows sum to one, unless multilabel."""
        return self.calibrator.probabilities(self.logits(inputs))

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
        """Return :meth:`log_odds` with the networks set to evaluation for good."""
        for member in self.members:
            member.eval()
        return self.log_odds

    def _averaged(self, batch: Batch) -> Tensor:
        """Average the members' probabilities: as log-probabilities, or as the log-odds of each label if multilabel."""
        members = torch.stack([member(**batch).float() for member in self.members])
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
