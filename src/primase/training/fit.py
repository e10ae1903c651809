"""Fit one network: Lightning's loop, with our data, loss, stopping rule and checkpoints."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from jaxtyping import Integer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, Sampler

from primase.data.encoding import SupervisedBatches, largest_batch
from primase.data.tasks import TaskKind
from primase.events import Listener, silent
from primase.training.callbacks import AtomicCheckpoints, EpochEvents, EpochSeed
from primase.training.configuration import TrainingConfiguration
from primase.training.fitted import Fitted
from primase.training.losses import Loss, Penalty, loss_of, objective_of
from primase.training.modules import (
    VALIDATION_LOSS,
    BatchTransform,
    LearningObjective,
    Objective,
    ParameterGroups,
    SupervisedModule,
)
from primase.training.regularisation import mixed_objective, without_confidence
from primase.training.sampling import (
    BalancedBatches,
    GroupedBatches,
    OrderedBatches,
    ShuffledBatches,
    drawn_of_each,
    members_of_classes,
)

LAST = "last"
BEST = "best"

STEPS_PER_EPOCH = 40
SMALLEST_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What a phase of training has at hand: what to learn from and to choose by, how, and where to keep what it does.

    Parameters
    ----------
    seed
        Of this network.
    folder
        Keeps its checkpoints.
    """

    train: SupervisedBatches
    validation: SupervisedBatches
    configuration: TrainingConfiguration
    seed: int
    folder: Path
    listener: Listener = silent


@dataclass(frozen=True, slots=True, eq=False)
class BalancedDraw:
    """Let every class come equally often in training.

    Parameters
    ----------
    classes
        The class of each training example, below zero where it is not known.
    down
        Whether large classes are seen in part, and not small ones several times.
    """

    classes: Integer[np.ndarray, "examples"]
    down: bool


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What may be put in the place of the defaults of :func:`fit`: how the remedies reach into training.

    Parameters
    ----------
    kind
        What is learned; it decides the loss where none is given.
    loss
        Of logits, or values, and targets; that of the kind by default. One that is a module learns with the network,
        each network with a copy of its own, and is also what is measured on validation.
    penalty
        Of the network alone, such as of its weights, added to the loss.
    objective
        Of the network, a batch and its targets, in the place of the loss of its logits.
    criterion
        What is measured on validation, to stop and to choose by; the plain loss of the kind by default.
    groups
        A number per training example: the examples of a batch are all of one group.
    draw
        Lets every class come equally often.
    sampler
        Batches of training positions, with ``set_epoch``; shuffled by default.
    transform
        Changes a training batch before the network sees it.
    confidence_penalty
        By so much the entropy of the answers is multiplied and taken from the loss.
    mixup
        How strongly inputs are mixed with each other; 0 for not at all.
    parameters
        Parts the weights of the network into groups, each with its ``rate``, a share of the learning rate.
    then
        Goes on with the fitted network: a further phase of training, which keeps its own checkpoints in the folder and
        goes on from them.
    callbacks
        Lightning callbacks to run beside ours.
    trainer
        Arguments for Lightning's Trainer, such as ``devices``, ``num_nodes`` and ``strategy``.
    """

    kind: TaskKind = "multiclass"
    loss: Loss | None = None
    penalty: Penalty | None = None
    objective: Objective | None = None
    criterion: Objective | None = None
    groups: Integer[np.ndarray, "examples"] | None = None
    draw: BalancedDraw | None = None
    sampler: Sampler[Any] | None = None
    transform: BatchTransform | None = None
    confidence_penalty: float = 0.0
    mixup: float = 0.0
    parameters: ParameterGroups | None = None
    then: Callable[[Fitted, Course], Fitted] | None = None
    callbacks: Sequence[lightning.Callback] = ()
    trainer: Mapping[str, Any] = field(default_factory=dict)


def fit(
    network: nn.Module,
    train: SupervisedBatches,
    validation: SupervisedBatches,
    configuration: TrainingConfiguration,
    *,
    seed: int,
    folder: Path,
    options: FitOptions | None = None,
    listener: Listener = silent,
) -> Fitted:
    """Train a network, stop when validation stops improving, and return the best weights.

    Parameters
    ----------
    folder
        Keeps the checkpoints. If it holds those of an interrupted run, training goes on from there and ends at the
        same weights as a run that was never interrupted.
    """
    chosen = options or FitOptions()
    sampler = chosen.sampler or _drawn(len(train), configuration, seed, chosen)
    steps = configuration.epochs * len(sampler)  # type: ignore[arg-type]  # Sampler declares no __len__; ours have it
    objective, criterion = training_objective(chosen, configuration)
    module = SupervisedModule(
        network,
        chosen.kind,
        objective,
        configuration,
        steps=steps,
        criterion=criterion,
        transform=chosen.transform,
        parameters=chosen.parameters,
    )
    events = EpochEvents("train", listener)
    best = ModelCheckpoint(folder, BEST, monitor=VALIDATION_LOSS, save_weights_only=True, enable_version_counter=False)
    last = ModelCheckpoint(folder, LAST, enable_version_counter=False)
    stopping = EarlyStopping(VALIDATION_LOSS, patience=configuration.patience)
    resumed = folder / f"{LAST}.ckpt"
    callbacks = [EpochSeed(seed, sampler), events, stopping, *chosen.callbacks, best, last]
    with quiet_trainer(configuration, configuration.epochs, folder, callbacks, chosen.trainer) as trainer:
        if not _was_over(resumed, configuration, events):
            trainer.fit(
                module,
                loader(train, sampler),
                loader(validation, OrderedBatches(len(validation), largest_batch(validation.inputs))),
                ckpt_path=resumed if resumed.exists() else None,
                weights_only=True,
            )
        precision = str(trainer.precision)
        state = torch.load(folder / f"{BEST}.ckpt", weights_only=True, map_location="cpu")["state_dict"]
    prefix = "network."
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    network.load_state_dict(own)
    return Fitted(network.cpu().eval(), events.history, events.best_epoch, precision)


def training_objective(options: FitOptions, configuration: TrainingConfiguration) -> tuple[Objective, Objective | None]:
    """Make what training makes small, and what is measured on validation if it is not the plain loss."""
    if options.objective is not None:
        return options.objective, options.criterion
    own = deepcopy(options.loss) or loss_of(options.kind, configuration.label_smoothing)
    loss = own
    if options.confidence_penalty:
        loss = without_confidence(options.kind, own, options.confidence_penalty)
    objective = objective_of(loss, options.penalty)
    if options.mixup:
        objective = mixed_objective(loss, options.mixup, options.penalty)
    if isinstance(own, nn.Module):
        return LearningObjective(objective, own), objective_of(own)
    return objective, options.criterion


@contextmanager
def quiet_trainer(
    configuration: TrainingConfiguration,
    epochs: int,
    folder: Path,
    callbacks: Sequence[lightning.Callback],
    arguments: Mapping[str, Any] | None = None,
) -> Iterator[lightning.Trainer]:
    """Open Lightning's Trainer as every phase of training uses it; random numbers are afterwards as they were.

    Parameters
    ----------
    epochs
        The most passes over the data.
    arguments
        For the Trainer, in the place of ours.
    """
    with _quiet(), torch.random.fork_rng(devices=[]):
        yield lightning.Trainer(
            **{**_hardware(configuration), **(arguments or {})},
            max_epochs=epochs,
            callbacks=list(callbacks),
            plugins=[AtomicCheckpoints()],
            default_root_dir=folder,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            deterministic="warn",
        )


def _was_over(checkpoint: Path, configuration: TrainingConfiguration, events: EpochEvents) -> bool:
    """Tell whether an interrupted run had stopped already, and take over its history.

    Lightning would train one more epoch before it looks at the patience again.
    """
    if not checkpoint.exists():
        return False
    callbacks = torch.load(checkpoint, weights_only=True, map_location="cpu")["callbacks"]
    waited = max(state["wait_count"] for name, state in callbacks.items() if name.startswith("EarlyStopping"))
    history = callbacks["EpochEvents"]
    if waited < configuration.patience and len(history["history"]) < configuration.epochs:
        return False
    events.load_state_dict(history)
    return True


def _drawn(examples: int, configuration: TrainingConfiguration, seed: int, options: FitOptions) -> Sampler[Any]:
    """Choose the order in which the examples are seen."""
    if options.draw is not None:
        least = STEPS_PER_EPOCH * SMALLEST_BATCH
        sizes = [len(own) for own in members_of_classes(options.draw.classes)]
        count = len(sizes) * drawn_of_each(sizes, down=options.draw.down, least=least)
        size = _batch_size(count, configuration)
        return BalancedBatches(options.draw.classes, size, seed, down=options.draw.down, least=least)
    size = _batch_size(examples, configuration)
    return (
        ShuffledBatches(examples, size, seed) if options.groups is None else GroupedBatches(options.groups, size, seed)
    )


def _batch_size(examples: int, configuration: TrainingConfiguration) -> int:
    """Take smaller batches of small data: a network that makes eight steps has learned nothing."""
    return min(configuration.batch_size, max(examples // STEPS_PER_EPOCH, SMALLEST_BATCH))


def loader(batches: SupervisedBatches, sampler: Sampler[Any]) -> DataLoader[Any]:
    """Load whole batches in the order of a sampler.

    The loader has a generator of its own: opening it must not advance the one of dropout.
    """
    return DataLoader(batches, sampler=sampler, batch_size=None, generator=torch.Generator())


def _hardware(configuration: TrainingConfiguration) -> dict[str, Any]:
    """Translate our words for devices into Lightning's."""
    accelerator = {"auto": "gpu" if torch.cuda.is_available() else "cpu", "cuda": "gpu", "cpu": "cpu"}
    chosen = accelerator[configuration.device]
    automatic = "bf16-mixed" if chosen == "gpu" or computes_with_bfloat16() else "32-true"
    precision = {"auto": automatic, "32": "32-true", "bf16": "bf16-mixed"}[configuration.precision]
    return {"accelerator": chosen, "precision": precision, "devices": 1}


def computes_with_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers; where it does not they are slower."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice to developers from users, and leave its loggers and the warning filters as they were."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
