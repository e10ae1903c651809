"""The story of every application, from files to a trained model and what is asked of it.

    files ─read─▶ Examples ─split, audit─▶ Partition ─encode (fitted on train only)─▶ tensors ─fit─▶ network
          ─calibrate (validation)─▶ Predictor ─evaluate (test, beside baselines)─▶ Evaluation ─▶ bundle + report

Read it from top to bottom: :func:`train` is the story, and the functions below it are its sentences. What a finished
model can be asked is in :mod:`primase.models`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from primase.apps.contract import Application, Configuration
from primase.apps.subject import subject_of
from primase.apps.workflow import Labelled, Workflow
from primase.configuration import configure, to_toml
from primase.data.audit import Finding, Fingerprints, Kinship, audit_examples, audit_partition, audit_sizes, has_twin
from primase.data.encoding import Encoder, SupervisedBatches
from primase.data.examples import Examples
from primase.data.splits import PARTS, Part, Partition, split_given, split_units
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.assessment import Assessment, assess, fit_rivals
from primase.evaluation.conformal import COVERAGE
from primase.evaluation.contrasts import assess_contrast
from primase.evaluation.intervals import Interval
from primase.evaluation.per_label import AnyCalibrator, fit_calibrator_of, uncalibrated
from primase.events import Listener, Stages, silent
from primase.models import Model, load
from primase.nn.threads import cpu_threads
from primase.predictor.bundle import Bundle, write_bundle
from primase.predictor.predictor import Predictor
from primase.predictor.workspace import CONFIGURATION, fresh_folder, partial_folder, run_folder
from primase.report.records import input_hashes, write_json, write_records
from primase.report.run import TrainingRun
from primase.training.ensemble import MemberPlan, fit_members
from primase.training.fitted import Fitted
from primase.versions import PRIMASE, versions


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """Examples, how they were divided, and what was found odd about both."""

    labelled: Labelled[Any]
    partition: Partition
    fingerprints: Fingerprints
    identities: Fingerprints
    findings: list[Finding]
    kinship: Kinship | None


@dataclass(frozen=True, slots=True)
class Run:
    """A finished training run.

    Parameters
    ----------
    path
        The bundle.
    metrics
        What ``metrics.json`` holds.
    """

    path: Path
    metrics: Mapping[str, Any]

    @property
    def test(self) -> dict[str, Interval]:
        """The metrics on the test part, each with its 95 % interval."""
        return {name: Interval.from_state(state) for name, state in self.metrics["test"].items()}

    @property
    def model(self) -> Model:
        """The trained model, read from its bundle."""
        return load(self.path)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Examples that were read, divided and looked through, with the encoder that makes tensors of them.

    Parameters
    ----------
    parts
        The examples of each part.
    """

    application: Application
    configuration: Configuration
    workflow: Workflow[Any, Any]
    audited: Audited
    parts: Mapping[Part, Examples[Any]]
    encoder: Encoder[Any]

    @property
    def task(self) -> Task:
        """What is asked of the examples."""
        return self.audited.labelled.task

    def learned_from(self, part: Part, listener: Listener = silent) -> SupervisedBatches:
        """Encode what a network is trained on (``"train"``) or chosen by (``"validation"``)."""
        return self.workflow.learned_from(self.encoder, self.parts[part], part, self.configuration, listener)

    def truth(self, part: Part) -> np.ndarray[Any, Any]:
        """Return what the answers on a part should be."""
        return self.workflow.truth(self.parts[part])


def train(
    application: Application,
    configuration: Configuration,
    out: Path,
    *,
    resume: bool = False,
    listener: Listener = silent,
) -> Run:
    """Go from files to a bundle: read, audit, split, fit, calibrate, evaluate, report.

    Parameters
    ----------
    out
        The bundle; must not exist, or be empty.
    resume
        Go on with an interrupted run of the same settings.

    Raises
    ------
    InputError
        If the input, a setting or the output folder is wrong; nothing is left behind.
    """
    stages = Stages(listener)
    threads = cpu_threads(configuration.training.cpu_threads)
    with threads, run_folder(out, to_toml(configuration), resume=resume) as workspace:
        audited = audit(application, configuration, stages=stages)
        _refuse_changed_data(workspace, audited)
        prepared = prepare(application, configuration, audited, stages=stages)
        with stages("train"):
            members = _fit(prepared, folder=workspace, listener=listener)
        metrics = conclude(prepared, members, workspace / "bundle", out=out, stages=stages)
    return Run(out, metrics)


def prepare(
    application: Application,
    configuration: Configuration,
    audited: Audited,
    *,
    stages: Stages,
    encoder: Encoder[Any] | None = None,
) -> Prepared:
    """Take the parts apart, and fit the encoder on the training part alone.

    Parameters
    ----------
    encoder
        Of a trained model, which is to read the examples as it always did; None to fit one.
    """
    workflow = application.load()
    parts = {name: audited.labelled.examples.take(audited.partition.part(name)) for name in PARTS}
    with stages("encode"):
        chosen = encoder or workflow.fit_encoder(parts["train"], configuration, stages.listener)
    return Prepared(application, configuration, workflow, audited, parts, chosen)


def conclude(
    prepared: Prepared, members: Sequence[Fitted], folder: Path, *, out: Path, stages: Stages
) -> dict[str, Any]:
    """Calibrate trained networks on validation, judge them on test, and write the bundle with its report.

    Parameters
    ----------
    folder
        Where the bundle is being made; it exists.
    out
        What it will be called.

    Returns
    -------
    dict
        What ``metrics.json`` holds.
    """
    workflow, task, configuration = prepared.workflow, prepared.task, prepared.configuration
    listener, audited, encoder = stages.listener, prepared.audited, prepared.encoder
    truth = {name: prepared.truth(name) for name in PARTS[1:]}
    raw = Predictor(task, encoder, tuple(member.network for member in members), uncalibrated(task))
    outputs = workflow.outputs(raw, prepared.parts["validation"], listener)
    predictor = replace(raw, calibrator=_calibrator(task, outputs, truth["validation"], configuration))
    with stages("evaluate"):
        assessment = _assess(prepared, predictor, truth=truth["test"], listener=listener)
    with stages("explain"):
        insights = workflow.insights(predictor, prepared.parts, listener)
    run = TrainingRun(
        subject=subject_of(prepared.application, configuration, out),
        task=task,
        examples=audited.labelled.examples,
        partition=audited.partition,
        identities=audited.identities,
        findings=audited.findings,
        members=members,
        assessment=assessment,
        validation=predictor.calibrator.answers(outputs),
        truth=truth,
        scale=encoder.value_scale,
        unit_name=workflow.unit_name(audited.partition.policy),
        insights=insights,
        kinship=audited.kinship,
        configuration=configuration.model_dump(mode="json"),
        seconds=stages.seconds,
        peak_memory_mib=_peak_memory_mib(),
        version=PRIMASE,
    )
    with stages("write"):
        return _write(folder, run, predictor, configuration)


def audit(
    application: Application,
    configuration: Configuration,
    *,
    listener: Listener = silent,
    stages: Stages | None = None,
) -> Audited:
    """Read and divide the examples, and find what would leak and what is odd."""
    timed = stages or Stages(listener)
    workflow = application.load()
    with timed("read"):
        labelled = workflow.read(configuration, None, timed.listener)
    with timed("split"):
        partition = _split(workflow, labelled, configuration, timed.listener)
        labelled = workflow.settle(labelled, partition, configuration, timed.listener)
    with timed("audit"):
        fingerprints = workflow.fingerprints(labelled.examples.inputs)
        kinship = workflow.kinship(labelled.examples, partition, timed.listener)
        findings = [
            *labelled.findings,
            *audit_examples(labelled.examples, labelled.task, fingerprints, what=workflow.input_name),
            *audit_sizes(partition),
            *audit_partition(fingerprints, partition, what=workflow.input_name),
            *([kinship.finding] if kinship else []),
            *workflow.audit(labelled, configuration, partition, timed.listener),
        ]
        identities = workflow.identities(labelled.examples.inputs, fingerprints)
    return Audited(labelled, partition, fingerprints, identities, findings, kinship)


def _split(
    workflow: Workflow[Any, Any], labelled: Labelled[Any], configuration: Configuration, listener: Listener
) -> Partition:
    examples = labelled.examples
    strata = labelled.task.strata(examples.targets)
    policy = workflow.policy(examples, configuration)
    units = workflow.units(examples, policy, configuration, listener)
    if policy == "given" and examples.parts is None:
        what = "the split is to be as given, but no part is"
        raise InputError(what, where="--split given", advice="Add the --test- words, or choose another --split.")
    if policy != "given" and examples.parts is not None:
        what = "the parts are given, but the split is to be another"
        raise InputError(what, where=f"--split {policy}", advice="Leave the --test- words out, or use --split given.")
    parts = workflow.parts(examples, policy, configuration)
    if parts is not None:
        return split_given(parts, units, strata, seed=configuration.seed, policy=policy)
    shares = workflow.fractions(examples, configuration)
    return split_units(units, strata, policy=policy, seed=configuration.seed, fractions=shares)


def _fit(prepared: Prepared, *, folder: Path, listener: Listener) -> list[Fitted]:
    """Train every member on train, choosing its best epoch on validation."""
    workflow, encoder, task = prepared.workflow, prepared.encoder, prepared.task

    def plan(own: Configuration) -> MemberPlan:
        options = workflow.fit_options(encoder, task, prepared.parts["train"], own)
        return MemberPlan(lambda: workflow.network(encoder, task, own), own.training, options)

    members = workflow.member_configurations(prepared.configuration)
    plans = {id(own): plan(own) for own in members}
    return fit_members(
        [plans[id(own)] for own in members],
        prepared.learned_from("train", listener),
        prepared.learned_from("validation", listener),
        seed=prepared.configuration.seed,
        folder=folder,
        listener=listener,
    )


def _calibrator(task: Task, outputs: np.ndarray, truth: np.ndarray, configuration: Configuration) -> AnyCalibrator:
    """Fit the calibration on validation, to which the network has not been fitted."""
    remedies = configuration.remedies.model_dump()
    method, coverage = remedies.get("calibration", "none"), remedies.get("coverage", COVERAGE)
    return fit_calibrator_of(task, method, outputs, truth, coverage=coverage)


def _assess(prepared: Prepared, predictor: Predictor[Any], *, truth: np.ndarray, listener: Listener) -> Assessment:
    """Judge the network on test beside the baselines and probes, on all of it and on parts."""
    workflow, audited, parts = prepared.workflow, prepared.audited, prepared.parts
    partition, test = audited.partition, parts["test"]
    twins = has_twin(audited.fingerprints, partition)
    subsets = dict(workflow.subsets(test, predictor.encoder))
    if twins.any():
        subsets |= {"with a twin in train": twins, "without a twin in train": ~twins}
    if audited.kinship is not None:
        subsets |= audited.kinship.subsets
    probes = tuple(workflow.probes(parts["train"]))
    baselines = tuple(workflow.baselines(predictor.encoder))
    rivals = fit_rivals(baselines, probes, predictor.task, parts["train"], parts["validation"], listener=listener)
    assessment = assess(
        workflow.outputs(predictor, test, listener),
        predictor.calibrator,
        test,
        predictor.task,
        units=workflow.resampled(test, partition.units[partition.test], partition.policy),
        subsets={name: mask for name, mask in subsets.items() if mask.any() and not mask.all()},
        rivals=rivals,
        probes=[probe.name for probe in probes],
        truth=truth,
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


def _write(folder: Path, run: TrainingRun, predictor: Predictor[Any], configuration: Configuration) -> dict[str, Any]:
    """Write the bundle: what every later verb reads, and what people read."""
    metrics = write_records(folder, run)
    bundle = Bundle(
        application=run.subject.application,
        task=predictor.task.to_state(),
        configuration=run.configuration,
        encoder=predictor.encoder.state(),
        calibration=predictor.calibrator.to_state(),
        members=[member.state_dict() for member in predictor.members],
        provenance={
            "versions": versions(),
            "seed": configuration.seed,
            "precision": run.members[0].precision,
            "data": _data_digests(run.identities, run.partition),
        },
    )
    write_bundle(folder, bundle)
    (folder / CONFIGURATION).write_text(to_toml(configuration), encoding="utf-8")
    return metrics


def data_digests(audited: Audited) -> dict[Part, str]:
    """Fingerprint the examples of each part: equal where, whatever their order, the inputs are."""
    return _data_digests(audited.identities, audited.partition)


def _data_digests(identities: Fingerprints, partition: Partition) -> dict[Part, str]:
    hashes = input_hashes(identities)
    return {name: _digest(hashes.gather(partition.part(name))) for name in PARTS}


def _digest(hashes: pl.Series) -> str:
    """Fingerprint a part of the data, whatever the order of its examples."""
    return blake2b("\n".join(hashes.sort()).encode(), digest_size=16).hexdigest()


def _refuse_changed_data(workspace: Path, audited: Audited) -> None:
    """Go on with an interrupted run only on the data that it was started with."""
    examples = audited.labelled.examples
    texts = [examples.ids, audited.identities, audited.partition.names(len(examples))]
    content = "\n".join(str(column.tolist()) for column in texts).encode()
    digest = blake2b(content, digest_size=16)
    digest.update(np.ascontiguousarray(examples.targets).tobytes())
    found = digest.hexdigest()
    path = workspace / "data.json"
    if not path.exists():
        write_json(path, {"fingerprint": found})
    elif json.loads(path.read_text(encoding="utf-8"))["fingerprint"] != found:
        what = "the data are not those that the interrupted run was started with"
        raise InputError(what, where=str(workspace), advice="Delete the folder to start again.")


def configuration_of_run(
    application: Application, settings: Mapping[str, Any], out: Path, *, file: Path | None = None, resume: bool = False
) -> Configuration:
    """Make the configuration of a run; one that is resumed without new settings takes those it was started with."""
    started = partial_folder(out) / CONFIGURATION
    if resume and started.exists() and not settings and file is None:
        return configure(application.configuration, {}, file=started)
    return configure(application.configuration, settings, file=file)


def simulate(application: Application, out: Path, *, count: int, seed: int) -> dict[str, Any]:
    """Write input files in which the truth is known, and that truth as ``truth.json``; return the latter."""
    with fresh_folder(out) as folder:
        simulated = application.load().simulate(folder, count, seed)
        truth = {"inputs": list(simulated.inputs), "planted": list(simulated.planted), **simulated.facts}
        write_json(folder / "truth.json", truth)
    return truth


def _peak_memory_mib() -> float:
    """Measure the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
