"""What it costs to read domain vectors densely, as the paper does, instead of by the domains that are there.

The same network (the hidden layers of the enzyme configuration), the same proteins (the paper's set, 80 % for training
and 10 % for validation, drawn at random from seed 0), the same batch size, loss and optimiser, for the same steps:

sparse          the package as it is: an embedding bag over domains and the pieces of their names, Lightning's loop
sparse-domains  the same over domains alone, which is what the dense matrix holds
dense           a float32 matrix of all proteins by the paper's 16,306 family names, nn.Linear, a bare loop in PyTorch

Each measurement is a process of its own, so that the peak memory is its own. The variants take turns on one and on two
threads, and each is judged by its shortest time, since other programs can only lengthen it: two threads that must wait
for each other suffer most. Processor seconds, which leave waiting out, stand beside those on the wall. The dense
variant has no Lightning and no checkpoints, and its matrix is built once, by the place of each entry.

    python benchmarks/sparse_or_dense.py --out benchmarks/results/sparse_or_dense.jsonl --rounds 3

Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from journal import Journal, print_rows

# The process that takes the measurements stays small: on Linux a child starts with the peak memory of its parent.
VARIANTS = {
    f"{variant}, {threads} thread{'s' * (threads > 1)}": ["--variant", variant, "--threads", str(threads)]
    for variant in ("sparse", "sparse-domains", "dense")
    for threads in (1, 2)
}
FIGURES = {
    "epoch_seconds": "seconds an epoch",
    "epoch_cpu_seconds": "processor seconds an epoch",
    "whole_seconds": "seconds with reading",
    "peak_mib": "peak MiB",
}
WORKER = Path(__file__).with_name("sparse_or_dense_worker.py")


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1, help="per measurement")
    parser.add_argument("--hidden", default="256,128", help="widths of the layers")
    parser.add_argument("--batch-size", type=int, default=512)
    options = parser.parse_args()
    journal = Journal(options.out)
    conditions = {"hidden": options.hidden, "batch_size": options.batch_size, "epochs": options.epochs}
    common = [word for name, value in conditions.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    for number in range(options.rounds):
        for variant, words in VARIANTS.items():
            key = {"variant": variant, "round": number, **conditions}
            if not journal.matching(key):
                circumstances = {"load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d")}
                command = [sys.executable, str(WORKER), *words, *common]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                journal.add(key, {**json.loads(output.splitlines()[-1]), **circumstances})
    summarise(journal.matching(conditions))


def summarise(records: list[dict[str, Any]]) -> None:
    """Print the least of each figure, and how many times that of the better dense variant it goes into."""

    def least(variant: str, name: str) -> float:
        return float(min(record[name] for record in records if record["variant"].startswith(variant)))

    rows = [["variant", *(f"{name}, dense / this" for name in FIGURES.values())]]
    for variant in VARIANTS:
        figures = {name: least(variant, name) for name in FIGURES}
        rows.append([variant, *(f"{value:.2f}, {least('dense', name) / value:.1f}" for name, value in figures.items())])
    print_rows(rows)
    above = {variant: least(variant, "peak_mib") - least(variant, "idle_mib") for variant in VARIANTS}
    idle = min(record["idle_mib"] for record in records)
    print(f"\nOf which {idle:.0f} MiB are Python and its libraries; above that:", end=" ")
    print(", ".join(f"{variant} {mib:.0f} MiB" for variant, mib in above.items()))


if __name__ == "__main__":
    main()
