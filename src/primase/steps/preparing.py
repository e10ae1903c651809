"""Read and divide the examples, find what is odd about them, and fit the encoder: all that comes before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from primase.apps.contract import Application, Configuration
from primase.apps.workflow import Labelled, Workflow
from primase.data.audit import Finding, Fingerprints, Kinship, audit_examples, audit_partition, audit_sizes
from primase.data.encoding import Encoder, SupervisedBatches
from primase.data.examples import Examples, evenly_spread
from primase.data.splits import PARTS, Part, Partition, split_given, split_units
from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation.intervals import Units
from primase.events import Listener, Stages, silent
from primase.steps.simulating import Joined, with_simulated
from primase.steps.starting import Start

MOST_COUNTED: Final = 100_000
"""So many training examples are looked at to tell whether positives are rare."""


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """Examples, how they were divided, and what was found odd about both."""

    labelled: Labelled[Any]
    partition: Partition
    fingerprints: Fingerprints
    identities: Fingerprints
    findings: list[Finding]
    kinship: Kinship | None
    simulated: Joined | None = None

    @property
    def real(self) -> int:
        """The number of the user's own examples; what is behind them was simulated."""
        return len(self.labelled.examples) if self.simulated is None else self.simulated.first


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
    start: Start | None = None

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

    def units(self, part: Part) -> Units:
        """Say what the intervals of a part's figures are drawn over."""
        partition = self.audited.partition
        return self.workflow.resampled(self.parts[part], partition.units[partition.part(part)], partition.policy)


def audit(
    application: Application,
    configuration: Configuration,
    *,
    listener: Listener = silent,
    stages: Stages | None = None,
    labelled: Labelled[Any] | None = None,
) -> Audited:
    """Read and divide the examples, and find what would leak and what is odd.

    Parameters
    ----------
    labelled
        Examples that were read before, as for a trained model, which has decided what there is to decide; None to read.
    """
    timed = stages or Stages(listener)
    workflow = application.load()
    is_new = labelled is None
    with timed("read"):
        labelled = labelled or workflow.read(configuration, None, timed.listener)
    with timed("split"):
        partition = _split(workflow, labelled, configuration, timed.listener)
        if is_new:
            labelled = workflow.settle(labelled, partition, configuration, timed.listener)
        labelled = replace(labelled, task=_main_metric_known(labelled, partition))
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
    audited = Audited(labelled, partition, fingerprints, identities, findings, kinship)
    return _with_simulated(application, audited, configuration, timed) if configuration.training.simulated else audited


def prepare(
    application: Application,
    configuration: Configuration,
    audited: Audited,
    *,
    stages: Stages,
    encoder: Encoder[Any] | None = None,
    start: Start | None = None,
) -> Prepared:
    """Take the parts apart, and fit the encoder on the training part alone.

    Parameters
    ----------
    encoder
        Of a trained model, which is to read the examples as it always did; None to fit one.
    start
        The model that training starts from, whose encoder is adopted.
    """
    workflow = application.load()
    parts = {name: audited.labelled.examples.take(audited.partition.part(name)) for name in PARTS}
    with stages("encode"):
        if start is not None:
            task = audited.labelled.task
            chosen = workflow.adopt_encoder(start.model.predictor, parts["train"], task, configuration)
            audited = replace(
                audited, findings=[*audited.findings, start.finding(audited.identities, audited.partition)]
            )
        else:
            chosen = encoder or workflow.fit_encoder(parts["train"], configuration, stages.listener)
    return Prepared(application, configuration, workflow, audited, parts, chosen, start)


def _with_simulated(application: Application, own: Audited, configuration: Configuration, stages: Stages) -> Audited:
    """Put simulated examples behind the user's own, after these were divided: all of them are in train."""
    with stages("simulate"):
        joined = with_simulated(application, own.labelled, own.partition, configuration, stages.listener)
    return replace(
        own,
        labelled=joined.labelled,
        partition=joined.partition,
        fingerprints=joined.fingerprints,
        identities=joined.identities,
        findings=[*own.findings, joined.finding],
        simulated=joined,
    )


def _main_metric_known(labelled: Labelled[Any], partition: Partition) -> Task:
    """Look whether positives are so rare in train that another metric comes first."""
    looked_at = partition.train[evenly_spread(len(partition.train), MOST_COUNTED)]
    return labelled.task.with_rarity(labelled.examples.targets[looked_at])


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
