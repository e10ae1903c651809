"""Teach a trained model new data or new labels, and tell what it forgets meanwhile: section 4.6 of the review."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final, get_args

import polars as pl

from primase.apps.contract import Configuration
from primase.data.audit import Finding
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Listener, Notice, Severity, Stages, silent
from primase.models import ANCESTORS, Model, load
from primase.nn.threads import cpu_threads
from primase.pipeline import Run, conclude
from primase.predictor.workspace import fresh_folder, refuse_occupied
from primase.remaking.accumulating import REMEDIES, arrived, configured, read_again, read_labelled, together
from primase.remaking.learning_on import CEILING, Situation, first_memory, learn_on, made, rivals_of
from primase.remaking.reopening import reopen
from primase.remedies.continual.learning import STRENGTH, Method
from primase.remedies.continual.memory import Memory, read_memory, write_memory
from primase.remedies.continual.nearest_means import is_only_by_means
from primase.report.records import MEMBERS
from primase.steps.preparing import Audited, Prepared, prepare
from primase.training.remedies import TrainingRemedies


@final
@dataclass(frozen=True, slots=True)
class Extension:
    """How a model is extended.

    Parameters
    ----------
    method
        See :func:`primase.remedies.continual.learning.learn`.
    exemplars
        How many training examples of each label are kept, by herding.
    strength
        How much the penalty of elastic weight consolidation counts.
    compare
        Whether the floor and the ceiling are measured, too: the new data alone, and all data.
    new_labels
        Labels that the model is to learn; where there are none, they are found in the data.
    """

    method: Method = "ewc"
    exemplars: int = 20
    strength: float = STRENGTH
    compare: bool = False
    new_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ConfigurationError
            If there is no such method, there are no exemplars, or the penalty is negative.
        """
        if self.method not in get_args(Method):
            what = "there is no such method"
            raise ConfigurationError(what, where="--method", got=self.method, wanted=", ".join(get_args(Method)))
        if self.exemplars < 1:
            what = "a label needs at least one exemplar"
            raise ConfigurationError(what, where="--exemplars", got=str(self.exemplars), wanted="a number from 1")
        if self.strength < 0:
            what = "a penalty cannot be negative"
            raise ConfigurationError(what, where="--strength", got=str(self.strength), wanted="a number from 0")


def extend(
    path: Path | str,
    out: Path | str,
    *,
    extension: Extension | None = None,
    listener: Listener = silent,
    **settings: Any,
) -> Run:
    """Teach a trained model new examples, and perhaps new labels, and write what it has become as another model.

    Parameters
    ----------
    path
        The bundle of the model.
    out
        The bundle to write.
    settings
        The new data, by the words of the application, such as ``table="new.csv"``; and how to learn, such as
        ``epochs=5``.

    Raises
    ------
    InputError
        If the model cannot be extended, or the input is not what it should be; nothing is left behind.
    """
    chosen, bundle, target = extension or Extension(), Path(path), Path(out)
    refuse_occupied(target)
    model = load(bundle)
    _refuse(model)
    stages = Stages(listener)
    configuration = configured(model, settings)
    with cpu_threads(configuration.training.cpu_threads), tempfile.TemporaryDirectory() as scratch:
        labelled = read_labelled(model, configuration, stages, chosen.new_labels)
        audited = _with_findings(model, arrived(model, configuration, labelled, stages))
        memory, old = _memory(model, audited.labelled.task, chosen, stages)
        new, everything = _prepared(model, configuration, audited, old, stages)
        situation = Situation(
            model, memory, new, everything, chosen.exemplars, chosen.strength, Path(scratch), listener
        )
        with stages("train"):
            members, grown = learn_on(situation, chosen.method)
            rivals = rivals_of(situation, chosen.method) if chosen.compare else []
        with fresh_folder(target) as folder:
            told = made(situation, chosen.method, grown, rivals, target)
            metrics = conclude(everything or new, members, folder, out=target, stages=stages, made=told)
            write_memory(folder, grown)
            if everything is None:
                _keep_members(bundle, folder)
            if (bundle / ANCESTORS).exists():
                # What those before it were trained on, it has learned from, too.
                shutil.copyfile(bundle / ANCESTORS, folder / ANCESTORS)
    return Run(target, metrics)


def remember(path: Path | str, *, exemplars: int = 20, listener: Listener = silent) -> None:
    """Keep with a trained model what extending it needs, so that it can be extended where its data are not at hand.

    The bundle gets two more files; see :mod:`primase.remedies.continual.memory`.

    Raises
    ------
    InputError
        If the model cannot be extended, or the data that it was trained on are not there any more.
    """
    bundle = Path(path)
    model = load(bundle)
    _refuse(model)
    if read_memory(bundle) is not None:
        what = "the model remembers already"
        raise InputError(what, where=str(bundle))
    stages = Stages(listener)
    with cpu_threads(model.configuration.training.cpu_threads):
        memory, _ = _memory(model, model.predictor.task, Extension(exemplars=exemplars), stages)
        write_memory(bundle, memory)


def _refuse(model: Model) -> None:
    """Refuse what cannot be extended: what is no label or value of single examples, and what was compressed."""
    kind, name = model.predictor.task.kind, model.application.name
    what = ""
    if kind in {"image", "generative"}:
        what = "what answers with images, or makes its input again, cannot be extended"
    elif "rank" in model.application.verbs:
        what = "the examples of this application are pairs within one network of proteins: new ones change all others"
    if what:
        advice = "Train anew with all data."
        raise ConfigurationError(what, where=f"extend {model.path}", got=name, advice=advice)
    if not all(is_only_by_means(member) for member in model.predictor.members):
        what = "a compressed model cannot be extended"
        advice = "Extend the model that it was made of, and compress the result."
        raise ConfigurationError(what, where=f"extend {model.path}", advice=advice)


def _with_findings(model: Model, audited: Audited) -> Audited:
    """Say which labels are new, and what the encoder, which stays as it is, does not know of the new inputs."""
    findings = list(audited.findings)
    before, after = model.predictor.task.labels, audited.labelled.task.labels
    if len(after) > len(before):
        text = f"The model learns {len(after) - len(before)} new labels: {', '.join(after[len(before) :])}."
        findings.append(Finding("new labels", len(after) - len(before), "info", text))
    given, usual = TrainingRemedies.among(model.configuration.remedies.model_dump()), TrainingRemedies()
    without = sorted(name for name in REMEDIES if getattr(given, name) != getattr(usual, name))
    if without:
        text = f"The model was trained with {', '.join(without)}; what is new it learns without."
        findings.append(Finding("remedies left out", len(without), "info", text))
    known = getattr(model.predictor.encoder, "known", None)
    if known is not None:
        inputs = audited.labelled.examples.inputs
        count = int((~known(inputs)).sum())
        text = (
            f"{count:,} of {len(inputs):,} new examples ({count / max(len(inputs), 1):.0%}) have nothing by name that "
            "the first training knew: what the model reads stays as it was then. Where that are many, train anew."
        )
        severity: Severity = "warning" if count > len(inputs) / 5 else "info"
        findings.append(Finding("unknown to the encoder", count, severity, text))
    return replace(audited, findings=findings)


def _memory(model: Model, task: Task, extension: Extension, stages: Stages) -> tuple[Memory, Audited | None]:
    """Read what a model remembers, or gather it; and its old data, where they are at hand."""
    memory = read_memory(model.path)
    old = _old_data(model, memory, task, stages, needed=memory is None or extension.method == CEILING)
    if memory is None:
        assert old is not None
        own = prepare(model.application, model.configuration, old, stages=stages, encoder=model.predictor.encoder)
        with stages("remember"):
            memory = first_memory(model, own, extension.exemplars, stages.listener)
    return memory, old


def _old_data(model: Model, memory: Memory | None, task: Task, stages: Stages, *, needed: bool) -> Audited | None:
    """Read what the model was trained with again; None where that cannot be, and is not needed."""
    try:
        if memory is None:
            return reopen(model.path, stages=stages).prepared.audited
        return read_again(model, [step.settings for step in memory.steps], task, stages)
    except InputError as error:
        if needed:
            what = f"the data that the model was trained with cannot be read again: {error.what}"
            advice = "This needs them once. `primase extend DIR --remember` keeps what later extensions need."
            raise InputError(what, where=error.where, got=error.got, wanted=error.wanted, advice=advice) from None
        text = "The old data are not at hand: calibration and the test are those of the new data alone."
        stages.listener(Notice(text, "warning"))
        return None


def _prepared(
    model: Model, configuration: Configuration, audited: Audited, old: Audited | None, stages: Stages
) -> tuple[Prepared, Prepared | None]:
    """Divide the new examples, and all of them where the old ones are at hand, as the encoder reads them."""
    encoder, task = model.predictor.encoder, audited.labelled.task
    new = prepare(model.application, configuration, audited, stages=stages, encoder=encoder)
    if old is None:
        return new, None
    both = together(model, configuration, (old, audited), task, stages)
    kept = {"met before", "new labels", "remedies left out", "unknown to the encoder"}
    told = [finding for finding in audited.findings if finding.finding in kept]
    both = replace(both, findings=[*both.findings, *told])
    return new, prepare(model.application, configuration, both, stages=stages, encoder=encoder)


def _keep_members(parent: Path, folder: Path) -> None:
    """List what the model has learned before beside what is new, so that it is noticed again."""
    if (parent / MEMBERS).exists():
        both = pl.concat([pl.read_parquet(folder / MEMBERS), pl.read_parquet(parent / MEMBERS)], how="vertical_relaxed")
        both.unique(["id", "input_hash"], keep="first", maintain_order=True).write_parquet(folder / MEMBERS)
