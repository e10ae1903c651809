"""Explain networks on sets of features: what each feature that is there contributes to the answer.

Batches hold ``features`` (numbers, padded with 0) and ``weights`` (1 where a feature is there), as
:class:`primase.nn.dense.SparseLinear` reads them; both have the shape (batch, slots). A feature is taken out by setting
its weight to zero.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from captum.attr import IntegratedGradients
from jaxtyping import Bool, Float, Int
from torch import Tensor

from primase.data.encoding import Batch, EncodedInputs
from primase.events import Listener, Progress, silent
from primase.insight.attribution import SCHEMA, Attribution, SelfCheck, rank_correlation
from primase.predictor.predictor import Predictor, Score

ABLATION: Final = "ablation"
INTEGRATED_GRADIENTS: Final = "integrated gradients"
STEPS: Final = 64
EXAMPLES_PER_BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class _Explained:
    """The attributions of a block of examples, flattened to the features that are there."""

    rows: Int[Tensor, "present"]
    features: Int[Tensor, "present"]
    ablation: Float[Tensor, "present"]
    gradients: Float[Tensor, "present"]
    errors: Float[Tensor, "batch"]
    changes: Float[Tensor, "batch"]


def explain_features(
    predictor: Predictor[Any],
    encoded: EncodedInputs,
    ids: Sequence[str],
    labels: Int[np.ndarray, "examples"],
    names: Sequence[str],
    *,
    listener: Listener = silent,
) -> Attribution:
    """Attribute the log-odds of a label to the features of each example, in two ways that check each other.

    Exact ablation takes each feature out and measures how far the score falls. Integrated gradients (Sundararajan et
    al. 2017) share the change from the empty input out among all features, so that their sum can be checked.

    Parameters
    ----------
    encoded
        Inputs whose batches hold ``features`` and ``weights``.
    labels
        The index of the label to explain, per example.
    names
        The name of each feature number; number 0 is padding.
    """
    score, control = predictor.scorer(), randomised(predictor).scorer()
    blocks: list[_Explained] = []
    control_values = []
    for start in range(0, len(encoded), EXAMPLES_PER_BLOCK):
        positions = np.arange(start, min(start + EXAMPLES_PER_BLOCK, len(encoded)))
        batch, label = encoded.batch(positions), torch.from_numpy(labels[positions].astype(np.int64))
        block = _explain_block(score, batch, label)
        control_values.append(_ablate(control, batch, label, batch["weights"] > 0))
        blocks.append(replace(block, rows=block.rows + start))
        listener(Progress("explain", int(positions[-1]) + 1, len(encoded), "examples"))
    if sum(len(block.rows) for block in blocks) == 0:
        return Attribution(pl.DataFrame(schema=SCHEMA), None)
    table = pl.concat([_table(blocks, method, ids, labels, names, predictor) for method in _METHODS])
    return Attribution(table, _check(blocks, torch.cat(control_values)))


_METHODS: Final = {ABLATION: "ablation", INTEGRATED_GRADIENTS: "gradients"}


def randomised(predictor: Predictor[Any]) -> Predictor[Any]:
    """Copy a predictor with every weight replaced by a random permutation of its tensor."""
    generator = torch.Generator().manual_seed(0)
    members = []
    for member in predictor.members:
        shuffled = copy.deepcopy(member)
        with torch.no_grad():
            for parameter in shuffled.parameters():
                order = torch.randperm(parameter.numel(), generator=generator)
                parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
        members.append(shuffled)
    return replace(predictor, members=tuple(members))


def _explain_block(score: Score, batch: Batch, label: Int[Tensor, "batch"]) -> _Explained:
    present = batch["weights"] > 0
    gradients, errors, changes = _integrate(score, batch, label)
    return _Explained(
        rows=present.nonzero()[:, 0],
        features=batch["features"][present],
        ablation=_ablate(score, batch, label, present),
        gradients=gradients[present],
        errors=errors,
        changes=changes,
    )


@torch.inference_mode()
def _ablate(
    score: Score, batch: Batch, label: Int[Tensor, "batch"], present: Bool[Tensor, "batch slots"]
) -> Float[Tensor, "present"]:
    """Measure how far the score falls when each feature that is there is taken out."""
    whole = score(batch, label)
    fallen = torch.zeros_like(batch["weights"])
    for slot in range(present.shape[1]):
        rows = present[:, slot].nonzero()[:, 0]
        if len(rows) == 0:
            continue
        without = {name: tensor[rows] for name, tensor in batch.items()}
        without["weights"] = without["weights"].clone()
        without["weights"][:, slot] = 0
        fallen[rows, slot] = whole[rows] - score(without, label[rows])
    return fallen[present].clone()


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
        internal_batch_size=4096,
        return_convergence_delta=True,
    )
    attributions = attributions.detach()
    return attributions, delta.detach().abs(), (attributions.sum(dim=1) - delta.detach()).abs()


def _table(
    blocks: Sequence[_Explained],
    method: str,
    ids: Sequence[str],
    labels: Int[np.ndarray, "examples"],
    names: Sequence[str],
    predictor: Predictor[Any],
) -> pl.DataFrame:
    rows = torch.cat([block.rows for block in blocks]).numpy()
    features = torch.cat([block.features for block in blocks]).numpy()
    values = torch.cat([getattr(block, _METHODS[method]) for block in blocks]).double().numpy()
    columns = {
        "id": np.asarray(ids, dtype=object)[rows],
        "target": np.asarray(predictor.task.labels, dtype=object)[labels[rows]],
        "feature": np.asarray(names, dtype=object)[features],
        "position": [None] * len(rows),
        "value": values,
        "method": [method] * len(rows),
    }
    return pl.DataFrame(columns, schema=SCHEMA)


def _check(blocks: Sequence[_Explained], control: Float[Tensor, "present"]) -> SelfCheck:
    ablation = torch.cat([block.ablation for block in blocks]).double().numpy()
    gradients = torch.cat([block.gradients for block in blocks]).double().numpy()
    return SelfCheck(
        completeness_error=max(float(block.errors.max()) for block in blocks),
        score_range=max(float(block.changes.max()) for block in blocks),
        agreement=rank_correlation(ablation, gradients),
        sign_agreement=float(np.mean(np.sign(ablation) == np.sign(gradients))),
        randomised_agreement=rank_correlation(ablation, control.double().numpy()),
    )
