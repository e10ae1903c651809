"""How far probabilities can be believed by each method of calibration, before and after, on three data sets.

A model is trained once per data set and seed. Every method is then fitted to validation and judged on test, as in
training; which is best is decided on validation alone, by the log loss of five folds that are each answered by a
calibration fitted to the others.

    python benchmarks/calibration.py --out benchmarks/results/calibration.jsonl --folder MODELS
    python benchmarks/calibration.py --datasets tf_0 --seeds 0 1 2 --out FILE --folder MODELS --epochs 3
    python benchmarks/calibration.py --out FILE --summary

The models are kept in ``--folder``, for ``uncertainty.py`` too. Measurements are appended to the file of ``--out``;
what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import primase
from journal import Journal, print_rows
from primase.evaluation.crossfit import cross_fitted, folds_of
from primase.evaluation.intervals import Units
from primase.evaluation.per_label import METHODS, fit_calibrator_of
from primase.evaluation.recalibration import judge
from primase.events import Stages, silent
from primase.remaking.reopening import Reopened, reopen

DATASETS: dict[str, tuple[str, dict[str, Any]]] = {
    "enzyme-pfam": ("enzyme-identification", {"dataset": "enzyme-pfam"}),
    "tf_0": ("dna-function", {"dataset": "tf-0"}),
    "pneumoniamnist": ("image-diagnosis", {"dataset": "pneumoniamnist"}),
    "tdp43": ("rna-binding", {"dataset": "rbp31-tdp43"}),
}
FIGURES = ("ece", "brier", "log_loss", "accuracy")


def main() -> None:
    """Measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--folder", type=Path, help="where the models are kept")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=["enzyme-pfam", "tf_0", "pneumoniamnist"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, help="at most so many; by default those of the application")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the tables")
    options = parser.parse_args()
    journal = Journal(options.out)
    if not options.summary:
        for dataset, seed in itertools.product(options.datasets, options.seeds):
            key = {"dataset": dataset, "seed": seed, "epochs": options.epochs}
            if len(journal.matching(key)) < len(METHODS):
                measure(journal, key, opened(options.folder, dataset, seed=seed, epochs=options.epochs))
    summarise(journal)


def opened(folder: Path, dataset: str, *, seed: int, epochs: int | None) -> Reopened:
    """Train a model, unless that was done before, and open it with its examples."""
    application, inputs = DATASETS[dataset]
    path = folder / f"{dataset}-{seed}-{epochs or 'default'}"
    if not path.exists():
        few = {} if epochs is None else {"epochs": epochs}
        primase.train(application, out=path, seed=seed, **inputs, **few)
    return reopen(path, stages=Stages(silent))


def measure(journal: Journal, key: dict[str, Any], model: Reopened) -> None:
    """Judge every method on test, and on the folds of validation."""
    prepared, predictor = model.prepared, model.model.predictor
    task, partition, workflow = predictor.task, prepared.audited.partition, prepared.workflow
    parts = ("validation", "test")
    outputs = {part: workflow.outputs(predictor, prepared.parts[part], silent) for part in parts}
    truth = {part: prepared.truth(part) for part in parts}
    units = partition.units[partition.validation]
    folds = folds_of(task, truth["validation"], units, seed=key["seed"])
    drawn = workflow.resampled(prepared.parts["test"], partition.units[partition.test], partition.policy)
    for method in METHODS:
        started = time.process_time()
        calibrator = fit_calibrator_of(task, method, outputs["validation"], truth["validation"])
        seconds = time.process_time() - started
        crossed = cross_fitted(task, method, outputs["validation"], truth["validation"], folds)
        on_folds = judge(task, truth["validation"], crossed, Units.of(units, "unit"))
        on_test = judge(task, truth["test"], calibrator.answers(outputs["test"]), drawn)
        measured = {
            "validation": on_folds.to_state(),
            "test": on_test.to_state(),
            "sizes": partition.sizes,
            "seconds": round(seconds, 3),
            "date": time.strftime("%Y-%m-%d"),
        }
        if not journal.matching({**key, "method": method}):
            journal.add({**key, "method": method}, measured)


def summarise(journal: Journal) -> None:
    """Print every method on test, and which one validation would choose."""
    rows: list[list[object]] = [["data set", "seed", "epochs", "method", "validation log loss", *FIGURES]]
    for record in journal.records:
        chosen = min(
            journal.matching({name: record[name] for name in ("dataset", "seed", "epochs")}),
            key=lambda one: one["validation"]["log_loss"]["value"],
        )
        mark = " (chosen)" if chosen["method"] == record["method"] else ""
        front = [record["dataset"], record["seed"], record["epochs"] or "default", record["method"] + mark]
        rows.append(
            [*front, figure(record["validation"]["log_loss"]), *(figure(record["test"][name]) for name in FIGURES)]
        )
    print_rows(rows)


def figure(state: dict[str, float | None]) -> str:
    """Write a figure with its interval."""
    value, low, high = (state[name] for name in ("value", "low", "high"))
    if value is None:
        return ""
    return f"{value:.4f}" if low is None or high is None else f"{value:.4f} [{low:.4f}, {high:.4f}]"


if __name__ == "__main__":
    main()
