"""What compression did: how large a network is, how long it takes, and how often it says the same as before."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from primase.data.encoding import Batch
from primase.data.tasks import Task
from primase.nn.structure import structure_of
from primase.predictor.bundle import member_content

REPEATS: Final = 25


@final
@dataclass(frozen=True, slots=True)
class Size:
    """How large networks are together.

    Parameters
    ----------
    bytes
        Of their weight files.
    parameters, nonzero
        The numbers that were learned, and those of them that are not zero.
    multiply_adds
        Multiplications with a following addition per example, in matrix products and convolutions. A sparse first
        layer and recurrent layers are not counted.
    """

    bytes: int
    parameters: int
    nonzero: int
    multiply_adds: int


@final
@dataclass(frozen=True, slots=True)
class Latency:
    """How long one batch takes, in milliseconds: the fastest of interleaved repeats, which nothing else disturbed."""

    parent: float
    child: float

    @property
    def ratio(self) -> float:
        """What the one takes in units of the other."""
        return self.child / self.parent


def size_of(members: Sequence[nn.Module], batch: Batch) -> Size:
    """Measure how large networks are.

    Parameters
    ----------
    batch
        Of at least one example, on which operations are counted.
    """
    contents = [member_content(member.state_dict(), structure_of(member)) for member in members]
    parameters = [parameter for member in members for parameter in member.parameters()]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for member in members:
            member.eval()(**batch)
    return Size(
        bytes=sum(map(len, contents)),
        parameters=sum(parameter.numel() for parameter in parameters),
        nonzero=sum(int(torch.count_nonzero(parameter)) for parameter in parameters),
        # One operation is counted for the multiplication and one for the addition.
        multiply_adds=round(counter.get_total_flops() / 2 / max(len(next(iter(batch.values()))), 1)),
    )


def latency(
    parents: Sequence[nn.Module], children: Sequence[nn.Module], batch: Batch, *, repeats: int = REPEATS
) -> Latency:
    """Measure how long both take, by turns, so that what else the computer does is shared."""
    for members in (parents, children):
        _seconds(members, batch)
    pairs = [(_seconds(parents, batch), _seconds(children, batch)) for _ in range(repeats)]
    parent, child = np.array(pairs).min(axis=0) * 1000
    return Latency(float(parent), float(child))


def _seconds(members: Sequence[nn.Module], batch: Batch) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        for member in members:
            member.eval()(**batch)
    return time.perf_counter() - started


def agreement(task: Task, parent: np.ndarray, child: np.ndarray) -> Mapping[str, float]:
    """Tell how often, or how nearly, two models say the same of the same examples.

    Returns
    -------
    dict
        Of labels ``same_answer``, the share of answers that are the same (of several labels, at a probability of one
        half), and ``mean_difference`` of the probabilities; of values ``correlation`` and ``mean_difference``. Of
        images nothing.
    """
    if task.is_image:
        return {}
    difference = float(np.abs(parent - child).mean())
    if task.is_value:
        deviations = [answers - answers.mean(axis=0) for answers in (parent, child)]
        spread = np.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum())
        product = float((deviations[0] * deviations[1]).sum())
        return {"correlation": product / float(spread) if spread > 0 else 1.0, "mean_difference": difference}
    if task.is_multilabel:
        same = ((parent > 0.5) == (child > 0.5)).mean()
    else:
        same = (parent.argmax(axis=1) == child.argmax(axis=1)).mean()
    return {"same_answer": float(same), "mean_difference": difference}
