"""Calibrate what was trained, draw the line, and judge it on the test beside what is simpler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from primase.apps.contract import Configuration
from primase.data.audit import has_twin
from primase.data.splits import Part
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment, assess, fit_rivals
from primase.evaluation.conformal import COVERAGE
from primase.evaluation.contrasts import assess_contrast
from primase.evaluation.division import Division
from primase.evaluation.per_label import AnyCalibrator, fit_calibrator_of
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.predictor.safeguards import Safeguards
from primase.report.run import Remedy
from primase.steps.deciding import draw_line
from primase.steps.preparing import Prepared
from primase.steps.safeguarding import fit_safeguards, judged_safeguards


def fitted_calibrator(
    task: Task, outputs: np.ndarray, truth: np.ndarray, configuration: Configuration
) -> AnyCalibrator:
    """Fit the calibration on validation, to which the network has not been fitted."""
    remedies = configuration.remedies.model_dump()
    method, coverage = remedies.get("calibration", "none"), remedies.get("coverage", COVERAGE)
    return fit_calibrator_of(task, method, outputs, truth, coverage=coverage)


def with_line(prepared: Prepared, predictor: Predictor[Any], answers: np.ndarray, truth: np.ndarray) -> Predictor[Any]:
    """Choose on validation where the line between no and yes is drawn, if that is asked for."""
    remedies = prepared.configuration.remedies.model_dump()
    return replace(
        predictor, operating=draw_line(prepared.task, truth, answers, prepared.units("validation"), remedies)
    )


def judge(prepared: Prepared, predictor: Predictor[Any], *, truth: np.ndarray, listener: Listener) -> Assessment:
    """Judge the network on test beside the baselines and probes, on all of it and on parts."""
    workflow, audited, parts = prepared.workflow, prepared.audited, prepared.parts
    partition, test = audited.partition, parts["test"]
    twins = has_twin(audited.fingerprints, partition)
    subsets = dict(workflow.subsets(test, predictor.encoder))
    if twins.any():
        subsets |= {"with a twin in train": twins, "without a twin in train": ~twins}
    if audited.kinship is not None:
        subsets |= audited.kinship.subsets
    if prepared.start is not None:
        subsets |= prepared.start.subsets(audited.identities[partition.test])
    probes = tuple(workflow.probes(parts["train"]))
    baselines = tuple(workflow.baselines(predictor.encoder))
    rivals = fit_rivals(baselines, probes, predictor.task, parts["train"], parts["validation"], listener=listener)
    assessment = assess(
        workflow.outputs(predictor, test, listener),
        predictor.calibrator,
        test,
        predictor.task,
        units=prepared.units("test"),
        subsets={name: mask for name, mask in subsets.items() if mask.any() and not mask.all()},
        rivals=rivals,
        probes=[probe.name for probe in probes],
        truth=truth,
        division=Division(audited.labelled.examples.ids, partition.test),
    )
    contrasts = [
        assess_contrast(
            contrast,
            workflow.outputs(predictor, contrast.examples, listener),
            predictor.calibrator,
            predictor.task,
            rivals=rivals,
            probes=[probe.name for probe in probes],
        )
        for contrast in workflow.contrasts(audited.labelled, partition, prepared.configuration)
    ]
    return assessment.with_contrasts(contrasts)


def learn_safeguards(
    prepared: Prepared,
    predictor: Predictor[Any],
    outputs: np.ndarray,
    truth: Mapping[Part, np.ndarray],
    assessment: Assessment,
) -> tuple[Safeguards, list[Remedy]]:
    """Learn on validation when the model is not to be believed, and judge that on test."""
    partition = prepared.audited.partition
    safeguards = fit_safeguards(
        predictor,
        prepared.parts,
        outputs,
        truth["validation"],
        units=partition.units[partition.validation],
        remedies=prepared.configuration.remedies.model_dump(),
        seed=prepared.configuration.seed,
    )
    told = judged_safeguards(
        predictor, safeguards, prepared.parts["test"], assessment.after, truth["test"], prepared.units("test")
    )
    return safeguards, told


def tell_beginnings(prepared: Prepared, assessment: Assessment) -> list[Remedy]:
    """Tell what training began with beside the user's own examples: another model, or simulated examples."""
    start, simulated, workflow = prepared.start, prepared.audited.simulated, prepared.workflow
    told = [] if simulated is None else [simulated.remedy()]
    if start is None:
        return told
    own = workflow.member_configurations(prepared.configuration)[0]
    build = partial(workflow.network, prepared.encoder, prepared.task, own)
    return [start.remedy(build, prepared.configuration, assessment.evaluation), *told]
