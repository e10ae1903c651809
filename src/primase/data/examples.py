"""Examples: what a model learns from, aligned by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from jaxtyping import Bool, Integer, Shaped

Indices = Integer[np.ndarray, "selected"]


class Inputs(Protocol):
    """What an application feeds its network before encoding: a column of any kind that can be indexed by position."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def take(self, indices: Indices) -> Self:
        """Return the inputs at these positions, in this order."""
        ...

    @classmethod
    def concatenate(cls, blocks: Sequence[Self]) -> Self:
        """Join blocks of inputs, in this order."""
        ...


InputsT = TypeVar("InputsT", bound=Inputs)


@dataclass(frozen=True, slots=True, eq=False)
class Examples(Generic[InputsT]):
    """Ids, inputs and targets of some examples, with what else is known of each.

    Parameters
    ----------
    ids
        A name per example, dtype object.
    inputs
        What the network will see, before encoding.
    targets
        The index of the label of each example, -1 where it is not known; of several labels, 0, 1 or -1 for each; of
        values to predict, a number for each, NaN where it is not known.
    groups
        Per name, the units that a split must not tear apart (a homology cluster, a patient), as integers.
    parts
        ``"train"``, ``"validation"`` or ``"test"`` where the user has said so, else an empty string; None if nowhere.
    covariates
        Other columns that came with the examples, by name.
    """

    ids: Shaped[np.ndarray, "examples"]
    inputs: InputsT
    targets: Shaped[np.ndarray, "examples *labels"]
    groups: Mapping[str, Integer[np.ndarray, "examples"]] = field(default_factory=dict)
    parts: Shaped[np.ndarray, "examples"] | None = None
    covariates: Mapping[str, Shaped[np.ndarray, "examples"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns: dict[str, Any] = {"inputs": self.inputs, "targets": self.targets, **self.groups, **self.covariates}
        if self.parts is not None:
            columns["parts"] = self.parts
        for name, column in columns.items():
            if len(column) != len(self.ids):
                message = f"{name} has {len(column)} rows beside {len(self.ids)} ids"
                raise ValueError(message)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.ids)

    def take(self, indices: Indices) -> Examples[InputsT]:
        """Return the examples at these positions, in this order."""
        return Examples(
            ids=self.ids[indices],
            inputs=self.inputs.take(indices),
            targets=_rows(self.targets, indices),
            groups={name: group[indices] for name, group in self.groups.items()},
            parts=None if self.parts is None else self.parts[indices],
            covariates={name: column[indices] for name, column in self.covariates.items()},
        )

    def with_group(self, name: str, group: Integer[np.ndarray, "examples"]) -> Examples[InputsT]:
        """Return the same examples with one more group key."""
        return replace(self, groups={**self.groups, name: group})


def _rows(values: Shaped[np.ndarray, "examples *more"], indices: Indices) -> Shaped[np.ndarray, "selected *more"]:
    """Return some rows; those in a run are not copied, so that what is memory-mapped stays on disk."""
    if len(indices) and indices[-1] - indices[0] + 1 == len(indices) and np.all(np.diff(indices) == 1):
        return np.asarray(values[indices[0] : indices[-1] + 1])
    return np.asarray(values[indices])


def are_known(targets: Shaped[np.ndarray, "examples *labels"]) -> Bool[np.ndarray, "examples *labels"]:
    """Tell which targets are known: labels that are not below zero, values that are numbers."""
    known: Bool[np.ndarray, "examples *labels"] = (
        ~np.isnan(targets) if np.issubdtype(targets.dtype, np.floating) else targets >= 0
    )
    return known


def evenly_spread(count: int, most: int) -> Indices:
    """Choose so many of the first ``count`` positions at most, from the first to the last.

    Examples
    --------
    >>> evenly_spread(10, 4).tolist(), evenly_spread(3, 4).tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return np.linspace(0, count - 1, most).round().astype(np.int64) if count > most else np.arange(count)
