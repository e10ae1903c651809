"""How long it takes from a FASTA file to one-hot batches: ours beside pyfaidx with NumPy, and beside tangermeme.

Random sequences are read and made into float32 one-hot tensors of (batch, 4, length), in batches of 256, on one
thread. Ours reads the file, keeps one byte a letter, and looks the columns up per batch, as the networks do; pyfaidx
reads each record by its index and NumPy compares it with the letters; tangermeme encodes each text that pyfaidx reads.
The index of pyfaidx is made before the clock starts. Rounds alternate, and the least of each counts.

    python benchmarks/sequence_encoding.py --out benchmarks/results/sequence_encoding.jsonl
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyfaidx import Fasta
from tangermeme.utils import one_hot_encode

from journal import Journal, print_rows
from primase.bio.fasta import read_nucleotides
from primase.data.sequences import SequenceEncoder, Sequences
from primase.nn.letters import OneHot

BATCH = 256
LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    journal = Journal(options.out)
    key = {"records": options.records, "length": options.length}
    if not options.summary and not journal.matching(key):
        journal.add(key, measure(options.records, options.length, options.rounds))
    rows = [["way", "records a second", "times as long as ours"]]
    for record in journal.records:
        for way, seconds in record["seconds"].items():
            rows.append([way, f"{record['records'] / seconds:,.0f}", f"{seconds / record['seconds']['primase']:.1f}"])
    print_rows(rows)


def measure(records: int, length: int, rounds: int) -> dict[str, Any]:
    """Write a file, and read it in every way in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sequences.fa"
        letters = np.random.default_rng(0).choice(LETTERS, size=(records, length))
        path.write_bytes(b"".join(b">s%d\n%s\n" % (number, row.tobytes()) for number, row in enumerate(letters)))
        Fasta(str(path)).close()
        ways = {"primase": primase_batches, "pyfaidx and NumPy": pyfaidx_batches, "tangermeme": tangermeme_batches}
        least = dict.fromkeys(ways, float("inf"))
        sums = {}
        for _ in range(rounds):
            for way, batches in ways.items():
                started = time.perf_counter()
                sums[way] = sum(float(batch[:, 0].sum()) for batch in batches(path, length))
                least[way] = min(least[way], time.perf_counter() - started)
    if len(set(sums.values())) != 1:
        message = f"the ways differ: {sums}"
        raise AssertionError(message)
    return {"seconds": least, "rounds": rounds, "date": time.strftime("%Y-%m-%d")}


def primase_batches(path: Path, length: int) -> Iterator[torch.Tensor]:
    """Read one byte a letter, then look columns up batch by batch."""
    sequences = Sequences.from_codes([record.codes for record in read_nucleotides(path)])
    encoded, onehot = SequenceEncoder(length).encode(sequences), OneHot()
    for start in range(0, len(encoded), BATCH):
        yield onehot(encoded.batch(np.arange(start, min(start + BATCH, len(encoded))))["letters"])


def pyfaidx_batches(path: Path, length: int) -> Iterator[torch.Tensor]:
    """Read texts, and compare each letter with the four."""
    for texts in batches_of_texts(path):
        raw = np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(len(texts), 1, length)
        yield torch.from_numpy((raw == LETTERS[:, None]).astype(np.float32))


def tangermeme_batches(path: Path, length: int) -> Iterator[torch.Tensor]:
    """Read texts, and encode each with tangermeme."""
    del length
    for texts in batches_of_texts(path):
        yield torch.stack([one_hot_encode(text) for text in texts]).float()


def batches_of_texts(path: Path) -> Iterator[list[str]]:
    """Read the records with pyfaidx."""
    fasta = Fasta(str(path), as_raw=True, sequence_always_upper=True)
    names = list(fasta.keys())
    for start in range(0, len(names), BATCH):
        yield [fasta[name][:] for name in names[start : start + BATCH]]


if __name__ == "__main__":
    main()
