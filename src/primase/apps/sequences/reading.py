"""Read labelled sequences from what users have, and unlabelled ones block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.answers import Answers
from primase.apps.sequences.answers import answer_in_header, target_columns, understand
from primase.apps.sequences.blocks import (
    Block,
    fasta_blocks,
    has_ending,
    holds_intervals,
    holds_table,
    interval_block,
    interval_ids,
    joined,
    table_block,
    table_intervals,
)
from primase.apps.sequences.borders import hide_borders
from primase.apps.sequences.configuration import SequenceData
from primase.apps.sequences.deepsea import read_deepsea
from primase.apps.workflow import Labelled
from primase.bio.genome import Genome, open_genome
from primase.bio.intervals import IntervalTable, read_intervals
from primase.bio.tables import TextTable, read_text_table
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.fetch import cache_folder
from primase.data.labels import first_means_no
from primase.data.sequences import Sequences, usual_length
from primase.data.splits import PARTS, group_by_key
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Listener

STREAM_BLOCK: Final = 4096
_SHOWN_LABELS: Final = 10
_PREFIXES: Final = {"train": "", "validation": "validation_", "test": "test_"}

Dataset = Callable[[Listener], "Mapping[str, object] | Labelled[Sequences]"]
"""A registered data set: the words that read its files, or, where no file of a user looks like it, its examples."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application asks of sequences.

    Parameters
    ----------
    labels
        The two answers where positives and negatives are given as files.
    datasets
        The registered ones that hold labelled sequences, by name.
    """

    labels: tuple[str, str]
    datasets: Mapping[str, Dataset]


@dataclass(frozen=True, slots=True)
class _Source:
    """One file of the user's: what it holds, for which part, and which answer all of it has, if it has one."""

    path: Path
    part: str
    answer: int | None = None


def read_labelled(data: SequenceData, asked: Asked, task: Task | None, listener: Listener) -> Labelled[Sequences]:
    """Read the sequences that a user names, and understand their answers.

    Raises
    ------
    InputError
        If the input is not what it should be, or one id has two answers.
    """
    if data.dataset is not None:
        if data.dataset not in asked.datasets:
            what = "this data set holds no labelled sequences for this application"
            raise ConfigurationError(what, where=f"--dataset {data.dataset}", wanted=", ".join(asked.datasets))
        found = asked.datasets[data.dataset](listener)
        if isinstance(found, Labelled):
            return _checked(found, data, task)
        # What the user has said wins over what the data set says of itself.
        usual = type(data)()
        said = {name for name in found if getattr(data, name) != getattr(usual, name)}
        own_words = {name: value for name, value in found.items() if name not in said}
        data = data.model_copy(update={"dataset": None, **own_words})
    sources = _sources(data)
    if data.table is not None and has_ending(data.table, (".mat",)):
        files = {source.part: source.path for source in sources}
        return _checked(read_deepsea(files, cache_folder() / "deepsea", listener), data, task)
    if data.table is not None:
        return _from_tables(data, sources, task, listener)
    return _from_files(data, sources, asked, task, listener)


def _checked(labelled: Labelled[Sequences], data: SequenceData, task: Task | None) -> Labelled[Sequences]:
    """Refuse what sequences that are no user's records cannot be asked for."""
    if data.mask_borders:
        what = "the borders of windows of a genome cannot be masked: there are letters everywhere"
        raise ConfigurationError(what, where="--mask-borders")
    if task is not None and task != labelled.task:
        what = "the answers are not those that the model gives"
        got, wanted = (", ".join(one.labels[:_SHOWN_LABELS]) for one in (labelled.task, task))
        raise InputError(what, where=f"{data.dataset or data.table}", got=got, wanted=wanted)
    return labelled


def _sources(data: SequenceData) -> list[_Source]:
    """List the files that are given, part by part."""
    found, forms = [], {}
    for part in PARTS:
        for word, answer in (("positives", 1), ("negatives", 0), ("fasta", None), ("table", None)):
            path = getattr(data, _PREFIXES[part] + word)
            if path is not None:
                found.append(_Source(path, part, answer))
                forms["pair" if answer is not None else word] = f"--{_PREFIXES[part]}{word}".replace("_", "-")
    if not any(source.part == "train" for source in found):
        what = "there is no input"
        wanted = "--dataset NAME, --positives FILE --negatives FILE, --fasta FILE, or --table FILE"
        raise InputError(what, wanted=wanted)
    if len(forms) > 1:
        what = "the parts are given in different forms"
        raise InputError(what, got=" and ".join(forms.values()), wanted="the same words for each part")
    if {source.part for source in found} == {"train"}:
        return [replace(source, part="") for source in found]
    return found


def _from_files(
    data: SequenceData, sources: Sequence[_Source], asked: Asked, task: Task | None, listener: Listener
) -> Labelled[Sequences]:
    """Read FASTA files or intervals, one answer a file or one in every header."""
    intervals = {source.path: read_intervals(source.path) for source in sources if holds_intervals(source.path)}
    from_intervals = _interval_blocks(data, intervals, listener) if intervals else {}
    blocks: list[Block] = []
    cells: list[str] = []
    parts: list[str] = []
    for source in sources:
        if source.answer is None and source.path in intervals:
            what = "the answers are looked for in headers, which intervals do not have"
            advice = "Give intervals with --positives and --negatives, or as a table."
            raise InputError(what, where=str(source.path), advice=advice)
        read = from_intervals[source.path] if source.path in intervals else fasta_blocks(source.path, STREAM_BLOCK)
        for block in read:
            blocks.append(block)
            parts += [source.part] * len(block)
            if source.answer is None:
                headers = enumerate(block.headers)
                cells += [answer_in_header(header, where=block.where(row)) for row, header in headers]
            else:
                cells += [asked.labels[source.answer]] * len(block)
    ids, sequences, places = joined(blocks)
    if task is None and data.positives is not None:
        task = Task("binary", asked.labels)
    if task is not None and data.positives is not None:
        # What a trained model calls yes and no is its own; the files say only which is which.
        if task.kind != "binary" or not first_means_no(task.labels):
            what = "nobody can tell which answer of the model positives are"
            advice = "Give the answers in a table, or in FASTA headers behind --fasta."
            raise InputError(what, where="--positives", wanted=", ".join(task.labels), advice=advice)
        own = dict(zip(asked.labels, task.labels, strict=True))
        cells = [own.get(cell, cell) for cell in cells]
    answers = understand({"answer": cells}, task, where=str(sources[0].path), places=places)
    return _labelled(data, _Read(ids, sequences, places, parts, {}), answers)


def _interval_blocks(
    data: SequenceData, intervals: Mapping[Path, IntervalTable], listener: Listener
) -> dict[Path, list[Block]]:
    tables = list(intervals.values())
    genome = _genome(data, tables, listener)
    return {
        path: [interval_block(table, genome, window=_width(data, tables), ids=ids)]
        for (path, table), ids in zip(intervals.items(), interval_ids(tables), strict=True)
    }


def _genome(data: SequenceData, tables: Sequence[IntervalTable], listener: Listener) -> Genome:
    """Open the genome, of which only the chromosomes are needed that some interval lies on."""
    if data.genome is None:
        what = "intervals are given, but not the genome that they lie on"
        raise InputError(what, where=str(tables[0].path), advice="Name its FASTA file with --genome.")
    if data.mask_borders:
        what = "the borders of intervals cannot be masked: a genome has letters everywhere"
        raise ConfigurationError(what, where="--mask-borders", advice="Give the sequences as FASTA instead.")
    wanted = {str(name) for table in tables for name in np.unique(table.chromosomes)}
    return open_genome(data.genome, chromosomes=wanted, folder=cache_folder() / "genomes", listener=listener)


def _from_tables(
    data: SequenceData, sources: Sequence[_Source], task: Task | None, listener: Listener
) -> Labelled[Sequences]:
    """Read tables of sequences, or of intervals on a genome, with one or several columns of answers."""
    tables = [read_text_table(source.path) for source in sources]
    wanted = data.target_column if task is None or not task.is_multilabel else task.labels
    meaning = [data.id_column, data.sequence_column, *([data.group_column] if data.group_column else [])]
    names = _same_columns(tables, wanted, meaning)
    blocks = _table_blocks(data, tables, [source.part for source in sources], listener)
    cells = {
        name: [cell for table in tables for cell in table.column(name, option="--target-column")] for name in names
    }
    ids, sequences, places = joined(blocks)
    answers = understand(cells, task, where=", ".join(str(table.path) for table in tables), places=places)
    parts = [source.part for source, table in zip(sources, tables, strict=True) for _ in range(len(table))]
    groups = {}
    if data.group_column is not None:
        texts = [text for table in tables for text in table.column(data.group_column, option="--group-column")]
        groups = {data.group_column: group_by_key(texts)}
    return _labelled(data, _Read(ids, sequences, places, parts, groups), answers)


def _same_columns(tables: Sequence[TextTable], wanted: Sequence[str], meaning: Sequence[str]) -> list[str]:
    """List the columns that are learned, which must be the same in all parts, also where a pattern names them."""
    first, *others = (target_columns(table, wanted, without=meaning) for table in tables)
    for table, names in zip(tables[1:], others, strict=True):
        if set(names) != set(first):
            what = "the columns that are learned are not those of the other part"
            raise InputError(what, where=str(table.path), got=", ".join(names), wanted=", ".join(first))
    return first


def _table_blocks(
    data: SequenceData, tables: Sequence[TextTable], parts: Sequence[str], listener: Listener
) -> list[Block]:
    words = {"sequence_column": data.sequence_column, "id_column": data.id_column}
    if data.genome is None or data.sequence_column in tables[0].columns:
        return [table_block(table, part=part, **words) for table, part in zip(tables, parts, strict=True)]
    intervals = [table_intervals(table) for table in tables]
    genome = _genome(data, intervals, listener)
    own = [table.columns.get(data.id_column) for table in tables]
    chosen = [
        ids if given is None else np.array(given, dtype=object)
        for given, ids in zip(own, interval_ids(intervals), strict=True)
    ]
    return [
        interval_block(one, genome, window=_width(data, intervals), ids=ids)
        for one, ids in zip(intervals, chosen, strict=True)
    ]


def _width(data: SequenceData, intervals: Sequence[IntervalTable]) -> int:
    """Choose one width for all windows of a genome: what overlaps must be seen to, also where intervals are short."""
    return data.window or usual_length(np.concatenate([table.ends - table.starts for table in intervals]))


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """All that was read, before the unknown answers are left out."""

    ids: Shaped[np.ndarray, "examples"]
    sequences: Sequences
    places: Sequence[str]
    parts: Sequence[str]
    groups: Mapping[str, Shaped[np.ndarray, "examples"]]


def _labelled(data: SequenceData, read: _Read, answers: Answers) -> Labelled[Sequences]:
    _refuse_conflicts(read, answers)
    sequences = hide_borders(read.sequences, data.mask_borders) if data.mask_borders else read.sequences
    examples = Examples(
        ids=read.ids,
        inputs=sequences,
        targets=answers.targets,
        groups=read.groups,
        parts=np.array(read.parts, dtype=object) if {*read.parts} != {""} else None,
    )
    known = answers.targets >= 0 if answers.targets.ndim == 1 else np.any(answers.targets >= 0, axis=1)
    if known.all():
        return Labelled(examples, answers.task)
    left_out = int((~known).sum())
    text = f"{left_out:,} sequences have no answer that is known and were left out."
    finding = Finding("no answer", left_out, "info", text)
    return Labelled(examples.take(np.flatnonzero(known)), answers.task, [finding])


def _refuse_conflicts(read: _Read, answers: Answers) -> None:
    """Refuse one id with two answers: nobody could tell which is meant."""
    order = np.argsort(read.ids.astype(str), kind="stable")
    same = np.append(read.ids[order][1:] == read.ids[order][:-1], False)  # the last has no next
    first: dict[tuple[str, int], int] = {}
    for row in order[same | np.roll(same, 1)].tolist():
        for column, answer in enumerate(np.atleast_1d(answers.targets[row]).tolist()):
            other = first.setdefault((read.ids[row], column), row) if answer >= 0 else row
            if np.atleast_1d(answers.targets[other])[column] != answer:
                what = "one id has two answers"
                got = f"another answer than {read.places[other]}"
                raise InputError(what, where=f"{read.places[row]}, id {read.ids[row]!r}", got=got)


def stream_unlabelled(path: Path, data: SequenceData, length: int, listener: Listener) -> Iterator[Examples[Sequences]]:
    """Read sequences to predict, block by block: FASTA of any size, intervals on a genome, or a table.

    Parameters
    ----------
    length
        Letters that the model reads; intervals are resized to it.
    """
    for block in _unlabelled_blocks(path, data, length, listener):
        sequences = hide_borders(block.sequences, data.mask_borders) if data.mask_borders else block.sequences
        targets = np.full(len(block), -1, dtype=np.int64)
        yield Examples(ids=block.ids, inputs=sequences, targets=targets)


def _unlabelled_blocks(path: Path, data: SequenceData, length: int, listener: Listener) -> Iterator[Block]:
    if holds_table(path):
        wide = data.model_copy(update={"window": length})
        yield from _table_blocks(wide, [read_text_table(path)], [""], listener)
    elif holds_intervals(path):
        table = read_intervals(path)
        genome = _genome(data, [table], listener)
        (ids,) = interval_ids([table])
        for start in range(0, len(table), STREAM_BLOCK):
            rows = np.arange(start, min(start + STREAM_BLOCK, len(table)))
            yield interval_block(table.take(rows), genome, window=length, ids=ids[rows])
    else:
        yield from fasta_blocks(path, STREAM_BLOCK)
