"""Scan a genome: slide the window that a model reads along it, and write what it says of each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from primase.apps.sequences.blocks import holds_intervals
from primase.apps.sequences.scan_blocks import ScanBlocks, Values, kept_blocks
from primase.apps.sequences.scan_files import (
    BED,
    BOTH,
    STRANDED,
    ScanColumns,
    Scanned,
    ScanWriter,
    refuse_taken,
    writer_of,
)
from primase.apps.sequences.scan_windows import ScanWindows, known_letters, regions, shown, whole_chromosomes
from primase.apps.workflow import Scan
from primase.bio.genome import Genome, open_genome
from primase.bio.intervals import IntervalTable, read_intervals
from primase.bio.nucleotides import BASES
from primase.data.fetch import cache_folder
from primase.data.sequences import SequenceEncoder, Sequences
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Listener, Notice, Progress, Stages
from primase.nn.strands import BothStrands
from primase.predictor.predictor import Predictor

SCAN: Final = "scan"
WRITE: Final = "write"
BLOCK_LETTERS: Final = 1 << 20
"""Letters of the windows of a block: some seconds of work, which is what an interruption loses at most."""
BATCH_LETTERS: Final = 25_600
LEAST_BATCH: Final = 64
"""Windows computed together: on processors several times as fast as thousands, whose features leave their caches."""

MakeNetwork = Callable[[SequenceEncoder], nn.Module]


def reading(predictor: Predictor[Sequences], window: int, make: MakeNetwork) -> Predictor[Sequences]:
    """Let a model read windows of another length than it was trained on, if its network can.

    Parameters
    ----------
    window
        In base pairs; 0 for the length that it was trained on.
    make
        Builds the untrained network for an encoder.

    Raises
    ------
    ConfigurationError
        If the network reads one length only, or the window is shorter than its filters.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, SequenceEncoder)
    if window in {0, encoder.length}:
        return predictor
    other = replace(encoder, length=window)
    try:
        sizes = [_sizes(make(each)) for each in (encoder, other)]
        fits = sizes[0] == sizes[1]
        if fits:
            with torch.inference_mode():
                predictor.members[0](letters=torch.full((1, window), BASES, dtype=torch.uint8))
    except ConfigurationError as error:
        what = "the window is shorter than the filters of the network"
        raise ConfigurationError(what, where="--window", got=str(window), wanted=error.wanted) from None
    if not fits:
        what = "this network reads windows of one length only, since it knows each place of them"
        raise ConfigurationError(what, where="--window", got=str(window), wanted=str(encoder.length))
    return replace(predictor, encoder=other)


def _sizes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def scan_genome(predictor: Predictor[Sequences], scan: Scan, listener: Listener) -> Sequence[Path]:
    """Predict for windows along a genome or its regions; write Parquet, BED or bigWig.

    Parameters
    ----------
    predictor
        Its encoder says the length of the window.

    Returns
    -------
    sequence of Path
        The files that were written.

    Raises
    ------
    InputError
        If the input, a setting or the output is not what it should be.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, SequenceEncoder)
    columns = _columns(predictor, scan.targets)
    writer = writer_of(scan.out, scan.minimum)
    paths = writer.paths(scan.out, columns)
    refuse_taken(paths)
    windows = _windows(scan, encoder.length, listener)
    block = max(1, BLOCK_LETTERS // encoder.length)
    manifest = _manifest(scan, windows, columns, block)
    with kept_blocks(scan.out, manifest, resume=scan.resume) as folder:
        blocks = ScanBlocks(folder, windows=len(windows), columns=len(columns), block=block)
        work = _Work(predictor, Scanned(windows, columns, blocks), writer)
        stages = Stages(listener)
        with stages(SCAN):
            work.predict(scan.out, listener)
        if not any(np.isfinite(blocks.read(number)).any() for number in range(blocks.count)):
            what = "no window holds a letter that is known"
            raise InputError(what, where=str(scan.inputs), got="N throughout")
        with stages(WRITE):
            writer.write(scan.out, work.scanned, folder)
    if scan.out.suffix == BED and not scan.out.stat().st_size:
        listener(Notice("No window reaches the minimum: the file is empty.", "warning"))
    return paths


def _columns(predictor: Predictor[Sequences], targets: Sequence[str]) -> ScanColumns:
    """Choose the targets, and whether each strand has answers of its own."""
    task = predictor.task
    unknown = [target for target in targets if target not in task.labels]
    if unknown:
        what = "the model has no such target"
        wanted = ", ".join(task.labels[:30]) + (", …" if len(task.labels) > 30 else "")
        raise ConfigurationError(what, where="--target", got=", ".join(unknown), wanted=wanted)
    both = all(isinstance(member, BothStrands) for member in predictor.members)
    return ScanColumns(tuple(dict.fromkeys(targets)) or _asked(task), BOTH if both else STRANDED)


def _asked(task: Task) -> tuple[str, ...]:
    """Say which labels are worth a column: of yes and no, the yes."""
    return task.labels[1:] if task.kind == "binary" else task.labels


def _windows(scan: Scan, window: int, listener: Listener) -> ScanWindows:
    """Open the genome and lay the windows out."""
    stride = scan.stride or max(1, window // 2)
    intervals = read_intervals(scan.inputs) if holds_intervals(scan.inputs) else None
    genome = _genome(scan, intervals, listener)
    if intervals is None:
        stretches = whole_chromosomes(genome, scan.chromosomes, listener)
    else:
        stretches = regions(genome, intervals, scan.chromosomes, window, listener)
    windows = ScanWindows(genome, stretches, window=window, stride=stride)
    if windows.padded:
        text = (
            f"Shorter than the window of {window:,} letters, and so one window each, padded on both sides: "
            f"{shown(windows.padded)}."
        )
        listener(Notice(text, "warning"))
    if stride > window:
        text = f"A stride of {stride} leaves {stride - window} letters between two windows that the model does not see."
        listener(Notice(text, "warning"))
    return windows


def _genome(scan: Scan, intervals: IntervalTable | None, listener: Listener) -> Genome:
    if intervals is None and scan.genome is not None:
        what = "the input is a FASTA file, and a genome is named too"
        advice = "Leave --genome out, or give a BED file of regions on it."
        raise InputError(what, where=str(scan.inputs), advice=advice)
    if intervals is not None and scan.genome is None:
        what = "regions are given, but not the genome that they lie on"
        raise InputError(what, where=str(scan.inputs), advice="Name its FASTA file with --genome.")
    wanted = set(scan.chromosomes) or None
    if intervals is not None:
        named = set(intervals.chromosomes.astype(str).tolist())
        wanted = named if wanted is None else named & wanted
    path = scan.inputs if scan.genome is None else scan.genome
    return open_genome(path, chromosomes=wanted, folder=cache_folder() / "genomes", listener=listener)


def _manifest(scan: Scan, windows: ScanWindows, columns: ScanColumns, block: int) -> dict[str, Any]:
    """Gather what decides the values; the minimum does not, and may be another when a scan goes on."""
    return {
        "format": 1,
        "model": scan.model,
        "input": _identity(scan.inputs),
        "genome": _identity(scan.genome) if scan.genome else None,
        "chromosomes": sorted(scan.chromosomes),
        "window": windows.window,
        "stride": windows.stride,
        "targets": list(columns.targets),
        "strands": list(columns.strands),
        "windows": len(windows),
        "block": block,
    }


def _identity(path: Path) -> list[Any]:
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns]


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A scan that is being made."""

    predictor: Predictor[Sequences]
    scanned: Scanned
    writer: ScanWriter

    def predict(self, out: Path, listener: Listener) -> None:
        """Predict the blocks that are not done yet; after the first, say how long all will take."""
        blocks, total = self.scanned.blocks, len(self.scanned.windows)
        begun = blocks.done
        for number in range(begun, blocks.count):
            first, last = blocks.range(number)
            started = time.perf_counter()
            values = predict_windows(self.predictor, self.scanned, first, last)
            blocks.append(values)
            self.scanned.windows.release()
            if number == begun:
                self._estimate(
                    out, (time.perf_counter() - started) / (last - first) * (total - first), values, listener
                )
            listener(Progress(SCAN, last, total, "windows"))

    def _estimate(self, out: Path, seconds: float, values: Values, listener: Listener) -> None:
        windows, columns = self.scanned.windows, self.scanned.columns
        final = self.writer.bytes_expected(len(windows), columns, values)
        meanwhile = 4.0 * len(columns) * len(windows)
        text = (
            f"{len(windows):,} windows of {windows.window:,} letters, {windows.stride:,} apart: about "
            f"{_duration(seconds)} on this machine. The result takes about {_size(final)} on disk, and "
            f"{_size(meanwhile)} more until it is done."
        )
        listener(Notice(text))
        free = shutil.disk_usage(out.absolute().parent).free
        if final + meanwhile > free:
            text = f"The scan needs about {_size(final + meanwhile)} on disk, and {_size(free)} are free."
            listener(Notice(text, "warning"))


def predict_windows(predictor: Predictor[Sequences], scanned: Scanned, first: int, last: int) -> Values:
    """Predict the windows from one number up to, not including, another; a window of nothing but N has no value."""
    windows, columns = scanned.windows, scanned.columns
    sequences = windows.sequences(first, last)
    known = np.flatnonzero(known_letters(sequences, windows.window))
    places = [predictor.task.labels.index(target) for target in columns.targets]
    values = np.full((len(columns.strands), len(places), last - first), np.nan, dtype=np.float32)
    for row, strand in enumerate(columns.strands):
        chosen = sequences.take(known)
        if strand == "-":
            chosen = replace(chosen, reverse=~chosen.reverse)
        logits = [predictor.outputs(batch) for batch in _batches(chosen, windows.window)]
        if logits:
            probabilities = predictor.calibrator.answers(np.concatenate(logits))
            values[row][:, known] = probabilities[:, places].T
    return values.reshape(len(columns), last - first)


def _batches(sequences: Sequences, window: int) -> Iterator[Sequences]:
    size = max(LEAST_BATCH, BATCH_LETTERS // window)
    for start in range(0, len(sequences), size):
        yield sequences.take(np.arange(start, min(start + size, len(sequences))))


def _duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"


def _size(count: float) -> str:
    """Write a number of bytes in the unit that suits it."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{max(count / 1e3, 0.1):.1f} kB"
