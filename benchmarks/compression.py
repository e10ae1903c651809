"""What each way of compression gains and costs, on the enzyme network and the convolutional network of RNA binding.

A model is trained once per application and seed and kept in the working folder; each method then makes a smaller one of
it. The table gives how many times smaller the weight files are, the differences of the main metrics to the model before
(with 95 % intervals, of the same test examples drawn together), and the time for a batch in units of that before.

    python benchmarks/compression.py --out benchmarks/results/compression.jsonl --folder FOLDER
    python benchmarks/compression.py --applications rna-binding --seeds 0 1 2 --out FILE --folder FOLDER
    python benchmarks/compression.py --simulated 3000 --set members=1 --out FILE --folder FOLDER
    python benchmarks/compression.py --out FILE --summary

Settings behind ``--set`` are those of ``primase train`` for the larger model, as NAME=VALUE, for a cheaper measurement;
``--simulated COUNT`` takes so many simulated examples in the place of real ones.
Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Any

import primase
from journal import Journal, print_rows
from primase.apps.discovery import application_named

DATASETS = {"enzyme-identification": "enzyme-pfam", "rna-binding": "rbp31-tdp43"}
WAYS: dict[str, dict[str, Any]] = {
    "pruning to 90 % zeros": {"method": "prune", "sparsity": 0.9},
    "pruning to 95 % zeros": {"method": "prune", "sparsity": 0.95},
    "channels: half of them": {"method": "prune", "structured": True, "sparsity": 0.5},
    "8 bits": {"method": "quantise"},
    "distillation to a quarter": {"method": "distil", "shrink": 4},
    "low rank: 90 % of the energy": {"method": "low-rank", "energy": 0.9},
    "low rank: rank 8": {"method": "low-rank", "rank": 8},
    "deep compression, 90 % zeros": {"method": "deep-compression", "sparsity": 0.9},
    "deep compression, 95 % zeros": {"method": "deep-compression", "sparsity": 0.95},
}
METRICS = {"auroc": "AUROC", "accuracy": "Accuracy"}


def main() -> None:
    """Measure what is missing, then print the table."""
    options = arguments()
    journal = Journal(options.out)
    settings = {name: json.loads(value) for name, _, value in (text.partition("=") for text in options.settings)}
    if not options.summary:
        for application, seed, way in itertools.product(options.applications, options.seeds, options.ways):
            dataset = options.dataset or DATASETS[application]
            if options.simulated:
                dataset = f"simulated-{options.simulated}"
            key = {"application": application, "dataset": dataset, "seed": seed, "settings": settings, "way": way}
            if not journal.matching(key):
                journal.add(key, measure(key, options.folder))
    summarise(journal)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--folder", type=Path, default=Path("compression-models"), help="keeps the models")
    parser.add_argument("--applications", nargs="+", default=list(DATASETS))
    parser.add_argument("--dataset", help="in the place of the usual one")
    parser.add_argument("--simulated", type=int, metavar="COUNT", help="examples to simulate")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    return parser.parse_args()


def measure(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train the parent, unless it is there, and compress it once."""
    words = [key["application"], key["dataset"], str(key["seed"]), *map(str, key["settings"].values())]
    parent = folder / "-".join(words)
    if not parent.exists():
        resumable = parent.with_name(parent.name + ".partial").exists()
        settings = {**inputs_of(key, folder), "seed": key["seed"], **key["settings"]}
        primase.train(key["application"], out=parent, resume=resumable, **settings)
    child = folder / "compressed"
    for leftover in (child, child.with_name("compressed.partial")):
        shutil.rmtree(leftover, ignore_errors=True)
    started = time.process_time()
    run = primase.compress(parent, out=child, **WAYS[key["way"]])
    facts = run.metrics["compression"]
    shutil.rmtree(child)
    return {
        "cpu_seconds": round(time.process_time() - started, 1),
        "size": facts["size"],
        "latency": facts["latency"],
        "test": {name: facts["test"][name] for name in METRICS if name in facts["test"]},
        "agreement": facts["agreement"],
    }


def inputs_of(key: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Name a registered data set, or write simulated files and name these."""
    word, _, count = key["dataset"].partition("-")
    if word != "simulated":
        return {"dataset": key["dataset"]}
    files = folder / f"{key['application']}-{key['dataset']}"
    if not files.exists():
        files.mkdir(parents=True)
        made = application_named(key["application"]).load().simulate(files, int(count), 0)
        (files / "inputs.json").write_text(json.dumps(list(made.inputs)), encoding="utf-8")
    words = json.loads((files / "inputs.json").read_text(encoding="utf-8"))
    pairs = zip(words[::2], words[1::2], strict=True)
    named = {name.removeprefix("--").replace("-", "_"): value for name, value in pairs}
    return {name: files / value if (files / value).exists() else value for name, value in named.items()}


def summarise(journal: Journal) -> None:
    """Print a row per application and way, and seed."""
    titles = [f"{title} lost, points" for title in METRICS.values()]
    rows: list[list[object]] = [["Application", "Way", "Seed", "Times smaller", *titles, "Time", "Same answer"]]
    for record in journal.records:
        before, after = record["size"]["before"], record["size"]["after"]
        lost = [loss(record["test"][name]["difference"]) if name in record["test"] else "" for name in METRICS]
        same = record["agreement"].get("same_answer")
        rows.append(
            [
                record["application"],
                record["way"],
                record["seed"],
                f"{before['bytes'] / after['bytes']:.1f}",
                *lost,
                f"x {record['latency']['ratio']:.2f}",
                "" if same is None else f"{same:.1%}",
            ]
        )
    print_rows(rows)


def loss(difference: dict[str, float]) -> str:
    """Write a difference as what is lost, in points of a hundred."""
    # Adding zero makes of a negative zero a plain one.
    value, low, high = (-100 * difference[name] + 0.0 for name in ("value", "high", "low"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


if __name__ == "__main__":
    main()
