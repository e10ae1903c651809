"""How good the networks are beside their baselines and probes, over several seeds, splits and data sets.

Each seed decides both the split and the training. The metrics are measured on the test part, with the 95 % intervals of
the package; the table gives the mean and the standard deviation over the seeds.

    python benchmarks/accuracy.py --out benchmarks/results/enzyme_accuracy.jsonl
    python benchmarks/accuracy.py --splits cluster --seeds 0 1 --out FILE --set names=false domain_dropout=0
    python benchmarks/accuracy.py --application rna-binding --datasets rbp31-tdp43 rbp31-qki --splits given --out FILE
    python benchmarks/accuracy.py --application protein-interaction --datasets yeast-ppi --splits given --out FILE
    python benchmarks/accuracy.py --application expression-inference --inputs table=FILE group_column=patient --out FILE
    python benchmarks/accuracy.py --application image-diagnosis --splits given --inputs images=FILE --out FILE
    python benchmarks/accuracy.py --out FILE --summary

Settings behind ``--set`` are those of ``primase train``, as NAME=VALUE; they show what an ingredient is worth.
Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import primase
from journal import Journal, mean_and_deviation, print_rows

METRICS = ("accuracy", "auroc", "auprc", "mcc", "brier", "ece")
VALUE_METRICS = ("macro_mae", "macro_mse", "macro_r2", "macro_pearson")
IMAGE_METRICS = ("psnr", "ssim", "psnr_rgb", "ssim_rgb", "perceptual_distance")
LABEL_COLUMNS = {"accuracy": "accuracy", "auroc": "AUROC", "auprc": "AUPRC"}
ENZYMES = "enzyme-identification"


def main() -> None:
    """Measure what is missing, then print the table."""
    options = arguments()
    journal = Journal(options.out)
    settings = dict(setting(text) for text in options.settings)
    if not options.summary:
        inputs = dict(setting(text) for text in options.inputs)
        datasets = [Path(next(iter(inputs.values()))).name] if inputs else options.datasets
        for seed, dataset, split in itertools.product(options.seeds, datasets, options.splits):
            key = {"dataset": dataset, "split": split, "seed": seed, "settings": settings}
            if not journal.matching(key):
                journal.add(key, measure(options.application, key, inputs or {"dataset": dataset}))
    summarise(journal)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--application", default=ENZYMES)
    parser.add_argument("--datasets", nargs="+", default=["enzyme-pfam"])
    parser.add_argument("--inputs", nargs="*", default=[], metavar="WORD=FILE", help="in the place of --datasets")
    parser.add_argument("--splits", nargs="+", default=["random", "cluster"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is JSON, or else a word.

    Examples
    --------
    >>> setting("hidden=[512, 128]"), setting("names=false"), setting("precision=bf16")
    (('hidden', [512, 128]), ('names', False), ('precision', 'bf16'))
    """
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def measure(application: str, key: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Train once and keep the figures."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = primase.train(
            application,
            out=Path(folder) / "model",
            **inputs,
            split=key["split"],
            seed=key["seed"],
            **key["settings"],
        )
    metrics = run.metrics
    return {
        "test": chosen(metrics["test"]),
        **rivals(metrics),
        "subsets": {name: chosen(figures) for name, figures in metrics["subsets"].items()},
        "contrasts": {name: rivals(contrast) for name, contrast in metrics.get("contrasts", {}).items()},
        "calibration": metrics["calibration"],
        **{name: metrics[name] for name in ("gains", "insights") if metrics.get(name)},
        "sizes": metrics["split"]["sizes"],
        "seconds": {**metrics["seconds"], "total": time.perf_counter() - started},
        "peak_memory_mib": metrics["peak_memory_mib"],
        "date": time.strftime("%Y-%m-%d"),
    }


def rivals(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the metrics of what stands beside the network, in the test or in the test asked in another way."""
    return {kind: {name: chosen(one) for name, one in metrics[kind].items()} for kind in ("baselines", "probes")}


def chosen(figures: dict[str, Any]) -> dict[str, Any]:
    """Keep the metrics of the table: those of a task with one answer, or of each label and their means.

    Of values, which may be of thousands of targets, only the means.
    """
    of_the_whole = {*VALUE_METRICS, *IMAGE_METRICS}
    return {
        name: figure for name, figure in figures.items() if name.rpartition("_")[2] in METRICS or name in of_the_whole
    }


def summarise(journal: Journal) -> None:
    """Print means and standard deviations over the seeds, per data set, split and settings."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for record in journal.records:
        words = " ".join(f"{name}={json.dumps(value)}" for name, value in record["settings"].items())
        groups[record["dataset"], record["split"], words or "default"].append(record)
    metrics = table_columns(journal.records[0]["test"]) if journal.records else LABEL_COLUMNS
    rows = [["data set", "split", "settings", "seeds", "model", *metrics.values(), "training, seconds"]]
    for (dataset, split, words), records in sorted(groups.items()):
        front = [dataset, split, words, str(len(records))]
        for model, figures in models(records).items():
            columns = [column(figures, name) for name in metrics]
            seconds = mean_and_deviation((record["seconds"]["train"] for record in records), 0)
            rows.append([*front, model, *columns, seconds if model == "network" else ""])
    print_rows(rows)


def table_columns(figures: Mapping[str, Any]) -> Mapping[str, str]:
    """Choose the metrics of the table by what was measured."""
    if "psnr" in figures:
        return {"psnr": "PSNR (dB)", "ssim": "SSIM", "psnr_rgb": "PSNR RGB (dB)", "perceptual_distance": "distance"}
    return {"mae": "MAE", "r2": "R²", "pearson": "Pearson r"} if "macro_mae" in figures else LABEL_COLUMNS


def models(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Collect the figures of the network, of its subsets and of what stands beside it, over the seeds."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        found["network"].append(record["test"])
        for name, figures in record["subsets"].items():
            found[f"network, {name}"].append(figures)
        # The network's own figures in another way of asking are among the subsets.
        for way, asked in {"": record, **record.get("contrasts", {})}.items():
            behind = f", {way}" if way else ""
            for name, figures in asked["baselines"].items():
                found[f"{name}{behind}"].append(figures)
            for name, figures in asked["probes"].items():
                found[f"{name} (probe){behind}"].append(figures)
    return found


def column(figures: list[dict[str, Any]], metric: str) -> str:
    """Summarise one metric, where it is defined; of several labels, the mean over them."""
    found = [seed.get(metric) or seed.get(f"macro_{metric}") for seed in figures]
    values = [interval["value"] for interval in found if interval and interval["value"] is not None]
    return mean_and_deviation(values) if values else ""


if __name__ == "__main__":
    main()
