"""Put the remedies that are asked for into how a network learns, whatever it learns; or say why they do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self, final

import numpy as np

from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task, TaskKind
from primase.errors import ConfigurationError
from primase.training.fit import BalancedDraw, FitOptions
from primase.training.imbalance import (
    AucMargin,
    Strategy,
    focal_loss,
    inverse_frequencies,
    positive_shares,
    weighted_cross_entropy,
)
from primase.training.losses import loss_of, objective_of
from primase.training.regularisation import WORDS, Content, Corruption, InputNoise, contents, in_turn, mixed_values

KINDS: Final[Mapping[Strategy, tuple[TaskKind, ...]]] = {
    "weighted": ("binary", "multiclass", "multilabel"),
    "focal": ("binary", "multiclass", "multilabel"),
    "auc-margin": ("binary", "multilabel"),
    "up-sampling": ("binary", "multiclass"),
    "down-sampling": ("binary", "multiclass"),
}
"""What each strategy against imbalance is for."""

SAMPLING: Final = frozenset({"up-sampling", "down-sampling"})
_INSTEAD: Final[Mapping[Strategy, str]] = {
    "auc-margin": "weighted, focal, up-sampling or down-sampling",
    "up-sampling": "weighted, focal or auc-margin: the labels of an example cannot be drawn apart",
    "down-sampling": "weighted, focal or auc-margin: the labels of an example cannot be drawn apart",
}


@final
@dataclass(frozen=True, slots=True)
class TrainingRemedies:
    """What is asked for; by default nothing.

    Parameters
    ----------
    imbalance
        What is done about rare answers.
    focal_gamma
        How little the focal loss makes of what is easy.
    confidence_penalty
        How much doubt is rewarded.
    mixup
        How strongly inputs are mixed.
    corruption
        The share of each input that is hidden.
    input_noise
        The spread of the noise on inputs, as a multiple of their own.
    """

    imbalance: Strategy = "none"
    focal_gamma: float = 2.0
    confidence_penalty: float = 0.0
    mixup: float = 0.0
    corruption: float = 0.0
    input_noise: float = 0.0

    @classmethod
    def among(cls, settings: Mapping[str, Any]) -> Self:
        """Pick them from the settings of all remedies, of which some may not be there."""
        return cls(**{one.name: settings[one.name] for one in fields(cls) if one.name in settings})


def with_remedies(
    options: FitOptions, remedies: TrainingRemedies, task: Task, train: SupervisedBatches, smoothing: float = 0.0
) -> FitOptions:
    """Say how a network learns with the remedies; without any, as it does anyway.

    What an application does to a batch itself comes first, then what is hidden, then the noise, then the mixing.

    Parameters
    ----------
    options
        What the application says.
    train
        What the network is trained on.
    smoothing
        The share of each target that is spread over all labels.

    Raises
    ------
    ConfigurationError
        If a remedy does not fit what is learned, or what the inputs are.
    """
    chosen = options
    if smoothing and not task.has_labels:
        what = f"only labels can be smoothed, and this task is {task.kind}"
        raise ConfigurationError(what, where="--label-smoothing", got=str(smoothing), wanted="0")
    if remedies.imbalance != "none":
        chosen = _balanced(chosen, remedies, task, train.targets.numpy(), smoothing)
    if remedies.confidence_penalty:
        _refuse_without_labels("--confidence-penalty", task, chosen)
        chosen = replace(chosen, confidence_penalty=remedies.confidence_penalty)
    if not (remedies.corruption or remedies.input_noise or remedies.mixup):
        return chosen
    held = set(contents(train[np.arange(min(len(train), 2))][0]).values())
    transforms = [chosen.transform]
    if remedies.corruption:
        _refuse_contents("--corruption", task, held, ["numbers"], "there is nothing in a number that could be hidden")
        transforms.append(Corruption(remedies.corruption))
    if remedies.input_noise:
        why = "noise is for values and images; --corruption hides a part of other inputs"
        _refuse_contents("--input-noise", task, held, ["letters", "bag", "numbers"], why)
        transforms.append(InputNoise(remedies.input_noise))
    if remedies.mixup:
        why = "there is nothing half-way between two of them; --corruption, --dropout and --weight-decay are left"
        _refuse_contents("--mixup", task, held, ["bag", "numbers"], why)
        if not task.has_labels:
            transforms.append(mixed_values(remedies.mixup))
        else:
            _refuse_without_labels("--mixup", task, chosen)
            chosen = replace(chosen, mixup=remedies.mixup)
    return replace(chosen, transform=in_turn(*transforms))


def _balanced(
    options: FitOptions, remedies: TrainingRemedies, task: Task, targets: np.ndarray[Any, Any], smoothing: float
) -> FitOptions:
    """Put a loss, or a way of drawing examples, in the place of the usual one.

    Validation is judged by the same, as examples that count more in training must count more there, too.
    """
    strategy = remedies.imbalance
    if task.kind not in KINDS[strategy]:
        what = f"{strategy} is for {' and '.join(KINDS[strategy])} tasks, and this one is {task.kind}"
        instead = _INSTEAD.get(strategy, "none") if task.has_labels else "none"
        raise ConfigurationError(what, where="--imbalance", got=strategy, wanted=instead)
    if strategy in SAMPLING:
        _refuse_own_order(options, strategy)
    else:
        _refuse_without_labels("--imbalance", task, options)
    if strategy == "focal":
        plain = objective_of(focal_loss(task.kind, remedies.focal_gamma))
        return replace(options, loss=focal_loss(task.kind, remedies.focal_gamma, smoothing), criterion=plain)
    if strategy == "auc-margin":
        if smoothing:
            what = "auc-margin compares the scores of positives and negatives, of which none is half of each"
            raise ConfigurationError(what, where="--label-smoothing", got=str(smoothing), wanted="0")
        # It is judged by itself on validation, too, which `fit` sees to, as it learns with the network.
        return replace(options, loss=AucMargin(task.kind, positive_shares(task, targets)), criterion=None)
    weights = inverse_frequencies(task, targets)
    plain = objective_of(weighted_cross_entropy(task.kind, weights))
    if strategy == "weighted":
        return replace(options, loss=weighted_cross_entropy(task.kind, weights, smoothing), criterion=plain)
    draw = BalancedDraw(targets, down=strategy == "down-sampling")
    if options.objective is not None:
        return replace(options, draw=draw)
    # What is seen as often as the rest needs no weight beside.
    return replace(options, draw=draw, loss=loss_of(task.kind, smoothing), criterion=plain)


def _refuse_own_order(options: FitOptions, strategy: Strategy) -> None:
    if options.sampler is not None or options.groups is not None:
        what = "this application draws its training examples in a way of its own, which cannot be changed"
        advice = "Leave --imbalance out: --operating-point chooses a cut that suits rare positives."
        raise ConfigurationError(what, where="--imbalance", got=strategy, wanted="none", advice=advice)


def _refuse_without_labels(option: str, task: Task, options: FitOptions) -> None:
    """Refuse what changes a loss of labels where there are none, or where the loss is out of reach."""
    if not task.has_labels:
        what = f"this is for answers that are labels, and the task is {task.kind}"
        raise ConfigurationError(what, where=option, advice=f"Leave {option} out.")
    if options.objective is not None:
        what = "this application trains its network by an objective of its own, into which no other loss can be put"
        advice = f"Leave {option} out: --operating-point chooses a cut that suits rare positives, --label-smoothing "
        raise ConfigurationError(what, where=option, advice=f"{advice}and --weight-decay hold a network back.")


def _refuse_contents(option: str, task: Task, held: set[Content], refused: Sequence[Content], why: str) -> None:
    """Refuse what cannot be done to the inputs that a network reads."""
    if task.kind in {"generative", "image"}:
        what = "the input itself is what is learned here, and would be changed with it"
        raise ConfigurationError(what, where=option, advice=f"Leave {option} out.")
    found = [WORDS[content] for content in refused if content in held]
    if found:
        what = f"the inputs of this network are {' and '.join(found)}: {why}"
        raise ConfigurationError(what, where=option, advice=f"Leave {option} out.")
