"""What a model of one RNA-binding protein is worth for another of which little is known.

A model is trained on many examples of one protein. Of another protein 200 labelled examples are drawn (a tenth of them
is for validation), and a network learns from them: from scratch, or starting from that model in several ways. All are
judged on the published test part of the other protein (or on so many drawn of it, half of them positives), beside the
logistic regression on words of letters that learned from the same 200. Each seed draws other examples and trains anew;
the model that it starts from is trained once.

    python benchmarks/few_data.py --out benchmarks/results/few_data.jsonl
    python benchmarks/few_data.py --pairs rbp31-tdp43:rbp31-qki --seeds 0 1 2 --examples 200 --out FILE
    python benchmarks/few_data.py --known 6000 --tested 1000 --out FILE
    python benchmarks/few_data.py --out FILE --summary

Measurements are appended to the file of ``--out``; what it already holds is not measured again. The models that others
start from are kept in the folder of ``--parents``.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

import primase
from journal import Journal, mean_and_deviation, print_rows

FILES: Final[Mapping[str, str]] = {
    "rbp31-tdp43": "rbp31/TDP43.{}",
    "rbp31-qki": "rbp31/QKI.{}",
    "rbp24-parclip-qki": "rbp24/PARCLIP_QKI.{}",
    "rbp24-c17orf85": "rbp24/C17ORF85_Baltz2012.{}",
    "rbp24-alkbh5": "rbp24/ALKBH5_Baltz2012.{}",
}
PAIRS: Final = ("rbp31-tdp43:rbp31-qki", "rbp31-qki:rbp31-tdp43", "rbp24-parclip-qki:rbp24-c17orf85")
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "from scratch": {},
    "frozen": {"freeze": "all-but-last"},
    "a tenth of the rate": {"lower_rate": 0.1},
    "the full rate": {"lower_rate": 1.0},
}
SIZES: Final = ("known", "examples", "tested")
FEW: Final = {"epochs": 40, "patience": 15, "members": 1}
"""The same for all: so few examples make few steps an epoch."""


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--parents", type=Path, default=Path("parents"), help="folder of the models to start from")
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="FROM:TO")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--known", type=int, default=0, help="examples that the others start from; 0 for all")
    parser.add_argument("--tested", type=int, default=0, help="examples to test on; 0 for all")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    options = parser.parse_args()
    journal = Journal(options.out)
    if not options.summary:
        for pair, seed in itertools.product(options.pairs, options.seeds):
            for way in WAYS:
                sizes = {name: getattr(options, name) for name in SIZES}
                key = {"pair": pair, "seed": seed, **sizes, "way": way}
                if not journal.matching(key):
                    journal.add(key, measure(key, options.parents))
    summarise(journal)


def measure(key: Mapping[str, Any], parents: Path) -> dict[str, Any]:
    """Train once on few examples, and keep the figures."""
    before, _, after = key["pair"].partition(":")
    start = {} if key["way"] == "from scratch" else {"from_model": parent(before, key["known"], parents)}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = drawn(after, "train", key["examples"], key["seed"], folder)
        inputs |= drawn(after, "test", key["tested"], 0, folder)
        run = primase.train(
            "rna-binding",
            out=folder / "model",
            seed=key["seed"],
            split="given",
            **inputs,
            **FEW,
            **start,
            **WAYS[key["way"]],
        )
        metrics = run.metrics
    subsets = {name: figures["auroc"] for name, figures in metrics["subsets"].items() if "started from" in name}
    baseline = metrics["baselines"]["logistic regression"]
    return {
        "auroc": metrics["test"]["auroc"],
        "auprc": metrics["test"]["auprc"],
        "words": {"auroc": baseline["auroc"], "auprc": baseline["auprc"]},
        "subsets": subsets,
        "sizes": metrics["split"]["sizes"],
        "seconds": round(time.perf_counter() - started, 1),
    }


def parent(dataset: str, known: int, folder: Path) -> Path:
    """Train the model to start from, unless it is there."""
    path = folder / f"{dataset}-{known or 'all'}"
    if not path.exists():
        inputs = drawn(dataset, "train", known, 0, folder / f"{path.name}-files")
        primase.train("rna-binding", out=path, members=1, split="random", resume=True, **inputs)
    return path


def drawn(dataset: str, part: str, count: int, seed: int, folder: Path) -> dict[str, Path]:
    """Draw so many examples of a part, half of them positives; 0 for all of them."""
    mirror, generator = Path(os.environ["PRIMASE_MIRROR"]), np.random.default_rng(seed)
    named = {"train": "train", "test": "ls" if dataset.startswith("rbp24") else "test"}[part]
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {}
    for kind in ("positives", "negatives"):
        path = mirror / f"{FILES[dataset].format(named)}.{kind}.fa.gz"
        word = kind if part == "train" else f"test_{kind}"
        if not count:
            inputs[word] = path
            continue
        with gzip.open(path, "rt") as file:
            every = list(records(file.read()))
        chosen = np.sort(generator.choice(len(every), min(count // 2, len(every)), replace=False))
        inputs[word] = folder / f"{word}.fa"
        inputs[word].write_text("".join(every[place] for place in chosen), encoding="utf-8")
    return inputs


def records(text: str) -> Iterator[str]:
    """Divide FASTA into its records."""
    for record in text.split(">")[1:]:
        yield f">{record}"


def summarise(journal: Journal) -> None:
    """Print AUROC by pair and way of training: the mean and the standard deviation over the seeds."""
    rows: list[list[object]] = [["from", "to", *SIZES, *WAYS, "words of letters"]]
    for pair, *numbers in dict.fromkeys(tuple(record[name] for name in ("pair", *SIZES)) for record in journal.records):
        before, _, after = pair.partition(":")
        cells: list[object] = [before, after, *numbers]
        sizes = dict(zip(SIZES, numbers, strict=True))
        for way in WAYS:
            found = journal.matching({"pair": pair, **sizes, "way": way})
            cells.append(mean_and_deviation([record["auroc"]["value"] for record in found], 3) if found else "")
        found = journal.matching({"pair": pair, **sizes, "way": "from scratch"})
        words = [record["words"]["auroc"]["value"] for record in found]
        rows.append([*cells, mean_and_deviation(words, 3) if words else ""])
    print_rows(rows)


if __name__ == "__main__":
    main()
