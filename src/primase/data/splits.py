"""Which examples a network learns from, which it is chosen by, and which it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Integer, Shaped
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from primase.data.examples import Indices
from primase.errors import InputError

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
Groups = Integer[np.ndarray, "examples"]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """The positions of the train, validation and test examples, and the policy that chose them.

    Parameters
    ----------
    units
        For every example, the number of the unit that the policy kept together; intervals resample these.
    """

    train: Indices
    validation: Indices
    test: Indices
    policy: str
    units: Groups

    def part(self, name: Part) -> Indices:
        """Return the positions of one part."""
        positions: Indices = getattr(self, name)
        return positions

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples in each part."""
        return {name: len(self.part(name)) for name in PARTS}

    def names(self, count: int) -> Shaped[np.ndarray, "examples"]:
        """Name the part of every one of ``count`` examples; an empty string for those in none."""
        names = np.full(count, "", dtype=object)
        for name in PARTS:
            names[self.part(name)] = name
        return names


@dataclass(frozen=True, slots=True)
class Fractions:
    """The shares of the validation and test parts; the rest is for training."""

    validation: float = 0.1
    test: float = 0.1


def split_units(
    units: Groups, targets: Groups, *, policy: str, seed: int, fractions: Fractions | None = None
) -> Partition:
    """Divide examples at random so that no unit is torn apart and every label is divided in the same shares.

    Units are dealt within strata, by the most frequent label in each. A unit that is larger than the whole share of a
    small part always goes to training.

    Parameters
    ----------
    units
        The unit of each example; ``np.arange(count)`` divides single examples.
    targets
        The label of each example, or any other kind to balance the parts by; it is used for nothing else.

    Raises
    ------
    InputError
        If a part would be empty.
    """
    shares = fractions or Fractions()
    dense = np.unique(units, return_inverse=True)[1]
    sizes = np.bincount(dense)
    strata = _majority(dense, targets)
    part_of_unit = np.zeros(len(sizes), dtype=np.int8)
    generator = np.random.default_rng(seed)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        order = generator.permutation(members)
        total = sizes[members].sum()
        part_of_unit[order] = _deal(sizes[order], shares.validation * total, shares.test * total)
    parts = part_of_unit[dense]
    train, validation, test = (np.flatnonzero(parts == number) for number in range(3))
    return _checked(Partition(train, validation, test, policy=policy, units=dense), needs_test=shares.test > 0)


def split_given(
    parts: Shaped[np.ndarray, "examples"], units: Groups, targets: Groups, *, seed: int, policy: str = "given"
) -> Partition:
    """Divide examples as the user has said; what is missing for validation is taken from train, unit by unit.

    Parameters
    ----------
    parts
        ``"train"``, ``"validation"`` or ``"test"`` for each example.
    policy
        By what the user has said it, such as ``"chromosome"``.
    """
    train, validation, test = (np.flatnonzero(parts == name) for name in PARTS)
    if len(test) == 0:
        what = "the split is given, but no test examples are"
        raise InputError(what, where=f"--split {policy}", advice="Add the --test- words, or choose another --split.")
    dense = np.unique(units, return_inverse=True)[1]
    if policy != "given" and len(np.intersect1d(dense[train], dense[test])):
        what = "what must stay together would be divided"
        advice = "Choose another --split, or leave --group-column out."
        raise InputError(what, where=f"--split {policy}", advice=advice)
    if len(validation) == 0:
        inner = split_units(
            dense[train], targets[train], policy=policy, seed=seed, fractions=Fractions(validation=0.1, test=0.0)
        )
        train, validation = train[inner.train], train[inner.validation]
    return _checked(Partition(train, validation, test, policy=policy, units=dense))


def merge_groups(*groupings: Groups) -> Groups:
    """Join groupings: two examples that share a group in any of them share one in the result."""
    if len(groupings) == 1:
        return groupings[0]
    count = len(groupings[0])
    columns = [np.unique(grouping, return_inverse=True)[1] for grouping in groupings]
    offsets = np.cumsum([0, *(int(column.max(initial=-1)) + 1 for column in columns)])
    rows = np.tile(np.arange(count), len(columns))
    nodes = count + np.concatenate([column + offset for column, offset in zip(columns, offsets, strict=False)])
    total = count + int(offsets[-1])
    graph = sparse.coo_array((np.ones(len(rows), dtype=np.int8), (rows, nodes)), shape=(total, total))
    labels = connected_components(graph, directed=False)[1][:count]
    return np.asarray(np.unique(labels, return_inverse=True)[1])


def group_by_key(keys: Sequence[str] | Shaped[np.ndarray, "examples"]) -> Groups:
    """Give equal keys the same number."""
    return np.asarray(np.unique(np.asarray(keys, dtype=str), return_inverse=True)[1])


def _majority(units: Groups, targets: Groups) -> Groups:
    """Find the most frequent label of each unit."""
    labels = targets - targets.min(initial=0)
    shape = (int(units.max(initial=-1)) + 1, int(labels.max(initial=0)) + 1)
    counts = sparse.coo_array((np.ones(len(units)), (units, labels)), shape=shape).tocsr()
    return np.asarray(counts.argmax(axis=1)).ravel()


def _deal(sizes: Groups, validation: float, test: float) -> Integer[np.ndarray, "units"]:
    """Give shuffled units of one stratum to test and validation until each has its share, the rest to train."""
    parts = np.zeros(len(sizes), dtype=np.int8)
    room = {2: round(test), 1: round(validation)}
    for position, size in enumerate(sizes):
        for part in (2, 1):
            if size <= room[part]:
                parts[position] = part
                room[part] -= size
                break
        if not any(room.values()):
            break
    return parts


def _checked(partition: Partition, *, needs_test: bool = True) -> Partition:
    for name, size in partition.sizes.items():
        if size == 0 and (name != "test" or needs_test):
            what = f"the split leaves no {name} examples"
            got = ", ".join(f"{part} {number}" for part, number in partition.sizes.items())
            raise InputError(what, where=f"--split {partition.policy}", got=got, advice="Give more examples.")
    return partition
