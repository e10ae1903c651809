"""Open a trained model together with the data that it was trained on, to make another model of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from primase.configuration import configure, settings_of
from primase.data.splits import PARTS
from primase.errors import InputError
from primase.events import Stages
from primase.models import Model, load
from primase.pipeline import Prepared, audit, data_digests, prepare
from primase.predictor.bundle import FACTS, read_facts


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
    """

    model: Model
    prepared: Prepared


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
    configuration = configure(model.application.configuration, {**settings_of(model.configuration), **(settings or {})})
    audited = audit(model.application, configuration, stages=stages)
    known = read_facts(path).get("data", {})
    found = data_digests(audited)
    other = [part for part in PARTS if known.get(part) != found[part]]
    if other:
        what = f"the examples to {' and '.join(other)} on are not those that the model was trained with"
        advice = "Name the same files, with the settings of the split that config.toml in the bundle has."
        raise InputError(what, where=str(path / FACTS), advice=advice)
    prepared = prepare(model.application, configuration, audited, stages=stages, encoder=model.predictor.encoder)
    return Reopened(model, prepared)
