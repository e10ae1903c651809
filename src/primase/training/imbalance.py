"""Against classes of which one is rare: losses that weigh answers, or that look at how positives and negatives rank."""

from __future__ import annotations

from typing import Final, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from primase.data.tasks import MULTILABEL, Task, TaskKind
from primase.training.losses import Loss

Strategy = Literal["none", "weighted", "focal", "auc-margin", "up-sampling", "down-sampling"]
Targets = Shaped[np.ndarray, "examples *labels"]

MARGIN: Final = 1.0
"""By so much positives should score above negatives, on the scale from 0 to 1: as in Yuan et al. (2021)."""

_ROWS_AT_ONCE: Final = 100_000
_LEAST: Final = 1e-8
"""Below this 1 - p counts as so much: the slope of its power would else be infinite."""


def answer_counts(task: Task, targets: Targets) -> Float[np.ndarray, "answers labels"]:
    """Count the known answers: of several classes in one row, of yes-or-no questions the no above the yes."""
    if not task.is_multilabel:
        return np.bincount(targets[targets >= 0], minlength=task.outputs)[None].astype(np.float64)
    # In blocks, as there may be thousands of millions of targets.
    counts = np.zeros((2, task.outputs))
    for start in range(0, len(targets), _ROWS_AT_ONCE):
        block = np.asarray(targets[start : start + _ROWS_AT_ONCE])
        counts += np.stack([(block == answer).sum(axis=0) for answer in (0, 1)])
    return counts


def inverse_frequencies(task: Task, targets: Targets) -> Float[Tensor, "answers labels"]:
    """Weigh each answer by the inverse of how frequent it is in training, so that all count the same together.

    Weights have a mean of one over the known answers. What training does not have has nothing to weigh, and counts one.

    Returns
    -------
    Tensor
        Of several classes one row, the weight of each; of yes-or-no questions two, that of no and that of yes.
    """
    counts = answer_counts(task, targets)
    axis = 0 if task.is_multilabel else 1
    answers = (counts > 0).sum(axis=axis, keepdims=True)
    weights = counts.sum(axis=axis, keepdims=True) / np.maximum(answers * counts, 1)
    return torch.from_numpy(np.where(counts > 0, weights, 1.0)).float()


def weighted_cross_entropy(kind: TaskKind, weights: Float[Tensor, "answers labels"], smoothing: float = 0.0) -> Loss:
    """Make a cross-entropy in which answers have weights: the mean over the known answers of weight times surprise.

    It divides by the number of answers and not by the sum of their weights, so that a batch without any rare answer
    does not count more for that.

    Parameters
    ----------
    weights
        As :func:`inverse_frequencies` has them.
    smoothing
        The share of each target that is spread over all labels, or between yes and no.
    """

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        losses = functional.cross_entropy(logits, targets, label_smoothing=smoothing, ignore_index=-1, reduction="none")
        return _mean(losses * weights[0].to(losses)[targets.clamp(min=0)], targets)

    def sigmoids(logits: Tensor, targets: Tensor) -> Tensor:
        smoothed = targets.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        negative, positive = weights.to(losses)
        return _mean(losses * torch.where(targets > 0, positive, negative), targets)

    return sigmoids if kind == MULTILABEL else softmax


def focal_loss(kind: TaskKind, gamma: float, smoothing: float = 0.0) -> Loss:
    """Make a cross-entropy in which what is easy counts little (Lin et al. 2017, equation 4).

    The surprise of each answer is multiplied by (1 - p) to the power of gamma, p being the probability that the network
    gives the right answer. It has no weights of classes (alpha there).

    Parameters
    ----------
    gamma
        From 0, with which it is the plain cross-entropy; 2 in the paper.
    smoothing
        The share of each target that is spread over all labels, or between yes and no.
    """

    def surprise(log_probability: Tensor) -> Tensor:
        doubt: Tensor = (1 - log_probability.exp()).clamp(min=_LEAST)
        return -(doubt**gamma) * log_probability

    def softmax(logits: Tensor, targets: Tensor) -> Tensor:
        surprises = surprise(functional.log_softmax(logits.float(), dim=1))
        right = surprises.gather(1, targets.clamp(min=0)[:, None])[:, 0]
        return _mean((1 - smoothing) * right + smoothing * surprises.mean(dim=1), targets)

    def sigmoids(logits: Tensor, targets: Tensor) -> Tensor:
        log_odds = logits.float()
        yes = targets.to(log_odds.dtype) * (1 - smoothing) + smoothing / 2
        losses = yes * surprise(functional.logsigmoid(log_odds)) + (1 - yes) * surprise(
            functional.logsigmoid(-log_odds)
        )
        return _mean(losses, targets)

    return sigmoids if kind == MULTILABEL else softmax


@final
class AucMargin(nn.Module):
    """How far positives are from scoring above negatives by a margin: the AUC-margin loss of Yuan et al. (2021).

    Scores h are probabilities. For each question the network, a and b make small, and alpha makes large (equation 8
    there, divided by p (1 - p), p being the share of positives in training)::

        E[(h - a)² | positive] + E[(h - b)² | negative] + 2 alpha (m + E[h | negative] - E[h | positive]) - alpha²

    with alpha not below zero. At the saddle point a and b are the mean scores of positives and negatives, and alpha is
    what their difference lacks of the margin. Where it lacks anything the value is then the square loss of pairs,
    E[(m - h + h')²] over positives h and negatives h' (Ying et al. 2016). Several questions are averaged; one of which
    training has one answer only does not count.

    Parameters
    ----------
    kind
        Binary or multilabel.
    shares
        The share of positives among the known answers of each question in training.
    margin
        By how much positives should score above negatives.
    """

    shares: Tensor

    def __init__(self, kind: TaskKind, shares: Float[Tensor, "labels"], margin: float = MARGIN) -> None:
        super().__init__()
        self.kind = kind
        self.margin = margin
        self.register_buffer("shares", shares.float())
        # The saddle point of a network that gives every example one half.
        self.a = nn.Parameter(torch.full_like(self.shares, 0.5))
        self.b = nn.Parameter(torch.full_like(self.shares, 0.5))
        self.alpha = nn.Parameter(torch.full_like(self.shares, margin))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of a batch; its slope in alpha is turned round, so that what descends makes it larger."""
        scores, truth = scores_of(self.kind, logits), targets if self.kind == MULTILABEL else targets[:, None]
        share = self.shares.clamp(_LEAST, 1 - _LEAST)
        positive, negative = (truth == 1) / share, (truth == 0) / (1 - share)
        with torch.no_grad():
            self.alpha.clamp_(min=0)
        alpha = 2 * self.alpha.detach() - self.alpha
        lacking = self.margin + scores * (negative - positive)
        losses = positive * (scores - self.a) ** 2 + negative * (scores - self.b) ** 2 + 2 * alpha * lacking
        known = (truth >= 0) & (self.shares > 0) & (self.shares < 1)
        each = (losses * known).sum(dim=0) / known.sum(dim=0).clamp(min=1) - alpha**2
        asked = known.any(dim=0)
        value: Tensor = (each * asked).sum() / asked.sum().clamp(min=1)
        return value


def scores_of(kind: TaskKind, logits: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch questions"]:
    """Read the probability of yes of each question, in 32 bits."""
    values = logits.float()
    return torch.sigmoid(values if kind == MULTILABEL else values[:, 1:] - values[:, :1])


def positive_shares(task: Task, targets: Targets) -> Float[Tensor, "questions"]:
    """Measure which share of the known answers is yes, for each question; of a binary task there is one."""
    counts = answer_counts(task, targets)
    negative, positive = counts if task.is_multilabel else (counts[:, 0], counts[:, 1])
    return torch.from_numpy(positive / np.maximum(positive + negative, 1)).float()


def _mean(losses: Tensor, targets: Tensor) -> Tensor:
    """Average over the known answers."""
    known = targets >= 0
    mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
    return mean
