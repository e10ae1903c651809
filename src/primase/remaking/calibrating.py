"""Calibrate a trained model on new labelled examples: compare all methods, keep the best, write another model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import polars as pl

from primase.apps.workflow import Labelled
from primase.data.audit import Finding, Fingerprints, audit_examples
from primase.errors import ConfigurationError
from primase.evaluation.conformal import CONFORMAL, Conformal
from primase.evaluation.intervals import Units
from primase.evaluation.operating import OperatingPoint, choose_operating_point
from primase.evaluation.per_label import METHODS, AnyCalibrator, fit_calibrator_of
from primase.evaluation.prediction_sets import fit_sets
from primase.evaluation.prevalence import Prevalence
from primase.evaluation.recalibration import KEPT, Judged, best_calibration, compare_calibrations, compare_intervals
from primase.events import Listener, Notice, silent
from primase.models import OPERATING_POINT, Model, load
from primase.nn.threads import cpu_threads
from primase.predictor.bundle import read_bundle, write_bundle
from primase.predictor.safeguards import Safeguards
from primase.predictor.workspace import fresh_folder, refuse_occupied
from primase.report.calibration import CalibrationRun, calibration_page
from primase.report.card import markdown_text
from primase.report.page import write_page
from primase.report.records import CARD, MEMBERS, METRICS, PREDICTIONS, REPORT, input_hashes, write_json
from primase.versions import PRIMASE

PART: Final = "calibration"
"""The part of the examples that a model was calibrated on, in its tables."""

_MADE_ANEW: Final = ("bundle.json", METRICS, REPORT, CARD, MEMBERS, PREDICTIONS, "contrasts.parquet", "targets.parquet")

Array = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, slots=True)
class Calibrated:
    """A model that was calibrated anew.

    Parameters
    ----------
    path
        Its bundle.
    metrics
        What ``metrics.json`` holds; ``metrics["calibration"]["methods"]`` has the figures of every method.
    """

    path: Path
    metrics: Mapping[str, Any]

    @property
    def method(self) -> str:
        """The calibration that it has."""
        return str(self.metrics["calibration"]["method"])

    @property
    def model(self) -> Model:
        """The model, read from its bundle."""
        return load(self.path)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """New examples, and what the networks say of them before calibration."""

    labelled: Labelled[Any]
    outputs: Array
    truth: Array
    units: Units
    fingerprints: Fingerprints
    identities: Fingerprints


def calibrate(
    path: Path | str,
    out: Path | str,
    *,
    method: str | None = None,
    seed: int = 0,
    listener: Listener = silent,
    **settings: Any,
) -> Calibrated:
    """Compare all methods of calibration on new labelled examples, and write a model that has the best.

    Parameters
    ----------
    path
        The bundle of the model; it stays as it is.
    out
        The bundle to write; must not exist, or be empty.
    method
        Of :data:`~primase.evaluation.per_label.METHODS`; None for the one with the least log loss.
    seed
        Deals the examples into folds.
    settings
        The examples, named as for training.

    Raises
    ------
    InputError
        If the examples are too few, or of one label.
    ConfigurationError
        If the model has nothing to calibrate, or there is no such method.
    """
    refuse_occupied(Path(out))
    model = load(path)
    _check(model, method)
    asked = _ask(model, settings, listener)
    judged = _compare(model, asked, seed)
    chosen = method or (best_calibration(judged) if model.predictor.task.has_labels else CONFORMAL)
    calibrator = _fitted(model, asked, chosen)
    run = CalibrationRun(
        question=model.application.question,
        judged=judged,
        chosen=chosen,
        note=calibrator.note,
        asked=method is not None,
        examples=len(asked.truth),
        intervals=asked.units.statement,
        findings=[*_findings(model, asked, listener), *asked.labelled.findings],
    )
    with fresh_folder(Path(out)) as folder:
        metrics = _write(folder, model, asked, run, calibrator, seed=seed)
    return Calibrated(Path(out), metrics)


def _check(model: Model, method: str | None) -> None:
    """Refuse what cannot be calibrated before any file is read."""
    task, known = model.predictor.task, list(METHODS)
    if isinstance(model.predictor.calibrator, Conformal):
        known = [CONFORMAL]
    elif not task.has_labels:
        what = "this model gives neither probabilities nor intervals around values, so there is nothing to calibrate"
        raise ConfigurationError(what, where="calibrate", got=f"a task of kind {task.kind}")
    if method is not None and method not in known:
        what = "there is no such method of calibration"
        raise ConfigurationError(what, where="method", got=method, wanted=", ".join(known))


def _ask(model: Model, settings: Mapping[str, Any], listener: Listener) -> _Asked:
    """Read the examples, and ask the networks about them."""
    workflow, configuration = model.workflow, model.configured(settings)
    labelled = workflow.read_new(configuration, model.predictor, listener)
    examples = labelled.examples
    policy = workflow.policy(examples, configuration)
    units = workflow.units(examples, policy, configuration, listener)
    with cpu_threads(model.configuration.training.cpu_threads):
        outputs = workflow.outputs(model.predictor, examples, listener)
    fingerprints = workflow.fingerprints(examples.inputs)
    identities = workflow.identities(examples.inputs, fingerprints)
    named = Units.of(units, workflow.unit_name(policy))
    return _Asked(labelled, outputs, workflow.truth(examples), named, fingerprints, identities)


def _compare(model: Model, asked: _Asked, seed: int) -> dict[str, Judged]:
    own = model.predictor.calibrator
    if isinstance(own, Conformal):
        return compare_intervals(asked.outputs, asked.truth, own=own, units=asked.units, seed=seed)
    return compare_calibrations(model.predictor.task, asked.outputs, asked.truth, own=own, units=asked.units, seed=seed)


def _fitted(model: Model, asked: _Asked, chosen: str) -> AnyCalibrator:
    """Fit the chosen calibration to all of the examples."""
    own = model.predictor.calibrator
    if chosen == KEPT:
        return own
    coverage = {"coverage": own.coverage} if isinstance(own, Conformal) else {}
    return fit_calibrator_of(model.predictor.task, chosen, asked.outputs, asked.truth, **coverage)


def _safeguards(model: Model, asked: _Asked, chosen: str, seed: int) -> Safeguards:
    """Learn again, on the new examples, what rests on the calibration."""
    kept, task = model.predictor.safeguards, model.predictor.task
    if chosen == KEPT or not task.has_labels:
        return kept
    if kept.sets is not None:
        coverage, units = kept.sets.coverage, asked.units.index
        sets = fit_sets(task, chosen, asked.outputs, asked.truth, coverage=coverage, units=units, seed=seed)
        kept = replace(kept, sets=sets)
    if kept.prevalence is not None:
        stated = kept.prevalence.stated if kept.prevalence.changes else None
        kept = replace(kept, prevalence=Prevalence.fit(task, asked.truth, stated))
    return kept


def _line(model: Model, asked: _Asked, run: CalibrationRun) -> OperatingPoint | None:
    """Choose the cut between no and yes anew, for the same aim, where the model has one: it is one of probabilities."""
    point = model.predictor.operating
    if point is None or run.chosen == KEPT:
        return point
    answers = run.judged[run.chosen].answers
    return choose_operating_point(model.predictor.task, asked.truth, answers, point.aim, asked.units)


def _line_state(point: OperatingPoint | None) -> dict[str, Any]:
    return {} if point is None else {OPERATING_POINT: point.to_state()}


def _findings(model: Model, asked: _Asked, listener: Listener) -> list[Finding]:
    """Find what is odd about the examples, and which of them the network has learned from."""
    seen, named = model.seen(asked.identities), model.workflow.input_name
    findings = audit_examples(asked.labelled.examples, model.predictor.task, asked.fingerprints, what=named)
    if seen is not None and seen.any():
        text = (
            f"{int(seen.sum()):,} of {len(seen):,} examples have an input that the model was trained or chosen on. It "
            "is surer of those than of new ones, so that the calibration will be too sure, too."
        )
        findings = [Finding("seen in training", int(seen.sum()), "warning", text), *findings]
        listener(Notice(text, "warning"))
    return findings


def _write(
    folder: Path, model: Model, asked: _Asked, run: CalibrationRun, calibrator: AnyCalibrator, *, seed: int
) -> dict[str, Any]:
    """Write the new model: the networks as they are, and all that is said of the calibration anew."""
    parent = read_bundle(model.path)
    facts = {"parent": str(model.path), "examples": run.examples, "seed": seed}
    point = _line(model, asked, run)
    bundle = replace(
        parent,
        calibration=calibrator.to_state(),
        safeguards=_safeguards(model, asked, run.chosen, seed).to_state(),
        provenance={**parent.provenance, "calibrated": facts, **_line_state(point)},
    )
    for file in model.path.iterdir():
        if file.is_file() and file.name not in _MADE_ANEW and file.suffix not in {".safetensors", ".coded"}:
            shutil.copyfile(file, folder / file.name)
    write_bundle(folder, bundle)
    metrics = {
        "application": model.application.name,
        "task": model.predictor.task.kind,
        **facts,
        "calibration": run.to_state(),
        "intervals": run.intervals,
        "audit": [finding.to_state() for finding in run.findings],
    }
    write_json(folder / METRICS, metrics)
    _write_tables(folder, model, asked, run, None if point is None else point.cuts)
    _write_card(folder, model, run)
    shown = [("Application", model.application.name), ("Model", model.path), ("Examples", f"{run.examples:,}")]
    write_page(folder / REPORT, calibration_page(run, shown, PRIMASE))
    return metrics


def _write_tables(folder: Path, model: Model, asked: _Asked, run: CalibrationRun, cuts: Sequence[float] | None) -> None:
    """List the examples, so that they are known again, and what the chosen method said of each fold."""
    task, examples = model.predictor.task, asked.labelled.examples
    known = pl.DataFrame(
        {
            "id": examples.ids.astype(str),
            "part": [PART] * len(examples),
            "group": asked.units.index.astype(np.int64),
        }
    )
    answers = [task.target_columns(asked.truth), task.prediction_columns(run.judged[run.chosen].answers, cuts)]
    predictions = pl.concat([known, *answers], how="horizontal")
    if (model.path / PREDICTIONS).exists():
        # What was true of validation and test stays known; what was said of them was of another calibration.
        before = pl.read_parquet(model.path / PREDICTIONS)
        left = [name for name in before.columns if name in {*known.columns, *answers[0].columns}]
        predictions = pl.concat([predictions, before.select(left)], how="diagonal_relaxed")
    predictions.write_parquet(folder / PREDICTIONS)
    members = known.with_columns(input_hashes(asked.identities).alias("input_hash"))
    if (model.path / MEMBERS).exists():
        members = pl.concat([pl.read_parquet(model.path / MEMBERS), members])
    members.write_parquet(folder / MEMBERS)


def _write_card(folder: Path, model: Model, run: CalibrationRun) -> None:
    """Keep the card of the model, and say in the place of its calibration what it has now."""
    path = model.path / CARD
    said = markdown_text(f"{run.note} It was chosen and fitted on {run.examples:,} new examples, after training.")
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {model.application.name}\n\n## Calibration\n\n\n"
    anew = re.sub(r"(?ms)^## Calibration\n.*?(?=^## |\Z)", lambda _: f"## Calibration\n\n{said}\n\n", text)
    (folder / CARD).write_text(anew, encoding="utf-8")
