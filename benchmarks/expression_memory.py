"""How much memory training takes on an .h5ad file that would not fit: 200,000 samples of 5,000 genes.

The file is made first, as anndata writes a sparse matrix of counts (CSR, gzip), 10,000 samples at a time: Poisson
counts of 20 programmes of genes, of which about a tenth is not zero. Then ``primase train expression-embedding`` runs
on it from end to end, in a process of its own; what is compared is the most memory that it held, as it writes into
``metrics.json``, and what the matrix would take as dense 32-bit numbers.

    python benchmarks/expression_memory.py --out benchmarks/results/expression_memory.jsonl
    python benchmarks/expression_memory.py --samples 20000 --genes 2000 --out FILE
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from scipy import sparse

from journal import Journal, print_rows

PROGRAM: Final = "from primase.cli.main import main; main()"
BLOCK: Final = 10_000
PROGRAMMES: Final = 20


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--genes", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    journal = Journal(options.out)
    key = {"samples": options.samples, "genes": options.genes, "epochs": options.epochs}
    if not journal.matching(key):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cells.h5ad"
            write(path, options.samples, options.genes)
            journal.add(key, train(path, options.epochs))
    head = ["samples", "genes", "file, MiB", "dense, MiB", "peak, MiB", "share of dense", "training, seconds", "in all"]
    rows = [head]
    for record in journal.records:
        dense = record["samples"] * record["genes"] * 4 / 2**20
        peak, seconds = record["peak_memory_mib"], record["seconds"]
        numbers = [f"{number:,.0f}" for number in (record["file_mib"], dense, peak)]
        times = [f"{seconds['train']:,.0f}", f"{seconds['total']:,.0f}"]
        rows.append([f"{record['samples']:,}", f"{record['genes']:,}", *numbers, f"{peak / dense:.2f}", *times])
    print_rows(rows)


def write(path: Path, samples: int, genes: int) -> None:
    """Write counts as anndata does, without ever holding them all."""
    generator = np.random.default_rng(0)
    loadings = generator.gamma(0.3, 1.0, (PROGRAMMES, genes)) * generator.gamma(0.5, 1.0, genes)
    loadings *= 0.15 / loadings.mean()
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        _index(file, "obs", [f"cell_{number}" for number in range(samples)])
        _index(file, "var", [f"gene_{number}" for number in range(genes)])
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (samples, genes)})
        options: dict[str, Any] = {"shape": (0,), "maxshape": (None,), "chunks": (1 << 18,), "compression": "gzip"}
        data = group.create_dataset("data", dtype="float32", **options)
        columns = group.create_dataset("indices", dtype="int32", **options)
        ends = [0]
        for start in range(0, samples, BLOCK):
            activity = generator.gamma(0.3, 1.0, (min(BLOCK, samples - start), PROGRAMMES)) / 0.3 / PROGRAMMES
            counts = sparse.csr_array(generator.poisson(activity @ loadings).astype(np.float32))
            for dataset, values in ((data, counts.data), (columns, counts.indices)):
                dataset.resize((len(dataset) + len(values),))
                dataset[-len(values) :] = values
            ends += (ends[-1] + counts.indptr[1:]).tolist()
        group.create_dataset("indptr", data=np.array(ends, dtype=np.int64))


def _index(file: h5py.File, name: str, names: list[str]) -> None:
    group = file.create_group(name)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    group.attrs["column-order"] = np.array([], dtype=h5py.string_dtype())
    group.create_dataset("_index", data=np.array(names, dtype=object), dtype=h5py.string_dtype())
    group["_index"].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def train(path: Path, epochs: int) -> dict[str, Any]:
    """Train from end to end in a process of its own."""
    out, started = path.parent / "model", time.perf_counter()
    words = ["train", "expression-embedding", "--h5ad", path, "--epochs", epochs, "--members", 1, "--out", out]
    subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], check=True)
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    return {
        "peak_memory_mib": metrics["peak_memory_mib"],
        "file_mib": path.stat().st_size / 2**20,
        "seconds": {**metrics["seconds"], "total": time.perf_counter() - started},
        "r2": metrics["test"]["macro_r2"]["value"],
        "sizes": metrics["split"]["sizes"],
        "date": time.strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
