"""What gradients say about each letter: saliency, integrated gradients and DeepLIFT, against shuffled sequences.

Where a method shares the change of the score between a sequence and its references out among the letters, the shares
must add up to that change, and it is measured by how much they do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
import torch
from captum.attr import DeepLift, IntegratedGradients
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.bio.shuffling import shuffle_dinucleotides
from primase.data.sequences import EncodedSequences
from primase.errors import InputError
from primase.events import Listener, Progress, silent
from primase.insight.columns import Codes, OneHotColumns, blocks, codes_of, columns_of, device_of
from primase.nn.letters import BASES
from primase.nn.pooling import AttentionPooling, GlobalPooling
from primase.predictor.predictor import Predictor

GradientMethod = Literal["saliency", "integrated gradients", "DeepLIFT"]

SALIENCY: Final = "saliency"
INTEGRATED_GRADIENTS: Final = "integrated gradients"
DEEPLIFT: Final = "DeepLIFT"
REFERENCES: Final = 8
STEPS: Final = (16, 64, 256, 1024)
"""Integration starts with the fewest steps, and goes on to more where the shares do not add up."""

TOLERANCE: Final = 0.01
"""In log-odds, or as a share of the change where that is larger: closer is complete."""

LETTERS_PER_BLOCK: Final = {"cpu": 1 << 15, "accelerator": 1 << 19}
"""Gradients are computed for so many letters at a time, which bounds the memory."""

_Pairs = tuple[OneHotColumns, OneHotColumns, Int[Tensor, "pairs"]]
"""Sequences beside what they are compared with, and the labels to score."""

_INEXACT: Final = (
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.MultiheadAttention,
    nn.Softmax,
    nn.GELU,
    nn.SiLU,
    GlobalPooling,
    AttentionPooling,
)
"""Layers through which DeepLIFT's multipliers do not add up: measured errors are as large as the change itself."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """How much each letter contributes to the log-odds of a label, by gradients.

    Parameters
    ----------
    contributions
        Per position, in log-odds.
    changes
        The score of each sequence less the mean score of its references; what contributions should add up to.
    errors
        By how much they do not, for each sequence. NaN, as are the changes, for saliency, which has no references.
    """

    contributions: Float[np.ndarray, "sequences length"]
    changes: Float[np.ndarray, "sequences"]
    errors: Float[np.ndarray, "sequences"]


def attribute_gradients(
    predictor: Predictor[Any],
    encoded: EncodedSequences,
    labels: Int[np.ndarray, "sequences"],
    *,
    method: GradientMethod = INTEGRATED_GRADIENTS,
    references: int = REFERENCES,
    seed: int = 0,
    listener: Listener = silent,
) -> Gradients:
    """Attribute the log-odds of a label to the letters of each sequence by gradients.

    ``"saliency"`` is the gradient at the letter that is there, less the mean gradient of the four (Majdandzic et al.
    2023, equation 4): the part of a gradient that leaves the space of sequences means nothing. ``"integrated
    gradients"`` (Sundararajan et al. 2017) and ``"DeepLIFT"`` (Shrikumar et al. 2017) compare with shuffled versions
    of the sequence that keep its pairs of neighbours, and take the mean over them.

    Parameters
    ----------
    labels
        The index of the label to explain, per sequence.
    references
        How many shuffled versions to compare with, from 1 on.
    seed
        For the shuffling.
    listener
        Hears of the progress in sequences.

    Raises
    ------
    InputError
        If DeepLIFT is asked for and would be wrong: through a layer that it has no exact rule for, or for several
        networks whose probabilities are averaged. Integrated gradients are right for all networks.
    """
    if method == DEEPLIFT:
        _refuse_inexact(predictor)
    length, device = encoded.encoder.length, device_of(predictor)
    at_once = max(1, LETTERS_PER_BLOCK["cpu" if device.type == "cpu" else "accelerator"] // max(1, length))
    attribute = _Attribution(predictor, method, at_once)
    shown = 1 if method == SALIENCY else references
    results = [(np.empty((0, length)), np.empty(0), np.empty(0))]
    # cuDNN has no backward pass through recurrent layers in evaluation.
    with torch.backends.cudnn.flags(enabled=False):
        for indices in blocks(len(encoded), max(1, at_once // shown)):
            codes = codes_of(encoded, indices)
            onehot = columns_of(codes, encoded, device)
            label = torch.from_numpy(labels[indices].astype(np.int64)).to(device)
            if method == SALIENCY:
                results.append(_saliency(attribute.score, onehot, label))
            else:
                shuffled = shuffle_dinucleotides(codes, shuffles=references, seed=seed)
                compared = [columns_of(np.ascontiguousarray(codes), encoded, device) for codes in _by_turn(shuffled)]
                results.append(attribute.compare(onehot, compared, label))
            listener(Progress(method, int(indices[-1]) + 1, len(encoded), "sequences"))
    return _checked(Gradients(*map(np.concatenate, zip(*results, strict=True))), method)


def _by_turn(shuffled: Any) -> Sequence[Codes]:
    return list(shuffled.transpose(1, 0, 2))


@final
class _Scored(nn.Module):
    """The log-odds of a label as a network of one-hot columns, which Captum can put its hooks into."""

    def __init__(self, predictor: Predictor[Any]) -> None:
        super().__init__()
        self.score = predictor.scorer()
        self.members = nn.ModuleList(predictor.members)

    def forward(self, onehot: OneHotColumns, label: Int[Tensor, "sequences"]) -> Float[Tensor, "sequences"]:
        return self.score({"letters": onehot}, label)


@final
class _Attribution:
    """One method, applied to blocks of sequences."""

    def __init__(self, predictor: Predictor[Any], method: GradientMethod, at_once: int) -> None:
        self.score = _Scored(predictor)
        self.method = method
        self.at_once = at_once

    def compare(
        self, onehot: OneHotColumns, references: Sequence[OneHotColumns], label: Int[Tensor, "sequences"]
    ) -> tuple[Float[np.ndarray, "sequences length"], Float[np.ndarray, "sequences"], Float[np.ndarray, "sequences"]]:
        """Attribute the change from the references to the sequences, in the mean over the references."""
        repeated, labels = onehot.repeat(len(references), 1, 1), label.repeat(len(references))
        compared = torch.cat(list(references))
        with torch.no_grad():
            changes = (self.score(repeated, labels) - self.score(compared, labels)).double()
        share = self._deeplift if self.method == DEEPLIFT else self._integrate
        each = (len(references), len(onehot))
        shares = share((repeated, compared, labels), changes.view(each)).sum(dim=1)  # (pairs, length)
        contributions, change = shares.view(*each, -1).mean(dim=0), changes.view(each).mean(dim=0)
        errors = (shares.sum(dim=1) - changes).view(each).mean(dim=0).abs()
        return contributions.cpu().numpy(), change.cpu().numpy(), errors.cpu().numpy()

    def _deeplift(
        self, pairs: _Pairs, _: Float[Tensor, "references sequences"]
    ) -> Float[Tensor, "pairs channels length"]:
        onehot, compared, labels = pairs
        with warnings.catch_warnings():
            # Captum says that it will hang hooks on the network and take them off again.
            warnings.filterwarnings("ignore", message="Setting forward, backward hooks", category=UserWarning)
            shares: Tensor = DeepLift(self.score).attribute(
                onehot.requires_grad_(), baselines=compared.requires_grad_(), additional_forward_args=(labels,)
            )
        return shares.detach().double()

    def _integrate(
        self, pairs: _Pairs, changes: Float[Tensor, "references sequences"]
    ) -> Float[Tensor, "pairs channels length"]:
        """Integrate with more steps until the shares add up; sequences whose shares already do are left alone."""
        shares = torch.zeros(pairs[0].shape, dtype=torch.float64, device=changes.device)
        open_pairs = torch.arange(len(shares), device=changes.device)
        for steps in STEPS:
            onehot, compared, labels = (part[open_pairs] for part in pairs)
            shares[open_pairs] = self._integrate_once((onehot, compared, labels), steps)
            missing = (shares.sum(dim=(1, 2)).view(changes.shape) - changes).mean(dim=0).abs()
            unfinished = missing > TOLERANCE * changes.mean(dim=0).abs().clamp(min=1)
            open_pairs = unfinished.repeat(len(changes)).nonzero()[:, 0]
            if len(open_pairs) == 0:
                break
        return shares

    def _integrate_once(self, pairs: _Pairs, steps: int) -> Float[Tensor, "pairs channels length"]:
        onehot, compared, labels = pairs
        shares: Tensor = IntegratedGradients(self.score).attribute(
            onehot,
            baselines=compared,
            additional_forward_args=(labels,),
            n_steps=steps,
            # Few steps are placed well; many are not worth the trouble of placing them.
            method="gausslegendre" if steps < 100 else "riemann_middle",
            internal_batch_size=max(self.at_once, len(onehot)),
        )
        return shares.detach().double()


def _saliency(
    score: Callable[..., Tensor], onehot: OneHotColumns, label: Int[Tensor, "sequences"]
) -> tuple[Float[np.ndarray, "sequences length"], Float[np.ndarray, "sequences"], Float[np.ndarray, "sequences"]]:
    """Compute the corrected gradient at the letters that are there."""
    asked = onehot.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(asked, label).sum(), asked)
    bases = gradient[:, :BASES]
    contributions = ((bases - bases.mean(dim=1, keepdim=True)) * onehot[:, :BASES]).sum(dim=1)
    unknown = np.full(len(onehot), np.nan)
    return contributions.double().cpu().numpy(), unknown, unknown


def _refuse_inexact(predictor: Predictor[Any]) -> None:
    """Raise if DeepLIFT's shares would not add up."""
    wanted = "convolutions, dense layers, normalisation, average pooling, and ReLU, ELU, tanh, sigmoid or softplus"
    advice = f'Use "{INTEGRATED_GRADIENTS}", which are right for all networks.'
    if len(predictor.members) > 1:
        what = "DeepLIFT is not exact for several networks, since the mean of their probabilities is not linear"
        raise InputError(what, got=f"{len(predictor.members)} networks", wanted="one network", advice=advice)
    for name, layer in predictor.members[0].named_modules():
        if isinstance(layer, _INEXACT):
            what = "DeepLIFT has no exact rule for one of the layers"
            got = f"{name or 'the network'} ({type(layer).__name__})"
            raise InputError(what, got=got, wanted=wanted, advice=advice)


def _checked(gradients: Gradients, method: GradientMethod) -> Gradients:
    """Refuse contributions by DeepLIFT that do not add up, as through a pooling that is no layer of its own."""
    allowed = TOLERANCE * np.maximum(1.0, np.abs(gradients.changes))
    if method == DEEPLIFT and (gradients.errors > allowed).any():
        worst = int(np.argmax(gradients.errors - allowed))
        what = "DeepLIFT is not exact for this network, one of whose steps is neither linear nor a layer that it knows"
        got = (
            f"contributions that miss the change of the score, {gradients.changes[worst]:.3g}, "
            f"by {gradients.errors[worst]:.3g}"
        )
        advice = f'Use "{INTEGRATED_GRADIENTS}", which are right for all networks.'
        raise InputError(what, got=got, wanted="contributions that add up", advice=advice)
    return gradients
