"""Open a trained model together with the data that it was trained on, to make another model of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from primase.configuration import configure, options, settings_of
from primase.data.splits import PARTS
from primase.errors import BundleError, InputError
from primase.events import Stages
from primase.models import Model, load
from primase.predictor.bundle import FACTS, read_facts
from primase.remaking.accumulating import read_again
from primase.remedies.continual.memory import read_memory
from primase.steps.preparing import Audited, Prepared, audit, prepare
from primase.steps.writing import data_digests

LEARNED: Final = "learned.json"
"""By which words the data of each step are read, beside a model that was made of one that had learned in steps."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Reopened:
    """A trained model, and its examples divided as they were, read by the encoder of the model.

    Parameters
    ----------
    model
        As its bundle has it.
    prepared
        Its examples; their encoder is that of the model.
    learned
        If it learned in steps, the words by which the data of each are read; else nothing.
    """

    model: Model
    prepared: Prepared
    learned: Sequence[Mapping[str, Any]] = ()


def refuse_gone(model: Model, settings: Mapping[str, Any], otherwise: str = "") -> None:
    """Say which file is to be named where one has gone since the model was trained.

    Parameters
    ----------
    settings
        What was named.
    otherwise
        What else could be done, for the advice.

    Raises
    ------
    InputError
        If a file of the data is not there and was not named.
    """
    known = options(type(model.configuration))
    for name, value in settings_of(model.configuration.data).items():
        if isinstance(value, Path) and name not in settings and not value.exists():
            what = "the data that the model was trained on are no longer there"
            advice = f"Say where they are now, by {known[name].flag} FILE{otherwise and f', {otherwise}'}."
            raise InputError(what, where=str(value), advice=advice)


def reopen(path: Path, *, stages: Stages, settings: Mapping[str, Any] | None = None) -> Reopened:
    """Load a model, and read and divide again what it was trained on.

    Parameters
    ----------
    path
        The bundle.
    settings
        Put in the place of those that it was trained with, such as files that have moved.

    Raises
    ------
    BundleError
        If the folder is no bundle.
    InputError
        If the examples of a part are not those that the model was trained with.
    """
    model = load(path)
    refuse_gone(model, settings or {})
    configuration = configure(model.application.configuration, {**settings_of(model.configuration), **(settings or {})})
    learned = _learned(path)
    if learned:
        audited = _of_all_steps(model, learned, settings or {}, stages)
    else:
        audited = audit(model.application, configuration, stages=stages)
    known = read_facts(path).get("data", {})
    found = data_digests(audited)
    other = [part for part in PARTS if known.get(part) != found[part]]
    if other:
        what = f"the examples to {' and '.join(other)} on are not those that the model was trained with"
        advice = "Name the same files, with the settings of the split that config.toml in the bundle has."
        if learned:
            advice = (
                "It was extended where the old data were not at hand, or they have changed since. Extend it again "
                "where they are as they were, or make another model of the one that was extended."
            )
        raise InputError(what, where=str(path / FACTS), advice=advice)
    prepared = prepare(model.application, configuration, audited, stages=stages, encoder=model.predictor.encoder)
    return Reopened(model, prepared, learned)


def keep_learned(reopened: Reopened, folder: Path) -> None:
    """Write beside a model that is made of another how the data of that one are read, if it learned in steps."""
    if reopened.learned:
        (folder / LEARNED).write_text(json.dumps([dict(words) for words in reopened.learned], indent=1) + "\n")


def _learned(path: Path) -> list[Mapping[str, Any]]:
    """Find by which words the data of each step of a model are read; nothing if it learned in one."""
    memory = read_memory(path)
    if memory is not None:
        return [step.settings for step in memory.steps] if len(memory.steps) > 1 else []
    if not (path / LEARNED).exists():
        return []
    try:
        return [dict(words) for words in json.loads((path / LEARNED).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        what = "the bundle does not say how its data are read"
        raise BundleError(what, where=str(path / LEARNED), got=repr(error)) from None


def _of_all_steps(
    model: Model, learned: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], stages: Stages
) -> Audited:
    """Read the data of all steps again."""
    if settings:
        what = "the data of a model that learned in steps cannot be named anew"
        advice = "Put the files back to where they were, and name none."
        raise InputError(what, where=str(model.path), got=", ".join(settings), advice=advice)
    return read_again(model, learned, model.predictor.task, stages)
