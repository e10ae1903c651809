"""The story of every application, from files to a trained model and what is asked of it.

    files ─read─▶ Examples ─split, audit─▶ Partition ─encode (fitted on train only)─▶ tensors ─fit─▶ network
          ─calibrate (validation)─▶ Predictor ─evaluate (test, beside baselines)─▶ Evaluation ─▶ bundle + report

Read it from top to bottom: :func:`train` and :func:`conclude` are the story, and :mod:`primase.steps` holds its
sentences. What a finished model can be asked is in :mod:`primase.models`, what is made of one in
:mod:`primase.remaking`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from primase.apps.contract import Application, Configuration
from primase.apps.subject import subject_of
from primase.configuration import configure, to_toml
from primase.data.splits import PARTS
from primase.evaluation.assessment import Assessment
from primase.evaluation.intervals import Interval
from primase.evaluation.per_label import uncalibrated
from primase.events import Listener, Stages, silent
from primase.models import Model, load
from primase.nn.threads import cpu_threads
from primase.predictor.predictor import Predictor
from primase.predictor.workspace import CONFIGURATION, fresh_folder, partial_folder, run_folder
from primase.report.records import write_json
from primase.report.run import Remedy, TrainingRun
from primase.steps.deciding import find_gap, refuse_in_time, tell_remedies
from primase.steps.fitting import fit, grown
from primase.steps.judging import fitted_calibrator, judge, learn_safeguards, tell_beginnings, with_line
from primase.steps.preparing import Prepared, audit, prepare
from primase.steps.starting import open_start, usual_settings
from primase.steps.writing import peak_memory_mib, refuse_changed_data, write
from primase.training.fitted import Fitted
from primase.versions import PRIMASE


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
class Made:
    """How networks were made of those of another model.

    Parameters
    ----------
    command
        What makes them again.
    remedy
        Tells of the finished predictor what was done, and what came of it.
    """

    command: str
    remedy: Callable[[Predictor[Any]], Remedy]


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
        start = open_start(application, configuration, workspace)
        audited = audit(application, configuration, stages=stages)
        refuse_changed_data(workspace, audited)
        prepared = prepare(application, configuration, audited, stages=stages, start=start)
        refuse_in_time(prepared.task, prepared.truth("validation"), configuration.remedies.model_dump())
        with stages("train"):
            members = fit(prepared, folder=workspace, listener=listener)
        further = partial(grown, prepared, workspace / "learning-curve", stages)
        metrics = conclude(prepared, members, workspace / "bundle", out=out, stages=stages, further=further)
    return Run(out, metrics)


def conclude(
    prepared: Prepared,
    members: Sequence[Fitted],
    folder: Path,
    *,
    out: Path,
    stages: Stages,
    made: Made | None = None,
    further: Callable[[Assessment], Sequence[Remedy]] | None = None,
) -> dict[str, Any]:
    """Calibrate trained networks on validation, judge them on test, and write the bundle with its report.

    Parameters
    ----------
    folder
        Where the bundle is being made; it exists.
    out
        What it will be called.
    made
        How the networks were made of those of another model, where they were.
    further
        What else there is to find out and to tell once all has been judged.

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
    predictor = replace(raw, calibrator=fitted_calibrator(task, outputs, truth["validation"], configuration))
    predictor = with_line(prepared, predictor, predictor.calibrator.answers(outputs), truth["validation"])
    with stages("evaluate"):
        assessment = judge(prepared, predictor, truth=truth["test"], listener=listener)
        gap = find_gap(workflow, predictor, audited.labelled, audited.partition, audited.real, assessment, listener)
    with stages("safeguard"):
        safeguards, told = learn_safeguards(prepared, predictor, outputs, truth, assessment)
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
        peak_memory_mib=peak_memory_mib(),
        version=PRIMASE,
        operating=predictor.operating,
        gap=gap,
    )
    remedies = [
        *tell_beginnings(prepared, assessment),
        *tell_remedies(run.configuration, predictor.operating, assessment, truth["test"], prepared.units("test")),
        *told,
        *(further(assessment) if further else []),
        *([made.remedy(predictor)] if made else []),
    ]
    subject = replace(run.subject, command=made.command) if made else run.subject
    run = replace(run, subject=subject, remedies=remedies)
    with stages("write"):
        if prepared.start is not None:
            prepared.start.write_ancestors(folder)
        return write(folder, run, replace(predictor, safeguards=safeguards), configuration, prepared.start)


def configuration_of_run(
    application: Application, settings: Mapping[str, Any], out: Path, *, file: Path | None = None, resume: bool = False
) -> Configuration:
    """Make the configuration of a run; one that is resumed without new settings takes those it was started with."""
    started = partial_folder(out) / CONFIGURATION
    if resume and started.exists() and not settings and file is None:
        return configure(application.configuration, {}, file=started)
    usual = usual_settings(application, settings, file=file)
    return configure(application.configuration, settings, file=file, usual=usual)


def simulate(application: Application, out: Path, *, count: int, seed: int) -> dict[str, Any]:
    """Write input files in which the truth is known, and that truth as ``truth.json``; return the latter."""
    with fresh_folder(out) as folder:
        simulated = application.load().simulate(folder, count, seed)
        truth = {"inputs": list(simulated.inputs), "planted": list(simulated.planted), **simulated.facts}
        write_json(folder / "truth.json", truth)
    return truth
