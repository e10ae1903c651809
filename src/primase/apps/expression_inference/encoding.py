"""From expression profiles to what the network of expression inference reads, fitted on train alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import Scaler, ScalingMethod
from primase.bio.expression import is_raw, to_file
from primase.data.encoding import Batch, Encoder, EncoderState, Targets, Values
from primase.data.examples import Examples, Indices
from primase.errors import InputError
from primase.evaluation.ridge import RidgePath, chosen_strengths

LANDMARKS: Final = "landmarks"
SIMPLER: Final = 0.01
"""The ridge regression under the network may be worse by this share where it is simpler: the network adds the rest."""
Numbers = Float[np.ndarray, "targets"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class EncodedProfiles:
    """Landmarks on the scale of the network, in memory: there are few of them."""

    values: Float[Tensor, "examples landmarks"]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.values)

    def batch(self, indices: Indices) -> Batch:
        """Return the landmarks of some samples."""
        return {"values": self.values[torch.from_numpy(indices)]}


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedBins:
    """Bins of as many training samples each, per target, on the network's scale.

    Parameters
    ----------
    edges
        The inner borders, ascending; some may be equal, where a value is frequent, so that bins stay empty.
    centres
        The mean of the training values in each bin; of an empty one the border.
    """

    edges: Float[np.ndarray, "targets borders"]
    centres: Float[np.ndarray, "targets bins"]

    @classmethod
    def fit(cls, targets: Float[np.ndarray, "examples targets"], count: int) -> FittedBins:
        """Cut each target at its quantiles; NaN is left out."""
        levels = np.linspace(0, 1, count + 1)[1:-1]
        edges = np.zeros((targets.shape[1], count - 1), dtype=np.float32)
        centres = np.zeros((targets.shape[1], count), dtype=np.float32)
        for place in range(targets.shape[1]):
            values = targets[:, place]
            values = values[~np.isnan(values)]
            if len(values):
                edges[place] = np.quantile(values, levels)
                bins = np.searchsorted(edges[place], values, side="right")
                sizes = np.bincount(bins, minlength=count)
                sums = np.bincount(bins, weights=values, minlength=count)
                border = np.append(edges[place], edges[place, -1])
                centres[place] = np.where(sizes > 0, sums / np.maximum(sizes, 1), border)
        return cls(edges, centres)


@final
@dataclass(frozen=True, slots=True, eq=False)
class FittedRidge:
    """A ridge regression from landmarks to targets, both on the network's scale."""

    weights: Float[np.ndarray, "targets landmarks"]
    intercept: Numbers

    @classmethod
    def fit(cls, path: RidgePath, strengths: Numbers) -> FittedRidge:
        """Solve for a strength of the penalty per target, a multiple of the number of samples."""
        weights = path.weights(strengths) / path.inputs.deviations[:, None]
        intercept = path.targets.means - path.inputs.means @ weights
        return cls(np.ascontiguousarray(weights.T, dtype=np.float32), intercept.astype(np.float32))

    def values(self, landmarks: Float[np.ndarray, "examples landmarks"]) -> Float[np.ndarray, "examples targets"]:
        """Predict the targets."""
        return np.asarray(landmarks @ self.weights.T + self.intercept)


@final
@dataclass(frozen=True, slots=True, eq=False)
class InferenceEncoder(Encoder[Profiles]):
    """What training has told of landmarks and targets.

    Parameters
    ----------
    landmarks
        The genes that are read, in the order of the network's input.
    inputs, outputs
        How landmarks and targets are scaled.
    raw
        Whether the user's files have raw values, of which log2(x + 1) was taken.
    samples
        How many there were in train.
    predictable
        The share of the variance of each target that a ridge regression tells, cross-validated on train.
    ridge
        What the network adds to; None where it learns everything.
    bins
        How targets are cut; None where values are learned.
    """

    landmarks: tuple[str, ...]
    inputs: Scaler
    outputs: Scaler
    raw: bool
    samples: int
    predictable: Numbers
    ridge: FittedRidge | None = None
    bins: FittedBins | None = None

    @classmethod
    def fit(
        cls, train: Examples[Profiles], scaling: ScalingMethod, *, residual: bool, bins: int = 0
    ) -> InferenceEncoder:
        """Fit scalers, and the ridge regression or the bins, on the training part.

        Parameters
        ----------
        residual
            Whether the network is to learn what ridge regression leaves over.
        bins
            How many bins to cut each target into; 0 for none.
        """
        inputs, outputs = Scaler.fit(train.inputs, scaling), Scaler.fit(train.targets, scaling)
        targets = outputs.scaled(train.targets, keep_missing=True)
        landmarks = inputs.scaled(train.inputs.values())
        path = RidgePath.fit(landmarks, targets)
        adds = residual and not bins
        return cls(
            landmarks=train.inputs.genes,
            inputs=inputs,
            outputs=outputs,
            raw=is_raw(train.inputs.store),
            samples=len(train),
            predictable=path.predictable().astype(np.float32),
            ridge=FittedRidge.fit(path, chosen_strengths(landmarks, targets, tolerance=SIMPLER)) if adds else None,
            bins=FittedBins.fit(targets, bins) if bins else None,
        )

    def adopted(self, train: Examples[Profiles], before: Sequence[str], after: Sequence[str]) -> InferenceEncoder:
        """Read other samples as this encoder does, for a network that starts from the one that belongs to it.

        Parameters
        ----------
        before, after
            The targets of both. Where all are known already, their scale, their ridge regression and their bins stay:
            that is what the other network adds to. Else all of that is fitted anew.
        """
        if is_raw(train.inputs.store) != self.raw:
            what = "one of both data sets has raw values and the other their logarithms"
            raise InputError(what, where="--from", advice="Give both on the same scale.")
        method = self.outputs.method
        place = {name: row for row, name in enumerate(before)}
        known = all(name in place for name in after)
        rows = np.array([place[name] for name in after], dtype=np.int64) if known else np.empty(0, dtype=np.int64)
        outputs = self.outputs.only(rows) if known else Scaler.fit(train.targets, method)
        targets = outputs.scaled(train.targets, keep_missing=True)
        landmarks = self.inputs.scaled(train.inputs.only(self.landmarks).values())
        path = RidgePath.fit(landmarks, targets)
        ridge, bins = self.ridge, self.bins
        if ridge is not None and known:
            ridge = FittedRidge(ridge.weights[rows], ridge.intercept[rows])
        elif ridge is not None:
            ridge = FittedRidge.fit(path, chosen_strengths(landmarks, targets, tolerance=SIMPLER))
        if bins is not None:
            count = bins.centres.shape[1]
            bins = FittedBins(bins.edges[rows], bins.centres[rows]) if known else FittedBins.fit(targets, count)
        return replace(
            self,
            outputs=outputs,
            samples=len(train),
            predictable=path.predictable().astype(np.float32),
            ridge=ridge,
            bins=bins,
        )

    @property
    def targets(self) -> int:
        """The number of genes that are inferred."""
        return len(self.predictable)

    def encode(self, inputs: Profiles) -> EncodedProfiles:
        """Scale the landmarks, whatever their order in the profiles; a missing value becomes the mean of train."""
        return EncodedProfiles(torch.from_numpy(self.inputs.scaled(inputs.only(self.landmarks).values())))

    @property
    def value_scale(self) -> str:
        """Name the scale that figures are on, where a logarithm was taken."""
        return "log2(x + 1)" if self.raw else ""

    def encode_targets(self, targets: Targets) -> Targets:
        """Scale the targets; NaN stays where a value is not known."""
        return self.outputs.scaled(targets, keep_missing=True)

    def decode(self, values: Values) -> Values:
        """Bring what the network says to the scale of the targets."""
        return self.outputs.restored(values)

    def to_file(self, values: Values) -> Values:
        """Undo the logarithm, where one was taken."""
        return to_file(values, raw=self.raw)

    @property
    def reference(self) -> Float[np.ndarray, "landmarks"]:
        """The mean of each landmark in train, on the network's scale: what stands for a gene that is taken out."""
        return np.asarray(self.inputs.scaled(self.inputs.means[None])[0], dtype=np.float32)

    def state(self) -> EncoderState:
        """Return all of it."""
        parts = [self.inputs.state("inputs_"), self.outputs.state("outputs_")]
        facts = {LANDMARKS: list(self.landmarks), "raw": self.raw, "samples": self.samples}
        arrays = {"predictable": self.predictable}
        for part in parts:
            facts |= part.facts
            arrays |= part.arrays
        if self.ridge is not None:
            arrays |= {"ridge_weights": self.ridge.weights, "ridge_intercept": self.ridge.intercept}
        if self.bins is not None:
            arrays |= {"bin_edges": self.bins.edges, "bin_centres": self.bins.centres}
        return EncoderState(facts, arrays)

    @classmethod
    def from_state(cls, state: EncoderState) -> InferenceEncoder:
        """Make the encoder again that :meth:`state` describes."""
        arrays = state.arrays
        ridge = FittedRidge(arrays["ridge_weights"], arrays["ridge_intercept"]) if "ridge_weights" in arrays else None
        bins = FittedBins(arrays["bin_edges"], arrays["bin_centres"]) if "bin_edges" in arrays else None
        return cls(
            landmarks=tuple(state.facts[LANDMARKS]),
            inputs=Scaler.from_state(state, "inputs_"),
            outputs=Scaler.from_state(state, "outputs_"),
            raw=bool(state.facts["raw"]),
            samples=int(state.facts["samples"]),
            predictable=arrays["predictable"],
            ridge=ridge,
            bins=bins,
        )


def inference_encoder(encoder: Encoder[Profiles]) -> InferenceEncoder:
    """Say that the encoder of this application is its own."""
    assert isinstance(encoder, InferenceEncoder)
    return encoder
