"""Proteins with a known truth: some families make an enzyme, the others do not, and nothing else differs.

Domain families are random consensus sequences; each protein carries mutated copies of some between random linkers. A
positive has one of the deciding families, a negative another ordinary one in its place, so that neither length nor
the number of domains gives the answer away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from pyhmmer.easel import Alphabet, TextMSA, TextSequence
from pyhmmer.plan7 import Background, Builder

from primase.apps.workflow import Simulated
from primase.bio.fasta import SequenceRecord, write_fasta

# Background frequencies of residues in proteins (Robinson and Robinson 1991, rounded), in the order of the letters.
RESIDUES: Final = "ACDEFGHIKLMNPQRSTVWY"
FREQUENCIES: Final = np.array(
    [78, 19, 54, 63, 39, 74, 22, 51, 57, 90, 22, 45, 52, 43, 51, 71, 58, 64, 13, 32], dtype=np.float64
)
DECIDING_FAMILIES: Final = 5
ORDINARY_FAMILIES: Final = 25
FAMILY_LENGTH: Final = 70
MUTATED: Final = 0.25
CUTOFF_BITS: Final = 25.0
MADE: Final = datetime(2019, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Planted:
    """One simulated protein."""

    record: SequenceRecord
    domains: tuple[str, ...]
    truth: dict[str, Any] | None


def simulate(folder: Path, count: int, seed: int) -> Simulated:
    """Write ``positives.fa``, ``negatives.fa``, ``domains.tsv`` and ``profiles.hmm``.

    Parameters
    ----------
    count
        The number of proteins, half of them positive.
    """
    generator = np.random.default_rng(seed)
    deciding = {f"Deciding_{number + 1}": _draw(generator, FAMILY_LENGTH) for number in range(DECIDING_FAMILIES)}
    ordinary = {f"Ordinary_{number + 1}": _draw(generator, FAMILY_LENGTH) for number in range(ORDINARY_FAMILIES)}
    _write_profiles(folder / "profiles.hmm", {**deciding, **ordinary}, generator)
    sizes = {"positives": count // 2, "negatives": count - count // 2}
    parts = {}
    for name, size in sizes.items():
        planted_families = deciding if name == "positives" else {}
        parts[name] = [
            _protein(f"{name[:-1]}_{number:05}", planted_families, ordinary, generator) for number in range(size)
        ]
        write_fasta(folder / f"{name}.fa", (protein.record for protein in parts[name]))
    _write_domains(folder / "domains.tsv", parts)
    planted = [protein.truth for protein in parts["positives"] if protein.truth is not None]
    words = ["--positives", "positives.fa", "--negatives", "negatives.fa", "--profiles", "profiles.hmm"]
    return Simulated(words, planted, {"deciding": list(deciding), "ordinary": list(ordinary)})


def _draw(generator: np.random.Generator, length: int) -> str:
    return "".join(generator.choice(list(RESIDUES), size=length, p=FREQUENCIES / FREQUENCIES.sum()))


def _mutate(consensus: str, generator: np.random.Generator) -> str:
    """Replace a quarter of the residues by random ones."""
    letters = np.array(list(consensus))
    hit = generator.random(len(letters)) < MUTATED
    letters[hit] = list(_draw(generator, int(hit.sum())))
    return "".join(letters)


def _protein(
    name: str, deciding: Mapping[str, str], ordinary: Mapping[str, str], generator: np.random.Generator
) -> _Planted:
    """Draw a protein of ordinary families, one of which is replaced by a deciding one if there are any."""
    families = [str(family) for family in generator.choice(list(ordinary), generator.integers(2, 5), replace=False)]
    if deciding:
        families[int(generator.integers(len(families)))] = str(generator.choice(list(deciding)))
    sequence, truth = "M", None
    for family in families:
        sequence += _draw(generator, int(generator.integers(10, 60)))
        start = len(sequence)
        sequence += _mutate({**deciding, **ordinary}[family], generator)
        if family in deciding:
            truth = {"id": name, "feature": family, "start": start, "end": len(sequence)}
    sequence += _draw(generator, int(generator.integers(10, 60)))
    return _Planted(SequenceRecord(name, "", sequence), tuple(families), truth)


def _write_profiles(path: Path, families: dict[str, str], generator: np.random.Generator) -> None:
    """Build a profile of each family from twenty mutated copies, with a gathering cut-off as Pfam has."""
    with path.open("wb") as file:
        for profile in _profiles(families, generator):
            profile.write(file)


def _profiles(families: dict[str, str], generator: np.random.Generator) -> Iterator[Any]:
    alphabet = Alphabet.amino()
    builder, background = Builder(alphabet, seed=42), Background(alphabet)
    for name, consensus in families.items():
        copies = [TextSequence(name=f"{name}_{copy}", sequence=_mutate(consensus, generator)) for copy in range(20)]
        alignment = TextMSA(name=name, sequences=copies).digitize(alphabet)
        profile, _, _ = builder.build_msa(alignment, background)
        profile.cutoffs.gathering = (CUTOFF_BITS, CUTOFF_BITS)
        profile.creation_time = MADE  # the present would make another file, and another sha256, every time
        yield profile


def _write_domains(path: Path, parts: dict[str, list[_Planted]]) -> None:
    lines = ["id\tdomains\ttarget"]
    for name, answer in (("positives", "enzyme"), ("negatives", "non-enzyme")):
        lines += [f"{protein.record.id}\t{';'.join(protein.domains)}\t{answer}" for protein in parts[name]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
