"""Make a smaller model of a trained one: reopen its data, compress each network, and conclude as training does."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from torch import Tensor, nn

from primase.apps.contract import Configuration
from primase.configuration import configure, options, settings_of, shrunk, to_toml
from primase.data.encoding import SupervisedBatches
from primase.data.examples import Examples
from primase.data.splits import PARTS
from primase.errors import BundleError, ConfigurationError
from primase.evaluation.assessment import assess
from primase.events import Listener, Stages, silent
from primase.models import ANCESTORS, Model, load
from primase.nn.structure import rebuild, structure_of
from primase.nn.threads import cpu_threads
from primase.pipeline import Made, Run, conclude
from primase.predictor.bundle import bundle_digest
from primase.predictor.predictor import Predictor
from primase.predictor.workspace import refuse_occupied, run_folder
from primase.remaking.reopening import Reopened, keep_learned, refuse_gone, reopen
from primase.remedies.compression.measuring import agreement, latency, size_of
from primase.remedies.compression.methods import Plan, Work, make_smaller
from primase.remedies.compression.settings import EPOCHS, METHODS, CompressionSettings
from primase.remedies.compression.tuning import Tuner, fine_tuning
from primase.report.compression import PARENT, Effects, effects_remedy
from primase.report.records import METRICS
from primase.report.run import Remedy
from primase.steps.fitting import options_of
from primase.training.fitted import Fitted
from primase.training.modules import VALIDATION_LOSS

BATCH: Final = 256
"""Examples of the batch that is timed."""
FEW: Final = 8
"""Examples by which the channels of a network are followed."""
CHANGEABLE: Final = "members"


def compress(
    path: Path | str,
    *,
    out: Path | str,
    change: Mapping[str, Any] | None = None,
    resume: bool = False,
    listener: Listener = silent,
    **settings: Any,
) -> Run:
    """Make a smaller model of a trained one, as ``primase compress DIR`` does.

    Parameters
    ----------
    path
        The bundle of the trained model.
    out
        The folder of the bundle to write.
    change
        Settings of the smaller network, for ``method="distil"``, such as ``{"hidden": (32,)}``.
    resume
        Go on with an interrupted compression.
    settings
        Those of :class:`~primase.remedies.compression.settings.CompressionSettings`, such as ``method="prune"`` and
        ``sparsity=0.9``, and where files have moved the words by which they are given to ``train``.

    Raises
    ------
    InputError
        If a setting is wrong, the data are not those of the model, or the method does not suit its network.
    """
    parent, target = Path(path), Path(out)
    refuse_occupied(target)
    own = {name: value for name, value in settings.items() if name in CompressionSettings.model_fields}
    asked = configure_compression(own)
    model = load(parent)
    words = {name: value for name, value in settings.items() if name not in own}
    changed = _changed(model, asked, change or {})
    refuse_gone(model, words)
    described = f"parent = {json.dumps(bundle_digest(parent))}\n" + to_toml(asked) + to_toml(changed)
    stages = Stages(listener)
    with cpu_threads(model.configuration.training.cpu_threads), run_folder(target, described, resume=resume) as folder:
        reopened = reopen(parent, stages=stages, settings=words)
        prepared = replace(reopened.prepared, configuration=_with_data(changed, reopened.prepared.configuration))
        reopened = replace(reopened, prepared=prepared)
        plans = _plans(reopened, asked, folder, listener)
        with stages("compress"):
            batch = _batch(plans[0].tuner.validation, FEW)
            done = make_smaller(Work(asked, model.predictor.members, plans, batch))
        made = Made(
            command=_command(parent, target, asked, change or {}),
            remedy=lambda predictor: _effects(reopened, predictor, asked, done.text, stages),
        )
        metrics = conclude(prepared, done.members, folder / "bundle", out=target, stages=stages, made=made)
        if (parent / ANCESTORS).exists():
            # What those before it were trained on, it has learned from, too.
            shutil.copyfile(parent / ANCESTORS, folder / "bundle" / ANCESTORS)
        keep_learned(reopened, folder / "bundle")
    return Run(target, metrics)


def configure_compression(settings: Mapping[str, Any]) -> CompressionSettings:
    """Check what a compression is told.

    Raises
    ------
    ConfigurationError
        If the method is not known, or a number is none that makes sense.
    """
    if settings.get("method") is None:
        what = "how is the network to be made smaller?"
        raise ConfigurationError(what, where="--method", wanted=", ".join(METHODS))
    return configure(CompressionSettings, settings)


def _plans(reopened: Reopened, settings: CompressionSettings, folder: Path, listener: Listener) -> list[Plan]:
    """Say how each network is made smaller."""
    prepared = reopened.prepared
    workflow, encoder, task, seed = prepared.workflow, prepared.encoder, prepared.task, prepared.configuration.seed
    train, validation = (prepared.learned_from(part, listener) for part in PARTS[:2])

    def plan(number: int, own: Configuration) -> Plan:
        build = partial(workflow.network, encoder, task, own)
        few = settings.epochs or EPOCHS.get(settings.method, 1)
        tuner = Tuner(
            train,
            validation,
            fine_tuning(own.training, epochs=few, learning_rate=settings.learning_rate),
            options_of(prepared, own, train),
            seed + 10_000 * number,
            folder / f"member-{number + 1}",
            listener,
        )
        learned = partial(_learned, reopened.model, number)
        return Plan(build, partial(_copied, build, reopened.model, number), own.training, tuner, learned)

    configurations = workflow.member_configurations(prepared.configuration)
    return [plan(number, own) for number, own in enumerate(configurations)]


def _copied(build: Callable[[], nn.Module], model: Model, number: int) -> nn.Module:
    """Copy a network of a model, so that it learns where one that is trained does."""
    network = model.predictor.members[number]
    again = rebuild(build(), structure_of(network))
    again.load_state_dict(network.state_dict())
    return again


def _learned(model: Model, number: int, network: nn.Module) -> Fitted:
    """Say of a network that is not trained again how the one that it was made of has learned."""
    path = model.path / METRICS
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        history = state["histories"][number]
        best = min(history, key=lambda row: row[VALIDATION_LOSS])
        return Fitted(network.eval(), history, int(best["epoch"]), str(state["precision"]))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        what = "the bundle does not say how its networks have learned"
        raise BundleError(what, where=str(path), got=repr(error)) from None


def _effects(
    reopened: Reopened, predictor: Predictor[Any], settings: CompressionSettings, done: str, stages: Stages
) -> Remedy:
    """Measure what compression did."""
    prepared, parent = reopened.prepared, reopened.model.predictor
    test, listener = prepared.parts["test"], stages.listener
    with stages("compare"):
        outputs = prepared.workflow.outputs(predictor, test, listener)
        rival = _Parent(
            lambda examples: parent.calibrator.answers(prepared.workflow.outputs(parent, examples, listener))
        )
        assessment = assess(
            outputs,
            predictor.calibrator,
            test,
            prepared.task,
            units=prepared.units("test"),
            subsets={},
            rivals=[rival],
            truth=prepared.truth("test"),
        )
        batch = _batch(prepared.learned_from("validation", listener), BATCH)
        effects = Effects(
            parent=str(reopened.model.path),
            settings=settings.model_dump(mode="json", exclude_none=True),
            done=done,
            sizes=(size_of(parent.members, batch), size_of(predictor.members, batch)),
            latency=latency(parent.members, predictor.members, batch),
            evaluation=assessment.evaluation,
            agreement=agreement(prepared.task, assessment.others[PARENT], assessment.after),
        )
    return effects_remedy(effects)


@final
@dataclass(frozen=True, slots=True)
class _Parent:
    """The model that was compressed, as something to be measured against."""

    ask: Callable[[Examples[Any]], np.ndarray[Any, Any]]

    @property
    def name(self) -> str:
        """Return the name that the figures have it by."""
        return PARENT

    @property
    def description(self) -> str:
        """Return a sentence on it."""
        return "The same model before compression."

    def answers(self, examples: Examples[Any]) -> np.ndarray[Any, Any]:
        """Return its answers."""
        return self.ask(examples)


def _batch(batches: SupervisedBatches, count: int) -> dict[str, Tensor]:
    """Cut out the first examples."""
    return batches[np.arange(min(count, len(batches)))][0]


def _changed(model: Model, asked: CompressionSettings, change: Mapping[str, Any]) -> Configuration:
    """Make the settings of the smaller model; only distillation changes any."""
    configuration = model.configuration
    if asked.method != "distil":
        if change:
            what = "only distillation makes a network of other settings"
            raise ConfigurationError(what, where="--set", got=", ".join(change), wanted="--method distil")
        return configuration
    known = options(type(configuration))
    allowed = {name for name, option in known.items() if option.section == "network"} | {CHANGEABLE}
    for name in change:
        if name not in allowed:
            what = "this is no setting of the network"
            raise ConfigurationError(what, where=f"--set {name}", wanted=", ".join(sorted(allowed)))
    smaller = shrunk(configuration.network, asked.shrink)
    if not smaller and not change:
        what = f"the network of {model.application.name} has no widths that could be divided"
        advice = "Say by --set NAME=VALUE which network is to learn, or choose another method."
        raise ConfigurationError(what, where="--shrink", advice=advice)
    # An ensemble becomes one network, unless more are asked for.
    alone = {CHANGEABLE: 1} if len(model.predictor.members) > 1 else {}
    return configure(type(configuration), {**settings_of(configuration), **alone, **smaller, **_typed(change)})


def _typed(change: Mapping[str, Any]) -> dict[str, Any]:
    """Read numbers in words."""
    return {
        name: value.split(",") if isinstance(value, str) and "," in value else value for name, value in change.items()
    }


def _with_data(changed: Configuration, read: Configuration) -> Configuration:
    """Take over from where the data were read."""
    return changed.model_copy(update={"data": read.data, "split": read.split})


def _command(parent: Path, out: Path, settings: CompressionSettings, change: Mapping[str, Any]) -> str:
    """Write what makes the same model again."""
    defaults = CompressionSettings(method=settings.method)
    words = ["primase", "compress", shlex.quote(parent.name), "--method", settings.method]
    for name, value in settings_of(settings).items():
        if value != getattr(defaults, name):
            flag = "--" + name.replace("_", "-")
            words += [flag] if value is True else [flag, str(value)]
    for name, value in change.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
        words += ["--set", shlex.quote(f"{name}={text}")]
    return " ".join([*words, "--out", shlex.quote(out.name)])
