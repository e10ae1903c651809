"""How much of the time of a genome scan is the network: the scan beside its bare forward pass on tensors in memory.

The small preset of ``dna-function`` with random weights (a speed does not depend on them) and four targets scans a
random genome, from FASTA to a finished Parquet or bigWig file, as ``primase scan`` does once the model is loaded. The
bare pass has the codes of the same windows in memory, in batches of several sizes. Three scans stand between two rounds
of bare passes, and the fastest of either counts; the median of the ratios is given, in processor seconds, which leave
out the waiting for a busy machine, and in seconds on the wall.

    python benchmarks/genome_scan.py --out benchmarks/results/genome_scan.jsonl

Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from journal import Journal, print_rows
from primase.apps.discovery import application_named
from primase.apps.workflow import Scan
from primase.configuration import configure
from primase.data.sequences import SequenceEncoder, Sequences
from primase.data.tasks import Task
from primase.evaluation.per_label import uncalibrated
from primase.events import silent
from primase.predictor.predictor import Predictor

SEED: Final = 0
BATCHES: Final = (32, 64, 128, 256, 512)
TASK: Final = Task("multilabel", ("a", "b", "c", "d"))
TURNS: Final = 3
SCANS: Final = ((200, "scan.parquet"), (200, "scan.bw"), (1000, "scan.parquet"))
"""Window, and file to write; the stride is half of the window."""


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--megabases", type=float, default=1.0, help="length of the genome")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    journal = Journal(options.out)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PRIMASE_CACHE"] = str(Path(folder) / "cache")
        genome = Path(folder) / "genome.fa"
        letters = write_genome(genome, round(options.megabases * 1e6))
        for number in range(options.rounds):
            for window, name in SCANS:
                key = {"window": window, "file": name, "megabases": options.megabases, "round": number}
                if not journal.matching(key):
                    measured = compare(genome, letters, window, Path(folder) / f"{number}-{window}-{name}")
                    journal.add(key, {**measured, "date": time.strftime("%Y-%m-%d")})
    summarise(journal)


def write_genome(path: Path, length: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Write a random chromosome as FASTA; return its codes."""
    numbers = np.random.default_rng(SEED).integers(0, 4, length)
    text = np.frombuffer(b"ACGT", dtype=np.uint8)[numbers].tobytes()
    lines = b"\n".join(text[start : start + 60] for start in range(0, length, 60))
    path.write_bytes(b">random\n" + lines + b"\n")
    return (1 << numbers).astype(np.uint8)


def predictor_of(window: int) -> Predictor[Sequences]:
    """Build the network with random weights."""
    application = application_named("dna-function")
    torch.manual_seed(SEED)
    encoder = SequenceEncoder(window)
    network = application.load().network(encoder, TASK, configure(application.configuration, {}))
    return Predictor(TASK, encoder, (network.eval(),), uncalibrated(TASK))


def compare(genome: Path, letters: np.ndarray[Any, np.dtype[np.uint8]], window: int, out: Path) -> dict[str, Any]:
    """Measure scans between two rounds of bare passes."""
    predictor, stride = predictor_of(window), window // 2
    starts = np.arange(0, len(letters) - window + 1, stride)
    codes = torch.from_numpy(letters[starts[:, None] + np.arange(window)])
    application = application_named("dna-function")
    configuration = configure(application.configuration, {})
    before, turns = bare(predictor.members[0], codes), []
    for turn in range(TURNS):
        scan = Scan(genome, out.with_name(f"{turn}-{out.name}"), model="random weights")
        turns.append(timed(lambda scan=scan: application.load().scan(predictor, configuration, scan, silent)))
    after = bare(predictor.members[0], codes)
    found = {"windows": len(starts), "load": os.getloadavg()[0]}
    for clock in turns[0]:
        seconds = min(turn[clock] for turn in turns)
        network = min(*before[clock].values(), *after[clock].values())
        found |= {f"scan_{clock}": seconds, f"bare_{clock}": network, f"share_{clock}": network / seconds}
    fastest = min(after["cpu_seconds"], key=after["cpu_seconds"].__getitem__)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "fastest_batch": fastest, "peak_mib": peak}


def bare(network: nn.Module, codes: Tensor) -> dict[str, dict[int, float]]:
    """Time the forward pass on all windows, by size of the batches."""

    def forward(size: int) -> None:
        with torch.inference_mode():
            for start in range(0, len(codes), size):
                network(codes[start : start + size])

    forward(BATCHES[-1])  # how memory is laid out hangs on the largest that was ever needed
    times = {size: timed(lambda size=size: forward(size)) for size in BATCHES}
    return {clock: {size: times[size][clock] for size in BATCHES} for clock in ("cpu_seconds", "seconds")}


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Time a piece of work on both clocks."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {"cpu_seconds": time.process_time() - processor, "seconds": time.perf_counter() - wall}


def summarise(journal: Journal) -> None:
    """Print windows a second, and the share of the scan that the bare pass takes."""
    head = [
        "window",
        "file",
        "windows",
        "bare pass, windows a second",
        "scan, windows a second",
        "share",
        "on the wall",
    ]
    rows = [head]
    for window, name in SCANS:
        records = journal.matching({"window": window, "file": name})
        if records:
            count = records[0]["windows"]
            speeds = [
                statistics.median(count / record[f"{which}_cpu_seconds"] for record in records)
                for which in ("bare", "scan")
            ]
            shares = [
                statistics.median(record[f"share_{clock}"] for record in records)
                for clock in ("cpu_seconds", "seconds")
            ]
            rows.append(
                [
                    str(window),
                    name,
                    f"{count:,}",
                    *(f"{speed:.0f}" for speed in speeds),
                    *(f"{share:.2f}" for share in shares),
                ]
            )
    print_rows(rows)


if __name__ == "__main__":
    main()
