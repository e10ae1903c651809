"""Train on an eighth, a quarter and half of the training part, too, to see what more data would bring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from primase.apps.workflow import Labelled, Workflow
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment, assess
from primase.evaluation.baselines import FittedRival, Rival
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import lower_is_better
from primase.evaluation.per_label import uncalibrated
from primase.events import Listener, Notice, Progress
from primase.predictor.predictor import Predictor
from primase.remedies.learning_curve import FEWEST, SHARES, smallest_share
from primase.report.growth import Growth
from primase.report.performance import best_rival

STAGE: Final = "learning curve"
Answers = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What is trained again on shares of its training part.

    Parameters
    ----------
    fit
        Trains all networks on a partition, and keeps them in a folder, from which it goes on.
    real
        How many of the examples are the user's own; what is behind them was simulated, and is in every share.
    folder
        Keeps what is trained, and what it says of the test.
    """

    workflow: Workflow[Any, Any]
    labelled: Labelled[Any]
    partition: Partition
    fit: Callable[[Partition, Path], Predictor[Any]]
    real: int
    folder: Path

    @property
    def examples(self) -> Examples[Any]:
        """All examples."""
        return self.labelled.examples

    @property
    def task(self) -> Task:
        """What is asked of them."""
        return self.labelled.task

    def partitions(self, seed: int) -> list[Partition]:
        """Cut the training part into nested shares, without the whole of it; too small ones are left out."""
        train = self.partition.train
        own, made = train[train < self.real], train[train >= self.real]
        targets = self.examples.targets[own]
        place = smallest_share(self.partition.units[own], self.task.strata(targets), seed)
        # Where large groups stay together shares may be equal, and then are one.
        cut = {len(some): some for some in (own[place <= share] for share in SHARES[:-1])}
        kept = [some for size, some in cut.items() if FEWEST <= size < len(own)]
        return [replace(self.partition, train=np.concatenate([some, made])) for some in kept]

    def count(self, partition: Partition) -> int:
        """Count the user's own examples in a training part."""
        return int((partition.train < self.real).sum())


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What a model said of the test, in the place of the model."""

    name: str
    said: Answers
    description: str = ""

    def answers(self, examples: Examples[Any]) -> Answers:
        """Return it, whatever the examples."""
        del examples
        return self.said


def learning_curve(shares: Shares, assessment: Assessment, *, seed: int, listener: Listener) -> Growth | None:
    """Train on nested shares, and judge all on the same test; None where the training part is too small for any.

    Parameters
    ----------
    assessment
        Of the networks that were trained on all of it.
    """
    task, partitions = shares.task, shares.partitions(seed)
    if not partitions:
        listener(Notice("The training part is too small to be divided: there is no learning curve.", "warning"))
        return None
    rival_name = best_rival(assessment.evaluation)[0]
    networks: list[_Said] = []
    rivals: list[_Said] = []
    for number, partition in enumerate(partitions):
        listener(Progress(STAGE, number, len(partitions), "shares"))
        network, rival = _trained(shares, partition, rival_name, listener)
        networks.append(_Said(f"network {number}", network))
        rivals.append(_Said(f"baseline {number}", rival))
    listener(Progress(STAGE, len(partitions), len(partitions), "shares"))
    test = shares.examples.take(shares.partition.test)
    units = shares.workflow.resampled(test, shares.partition.units[shares.partition.test], shares.partition.policy)
    rivals.append(_Said("baseline", assessment.others[rival_name]))
    judged = assess(
        assessment.before if not task.has_labels else _logits(task, assessment.before),
        uncalibrated(task),
        test,
        task,
        units=units,
        subsets={},
        rivals=[*networks, *rivals],
        truth=shares.workflow.truth(test),
    ).evaluation
    main = task.main_metric
    gain = judged.differences[networks[-1].name][main]
    if lower_is_better(main):
        gain = Interval(-gain.value, -gain.high, -gain.low)
    return Growth(
        metric=main,
        sizes=tuple(shares.count(partition) for partition in [*partitions, shares.partition]),
        network=(*(judged.baselines[one.name][main] for one in networks), judged.main),
        baseline=tuple(judged.baselines[one.name][main] for one in rivals),
        rival=rival_name,
        last_doubling=gain,
        simulated=len(shares.partition.train) - shares.count(shares.partition),
    )


def _logits(task: Task, answers: Answers) -> Answers:
    """Undo what makes probabilities of the networks' outputs."""
    safe = np.clip(answers, 1e-300, 1.0)
    against = np.log(np.clip(1 - answers, 1e-300, 1.0)) if task.is_multilabel else 0.0
    return np.asarray(np.log(safe) - against)


def _trained(shares: Shares, partition: Partition, rival_name: str, listener: Listener) -> tuple[Answers, Answers]:
    """Train networks and baseline on a share, unless that was done before, and say what both say of the test."""
    folder = shares.folder / f"{shares.count(partition)}-examples"
    done = folder / "test.npz"
    if done.exists():
        with np.load(done) as known:
            return known["network"], known["baseline"]
    folder.mkdir(parents=True, exist_ok=True)
    predictor = shares.fit(partition, folder)
    test, task = shares.examples.take(partition.test), shares.task
    network = uncalibrated(task).answers(shares.workflow.outputs(predictor, test, listener))
    rival = next(one for one in shares.workflow.baselines(predictor.encoder) if one.name == rival_name)
    baseline = _fitted(rival, shares, partition).answers(test)
    staged = done.with_name("test.part.npz")
    np.savez(staged, network=network, baseline=baseline)
    staged.replace(done)
    return network, baseline


def _fitted(rival: Rival, shares: Shares, partition: Partition) -> FittedRival:
    train, validation = (shares.examples.take(partition.part(name)) for name in ("train", "validation"))
    return rival.fit(shares.task, train, validation)
