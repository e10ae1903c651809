"""Simulated examples in the training part: what an application's simulator makes, read as the user's own files are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, final
from weakref import finalize

import numpy as np
from jaxtyping import Shaped

from primase.apps.contract import Application, Configuration
from primase.apps.workflow import Labelled, Simulated
from primase.configuration import configure, options, settings_of
from primase.data.audit import Finding, Fingerprints
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.words import INPUT_WORDS
from primase.errors import InputError
from primase.events import Listener
from primase.report.run import Remedy
from primase.report.sections import Callout, Section

PREFIX: Final = "simulated-"
FINDING: Final = "simulated examples in training"
_SEED: Final = 7_368_787
"""Away from the seeds of registered simulated data, whose test examples must not be drawn again."""


@final
class SimulatedFiles:
    """A folder of files that may be read as long as this is kept, and are removed with it."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="primase-simulated-"))
        finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """The user's examples with simulated ones behind them, all of which are in train.

    Parameters
    ----------
    first
        The position of the first simulated example.
    folder
        Where the simulator wrote its files, which may be read as long as this is kept.
    """

    labelled: Labelled[Any]
    partition: Partition
    fingerprints: Fingerprints
    identities: Fingerprints
    finding: Finding
    first: int
    folder: SimulatedFiles

    @property
    def count(self) -> int:
        """The number of simulated examples."""
        return len(self.labelled.examples) - self.first

    def remedy(self) -> Remedy:
        """Say in the report what was done."""
        section = Section("Simulated examples", [Callout("finding", "Part of the training was simulated", self.text)])
        return Remedy("simulated", {"count": self.count, "share_of_train": self.share}, [section])

    @property
    def share(self) -> float:
        """Which share of the training part is simulated."""
        return self.count / len(self.partition.train)

    @property
    def text(self) -> str:
        """Say how many there are, and what that means."""
        return self.finding.text


def with_simulated(
    application: Application,
    labelled: Labelled[Any],
    partition: Partition,
    configuration: Configuration,
    listener: Listener,
) -> Joined:
    """Simulate examples, read them as the user's own are read, and put them into the training part alone.

    Raises
    ------
    InputError
        If they do not fit the user's own: other labels, other genes, another graph.
    """
    workflow, count = application.load(), configuration.training.simulated
    folder = SimulatedFiles()
    made = workflow.simulate(folder.path, count, _SEED + configuration.seed)
    own = _configured(application, configuration, made, folder.path)
    try:
        found = workflow.read(own, labelled.task, listener)
        examples = joined_examples(labelled.examples, found.examples)
    except (InputError, ValueError) as error:
        what = f"what {application.name} simulates does not fit these data, and cannot be added to them"
        advice = "Train without --simulated."
        raise InputError(what, where="--simulated", got=str(error).splitlines()[0], advice=advice) from error
    first = len(labelled.examples)
    behind = np.arange(first, len(examples))
    units = np.concatenate([partition.units, partition.units.max(initial=-1) + 1 + np.arange(len(behind))])
    partition = replace(partition, train=np.concatenate([partition.train, behind]), units=units)
    fingerprints = workflow.fingerprints(examples.inputs)
    identities = workflow.identities(examples.inputs, fingerprints)
    return Joined(
        Labelled(examples, labelled.task, labelled.findings),
        partition,
        fingerprints,
        identities,
        _finding(len(behind), fingerprints, partition, first),
        first,
        folder,
    )


def joined_examples(own: Examples[Any], simulated: Examples[Any]) -> Examples[Any]:
    """Put simulated examples behind others, under ids of their own and in groups of their own.

    Raises
    ------
    ValueError
        If their targets or inputs are of another kind.
    """
    if own.targets.shape[1:] != simulated.targets.shape[1:]:
        message = f"{simulated.targets.shape[1:]} targets each, and not {own.targets.shape[1:]}"
        raise ValueError(message)
    if type(own.inputs) is not type(simulated.inputs):
        message = "the inputs are of another kind"
        raise ValueError(message)
    count = len(simulated)
    return Examples(
        ids=np.concatenate([own.ids, _ids(own.ids, simulated.ids)]),
        inputs=type(own.inputs).concatenate([own.inputs, simulated.inputs]),
        targets=np.concatenate([own.targets, simulated.targets.astype(own.targets.dtype)]),
        groups={
            name: np.concatenate([group, group.max(initial=-1) + 1 + np.arange(count)])
            for name, group in own.groups.items()
        },
        parts=None if own.parts is None else np.concatenate([own.parts, np.full(count, "train", dtype=object)]),
        covariates={name: _with_unknown(column, count) for name, column in own.covariates.items()},
    )


def _ids(own: Shaped[np.ndarray, "examples"], simulated: Shaped[np.ndarray, "made"]) -> Shaped[np.ndarray, "made"]:
    taken, prefix = set(own.astype(str).tolist()), PREFIX
    while any(f"{prefix}{name}" in taken for name in simulated):
        prefix += PREFIX
    return np.array([f"{prefix}{name}" for name in simulated], dtype=object)


def _with_unknown(column: Shaped[np.ndarray, "examples"], count: int) -> Shaped[np.ndarray, "more"]:
    """Lengthen a column by what is not known of simulated examples."""
    if np.issubdtype(column.dtype, np.floating):
        return np.concatenate([column, np.full(count, np.nan, dtype=column.dtype)])
    return np.concatenate([column.astype(object), np.full(count, "", dtype=object)])


def _configured(application: Application, configuration: Configuration, made: Simulated, folder: Path) -> Configuration:
    """Read as the user reads, but for the input and its columns, which the simulator names."""
    known = options(application.configuration)
    columns = {name for name in known if name.endswith(("_column", "_columns"))}
    left = INPUT_WORDS | columns | set(type(configuration.split).model_fields) | {"simulated", "from_model"}
    left |= {"freeze", "lower_rate", "preset"}
    kept = {name: value for name, value in settings_of(configuration).items() if name not in left}
    return configure(application.configuration, {**kept, **_settings(made.inputs, known, folder)})


def _settings(words: Sequence[str], known: Mapping[str, Any], folder: Path) -> dict[str, object]:
    """Read the words that one would give to ``train``; paths are relative to the folder."""
    names = {option.flag: name for name, option in known.items() if option.section == "data"}
    found: dict[str, object] = {}
    for word, value in pairwise(words):
        if word in names:
            name = names[word]
            found[name] = folder / value if "Path" in str(known[name].field.annotation) else value
    return found


def _finding(count: int, fingerprints: Fingerprints, partition: Partition, first: int) -> Finding:
    tested = fingerprints[partition.test].astype(str)
    same = int(((tested != "") & np.isin(tested, fingerprints[first:].astype(str))).sum())
    text = (
        f"{count:,} of {len(partition.train):,} training examples are simulated; validation and test have none. A "
        "network learns from them what the simulator knows, which is right as far as the simulator is."
    )
    if same:
        text += f" {same:,} test examples are equal to a simulated one."
    return Finding(FINDING, count, "warning" if same else "info", text)
