"""Read proteins from what users have: registered data, FASTA files, tables with sequences or domain lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from primase.apps.enzyme_identification.answers import ENZYME, understand
from primase.apps.enzyme_identification.app import EnzymeData
from primase.apps.enzyme_identification.proteins import Proteins
from primase.apps.enzyme_identification.sources import (
    ENZYME_FAMILIES_FILE,
    ENZYME_PFAM,
    NON_ENZYME_FAMILIES_FILE,
    PFAM_SUBSET,
    YEAST_PROTEOME,
)
from primase.apps.workflow import Labelled
from primase.bio.alphabets import PROTEIN, clean_sequence, recognise_nucleotides
from primase.bio.domain_cache import DomainCache
from primase.bio.domain_sets import DomainSets
from primase.bio.domains import find_domains
from primase.bio.fasta import read_fasta
from primase.bio.genbank import read_proteins
from primase.bio.profiles import ProfileSet
from primase.bio.tables import TextTable, read_text_table
from primase.data.examples import Examples
from primase.data.fetch import cache_folder, fetch
from primase.data.splits import PARTS, group_by_key
from primase.data.tasks import Task
from primase.data.unpickling import load_string_lists
from primase.errors import ConfigurationError, InputError
from primase.events import Event, Listener, Notice, Progress

STREAM_BLOCK: Final = 4096

_PREFIXES: Final = {"train": "", "validation": "validation_", "test": "test_"}


@dataclass(slots=True)
class _Collected:
    """What has been read of all proteins so far, before the search for domains."""

    ids: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    domains: list[tuple[str, ...]] = field(default_factory=list)


def read_labelled(data: EnzymeData, task: Task | None, listener: Listener) -> Labelled[Proteins]:
    """Read the proteins that a user names, find their domains, and understand their answers.

    Raises
    ------
    InputError
        If the input is not what it should be, or one id has two answers.
    """
    where, collected = _collect(data, listener)
    _refuse_conflicts(collected)
    answers = understand(collected.answers, data.answer, task, where=where, places=collected.places)
    proteins = _proteins(collected, data, listener)
    groups = {} if data.group_column is None else {data.group_column: group_by_key(collected.groups)}
    examples = Examples(
        ids=np.array(collected.ids, dtype=object),
        inputs=proteins,
        targets=answers.targets,
        groups=groups,
        parts=np.array(collected.parts, dtype=object) if {*collected.parts} != {""} else None,
    )
    answered = np.flatnonzero(answers.targets >= 0)
    return Labelled(examples.take(answered), answers.task, answers.findings)


def stream_unlabelled(
    path: Path, data: EnzymeData, profiles: Mapping[str, Any], listener: Listener
) -> Iterator[Examples[Proteins]]:
    """Read proteins to predict, block by block: a FASTA file of any size, or a table.

    Parameters
    ----------
    profiles
        What the model's domains were found with; other profiles are refused.
    """
    if _is_table(path):
        table = read_text_table(path)
        collected = _Collected()
        _add_table(collected, table, data, part="", with_answers=False)
        proteins = _proteins(collected, data, listener, profiles)
        if profiles and proteins.sequences is None:
            text = (
                "The model was trained on sequences and is given domain lists: it takes a usual length and composition."
            )
            listener(Notice(text, "warning"))
        yield _unlabelled(collected, proteins)
        return
    if not profiles:
        text = (
            "The model was trained on given domain lists. Domains are searched here with other profiles, whose names "
            "must be those of the lists: look at the column evidence."
        )
        listener(Notice(text, "warning"))
    records = iter(read_fasta(path))
    profile_set = _profile_set(data, profiles, listener)
    done = 0
    while block := list(itertools.islice(records, STREAM_BLOCK)):
        collected = _Collected(ids=[record.id for record in block], sequences=[record.sequence for record in block])
        found = _search(collected.sequences, profile_set, data, _shifted(listener, done))
        done += len(block)
        inputs = Proteins(found, pl.Series(collected.sequences, dtype=pl.String), profiles)
        yield _unlabelled(collected, inputs)


def _unlabelled(collected: _Collected, proteins: Proteins) -> Examples[Proteins]:
    targets = np.full(len(collected.ids), -1, dtype=np.int64)
    return Examples(ids=np.array(collected.ids, dtype=object), inputs=proteins, targets=targets)


def _collect(data: EnzymeData, listener: Listener) -> tuple[str, _Collected]:
    """Read everything but the domains; also say where it came from, for messages."""
    collected = _Collected()
    if data.dataset is not None:
        _add_dataset(collected, data.dataset, listener)
        return data.dataset, collected
    if data.table is None and data.positives is None:
        what = "there is no input"
        wanted = "--dataset NAME, --positives FASTA --negatives FASTA, or --table FILE"
        raise InputError(what, wanted=wanted)
    for part in PARTS:
        prefix = _PREFIXES[part]
        given = part if _has_parts(data) else ""
        for word, answer in (("positives", ENZYME[1]), ("negatives", ENZYME[0])):
            path = getattr(data, prefix + word)
            if path is not None:
                _add_fasta(collected, path, answer, given)
        table = getattr(data, prefix + "table")
        if table is not None:
            _add_table(collected, read_text_table(table), data, part=given, with_answers=True)
    column = f", column {data.target_column}" if data.table is not None else ""
    return f"{data.table or data.positives}{column}", collected


def _has_parts(data: EnzymeData) -> bool:
    words = ("test_table", "test_positives", "validation_table", "validation_positives")
    return any(getattr(data, word) is not None for word in words)


def _add_dataset(collected: _Collected, name: str, listener: Listener) -> None:
    if name == YEAST_PROTEOME.name:
        (archive,) = fetch(YEAST_PROTEOME, listener=listener).values()
        for protein in read_proteins(archive):
            collected.ids.append(protein.locus_tag)
            collected.places.append(f"{name}, {protein.locus_tag}")
            collected.answers.append(";".join(protein.ec_numbers))
            collected.sequences.append(clean_sequence(protein.translation, PROTEIN, where=protein.locus_tag))
            collected.parts.append("")
        return
    if name == ENZYME_PFAM.name:
        files = fetch(ENZYME_PFAM, listener=listener)
        for file, answer in ((ENZYME_FAMILIES_FILE, ENZYME[1]), (NON_ENZYME_FAMILIES_FILE, ENZYME[0])):
            lists = load_string_lists(files[file.name])
            collected.ids += [f"{answer}-{number + 1:05}" for number in range(len(lists))]
            collected.answers += [answer] * len(lists)
            collected.places += [f"{name}, {file.name}"] * len(lists)
            collected.domains += [tuple(families) for families in lists]
            collected.parts += [""] * len(lists)
        return
    wanted = f"{YEAST_PROTEOME.name}, {ENZYME_PFAM.name}"
    what = "this data set holds no labelled proteins"
    raise ConfigurationError(what, where=f"--dataset {name}", wanted=wanted)


def _add_fasta(collected: _Collected, path: Path, answer: str, part: str) -> None:
    for record in read_fasta(path):
        collected.ids.append(record.id)
        collected.places.append(f"{path}, record {record.id}")
        collected.answers.append(answer)
        collected.sequences.append(record.sequence)
        collected.parts.append(part)


def _add_table(collected: _Collected, table: TextTable, data: EnzymeData, *, part: str, with_answers: bool) -> None:
    numbered = [f"{part}-row-{row + 1}".removeprefix("-") for row in range(len(table))]
    ids = table.columns.get(data.id_column, numbered)
    collected.ids += [name or number for name, number in zip(ids, numbered, strict=True)]
    collected.parts += [part] * len(table)
    collected.places += [table.where(row) for row in range(len(table))]
    if with_answers:
        collected.answers += table.column(data.target_column, option="--target-column")
        if data.group_column is not None:
            collected.groups += table.column(data.group_column, option="--group-column")
    if data.domains_column in table.columns:
        collected.domains += [families(cell) for cell in table.columns[data.domains_column]]
        if data.sequence_column not in table.columns:
            return
    cells = table.column(data.sequence_column, option="--sequence-column or --domains-column")
    sequences = [clean_sequence(cell, PROTEIN, where=table.where(row)) for row, cell in enumerate(cells)]
    found = recognise_nucleotides(sequences)
    if found is not None:
        what = f"the sequences look like {found.name}, not proteins"
        raise InputError(what, where=f"{table.path}, column {data.sequence_column}", got=sequences[0][:40])
    collected.sequences += sequences


def families(cell: str) -> tuple[str, ...]:
    """Read a list of domain families separated by semicolons; each counts once.

    Examples
    --------
    >>> families("Pkinase; SH2;Pkinase")
    ('Pkinase', 'SH2')
    """
    names = (name.strip() for name in cell.split(";"))
    return tuple(dict.fromkeys(name for name in names if name))


def _refuse_conflicts(collected: _Collected) -> None:
    """One id with two answers is wrong: nobody can say which one is meant."""
    answer_of: dict[str, str] = {}
    for name, answer, place in zip(collected.ids, collected.answers, collected.places, strict=True):
        if answer_of.setdefault(name, answer) != answer:
            what = "one id has two different answers"
            got = f"{name!r} as {answer_of[name] or 'empty'!r} and as {answer!r}"
            raise InputError(what, where=place, got=got, wanted="every id with one answer")


def _proteins(
    collected: _Collected, data: EnzymeData, listener: Listener, profiles: Mapping[str, Any] | None = None
) -> Proteins:
    counts = [len(column) for column in (collected.domains, collected.sequences)]
    if any(count not in {0, len(collected.ids)} for count in counts):
        what = "some parts hold domain lists and others hold sequences"
        raise InputError(what, wanted="the same kind of table for every part")
    if collected.domains:
        sequences = pl.Series(collected.sequences, dtype=pl.String) if collected.sequences else None
        return Proteins(DomainSets.from_sets(collected.domains), sequences)
    profile_set = _profile_set(data, profiles or {}, listener)
    found = _search(collected.sequences, profile_set, data, listener)
    facts = {"file": profile_set.path.name, "sha256": profile_set.sha256}
    return Proteins(found, pl.Series(collected.sequences, dtype=pl.String), facts)


def _profile_set(data: EnzymeData, wanted: Mapping[str, Any], listener: Listener) -> ProfileSet:
    """Open the profiles that the user names, else the registered subset; a trained model insists on its own."""
    if wanted and data.profiles is not None and not data.profiles.exists():
        what = "the profiles that the model was trained with are not here"
        expected = f"{wanted['file']}, sha256 {wanted['sha256']}"
        raise InputError(what, where=str(data.profiles), wanted=expected, advice="Name them with --profiles.")
    path = data.profiles or next(iter(fetch(PFAM_SUBSET, listener=listener).values()))
    with _cache() as cache:
        profiles = ProfileSet(path, cache=cache)
    if wanted.get("sha256", profiles.sha256) != profiles.sha256:
        what = "the model was trained with other profiles"
        got = f"sha256 {profiles.sha256}"
        advice = "Name the file that it was trained with by --profiles."
        expected = f"{wanted.get('file')}, sha256 {wanted['sha256']}"
        raise InputError(what, where=str(path), got=got, wanted=expected, advice=advice)
    if not wanted and data.profiles is None:
        text = (
            "Domains are searched with the registered subset of Pfam (2,766 of 19,632 families); --profiles takes all."
        )
        listener(Notice(text))
    return profiles


def _cache() -> DomainCache:
    return DomainCache(cache_folder() / "domains.sqlite")


def _search(sequences: Sequence[str], profiles: ProfileSet, data: EnzymeData, listener: Listener) -> DomainSets:
    with _cache() as cache:
        found = find_domains(
            sequences, profiles, cache=cache, threads=data.threads, listener=listener, total=len(sequences)
        )
        return DomainSets.from_sets(found)


def _shifted(listener: Listener, done: int) -> Listener:
    """Count what a block has done on top of the blocks before; how many there will be is not known."""

    def report(event: Event) -> None:
        if isinstance(event, Progress):
            event = Progress(event.stage, done + event.done, None, event.unit)
        listener(event)

    return report


def _is_table(path: Path) -> bool:
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return name.suffix.lower() in {".csv", ".tsv", ".tab", ".parquet"}
