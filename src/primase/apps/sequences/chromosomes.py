"""Whole chromosomes for training, validation and test: those that a user names, and drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.sequences.configuration import SequenceSplit
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.data.splits import Groups, group_by_key
from primase.errors import ConfigurationError, InputError

_SHOWN: Final = 30

Names = Shaped[np.ndarray, "examples"]


def chromosome_groups(examples: Examples[Sequences]) -> Groups:
    """Tell the chromosomes of sequences apart by a number.

    Raises
    ------
    InputError
        If that of one is not known.
    """
    places = examples.inputs.places
    if places is None or not places.known.all():
        unknown = 0 if places is None else int(places.known.argmin())
        what = "it is not known on which chromosome a sequence lies"
        wanted = "intervals with --genome, headers such as '>chr1:100-200(+)', or columns chromosome, start and end"
        raise InputError(what, where="--split chromosome", got=str(examples.ids[unknown]), wanted=wanted)
    return group_by_key(places.chromosomes)


def chromosome_parts(examples: Examples[Sequences], split: SequenceSplit, seed: int) -> Names:
    """Name the part of each sequence by its chromosome.

    Where none is named for a part, chromosomes are drawn until it has its share; where each is larger than the share,
    as in small genomes, the part is the smallest.

    Raises
    ------
    InputError
        If a chromosome is not known, or there are fewer than three.
    ConfigurationError
        If no sequence lies on a chromosome that is named.
    """
    chromosome_groups(examples)
    assert examples.inputs.places is not None
    chromosomes = examples.inputs.places.chromosomes.astype(str)
    names, counts = np.unique(chromosomes, return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    if len(sizes) < 3:
        what = "there are too few chromosomes to divide"
        advice = "Choose --split cluster, which keeps together what overlaps."
        raise InputError(what, where="--split chromosome", got=", ".join(sizes), wanted="at least three", advice=advice)
    chosen = {"test": split.test_chromosomes, "validation": split.validation_chromosomes}
    shares = {"test": split.test_fraction, "validation": split.validation_fraction}
    parts = np.full(len(examples), "train", dtype=object)
    generator = np.random.default_rng(seed)
    for part, named in chosen.items():
        _refuse_unknown(part, named, sizes)
        taken = {name for other in chosen.values() for name in other} | set(chromosomes[parts != "train"].tolist())
        free = {name: size for name, size in sizes.items() if name not in taken}
        # One is left for training, and one for validation if that is still to be drawn.
        kept = 2 if part == "test" and not split.validation_chromosomes else 1
        drawn = named or _draw(free, shares[part] * len(examples), generator, kept)
        parts[np.isin(chromosomes, list(drawn))] = part
    return parts


def _draw(sizes: Mapping[str, int], share: float, generator: np.random.Generator, kept: int) -> list[str]:
    """Draw chromosomes that fit into a share, the smallest where none does, and keep so many back."""
    drawn: list[str] = []
    for name in generator.permutation(sorted(sizes)).tolist()[: max(len(sizes) - kept, 0)]:
        if sizes[name] + sum(sizes[other] for other in drawn) <= share:
            drawn.append(name)
    return drawn or sorted(sizes, key=lambda name: (sizes[name], name))[: len(sizes) > 1]


def _refuse_unknown(part: str, named: tuple[str, ...], sizes: Mapping[str, int]) -> None:
    missing = sorted(set(named) - sizes.keys())
    if missing:
        what = "no sequence lies on a chromosome that is named"
        wanted = ", ".join(list(sizes)[:_SHOWN])
        raise ConfigurationError(what, where=f"--{part}-chromosomes", got=", ".join(missing), wanted=wanted)
