"""What long work tells whoever is listening: rooms report events, and only the command line prints.

A listener is any function of one event. Functions that take long accept one, and default to :func:`silent`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning"]


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage of the work has begun, such as ``"search domains"``."""

    stage: str


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage of the work is over, after so many seconds."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units of a stage are finished; ``total`` is None where it is not known."""

    stage: str
    done: int
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training data is over; ``metrics`` hold what was measured, such as ``validation_loss``."""

    epoch: int
    epochs: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know, in one sentence."""

    text: str
    severity: Severity = "info"


Event = StageStarted | StageFinished | Progress | Epoch | Notice
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore the event."""


class Stages:
    """Tells a listener which stage of the work is going on, and keeps how long each took.

    Examples
    --------
    >>> stages = Stages(silent)
    >>> with stages("read"):
    ...     pass
    >>> list(stages.seconds)
    ['read']
    """

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a stage; nothing is kept of one that fails."""
        self.listener(StageStarted(stage))
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started
        self.listener(StageFinished(stage, self.seconds[stage]))
