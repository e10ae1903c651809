"""Read what a trained model is to learn beside what it knows, and put both together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import polars as pl

from primase.apps.contract import Configuration
from primase.apps.workflow import Labelled
from primase.configuration import configure, settings_of
from primase.data.audit import Finding, audit_examples, audit_partition, audit_sizes
from primase.data.examples import Examples
from primase.data.splits import PARTS, Partition
from primase.data.tasks import Task
from primase.data.words import INPUT_WORDS
from primase.errors import ConfigurationError, InputError
from primase.events import Stages
from primase.models import Model
from primase.remedies.continual.rehearsal import widened
from primase.report.records import MEMBERS, input_hashes
from primase.steps.preparing import Audited, audit
from primase.training.remedies import TrainingRemedies

REMEDIES: Final = frozenset(one.name for one in fields(TrainingRemedies))
"""Settings of remedies in training, beside which none of the methods against forgetting has been tried."""
NOT_KEPT: Final = REMEDIES | frozenset(
    {"group_column", "from_model", "freeze", "lower_rate", "simulated", "learning_curve"}
)
"""Settings that were about how the model was first trained."""


def configured(model: Model, settings: Mapping[str, Any]) -> Configuration:
    """Keep how a model reads its input and learns, but not the input itself and how it was divided.

    Raises
    ------
    ConfigurationError
        If a setting is of a remedy in training.
    """
    unused = sorted(REMEDIES & settings.keys())
    if unused:
        what = "a model that is extended learns without this"
        raise ConfigurationError(what, where="--" + unused[0].replace("_", "-"), advice="Leave it out.")
    left = {*INPUT_WORDS, *NOT_KEPT, *type(model.configuration.split).model_fields}
    kept = {name: value for name, value in settings_of(model.configuration).items() if name not in left}
    return configure(model.application.configuration, {**kept, **settings})


def input_settings(configuration: Configuration) -> dict[str, Any]:
    """Write down how input was named and read, in JSON."""
    return dict(configuration.data.model_dump(mode="json"))


def read_labelled(
    model: Model, configuration: Configuration, stages: Stages, new_labels: Sequence[str] = ()
) -> Labelled[Any]:
    """Read labelled examples that may have labels that a model does not know: they stand behind those that it knows.

    Parameters
    ----------
    new_labels
        Labels that the model is to learn; where there are none, they are found in the data.

    Raises
    ------
    InputError
        If the input is not what it should be.
    """
    workflow, task = model.workflow, model.predictor.task
    if new_labels:
        wider = _wider(task, new_labels)
        return workflow.read_new(configuration, replace(model.predictor, task=wider), stages.listener)
    if not _names_other_columns(configuration, task):
        try:
            return workflow.read_new(configuration, model.predictor, stages.listener)
        except InputError as error:
            if not task.has_labels:
                raise
            refused = error
    else:
        refused = None
    try:
        found = workflow.read(configuration, None, stages.listener)
    except InputError as error:
        raise _told(refused or error) from None
    if found.task.is_multilabel != task.is_multilabel or not found.task.has_labels:
        what = "the new data ask another kind of question than the model answers"
        raise refused or InputError(what, got=found.task.kind, wanted=task.kind)
    wider = _wider(task, [label for label in found.task.labels if label not in task.labels])
    return replace(found, examples=_translated(found.examples, found.task, wider), task=wider)


def _told(error: InputError) -> InputError:
    advice = error.advice
    if error.got is not None and "not trained on" in error.what:
        advice = f"If it is a new label that the model is to learn, add --new-labels {error.got!r}."
    return type(error)(error.what, where=error.where, got=error.got, wanted=error.wanted, advice=advice)


def _names_other_columns(configuration: Configuration, task: Task) -> bool:
    """Tell whether a model of several labels is to learn columns that it does not know."""
    named = getattr(configuration.data, "target_column", ())
    if not task.is_multilabel or isinstance(named, str) or not named:
        return False
    return not set(named) <= set(task.labels)


def _wider(task: Task, labels: Sequence[str]) -> Task:
    """Put new labels behind those of a task; two that become more are no longer a yes or no."""
    if not labels:
        return task
    if not task.has_labels:
        what = "a model of values cannot learn to predict further ones"
        raise InputError(what, got=", ".join(labels), wanted=", ".join(task.labels[:10]), advice="Train anew.")
    known = [label for label in labels if label in task.labels]
    if known:
        what = "this label is not new"
        raise InputError(what, where="--new-labels", got=", ".join(known))
    every = (*task.labels, *labels)
    return Task(task.kind, every) if task.is_multilabel else Task.from_labels(every)


def _translated(examples: Examples[Any], own: Task, wider: Task) -> Examples[Any]:
    """Write the labels of examples as a task with more labels numbers them; what nothing is said of is unknown."""
    places = np.array([wider.labels.index(label) for label in own.labels])
    if not own.is_multilabel:
        return replace(examples, targets=np.where(examples.targets >= 0, places[examples.targets], -1))
    targets = np.full((len(examples), wider.outputs), -1, dtype=examples.targets.dtype)
    targets[:, places] = examples.targets
    return replace(examples, targets=targets)


def arrived(model: Model, configuration: Configuration, labelled: Labelled[Any], stages: Stages) -> Audited:
    """Divide new examples, and put those that the model has met before into the part in which they were."""
    audited = audit(model.application, configuration, stages=stages, labelled=labelled)
    path = model.path / MEMBERS
    if not path.exists():
        text = f"The bundle has no {MEMBERS}, so nobody can tell which of the new examples it has seen."
        return replace(audited, findings=[*audited.findings, Finding("met before", 0, "warning", text)])
    known = dict(pl.read_parquet(path).select("input_hash", "part").iter_rows())
    hashes = input_hashes(audited.identities).to_list()
    before = [known.get(name, "") if text else "" for name, text in zip(hashes, audited.identities, strict=True)]
    met = sum(bool(part) for part in before)
    if not met:
        return audited
    names = audited.partition.names(len(hashes)).tolist()
    parts = np.array([part or now for part, now in zip(before, names, strict=True)], dtype=object)
    partition = _partition(parts, audited.partition)
    text = f"{met:,} of {len(hashes):,} new examples were there before; each stays in the part in which it was."
    finding = Finding("met before", met, "info", text)
    return replace(audited, partition=partition, findings=[*audited.findings, finding])


def _partition(parts: np.ndarray[Any, Any], like: Partition) -> Partition:
    train, validation, test = (np.flatnonzero(parts == name) for name in PARTS)
    empty = [name for name, rows in zip(PARTS, (train, validation, test), strict=True) if not len(rows)]
    if empty:
        what = f"of the new examples none is left to {' or '.join(empty)} on"
        advice = "All others were there before. Name data with new examples."
        raise InputError(what, advice=advice)
    return replace(like, train=train, validation=validation, test=test)


def read_again(model: Model, settings: Sequence[Mapping[str, Any]], task: Task, stages: Stages) -> Audited:
    """Read what a model has learned step by step once more, each example in the part in which it was.

    Parameters
    ----------
    settings
        By which the input of each step was named.
    task
        Whose labels number the targets.

    Raises
    ------
    InputError
        If a file is not there any more, or an example is not found again.
    """
    known = pl.read_parquet(model.path / MEMBERS)
    parts = dict(zip(zip(known["id"], known["input_hash"], strict=True), known["part"], strict=True))
    whole: Audited | None = None
    for words in settings:
        configuration = configured(model, words)
        labelled = read_labelled(model, configuration, stages)
        if labelled.task.outputs > model.predictor.task.outputs:
            what = "a file that the model was trained with has other labels now"
            raise InputError(what, got=", ".join(labelled.task.labels), wanted=", ".join(model.predictor.task.labels))
        found = audit(model.application, configuration, stages=stages, labelled=labelled)
        keys = zip(found.labelled.examples.ids.astype(str), input_hashes(found.identities), strict=True)
        own = np.array([parts.get(key, "") for key in keys], dtype=object)
        found = replace(found, partition=_partition(own, found.partition))
        whole = found if whole is None else together(model, configuration, (whole, found), task, stages)
    assert whole is not None
    count = sum(whole.partition.sizes.values())
    if count < (known["part"] != "").sum():
        what = "some of the examples that the model was trained with are not found any more"
        raise InputError(what, got=f"{count:,}", wanted=f"{len(known):,}")
    return whole


def together(
    model: Model, configuration: Configuration, both: tuple[Audited, Audited], task: Task, stages: Stages
) -> Audited:
    """Put old and new examples together, each in its part, and look through them as one set."""
    old, new = both
    examples = joined(old.labelled.examples, new.labelled.examples, task)
    partition = _joined_partition(old, new)
    fingerprints = np.concatenate([old.fingerprints, new.fingerprints])
    labelled = Labelled(examples, task)
    workflow = model.workflow
    with stages("audit"):
        kinship = workflow.kinship(examples, partition, stages.listener)
        findings = [
            *audit_examples(examples, task, fingerprints, what=workflow.input_name),
            *audit_sizes(partition),
            *audit_partition(fingerprints, partition, what=workflow.input_name),
            *([kinship.finding] if kinship else []),
            *workflow.audit(labelled, configuration, partition, stages.listener),
        ]
    identities = np.concatenate([old.identities, new.identities])
    return Audited(labelled, partition, fingerprints, identities, findings, kinship)


def joined(old: Examples[Any], new: Examples[Any], task: Task) -> Examples[Any]:
    """Put new examples behind old ones, with what is known of both; groups of different files are different."""
    wide = np.empty((0, task.outputs)) if new.targets.ndim > 1 else new.targets
    names = [name for name in old.groups if name in new.groups]
    return Examples(
        ids=np.concatenate([old.ids, new.ids]),
        inputs=type(old.inputs).concatenate([old.inputs, new.inputs]),
        targets=np.concatenate([widened(old.targets, wide), widened(new.targets, wide)]),
        groups={
            name: np.concatenate([old.groups[name], new.groups[name] + old.groups[name].max(initial=-1) + 1])
            for name in names
        },
        covariates={
            name: np.concatenate([column, new.covariates[name]])
            for name, column in old.covariates.items()
            if name in new.covariates
        },
    )


def _joined_partition(old: Audited, new: Audited) -> Partition:
    moved = len(old.labelled.examples)
    train, validation, test = (
        np.concatenate([old.partition.part(name), new.partition.part(name) + moved]) for name in PARTS
    )
    units = np.concatenate([old.partition.units, new.partition.units + old.partition.units.max(initial=-1) + 1])
    return Partition(train, validation, test, policy=new.partition.policy, units=units)
