"""What is asked: which of the genes that were read are landmarks, and which are to be inferred from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from primase.apps.expression.expressed import only_expressed
from primase.apps.expression.landmarks_l1000 import LANDMARKS
from primase.apps.expression.profiles import Profiles
from primase.apps.expression_inference.configuration import InferenceData
from primase.apps.expression_inference.landmarks import (
    Question,
    choose_landmarks,
    choose_targets,
    is_constant,
    present,
    read_gene_list,
    runs,
    shown,
)
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import InputError
from primase.predictor.bundle import read_facts

TASK: Final = "regression"


def question(train: Profiles, data: InferenceData, seed: int, *, parent: Path | None = None) -> Question:
    """Decide on the training part alone what is known of a sample, and what is asked.

    Parameters
    ----------
    parent
        The bundle of a model from which training starts: its landmarks are read, and its targets asked for unless
        others are named.

    Raises
    ------
    InputError
        If no landmark or no target is left, or one of that model is missing.
    """
    inherited: list[str] | None = None
    findings: list[Finding]
    if parent is not None:
        facts = read_facts(parent)
        landmarks, findings = _all_landmarks(train, facts["encoder"]["landmarks"], where=str(parent)), []
        inherited = facts["task"]["labels"]
    else:
        landmarks, findings = _landmarks(train, data, seed)
    findings += _constant_landmarks(train, landmarks)
    measured = frozenset(landmarks)
    candidates: Sequence[str] = [gene for gene in train.genes if gene not in measured]
    if data.targets is not None:
        candidates, found = present(
            read_gene_list(data.targets), train.genes, where=str(data.targets), role="genes to infer"
        )
        findings.append(found)
    elif inherited is not None:
        candidates, found = present(inherited, train.genes, where=str(parent), role="genes to infer")
        findings.append(found)
    asked = choose_targets(
        train,
        landmarks,
        candidates,
        minimum_expressed=data.minimum_expressed,
        maximum_correlation=data.maximum_correlation,
    )
    return replace(asked, findings=(*findings, *asked.findings))


def _all_landmarks(train: Profiles, names: Sequence[str], *, where: str) -> tuple[str, ...]:
    there = frozenset(train.genes)
    if lacking := [name for name in names if name not in there]:
        what = f"{len(lacking):,} of the {len(names):,} landmarks of the model that it is to start from are missing"
        raise InputError(what, where=f"--from {where}", got=f"without {shown(lacking)}", wanted="all of them")
    return tuple(names)


def _landmarks(train: Profiles, data: InferenceData, seed: int) -> tuple[tuple[str, ...], list[Finding]]:
    if data.choose_landmarks:
        chosen = choose_landmarks(only_expressed(train, data.minimum_expressed), data.choose_landmarks, seed)
        text = f"{len(chosen):,} landmarks were chosen on train, one of each cluster of genes: {shown(chosen)}."
        return chosen, [Finding("landmarks chosen", len(chosen), "info", text)]
    if data.landmarks is not None:
        names, where = read_gene_list(data.landmarks), str(data.landmarks)
    else:
        names, where = LANDMARKS, "L1000"
    found, finding = present(names, train.genes, where=where, role="landmarks")
    return found, [finding]


def asked_of(examples: Examples[Profiles], asked: Question) -> tuple[Examples[Profiles], Task]:
    """Keep the landmarks as input, and read the values of the targets."""
    inputs = examples.inputs
    targets = np.asarray(inputs.only(asked.targets).values(), dtype=np.float32)
    return replace(examples, inputs=inputs.only(asked.landmarks), targets=targets), Task(TASK, asked.targets)


def as_known(
    examples: Examples[Profiles], landmarks: Sequence[str], task: Task, *, missing_genes: str, where: str
) -> tuple[Examples[Profiles], list[Finding]]:
    """Ask of new samples what a trained model was asked; a target that the file lacks is not known.

    Parameters
    ----------
    missing_genes
        ``"mean"`` to take the means of train for landmarks that the file lacks, ``"refuse"`` to refuse it.

    Raises
    ------
    InputError
        If a landmark is missing and that is refused, or all targets are.
    """
    inputs, findings = examples.inputs, []
    there = frozenset(inputs.genes)
    lacking = [name for name in landmarks if name not in there]
    if lacking and missing_genes == "refuse":
        what = f"{len(lacking):,} of the {len(landmarks):,} landmarks that the model needs are missing"
        advice = "Say --missing-genes mean to fill them with their means of training; predictions are worse then."
        raise InputError(what, where=where, got=f"without {shown(lacking)}", wanted="all of them", advice=advice)
    if lacking:
        text = f"{len(lacking):,} landmarks are missing, and are filled with their means of training: {shown(lacking)}."
        findings.append(Finding("missing landmarks", len(lacking), "warning", text))
    unknown = [name for name in task.labels if name not in there]
    if len(unknown) == len(task.labels):
        what = "none of the genes that the model infers is there, so that nothing can be judged"
        raise InputError(
            what, where=where, wanted=f"some of {shown(unknown)}", advice="primase predict needs no truth."
        )
    if unknown:
        text = (
            f"{len(unknown):,} of the {len(task.labels):,} targets are not there, and do not count: {shown(unknown)}."
        )
        findings.append(Finding("missing targets", len(unknown), "warning", text))
    known = (
        Profiles.of_values(tuple(landmarks), inputs.values_with_gaps(landmarks)) if lacking else inputs.only(landmarks)
    )
    return replace(examples, inputs=known, targets=inputs.values_with_gaps(task.labels)), findings


def _constant_landmarks(train: Profiles, landmarks: Sequence[str]) -> list[Finding]:
    """Find landmarks that are constant in train, which tell nothing."""
    flat = [name for run in runs(landmarks) for name in _constant_among(train, run)]
    if not flat:
        return []
    text = f"{len(flat):,} landmarks are constant in train, and tell nothing: {shown(flat)}."
    return [Finding("constant landmarks", len(flat), "warning", text)]


def _constant_among(train: Profiles, names: Sequence[str]) -> list[str]:
    flat = is_constant(train.only(names).values())
    return [name for name, constant in zip(names, flat.tolist(), strict=True) if constant]
