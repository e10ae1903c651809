"""Train the networks, and where it is asked for on shares of the data, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from primase.apps.contract import Configuration
from primase.data.encoding import SupervisedBatches
from primase.data.splits import Partition
from primase.evaluation.assessment import Assessment
from primase.evaluation.per_label import uncalibrated
from primase.events import Listener, Stages
from primase.predictor.predictor import Predictor
from primase.report.run import Remedy
from primase.steps.growing import Shares, learning_curve
from primase.steps.preparing import Prepared, prepare
from primase.training.ensemble import MemberPlan, fit_members
from primase.training.fit import FitOptions
from primase.training.fitted import Fitted
from primase.training.remedies import TrainingRemedies, with_remedies


def fit(prepared: Prepared, *, folder: Path, listener: Listener) -> list[Fitted]:
    """Train every member on train, choosing its best epoch on validation."""
    workflow, encoder, task = prepared.workflow, prepared.encoder, prepared.task
    train_part = prepared.learned_from("train", listener)

    def plan(own: Configuration) -> MemberPlan:
        options = options_of(prepared, own, train_part)
        return MemberPlan(lambda: workflow.network(encoder, task, own), own.training, options)

    members = workflow.member_configurations(prepared.configuration)
    distinct = {id(own): plan(own) for own in members}
    plans = [distinct[id(own)] for own in members]
    if prepared.start is not None:
        plans = prepared.start.plans(plans, task, prepared.configuration)
    return fit_members(
        plans,
        train_part,
        prepared.learned_from("validation", listener),
        seed=prepared.configuration.seed,
        folder=folder,
        listener=listener,
    )


def options_of(prepared: Prepared, own: Configuration, train: SupervisedBatches) -> FitOptions:
    """Say what is particular about how a network learns: what its application brings, and the remedies around it.

    Parameters
    ----------
    own
        The settings of this network.
    train
        What it is trained on.
    """
    task = prepared.task
    options = prepared.workflow.fit_options(prepared.encoder, task, prepared.parts["train"], own)
    remedies = TrainingRemedies.among(own.remedies.model_dump())
    return with_remedies(options, remedies, task, train, own.training.label_smoothing)


def grown(prepared: Prepared, folder: Path, stages: Stages, assessment: Assessment) -> list[Remedy]:
    """Train on shares of the training part, too, where that is asked for, to see what more data would bring."""
    audited, configuration = prepared.audited, prepared.configuration
    if not configuration.training.learning_curve:
        return []

    def fit_share(partition: Partition, own: Path) -> Predictor[Any]:
        share, quiet = replace(audited, partition=partition), Stages(stages.listener)
        smaller = prepare(prepared.application, configuration, share, stages=quiet, start=prepared.start)
        members = fit(smaller, folder=own, listener=stages.listener)
        networks = tuple(member.network for member in members)
        return Predictor(smaller.task, smaller.encoder, networks, uncalibrated(smaller.task))

    shares = Shares(prepared.workflow, audited.labelled, audited.partition, fit_share, audited.real, folder)
    with stages("learning curve"):
        found = learning_curve(shares, assessment, seed=configuration.seed, listener=stages.listener)
    return [] if found is None else [found.remedy()]
