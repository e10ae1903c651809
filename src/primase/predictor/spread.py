"""How far the answers of several networks, or of one network with parts of it left out, lie apart.

Monte-Carlo dropout (Gal and Ghahramani, 2016, Dropout as a Bayesian approximation): dropout stays on while predicting,
so that each pass asks another network drawn from the trained one. A pass drops the same parts for all examples, which
makes every pass one network, and the result independent of batches and of the order of the examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, final

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.special import entr
from torch import Tensor, from_numpy, nn

from primase.data.examples import InputsT
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.predictor.predictor import Predictor

Answers = Float[np.ndarray, "examples outputs"]

_ELEMENTWISE: Final = nn.Dropout
_CHANNELWISE: Final = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@final
@dataclass(slots=True, eq=False)
class Spread:
    """Collects the answers of several networks to the same examples.

    Parameters
    ----------
    task
        What is asked.
    """

    task: Task
    count: int = 0
    first: Answers = field(default_factory=lambda: np.empty((0, 0)))
    total: Answers = field(default_factory=lambda: np.empty((0, 0)))
    squares: Answers = field(default_factory=lambda: np.empty((0, 0)))
    entropies: Float[np.ndarray, "examples"] = field(default_factory=lambda: np.empty(0))

    def add(self, answers: Answers) -> None:
        """Add the answers of one network."""
        answers = answers.astype(np.float64)
        if not self.count:
            # Differences from the first answer keep the spread exact where it is small beside the answers.
            self.first, self.total, self.squares = answers, np.zeros_like(answers), np.zeros_like(answers)
            self.entropies = np.zeros(len(answers))
        self.count += 1
        self.total += answers - self.first
        self.squares += (answers - self.first) ** 2
        if self.task.has_labels:
            self.entropies += _entropy(self.task, answers)

    @property
    def deviations(self) -> Answers:
        """The standard deviation of each answer over the networks."""
        mean = self.total / self.count
        return np.asarray(np.sqrt(np.maximum(self.squares / self.count - mean**2, 0)))

    def columns(self) -> pl.DataFrame:
        """Lay the spread out as columns of a table.

        Returns
        -------
        polars.DataFrame
            ``uncertainty_LABEL``, the standard deviation of each probability or value. Where answers are labels also
            ``predictive_entropy`` of the mean answer, in nats, and ``mutual_information``, the part of it on which the
            networks disagree (Houlsby et al., 2011); both are summed over the labels of a multilabel task.
        """
        names = [f"uncertainty_{label}" for label in self.task.labels]
        columns = dict(zip(names, np.ascontiguousarray(self.deviations.T), strict=True))
        if self.task.has_labels:
            whole = _entropy(self.task, self.first + self.total / self.count)
            columns["predictive_entropy"] = whole
            columns["mutual_information"] = np.maximum(whole - self.entropies / self.count, 0)
        return pl.DataFrame(columns)


def ensemble_spread(predictor: Predictor[InputsT], inputs: InputsT) -> Spread:
    """Ask each network of an ensemble by itself.

    Raises
    ------
    ConfigurationError
        If there is one network only.
    """
    if len(predictor.members) < 2:
        what = "this model is a single network, which has no spread over members"
        advice = "Train with --members 3 or more, or ask for --dropout-samples."
        raise ConfigurationError(what, where="spread", got="1 member", advice=advice)
    return _spread(predictor, inputs, [(member, None) for member in predictor.members])


def dropout_spread(predictor: Predictor[InputsT], inputs: InputsT, *, samples: int, seed: int = 0) -> Spread:
    """Ask every network many times, each time with other parts of it left out, as in training.

    Parameters
    ----------
    samples
        How often, at least 2.
    seed
        Decides what is left out.

    Raises
    ------
    ConfigurationError
        If fewer than two samples are asked for, or a network was trained without dropout.
    """
    if samples < 2:
        what = "the spread of so few samples is not known"
        raise ConfigurationError(what, where="dropout_samples", got=str(samples), wanted="a whole number from 2")
    if not all(any(True for _ in _dropouts(member)) for member in predictor.members):
        what = "the network has no dropout, and so nothing to sample"
        advice = "Train it with dropout, or train an ensemble with --members and ask for --ensemble-spread."
        raise ConfigurationError(what, where="dropout_samples", advice=advice)
    # One pass after another, and in it one member after another, so that more samples only add to fewer.
    members = list(enumerate(predictor.members))
    return _spread(
        predictor, inputs, [(member, (seed, sample, at)) for sample in range(samples) for at, member in members]
    )


def _spread(
    predictor: Predictor[InputsT], inputs: InputsT, plan: Sequence[tuple[nn.Module, tuple[int, int, int] | None]]
) -> Spread:
    spread, encoded = Spread(predictor.task), predictor.encoder.encode(inputs)
    for member, draw in plan:
        alone = replace(predictor, members=(member,))
        with _dropping(member, draw):
            answers = alone.corrected(alone.calibrator.answers(alone.outputs_of(encoded)))
        spread.add(alone.encoder.to_file(answers) if predictor.task.is_value else answers)
    return spread


def _dropouts(network: nn.Module) -> Iterator[nn.Module]:
    """Name the layers that drop something in training."""
    for module in network.modules():
        if isinstance(module, (_ELEMENTWISE, *_CHANNELWISE)) and module.p > 0:
            yield module


@contextmanager
def _dropping(network: nn.Module, draw: tuple[int, int, int] | None) -> Iterator[None]:
    """Leave out parts of a network while it predicts; nothing without a draw."""
    layers = [] if draw is None else list(enumerate(_dropouts(network)))
    hooks = [layer.register_forward_hook(_mask(layer, (*(draw or ()), place))) for place, layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _mask(layer: nn.Module, draw: tuple[int, ...]) -> Any:
    rate = float(getattr(layer, "p"))  # noqa: B009 - all layers of dropout have it

    def hook(_: nn.Module, __: tuple[Tensor, ...], values: Tensor) -> Tensor:
        shape = tuple(values.shape[1:])
        if isinstance(layer, _CHANNELWISE):
            shape = (shape[0], *(1 for _ in shape[1:]))
        # Drawn along the last axis first: a longer sequence is dropped like a shorter one, as far as that goes.
        kept = np.random.default_rng(draw).random(shape[::-1]).transpose() >= rate
        scaled = np.ascontiguousarray(kept, dtype=np.float32) / max(1 - rate, 1e-12)
        return values * from_numpy(scaled).to(values.dtype)

    return hook


def _entropy(task: Task, probabilities: Answers) -> Float[np.ndarray, "examples"]:
    everything = entr(probabilities) + entr(1 - probabilities) if task.is_multilabel else entr(probabilities)
    return np.asarray(everything.sum(axis=1))
