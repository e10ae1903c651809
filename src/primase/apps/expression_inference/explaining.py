"""Which landmarks drive an inferred value: what it falls by when one of them is at its mean of train instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_inference.encoding import EncodedProfiles, InferenceEncoder, inference_encoder
from primase.data.encoding import Batch
from primase.data.examples import Examples, Indices, evenly_spread
from primase.errors import ConfigurationError
from primase.events import Listener, Notice
from primase.insight.attribution import Attribution
from primase.insight.features import explain_features
from primase.predictor.predictor import Predictor

BEST_TARGETS: Final = 3
"""So many targets are explained where none is named: those that the landmarks tell best."""

MOST_PARTS: Final = 2_000_000
"""So many pairs of a landmark and a predicted value are looked at; one by one they take minutes."""

ASKED: Final = "explained targets"
"""The covariate in which the genes to explain travel with the samples, joined by commas."""

DRAWN: Final = 256
"""Average slopes are taken over so many samples."""

_EXAMPLES_AT_ONCE: Final = 64


@final
class WeighedLandmarks(nn.Module):
    """A network of which single landmarks can be taken out: a weight of 0 puts the mean of train in their place.

    Parameters
    ----------
    member
        Infers targets from landmarks.
    reference
        The mean of each landmark in train, on the network's scale.
    """

    reference: Tensor

    def __init__(self, member: nn.Module, reference: Float[Tensor, "landmarks"]) -> None:
        super().__init__()
        self.member = member
        self.register_buffer("reference", reference)

    def forward(
        self, values: Float[Tensor, "batch landmarks"], weights: Float[Tensor, "batch landmarks"]
    ) -> Float[Tensor, "batch targets"]:
        """Infer the targets from landmarks as far as they have a weight."""
        inferred: Tensor = self.member(values=self.reference + weights * (values - self.reference))
        return inferred


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeighedProfiles:
    """Encoded landmarks, each of which is a part of its own."""

    encoded: EncodedProfiles
    owner_names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.encoded)

    def batch(self, indices: Indices) -> Batch:
        """Return the landmarks of some rows, with weights of 1."""
        values = self.encoded.batch(indices)["values"]
        return {"values": values, "weights": torch.ones_like(values)}

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch landmarks"]:
        """Return the number of each landmark."""
        return np.tile(np.arange(len(self.owner_names)), (len(indices), 1))


def explain_targets(
    predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener
) -> tuple[Attribution, list[str]]:
    """Attribute the inferred values of some targets to the landmarks, sample by sample.

    Returns
    -------
    tuple
        The attribution, in standard deviations of the target in train where scaling is the default, and the targets.
    """
    own = inference_encoder(predictor.encoder)
    asked = targets_to_explain(predictor, examples, listener)
    count = len(examples)
    rows = np.tile(np.arange(count), len(asked))
    labels = np.repeat(np.array([predictor.task.labels.index(name) for name in asked], dtype=np.int64), count)
    encoded = own.encode(examples.inputs)
    parts = WeighedProfiles(EncodedProfiles(encoded.values[torch.from_numpy(rows)]), own.landmarks)
    ids = examples.ids[rows].tolist()
    found = explain_features(
        weighed(predictor), parts, ids, labels, shuffled=2, examples_at_once=_EXAMPLES_AT_ONCE, listener=listener
    )
    return found, asked


def weighed(predictor: Predictor[Profiles]) -> Predictor[Profiles]:
    """Let single landmarks be taken out of the input of each member."""
    reference = torch.from_numpy(inference_encoder(predictor.encoder).reference)
    return replace(predictor, members=tuple(WeighedLandmarks(member, reference) for member in predictor.members))


def targets_to_explain(predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener) -> list[str]:
    """Take the genes that were asked for; else the few that the landmarks tell best, as many as take minutes.

    Raises
    ------
    ConfigurationError
        If a gene is no target.
    """
    own, labels = inference_encoder(predictor.encoder), predictor.task.labels
    said = examples.covariates.get(ASKED)
    if said is not None and len(said) and said[0]:
        asked = str(said[0]).split(",")
        unknown = [name for name in asked if name not in labels]
        if unknown:
            what = "the model does not infer this gene"
            wanted = f"some of its {len(labels):,} targets, such as {', '.join(labels[:3])}"
            raise ConfigurationError(what, where="--explain-targets", got=", ".join(unknown), wanted=wanted)
        return asked
    most = max(1, min(BEST_TARGETS, MOST_PARTS // max(len(examples) * len(own.landmarks), 1)))
    best = best_told(own)[:most]
    names = [labels[place] for place in best.tolist()]
    if len(names) < len(labels):
        text = (
            f"Explained are the {len(names)} of {len(labels):,} targets that the landmarks tell best: "
            f"{', '.join(names)}. --explain-targets names others."
        )
        listener(Notice(text, "info"))
    return names


def best_told(encoder: InferenceEncoder) -> Int[np.ndarray, "targets"]:
    """Order the targets by how well the landmarks tell them on train, the best first."""
    return np.argsort(-encoder.predictable, kind="stable")


def average_slopes(
    predictor: Predictor[Profiles], examples: Examples[Profiles], targets: Int[np.ndarray, "asked"]
) -> Float[np.ndarray, "asked landmarks"]:
    """Measure how far each target rises when a landmark rises a little, on the network's scale, in the mean of samples.

    Averaged gradients are what is linear in the network; where scaling is the default they are in standard deviations
    of the target per standard deviation of the landmark.
    """
    rows = evenly_spread(len(examples), DRAWN)
    score = predictor.scorer()
    values = predictor.encoder.encode(examples.inputs.take(rows)).batch(np.arange(len(rows)))["values"]
    slopes = np.empty((len(targets), values.shape[1]))
    for place, target in enumerate(targets.tolist()):
        asked = values.detach().clone().requires_grad_()
        label = torch.full((len(rows),), target, dtype=torch.int64)
        (gradient,) = torch.autograd.grad(score({"values": asked}, label).sum(), asked)
        slopes[place] = gradient.mean(dim=0).double().numpy()
    return slopes
