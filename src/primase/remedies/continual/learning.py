"""Learn something new by one of the methods, from a network that has learned before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, final

import torch
from torch import Tensor, nn

from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task
from primase.events import Listener, silent
from primase.remedies.continual.dual_memory import DualMemory, dual
from primase.remedies.continual.fisher import Anchor, Fisher
from primase.remedies.continual.growing import grow
from primase.remedies.continual.nearest_means import answer_by_means
from primase.remedies.continual.objectives import absent_labels, distilled, elastic
from primase.remedies.continual.rehearsal import HalfRemembered, Remembered, rehearsed
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import SMALLEST_BATCH, STEPS_PER_EPOCH, FitOptions, fit
from primase.training.fitted import Fitted
from primase.training.losses import loss_of, objective_of
from primase.training.modules import Objective, learning_parameters

Method = Literal["ewc", "icarl", "dual-memory", "naive", "joint"]

STRENGTH: Final = 100.0
"""How much the penalty of elastic weight consolidation counts, beside what Laplace's approximation says."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What one network is to learn.

    Parameters
    ----------
    build
        Makes an untrained network for a task.
    before, after
        The task that it knows, and that with what is new.
    learned
        The weights that it has.
    options
        What the application says of learning.
    train, validation
        The new examples.
    everything
        The old and the new examples to learn from and to choose by, where they are at hand.
    """

    build: Callable[[Task], nn.Module]
    before: Task
    after: Task
    learned: Mapping[str, Tensor]
    options: FitOptions
    configuration: TrainingConfiguration
    train: SupervisedBatches
    validation: SupervisedBatches
    everything: tuple[SupervisedBatches, SupervisedBatches] | None = None

    def grown(self) -> nn.Module:
        """Make a network for the task with what is new that begins with what was learned."""
        return grow(self.build(self.after), self.learned)

    def old(self) -> nn.Module:
        """Make the network as it was."""
        network = self.build(self.before)
        network.load_state_dict(dict(self.learned))
        return network.eval()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Remembering:
    """What there is of the old data.

    Parameters
    ----------
    exemplars
        A few old training examples.
    information
        How much each weight matters for them.
    strength
        How much the penalty of elastic weight consolidation counts.
    old_examples
        How many training examples there were, of which the information is a mean.
    """

    exemplars: Remembered
    information: Fisher
    strength: float = STRENGTH
    old_examples: int = 1


def learn(
    lesson: Lesson,
    method: Method,
    remembering: Remembering | None,
    *,
    seed: int,
    folder: Path,
    listener: Listener = silent,
) -> Fitted:
    """Learn new examples, and perhaps new labels.

    Parameters
    ----------
    method
        ``"ewc"``: hold the weights that matter (Kirkpatrick et al., 2017). ``"icarl"``: exemplars beside the new
        examples, and distillation of the old answers (Rebuffi et al., 2017); the network answers through its last layer
        until :func:`~primase.remedies.continual.nearest_means.answer_by_means`. ``"dual-memory"``: a fast and a slow
        learner (Arani et al., 2022). ``"naive"``: the new examples alone. ``"joint"``: anew from all examples.
    remembering
        What the first three need.
    folder
        Keeps the checkpoints.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = lesson.build(lesson.after) if method == "joint" else lesson.grown()
        if method == "dual-memory":
            network = DualMemory(network)
    train, validation = (lesson.train, lesson.validation)
    options = lesson.options
    if method == "joint":
        assert lesson.everything is not None
        train, validation = lesson.everything
    elif method != "naive":
        assert remembering is not None
        train, options = _remembered(lesson, method, remembering, seed)
    fitted = fit(
        network,
        train,
        validation,
        lesson.configuration,
        seed=seed,
        folder=folder,
        options=options,
        listener=listener,
    )
    if isinstance(fitted.network, DualMemory):
        stable = fitted.network.stable
        for (_, weight), (_, own) in zip(
            stable.named_parameters(), fitted.network.working.named_parameters(), strict=True
        ):
            weight.requires_grad_(own.requires_grad)
        return replace(fitted, network=stable)
    return fitted


def _remembered(
    lesson: Lesson, method: Method, remembering: Remembering, seed: int
) -> tuple[SupervisedBatches, FitOptions]:
    """Prepare the examples and the objective of a method that remembers."""
    options, kind = lesson.options, lesson.after.kind
    objective, criterion = _objectives(options, lesson.configuration)
    if method == "ewc":
        anchor = Anchor(lesson.learned, remembering.information)
        share = remembering.strength * remembering.old_examples / len(lesson.train)
        absent = []
        if lesson.after.has_labels and not lesson.after.is_multilabel:
            absent = absent_labels(lesson.train.targets, lesson.after.outputs)
        held = (elastic(one, anchor, share, absent) for one in (objective, criterion))
        return lesson.train, _with(options, *held)
    if method == "icarl":
        old = lesson.old()
        kept = (distilled(one, old, kind) for one in (objective, criterion))
        return rehearsed(lesson.train, remembering.exemplars), _with(options, *kept)
    size = min(lesson.configuration.batch_size, max(len(lesson.train) // STEPS_PER_EPOCH, SMALLEST_BATCH))
    sampler = HalfRemembered(len(lesson.train), len(remembering.exemplars), size, seed)
    both = (dual(one, kind) for one in (objective, criterion))
    groups = options.parameters or learning_parameters
    dual_options = replace(_with(options, *both), sampler=sampler, parameters=lambda module: groups(_working(module)))
    return rehearsed(lesson.train, remembering.exemplars, marked=True), dual_options


def _objectives(options: FitOptions, configuration: TrainingConfiguration) -> tuple[Objective, Objective]:
    """Give what an application makes small in training, and what it measures on validation."""
    loss = options.loss or loss_of(options.kind, configuration.label_smoothing)
    return options.objective or objective_of(loss), options.criterion or objective_of(loss_of(options.kind, 0.0))


def _with(options: FitOptions, objective: Objective, criterion: Objective) -> FitOptions:
    return replace(options, objective=objective, criterion=criterion)


def _working(module: nn.Module) -> nn.Module:
    assert isinstance(module, DualMemory)
    return module.working


def settle(network: nn.Module, method: Method, exemplars: Remembered, task: Task) -> nn.Module:
    """Make of a network what answers in the end: of iCaRL the nearest means, where every example has one label."""
    if method == "icarl" and task.has_labels and not task.is_multilabel:
        return answer_by_means(network, exemplars, task.outputs)
    return network
