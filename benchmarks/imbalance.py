"""What each remedy against rare positives is worth, where positives are thinned in training and nowhere else.

Of the training positives of an RNA-binding protein so many are left that they make up one in a hundred; validation is
taken from what is left, as it would be by a user who has no more. The test has its own prevalence, of one in five. The
seed decides which positives are left, the split and the training. Down-sampling sees a small part of the data in an
epoch, and is therefore also measured with more epochs.

    python benchmarks/imbalance.py --out benchmarks/results/imbalance.jsonl
    python benchmarks/imbalance.py --seeds 0 --out FILE --negatives 12000 --set epochs=3 filters=[32,32,32]
    python benchmarks/imbalance.py --out FILE --summary

Settings behind ``--set`` are those of ``primase train``, as NAME=VALUE. Measurements are appended to the file of
``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from journal import Journal, mean_and_deviation, print_rows
from primase import pipeline
from primase.apps.discovery import application_named
from primase.apps.rna_binding.sources import RBP31_TDP43
from primase.configuration import configure
from primase.data.fetch import fetch
from primase.evaluation.intervals import Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.per_label import fit_calibrator_of, uncalibrated
from primase.events import Stages, silent
from primase.predictor.predictor import Predictor
from primase.training.ensemble import MemberPlan, fit_members
from primase.training.remedies import TrainingRemedies, with_remedies

APPLICATION: Final = application_named("rna-binding")
STRATEGIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "none": {},
    "weighted": {"imbalance": "weighted"},
    "focal": {"imbalance": "focal"},
    "auc-margin": {"imbalance": "auc-margin"},
    "up-sampling": {"imbalance": "up-sampling"},
    "down-sampling": {"imbalance": "down-sampling"},
    "down-sampling, more epochs": {"imbalance": "down-sampling", "epochs": 40, "patience": 40},
}
METRICS: Final = ("auprc", "auroc", "f1", "ece", "brier")
SHARE: Final = 0.01
"""Of positives in training."""


def main() -> None:
    """Measure what is missing, then print the table."""
    options = arguments()
    journal = Journal(options.out)
    if not options.summary:
        for seed in options.seeds:
            measure_seed(seed, options, journal)
    summarise(journal)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--negatives", type=int, help="so many in training; by default all")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def measure_seed(seed: int, options: argparse.Namespace, journal: Journal) -> None:
    """Thin and divide the data once, and train every strategy on them that has not been measured."""
    given = {name: json.loads(value) for name, _, value in (text.partition("=") for text in options.settings)}
    keys = {
        strategy: {"strategy": strategy, "seed": seed, "negatives": options.negatives, "settings": given}
        for strategy in options.strategies
    }
    missing = [strategy for strategy, key in keys.items() if not journal.matching(key)]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = {**thinned(Path(folder), seed, options.negatives), "seed": seed, "members": 1, **given}
        audited = pipeline.audit(APPLICATION, configure(APPLICATION.configuration, settings))
        for strategy in missing:
            own = {**settings, "patience": 1000, **STRATEGIES[strategy]}
            journal.add(keys[strategy], measure(audited, own, Path(folder) / strategy))


def measure(audited: pipeline.Audited, settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train once on the thinned positives, calibrate on validation, and measure on the test as it is."""
    spent = time.process_time()
    configuration = configure(APPLICATION.configuration, settings)
    prepared = pipeline.prepare(APPLICATION, configuration, audited, stages=Stages(silent))
    workflow, encoder, task = prepared.workflow, prepared.encoder, prepared.task
    train = prepared.learned_from("train")
    own = workflow.fit_options(encoder, task, prepared.parts["train"], configuration)
    remedies = TrainingRemedies.among(configuration.remedies.model_dump())
    plan = MemberPlan(
        partial(workflow.network, encoder, task, configuration),
        configuration.training,
        with_remedies(own, remedies, task, train, configuration.training.label_smoothing),
    )
    members = fit_members([plan], train, prepared.learned_from("validation"), seed=configuration.seed, folder=folder)
    raw = Predictor(task, encoder, (members[0].network,), uncalibrated(task))
    validation, test = (raw.outputs(prepared.parts[part].inputs) for part in ("validation", "test"))
    calibrator = fit_calibrator_of(task, "temperature", validation, prepared.truth("validation"))
    units = Units.of(audited.partition.units[audited.partition.test], "overlap cluster")
    metrics = evaluate(task, prepared.truth("test"), calibrator.answers(test), units=units)
    return {
        "test": {name: metrics[name].to_state() for name in METRICS},
        "sizes": audited.partition.sizes,
        "positives": {part: int((prepared.truth(part) == 1).sum()) for part in ("train", "validation", "test")},
        "best_epoch": members[0].best_epoch,
        "cpu_seconds": round(time.process_time() - spent, 1),
        "date": time.strftime("%Y-%m-%d"),
    }


def thinned(folder: Path, seed: int, most: int | None) -> dict[str, Path]:
    """Write the training examples that are left, and name all files by their words."""
    paths = fetch(RBP31_TDP43)
    positives, negatives, test_positives, test_negatives = (paths[file.name] for file in RBP31_TDP43.files)
    generator = np.random.default_rng(seed)
    left = drawn(sequences(negatives), most, generator)
    few = drawn(sequences(positives), round(len(left) * SHARE / (1 - SHARE)), generator)
    for name, records in (("positives.fa", few), ("negatives.fa", left)):
        (folder / name).write_text("".join(records), encoding="utf-8")
    return {
        "positives": folder / "positives.fa",
        "negatives": folder / "negatives.fa",
        "test_positives": test_positives,
        "test_negatives": test_negatives,
    }


def drawn(records: Sequence[str], count: int | None, generator: np.random.Generator) -> list[str]:
    """Draw so many records, in their order; all of them if None."""
    chosen = np.sort(generator.permutation(len(records))[: len(records) if count is None else count])
    return [records[place] for place in chosen.tolist()]


def sequences(path: Path) -> list[str]:
    """Read the records of a gzipped FASTA file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [f">{record}" for record in file.read().split(">")[1:]]


def summarise(journal: Journal) -> None:
    """Print the mean and the standard deviation over the seeds of each strategy, beside no remedy."""
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for record in journal.records:
        conditions = json.dumps({"negatives": record["negatives"], **record["settings"]})
        cells[conditions, record["strategy"]].append(record)
    rows: list[Sequence[object]] = [("conditions", "strategy", "seeds", *METRICS)]
    for (conditions, strategy), records in cells.items():
        figures = [mean_and_deviation([record["test"][name]["value"] for record in records], 3) for name in METRICS]
        rows.append((conditions, strategy, len(records), *figures))
    print_rows(rows)


if __name__ == "__main__":
    main()
