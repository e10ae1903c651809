"""Against learning by heart: inputs that are hidden in part, noisy or mixed, and answers that may not be too sure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, final

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn import functional

from primase.bio.nucleotides import BASES
from primase.data.encoding import Batch
from primase.data.tasks import MULTILABEL, TaskKind
from primase.errors import ConfigurationError
from primase.nn.letters import OneHot
from primase.training.losses import Loss, Penalty
from primase.training.modules import BatchTransform, Objective

Content = Literal["letters", "image", "values", "bag", "numbers"]

WORDS: Final[dict[Content, str]] = {
    "letters": "letters",
    "image": "images",
    "values": "rows of values",
    "bag": "lists of what each example has, such as domains",
    "numbers": "numbers of examples, such as proteins of a graph",
}
_N: Final = BASES
"""The code of a letter that may be any base."""


def contents(batch: Batch) -> dict[str, Content]:
    """Tell what each tensor of a batch holds, by its type and shape."""
    return {name: _content(tensor, batch) for name, tensor in batch.items()}


def _content(tensor: Tensor, batch: Batch) -> Content:
    if tensor.ndim == 4:
        return "image"
    if tensor.dtype == torch.uint8 and tensor.ndim == 2:
        return "letters"
    lists = [other.shape for other in batch.values() if not other.is_floating_point() and other.dtype != torch.uint8]
    if tensor.is_floating_point() and tensor.ndim == 2:
        return "bag" if tensor.shape in lists else "values" if not lists else "numbers"
    weighted = any(other.is_floating_point() and other.shape == tensor.shape for other in batch.values())
    return "bag" if weighted else "numbers"


@final
@dataclass(frozen=True, slots=True)
class Corruption:
    """Hides a share of every training input, another in each step, so that no single part of it can be relied on.

    Letters become N, values the mean of the batch, and what a list has is taken out, each by itself (masking noise,
    Vincent et al. 2010). Of images a square of that share of the area is covered by their mean (DeVries and Taylor
    2017), as neighbouring pixels would tell what single ones hide.

    Parameters
    ----------
    share
        Between 0 and 1.
    """

    share: float

    def __call__(self, batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        """Hide a share of each tensor of a batch."""
        kinds = contents(batch)
        return {name: self.hidden(tensor, kinds[name]) for name, tensor in batch.items()}, targets

    def hidden(self, tensor: Tensor, content: Content) -> Tensor:
        """Hide a share of one tensor."""
        if content == "image":
            return self._covered(tensor)
        if content == "bag" and not tensor.is_floating_point():
            return tensor
        chosen = torch.rand(tensor.shape, device=tensor.device) < self.share
        if content == "letters":
            return torch.where(chosen & (tensor & _N > 0), tensor | _N, tensor)
        usual = 0.0 if content == "bag" else tensor.mean(dim=0, keepdim=True)
        return torch.where(chosen, usual, tensor)

    def _covered(
        self, images: Shaped[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        levels = images.float()
        inside = torch.ones(len(levels), 1, 1, 1, dtype=torch.bool, device=levels.device)
        for axis in (2, 3):
            length = levels.shape[axis]
            side = round(length * math.sqrt(self.share))
            starts = (torch.rand(len(levels), device=levels.device) * (length - side + 1)).floor()
            offsets = torch.arange(length, device=levels.device) - starts[:, None]
            along = (offsets >= 0) & (offsets < side)
            inside = inside & (along[:, None, :, None] if axis == 2 else along[:, None, None, :])
        return torch.where(inside, levels.mean(dim=(1, 2, 3), keepdim=True), levels)


@final
@dataclass(frozen=True, slots=True)
class InputNoise:
    """Adds Gaussian noise to values and images in training, another in each step (Bishop 1995).

    Parameters
    ----------
    deviation
        Of the noise: a multiple of how much each value varies within the batch, and each image over its pixels.
    """

    deviation: float

    def __call__(self, batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        """Add noise to each tensor of a batch."""
        return {name: self.noisy(tensor) for name, tensor in batch.items()}, targets

    def noisy(self, tensor: Tensor) -> Tensor:
        """Add noise to one tensor."""
        values = tensor.float()
        varied = (1, 2, 3) if values.ndim == 4 else 0
        spread = values.std(dim=varied, keepdim=True, correction=0)
        return values + torch.randn_like(values) * spread * self.deviation


def in_turn(*transforms: BatchTransform | None) -> BatchTransform | None:
    """Change a batch in several ways, one after the other; None where there is none."""
    several = [one for one in transforms if one is not None]

    def changed(batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        for transform in several:
            batch, targets = transform(batch, targets)
        return batch, targets

    return changed if several else None


def mixed_values(strength: float) -> BatchTransform:
    """Mix inputs with each other, and in the same way the values to predict (Zhang et al. 2018, equation 1).

    A mixed value is known where both are.
    """

    def mixed(batch: Batch, targets: Tensor) -> tuple[Batch, Tensor]:
        share, order = _draw(strength, targets)
        return mixed_batch(batch, share, order), targets * share + targets[order] * (1 - share)

    return mixed


def mixed_objective(loss: Loss, strength: float, penalty: Penalty | None = None) -> Objective:
    """Train on inputs that are mixed with each other; both labels are right, in the same shares (Zhang et al. 2018).

    Parameters
    ----------
    loss
        Of logits and labels.
    strength
        The share of the first input is drawn from Beta(strength, strength), once for each batch.
    """

    def objective(network: nn.Module, inputs: Batch, targets: Tensor) -> Tensor:
        share, order = _draw(strength, targets)
        outputs = network(**mixed_batch(inputs, share, order, columns_of(network)))
        value = loss(outputs, targets) * share + loss(outputs, targets[order]) * (1 - share)
        return value if penalty is None else value + penalty(network)

    return objective


def _draw(strength: float, targets: Tensor) -> tuple[float, Tensor]:
    share = float(Beta(torch.tensor(strength), torch.tensor(strength)).sample())
    return share, torch.randperm(len(targets), device=targets.device)


def mixed_batch(batch: Batch, share: float, order: Tensor, columns: Callable[[Tensor], Tensor] | None = None) -> Batch:
    """Add to a share of every input the rest of another one.

    Parameters
    ----------
    order
        For each input the other one.
    columns
        Makes one-hot columns of letters.
    """
    kinds = contents(batch)
    mixed = {}
    for name, tensor in batch.items():
        if kinds[name] == "letters" and columns is None:
            what = "the network reads letters in a way of its own, which cannot be mixed"
            raise ConfigurationError(what, where="--mixup", advice="Leave --mixup out; --corruption hides letters.")
        values = columns(tensor) if kinds[name] == "letters" and columns is not None else tensor.float()
        mixed[name] = values * share + values[order] * (1 - share)
    return mixed


def columns_of(network: nn.Module) -> Callable[[Tensor], Tensor] | None:
    """Find how a network makes columns of letters; None where it reads none."""
    reader = next((module for module in network.modules() if isinstance(module, OneHot)), None)
    if reader is None:
        return None
    # Without the random shift, which the network makes itself.
    return lambda letters: functional.embedding(letters.int(), reader.fractions).transpose(1, 2)


def without_confidence(kind: TaskKind, loss: Loss, strength: float) -> Loss:
    """Add to a loss a reward for doubt: minus a multiple of the entropy of the answers (Pereyra et al. 2017, eq. 2).

    Parameters
    ----------
    strength
        By which the entropy, in nats, is multiplied; 0.1 in the paper.
    """

    def penalised(logits: Tensor, targets: Tensor) -> Tensor:
        known = targets >= 0
        entropy = (answer_entropy(kind, logits) * known).sum() / known.sum().clamp(min=1)
        return loss(logits, targets) - strength * entropy

    return penalised


def answer_entropy(kind: TaskKind, logits: Tensor) -> Tensor:
    """Measure how undecided each answer is, in nats: of one softmax, or of every label by itself if multilabel."""
    values = logits.float()
    if kind == MULTILABEL:
        values = torch.stack([torch.zeros_like(values), values], dim=-1)
    log_probabilities = functional.log_softmax(values, dim=-1)
    entropy: Tensor = -(log_probabilities.exp() * log_probabilities).sum(dim=-1)
    return entropy
