"""One step of a model that learns on: its networks, what they remember, and how good they are on every step so far."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from torch import nn

from primase.apps.contract import Configuration
from primase.configuration import options, settings_of
from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task
from primase.data.words import INPUT_WORDS
from primase.errors import InputError
from primase.events import Listener
from primase.models import Model
from primase.pipeline import Made
from primase.predictor.features import features_before
from primase.remaking.accumulating import configured, input_settings
from primase.remedies.continual.answering import answer_layer, outputs_of
from primase.remedies.continual.fisher import Fisher, add_information, diagonal_fisher
from primase.remedies.continual.herding import choose_exemplars
from primase.remedies.continual.learning import Lesson, Method, Remembering, learn, settle
from primase.remedies.continual.memory import Memory, Step, kept_for_test
from primase.remedies.continual.nearest_means import plain_state
from primase.remedies.continual.rehearsal import Remembered
from primase.remedies.continual.scoring import averaged, chance, figure_name, score
from primase.report.forgetting import Forgetting, Rival, forgetting_section
from primase.report.run import Remedy
from primase.steps.preparing import Prepared
from primase.training.fitted import Fitted

FLOOR: Final[Method] = "naive"
CEILING: Final[Method] = "joint"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What is at hand to learn on.

    Parameters
    ----------
    memory
        What the model remembers.
    new
        The new examples.
    everything
        The old and the new ones, where the old ones could be read.
    exemplars, strength
        How many of a label are kept, and how much the penalty of elastic weight consolidation counts.
    folder
        Keeps checkpoints.
    """

    model: Model
    memory: Memory
    new: Prepared
    everything: Prepared | None
    exemplars: int
    strength: float
    folder: Path
    listener: Listener

    @property
    def task(self) -> Task:
        """The question with what is new."""
        return self.new.task


def first_memory(model: Model, prepared: Prepared, exemplars: int, listener: Listener) -> Memory:
    """Gather what a model that was trained at once needs to learn on."""
    train, task, seed = prepared.learned_from("train", listener), model.predictor.task, model.configuration.seed
    test = kept_for_test(prepared.learned_from("test", listener), seed)
    networks = _plain(model)
    found = score(task, averaged(model.predictor.members, test, task), test.targets)
    step = Step(
        name=_name(model.configuration),
        method="train",
        labels=_labels_in(train, task),
        examples=len(train),
        settings=input_settings(model.configuration),
        figures=(found,),
        own_figures=(found,),
        chance=chance(task, task.labels),
    )
    information = tuple(
        diagonal_fisher(network, train.inputs, task.kind, seed=seed, listener=listener) for network in networks
    )
    return Memory((step,), (test,), _exemplars(networks[0], train, task, exemplars), information)


def learn_on(situation: Situation, method: Method) -> tuple[list[Fitted], Memory]:
    """Learn with every network of a model.

    Returns
    -------
    list of Fitted
        As they answer in the end.
    Memory
        With what was learned.
    """
    task, memory, listener = situation.task, situation.memory, situation.listener
    train = situation.new.learned_from("train", listener)
    fitted, information = _fitted(situation, method, train)
    exemplars = memory.exemplars.joined(_exemplars(fitted[0].network, train, task, situation.exemplars))
    members = [replace(one, network=settle(one.network, method, exemplars, task)) for one in fitted]
    seed = situation.new.configuration.seed
    tests = (*memory.tests, kept_for_test(situation.new.learned_from("test", listener), seed))
    networks = [one.network for one in members]
    own = _labels_in(train, task)
    labels = [*(step.labels for step in memory.steps), own]
    before = None
    if task.labels == situation.model.predictor.task.labels:
        before = score(task, averaged(situation.model.predictor.members, tests[-1], task), tests[-1].targets)
    step = Step(
        name=_name(situation.new.configuration),
        method=method,
        labels=own,
        examples=len(train),
        settings=input_settings(situation.new.configuration),
        figures=_figures(networks, tests, task),
        own_figures=_figures(networks, tests, task, labels),
        before=before,
        chance=chance(task, own),
    )
    return members, Memory((*memory.steps, step), tests, exemplars, information)


def rivals_of(situation: Situation, method: Method) -> list[Rival]:
    """Measure the floor and, where the old data are at hand, the ceiling on every step: what stands beside a method."""
    chosen = [FLOOR, *([CEILING] if situation.everything is not None else [])]
    rivals = []
    for rival in chosen:
        if rival != method:
            _, memory = learn_on(situation, rival)
            rivals.append(Rival(rival, memory.steps[-1].figures, memory.steps[-1].own_figures))
    return rivals


def made(situation: Situation, method: Method, memory: Memory, rivals: Sequence[Rival], out: Path) -> Made:
    """Tell how a model was extended, and what it forgot."""
    told = Forgetting(memory.steps, figure_name(situation.task), tuple(rivals), situation.everything is not None)
    kept = {"exemplars": len(memory.exemplars), "tests": sum(map(len, memory.tests))}
    steps = [{name: value for name, value in asdict(step).items() if name != "settings"} for step in memory.steps]
    state = {
        "method": method,
        "metric": told.metric,
        "steps": steps,
        "transfer": told.transfer.to_state(),
        "own_transfer": told.own_transfer.to_state(),
        "beside": {rival.name: {"figures": rival.figures, "own_figures": rival.own_figures} for rival in rivals},
        "kept": kept,
    }
    words = f"{_words(situation)} --method {method} --exemplars {situation.exemplars}"
    if method == "ewc":
        words += f" --strength {situation.strength:g}"
    command = f"primase extend {shlex.quote(str(situation.model.path))} {words}"
    remedy = Remedy("forgetting", state, [forgetting_section(told, kept)])
    return Made(f"{command} --out {shlex.quote(out.name)}", lambda _predictor: remedy)


def _fitted(situation: Situation, method: Method, train: SupervisedBatches) -> tuple[list[Fitted], tuple[Fisher, ...]]:
    """Learn with every network, which answers through its last layer yet; measure what matters to each."""
    memory, seed = situation.memory, situation.new.configuration.seed
    before = sum(step.examples for step in memory.steps)
    fitted, information = [], []
    lessons = _lessons(situation, method, train)
    for number, (lesson, known) in enumerate(zip(lessons, memory.information, strict=True)):
        one = learn(
            lesson,
            method,
            Remembering(memory.exemplars, known, situation.strength, before),
            seed=seed + 10_000 * number,
            folder=situation.folder / f"{method}-{number + 1}",
            listener=situation.listener,
        )
        fitted.append(one)
        source = train if lesson.everything is None else lesson.everything[0]
        found = diagonal_fisher(one.network, source.inputs, situation.task.kind, seed=seed, listener=situation.listener)
        # Of all examples, if those were learned from; else the mean over the old and the new ones.
        share = before / (before + len(train)) if lesson.everything is None else 0.0
        information.append(add_information(_times(known, share), _times(found, 1 - share)))
    return fitted, tuple(information)


def _lessons(situation: Situation, method: Method, train: SupervisedBatches) -> list[Lesson]:
    model, new, everything = situation.model, situation.new, situation.everything
    workflow, encoder = model.workflow, model.predictor.encoder
    source = everything if method == CEILING and everything is not None else new
    whole = None
    if source is not new:
        whole = (source.learned_from("train", situation.listener), source.learned_from("validation"))
    validation = new.learned_from("validation", situation.listener)

    def build(own: Configuration, task: Task) -> nn.Module:
        return workflow.network(encoder, task, own)

    configurations = workflow.member_configurations(new.configuration)
    return [
        Lesson(
            build=partial(build, own),
            before=model.predictor.task,
            after=situation.task,
            learned=network.state_dict(),
            options=workflow.fit_options(encoder, situation.task, source.parts["train"], own),
            configuration=own.training,
            train=train,
            validation=validation,
            everything=whole,
        )
        for own, network in zip(configurations, _plain(model), strict=True)
    ]


def _plain(model: Model) -> list[nn.Module]:
    """Build the networks of a model as they answer through their last layer."""
    predictor, networks = model.predictor, []
    configurations = model.workflow.member_configurations(model.configuration)
    for own, member in zip(configurations, predictor.members, strict=True):
        network = model.workflow.network(predictor.encoder, predictor.task, own)
        network.load_state_dict(plain_state(member))
        networks.append(network.eval())
    return networks


def _exemplars(network: nn.Module, train: SupervisedBatches, task: Task, count: int) -> Remembered:
    """Choose exemplars by the features of a network; by its answers, where no dense layer gives them."""
    try:
        features = features_before(network, answer_layer(network, task.outputs), train.inputs)
    except InputError:
        features = outputs_of(network, train.inputs)
    return Remembered.of(train, choose_exemplars(features, train.targets.numpy(), task, count))


def _figures(
    networks: Sequence[nn.Module],
    tests: Sequence[Remembered],
    task: Task,
    labels: Sequence[Sequence[str] | None] | None = None,
) -> tuple[float | None, ...]:
    """Measure the test of every step, with all labels to choose from or those of the step alone."""
    chosen = labels or [None] * len(tests)
    return tuple(
        score(task, averaged(networks, test, task), test.targets, own) for test, own in zip(tests, chosen, strict=True)
    )


def _labels_in(train: SupervisedBatches, task: Task) -> tuple[str, ...]:
    """List the answers that training examples have; of values and several labels those that are known of any."""
    targets = train.targets
    if targets.dim() == 1:
        there = set(targets.tolist())
        return tuple(label for number, label in enumerate(task.labels) if number in there)
    known = ~targets.isnan() if targets.is_floating_point() else targets >= 0
    return tuple(label for label, some in zip(task.labels, known.any(dim=0).tolist(), strict=True) if some)


def _times(information: Fisher, share: float) -> Fisher:
    return {name: value * share for name, value in information.items()}


def _inputs(configuration: Configuration) -> dict[str, Any]:
    known = settings_of(configuration.data)
    return {name: value for name, value in known.items() if name in INPUT_WORDS and value is not None}


def _name(configuration: Configuration) -> str:
    """Name what was learned by the first file or data set that was named."""
    values: Mapping[str, Any] = _inputs(configuration)
    first = next(iter(values.values()), "data")
    return first.name if isinstance(first, Path) else str(first)


def _words(situation: Situation) -> str:
    """Write what is not as in the model that is extended as options of the command line."""
    configuration, words = situation.new.configuration, []
    known, usual = options(type(configuration)), settings_of(configured(situation.model, {}))
    for name, value in settings_of(configuration).items():
        if value == usual[name]:
            continue
        flag = known[name].flag
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"{flag} {shlex.quote(text)}")
    return " ".join(words)
