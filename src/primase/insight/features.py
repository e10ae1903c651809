"""Explain networks on lists of features: what each domain, or other part that is there, contributes to the answer.

Batches hold ``features`` (numbers, padded with 0) and ``weights``, both of the shape (batch, slots), as
:class:`primase.nn.dense.SparseLinear` reads them. Every feature has an owner, the part of the example that it speaks
for. A part is taken out by setting the weights of all its features to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
import torch
from captum.attr import IntegratedGradients
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from primase.data.encoding import Batch, EncodedInputs
from primase.data.examples import Indices
from primase.events import Listener, Progress, silent
from primase.insight.attribution import SCHEMA, Attribution, SelfCheck, rank_correlation
from primase.insight.controls import CONTROLS, mean_of_defined, randomised
from primase.predictor.predictor import Predictor, Score

ABLATION: Final = "ablation"
INTEGRATED_GRADIENTS: Final = "integrated gradients"
STEPS: Final = 64
STEPS_AT_ONCE: Final = 16
EXAMPLES_PER_BLOCK: Final = 256
PARTS_PER_BLOCK: Final = 1024


class OwnedFeatures(EncodedInputs, Protocol):
    """Encoded inputs whose features have owners."""

    @property
    def owner_names(self) -> Sequence[str]:
        """The names of the owners."""
        ...

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch slots"]:
        """Return the owner of every feature of a batch, -1 in padding."""
        ...


@dataclass(frozen=True, slots=True)
class _Explained:
    """The attributions of a block of examples, flattened to the parts that are there."""

    rows: Int[np.ndarray, "parts"]
    owners: Int[np.ndarray, "parts"]
    ablation: Float[np.ndarray, "parts"]
    controls: Float[np.ndarray, "networks parts"]
    gradients: Float[np.ndarray, "parts"]
    errors: Float[Tensor, "batch"]
    changes: Float[Tensor, "batch"]


def explain_features(
    predictor: Predictor[Any],
    encoded: OwnedFeatures,
    ids: Sequence[str],
    labels: Int[np.ndarray, "examples"],
    *,
    others: float = 1.0,
    shuffled: int = CONTROLS,
    examples_at_once: int = EXAMPLES_PER_BLOCK,
    listener: Listener = silent,
) -> Attribution:
    """Attribute the log-odds of a label to the parts of each example, in two ways that check each other.

    Exact ablation takes each part out and measures how far the score falls. Integrated gradients (Sundararajan et al.
    2017) share the change from the empty input out among all features, so that their sum can be checked; those of one
    owner are added up.

    Parameters
    ----------
    labels
        The index of the label to explain, per example.
    others
        The weight of all other parts while one is taken out. 1 leaves them as they are; less than that where many parts
        say the same, of which each alone could be missed.
    shuffled
        How many networks with shuffled weights are asked as a control.
    examples_at_once
        How many are explained together; fewer take less memory.
    """
    score = predictor.scorer()
    controls = [randomised(predictor, seed).scorer() for seed in range(shuffled)]
    blocks: list[_Explained] = []
    for start in range(0, len(encoded), examples_at_once):
        positions = np.arange(start, min(start + examples_at_once, len(encoded)))
        label = torch.from_numpy(labels[positions].astype(np.int64))
        question = _Question(encoded.batch(positions), encoded.batch_owners(positions), label, others)
        block = _explain_block(score, controls, question)
        blocks.append(replace(block, rows=block.rows + start))
        listener(Progress("explain", int(positions[-1]) + 1, len(encoded), "examples"))
    if sum(len(block.rows) for block in blocks) == 0:
        return Attribution(pl.DataFrame(schema=SCHEMA), None)
    targets = np.asarray(predictor.task.labels, dtype=object)[labels]
    tables = [_table(blocks, method, ids, targets, encoded.owner_names) for method in _METHODS]
    return Attribution(pl.concat(tables), _check(blocks))


_METHODS: Final = {ABLATION: "ablation", INTEGRATED_GRADIENTS: "gradients"}


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A block of examples, who owns their features, which label is explained, and how much the other parts weigh."""

    batch: Batch
    owners: Int[np.ndarray, "batch slots"]
    label: Int[Tensor, "batch"]
    others: float


def _explain_block(score: Score, controls: Sequence[Score], question: _Question) -> _Explained:
    batch, owners, label = question.batch, question.owners, question.label
    rows, columns = (owners >= 0).nonzero()
    # One number per pair of example and owner, and the number of the pair that each feature belongs to.
    width = int(owners.max(initial=0)) + 1
    pairs, pair_of_feature = np.unique(rows * width + owners[rows, columns], return_inverse=True)
    membership = (rows, columns, pair_of_feature)
    gradients, errors, changes = _integrate(score, batch, label)
    shares = gradients[torch.from_numpy(rows), torch.from_numpy(columns)].double().numpy()
    return _Explained(
        rows=pairs // width,
        owners=pairs % width,
        ablation=_ablate(score, question, pairs // width, membership),
        controls=np.stack([_ablate(control, question, pairs // width, membership) for control in controls]),
        gradients=np.bincount(pair_of_feature, weights=shares, minlength=len(pairs)),
        errors=errors,
        changes=changes,
    )


@torch.inference_mode()
def _ablate(
    score: Score,
    question: _Question,
    row_of_pair: Int[np.ndarray, "parts"],
    membership: tuple[Int[np.ndarray, "features"], Int[np.ndarray, "features"], Int[np.ndarray, "features"]],
) -> Float[np.ndarray, "parts"]:
    """Measure how far the score falls when each part that is there is taken out."""
    batch, label = question.batch, question.label
    fallen = np.empty(len(row_of_pair))
    _, columns, pair_of_feature = membership
    whole = score(batch, label).double().numpy() if question.others == 1 else None
    for start in range(0, len(row_of_pair), PARTS_PER_BLOCK):
        stop = min(start + PARTS_PER_BLOCK, len(row_of_pair))
        rows = torch.from_numpy(row_of_pair[start:stop])
        chosen = (pair_of_feature >= start) & (pair_of_feature < stop)
        own = (pair_of_feature[chosen] - start, columns[chosen])
        block = {name: tensor[rows] for name, tensor in batch.items()}
        weights = block["weights"]
        without = {**block, "weights": (weights * question.others).index_put(_indices(own), torch.tensor(0.0))}
        if whole is not None:
            there = whole[row_of_pair[start:stop]]
        else:
            full = (weights * question.others).index_put(_indices(own), weights[own])
            there = score({**block, "weights": full}, label[rows]).double().numpy()
        fallen[start:stop] = there - score(without, label[rows]).double().numpy()
    return fallen


def _indices(places: tuple[Int[np.ndarray, "features"], ...]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(place) for place in places)


def _integrate(
    score: Score, batch: Batch, label: Int[Tensor, "batch"]
) -> tuple[Float[Tensor, "batch slots"], Float[Tensor, "batch"], Float[Tensor, "batch"]]:
    """Compute integrated gradients from no feature at all, with the completeness error of each example."""
    others = {name: tensor for name, tensor in batch.items() if name != "weights"}
    order = list(others)

    def forward(weights: Tensor, label: Tensor, *tensors: Tensor) -> Tensor:
        return score({"weights": weights, **dict(zip(order, tensors, strict=True))}, label)

    weights = batch["weights"]
    attributions, delta = IntegratedGradients(forward).attribute(
        weights,
        baselines=torch.zeros_like(weights),
        additional_forward_args=(label, *others.values()),
        n_steps=STEPS,
        internal_batch_size=len(label) * STEPS_AT_ONCE,
        return_convergence_delta=True,
    )
    attributions = attributions.detach()
    return attributions, delta.detach().abs(), (attributions.sum(dim=1) - delta.detach()).abs()


def _table(
    blocks: Sequence[_Explained],
    method: str,
    ids: Sequence[str],
    targets: Shaped[np.ndarray, "examples"],
    names: Sequence[str],
) -> pl.DataFrame:
    rows = np.concatenate([block.rows for block in blocks])
    columns = {
        "id": np.asarray(ids, dtype=object)[rows],
        "target": targets[rows],
        "feature": np.asarray(names, dtype=object)[np.concatenate([block.owners for block in blocks])],
        "position": [None] * len(rows),
        "value": np.concatenate([getattr(block, _METHODS[method]) for block in blocks]),
        "method": [method] * len(rows),
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def _check(blocks: Sequence[_Explained]) -> SelfCheck:
    ablation = np.concatenate([block.ablation for block in blocks])
    gradients = np.concatenate([block.gradients for block in blocks])
    controls = np.concatenate([block.controls for block in blocks], axis=1)
    return SelfCheck(
        completeness_error=max(float(block.errors.max()) for block in blocks),
        score_range=max(float(block.changes.max()) for block in blocks),
        agreement=rank_correlation(ablation, gradients),
        sign_agreement=float(np.mean(np.sign(ablation) == np.sign(gradients))),
        randomised_agreement=mean_of_defined([rank_correlation(ablation, control) for control in controls]),
    )
