"""What models forget that learn class after class, by each method beside the floor (naive) and the ceiling (joint).

Two tasks, each of which asks for all classes so far after every step:

``enzymes``
    the six main classes of enzymes (EC 1 to 6) in three steps of two, from a table of proteins with their EC numbers
    (``Entry``, ``EC number``, ``Sequence``), by ``primase train`` and ``primase extend``. What the encoder reads is
    fixed by the first step.
``cohorts``
    the tumour cohorts of a matrix of expression (AnnData with a column ``cohort``), the most frequent first, in five
    steps. No application classifies cohorts, so that the networks are taught by :mod:`primase.remedies.continual`
    itself: two dense layers on log2 expression, standardised by the first step.

    python benchmarks/forgetting.py --task enzymes --data FILE --out benchmarks/results/forgetting.jsonl
    python benchmarks/forgetting.py --task cohorts --data FILE --out benchmarks/results/forgetting.jsonl
    python benchmarks/forgetting.py --out benchmarks/results/forgetting.jsonl --summary

Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import polars as pl
import torch
from torch import nn

import primase
from journal import Journal, mean_and_deviation, print_rows
from primase.data.encoding import SupervisedBatches
from primase.data.splits import PARTS
from primase.data.tasks import Task
from primase.nn.dense import dense_stack
from primase.predictor.features import features_before
from primase.remedies.continual.fisher import add_information, diagonal_fisher
from primase.remedies.continual.herding import choose_exemplars
from primase.remedies.continual.learning import STRENGTH, Lesson, Remembering, learn, settle
from primase.remedies.continual.measures import transfer
from primase.remedies.continual.nearest_means import plain_state
from primase.remedies.continual.rehearsal import Remembered
from primase.remedies.continual.scoring import averaged, score
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions

METHODS = ("naive", "ewc", "icarl", "dual-memory", "joint")
MOST_PER_CLASS = 700
LONGEST = 800
NORMAL_TISSUE = "11"


def main() -> None:
    """Measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--task", choices=["enzymes", "cohorts"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--exemplars", type=int, default=20)
    parser.add_argument("--strengths", nargs="+", type=float, default=[STRENGTH], help="of ewc")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the tables")
    options = parser.parse_args()
    journal = Journal(options.out)
    if not options.summary:
        measure = {"enzymes": enzymes, "cohorts": cohorts}[options.task]
        for seed, method in itertools.product(options.seeds, options.methods):
            for strength in options.strengths if method == "ewc" else [0.0]:
                key = {"task": options.task, "seed": seed, "method": method, "strength": strength}
                key |= {"epochs": options.epochs, "exemplars": options.exemplars}
                if not journal.matching(key):
                    started = time.process_time()
                    found = measure(options.data, key)
                    journal.add(key, {**found, "cpu_seconds": round(time.process_time() - started, 1)})
    summarise(journal)


def summarise(journal: Journal) -> None:
    """Print what was measured, by task and method."""
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for record in journal.records:
        grouped[tuple(record[name] for name in ("task", "method", "strength", "epochs", "exemplars"))].append(record)
    head = ["task", "method", "strength", "epochs", "exemplars", "seeds", "mean accuracy", "mean in step", "forgetting"]
    rows: list[list[object]] = [head]
    for key, records in sorted(grouped.items()):
        columns = ([record[name][part] for record in records] for name, part in FIGURES)
        rows.append([*key, len(records), *(mean_and_deviation(column, 3) for column in columns)])
    print_rows(rows)


FIGURES = (("transfer", "average"), ("own_transfer", "average"), ("transfer", "forgetting"))


def summary(figures: list[list[float]], own: list[list[float]]) -> dict[str, Any]:
    """Describe a matrix, among all labels and among those of each step."""
    matrices = [np.full((len(rows), len(rows)), np.nan) for rows in (figures, own)]
    for matrix, rows in zip(matrices, (figures, own), strict=True):
        for place, row in enumerate(rows):
            matrix[place, : len(row)] = row
    described = [transfer(matrix).to_state() for matrix in matrices]
    return {"figures": figures, "own_figures": own, "transfer": described[0], "own_transfer": described[1]}


def enzymes(data: Path, key: dict[str, Any]) -> dict[str, Any]:
    """Train on two main classes, and extend by two more, twice."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tables = enzyme_tables(data, folder)
        settings = {"seed": key["seed"], "epochs": key["epochs"], "patience": key["epochs"], "members": 1, "threads": 1}
        out = folder / "step-1"
        primase.train("enzyme-identification", table=tables[0], answer="main-class", out=out, **settings)
        chosen = {"method": key["method"], "exemplars": key["exemplars"]}
        if key["method"] == "ewc":
            chosen["strength"] = key["strength"]
        for number, table in enumerate(tables[1:], start=2):
            before, out = out, folder / f"step-{number}"
            run = primase.extend(before, out=out, table=table, **chosen, **settings)
        steps = run.metrics["forgetting"]["steps"]
        return summary(*([list(step[name]) for step in steps] for name in ("figures", "own_figures")))


def enzyme_tables(data: Path, folder: Path) -> list[Path]:
    """Write a table for each step: proteins of one main class, as many of each as there are up to 700."""
    table = pl.read_csv(data, separator="\t")
    numbers = pl.col("EC number").str.split(";").list.eval(pl.element().str.strip_chars().str.slice(0, 1)).list.unique()
    table = table.with_columns(numbers.alias("classes")).filter(
        (pl.col("classes").list.len() == 1) & pl.col("Sequence").str.len_chars().is_between(50, LONGEST)
    )
    paths = []
    for number, pair in enumerate(("12", "34", "56"), start=1):
        own = [table.filter(pl.col("classes").list.first() == one) for one in pair]
        drawn = pl.concat([part.sample(n=min(MOST_PER_CLASS, len(part)), seed=0) for part in own])
        paths.append(folder / f"classes-{pair[0]}-{pair[1]}.csv")
        columns = {"Entry": "id", "EC number": "target", "Sequence": "sequence"}
        drawn.sample(fraction=1, shuffle=True, seed=number).select(list(columns)).rename(columns).write_csv(paths[-1])
    return paths


class CohortNetwork(nn.Module):
    """Dense layers on the expression of a sample."""

    def __init__(self, genes: int, cohorts: int) -> None:
        super().__init__()
        self.hidden = dense_stack((genes, 128, 64), 0.3)
        self.answer = nn.Linear(64, cohorts)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Compute the logits of each cohort."""
        logits: torch.Tensor = self.answer(self.hidden(values))
        return logits


def cohorts(data: Path, key: dict[str, Any]) -> dict[str, Any]:
    """Teach a network the cohorts of five steps."""
    parts, names = cohort_parts(data, key["seed"])
    genes = parts[0]["train"].tensors["values"].shape[1]
    training = TrainingConfiguration(epochs=key["epochs"], patience=key["epochs"], cpu_threads=1, precision="32")
    labels, tests, figures, own_figures = [], [], [], []
    network, exemplars, information, seen = None, None, None, 0
    for number, (part, own) in enumerate(zip(parts, names, strict=True)):
        labels.append(own)
        known = [name for step in labels for name in step]
        after = Task("multiclass", tuple(known))
        train, validation = (batches(part[name]) for name in ("train", "validation"))
        met = parts[: number + 1]
        everything = tuple(batches(pooled([one[name] for one in met])) for name in ("train", "validation"))
        lesson = Lesson(
            build=lambda task: CohortNetwork(genes, task.outputs),
            before=after if network is None else Task("multiclass", tuple(known[: -len(own)])),
            after=after,
            learned={} if network is None else plain_state(network),
            options=FitOptions(kind="multiclass"),
            configuration=training,
            train=train,
            validation=validation,
            everything=everything,  # type: ignore[arg-type]  # of two
        )
        method = "joint" if network is None else key["method"]
        remembering = None
        if exemplars is not None and information is not None:
            remembering = Remembering(exemplars, information, key["strength"], seen)
        with tempfile.TemporaryDirectory() as folder:
            fitted = learn(lesson, method, remembering, seed=key["seed"], folder=Path(folder))
        found = diagonal_fisher(fitted.network, train.inputs, "multiclass", seed=key["seed"])
        share = seen / (seen + len(train))
        information = (
            found
            if information is None
            else add_information(
                {name: value * share for name, value in information.items()},
                {name: value * (1 - share) for name, value in found.items()},
            )
        )
        seen += len(train)
        features = features_before(fitted.network, "answer", train.inputs)
        chosen = Remembered.of(train, choose_exemplars(features, part["train"].targets, after, key["exemplars"]))
        exemplars = chosen if exemplars is None else exemplars.joined(chosen)
        network = settle(fitted.network, key["method"], exemplars, after)
        tests.append(part["test"])
        outputs = [averaged([network], test, after) for test in tests]
        both = list(zip(outputs, tests, labels, strict=True))
        figures.append([score(after, output, test.targets) for output, test, _ in both])
        own_figures.append([score(after, output, test.targets, its) for output, test, its in both])
    return summary(figures, own_figures)


def cohort_parts(data: Path, seed: int) -> tuple[list[dict[str, Remembered]], list[list[str]]]:
    """Divide the patients of every step 8 : 1 : 1, and standardise their tumours by the first step."""
    table = anndata.read_h5ad(data)
    table = table[table.obs["sample_type"].astype(str) != NORMAL_TISSUE]
    values = np.asarray(table.X.todense() if hasattr(table.X, "todense") else table.X, dtype=np.float32)
    cohort, patient = (table.obs[name].astype(str).to_numpy() for name in ("cohort", "patient"))
    names, counts = np.unique(cohort, return_counts=True)
    ordered = names[np.argsort(-counts, kind="stable")].tolist()
    steps = [part.tolist() for part in np.array_split(ordered, 5)]
    number_of = {name: number for number, name in enumerate(name for step in steps for name in step)}
    targets = np.array([number_of[name] for name in cohort])
    values = np.log2(np.maximum(values, 0) + 1) if values.max() > 100 else values
    generator = np.random.default_rng(seed)
    rows = []
    for step in steps:
        own = np.flatnonzero(np.isin(cohort, step))
        # All samples of a patient are in one part.
        patients = generator.permutation(np.unique(patient[own]))
        borders = [int(0.8 * len(patients)), int(0.9 * len(patients))]
        apart = np.split(patients, borders)
        rows.append({name: own[np.isin(patient[own], some)] for name, some in zip(PARTS, apart, strict=True)})
    centre, spread = values[rows[0]["train"]].mean(axis=0), values[rows[0]["train"]].std(axis=0) + 1e-3
    values = np.clip((values - centre) / spread, -10, 10)
    return [
        {name: Remembered({"values": torch.from_numpy(values[own])}, targets[own]) for name, own in step.items()}
        for step in rows
    ], steps


def batches(part: Remembered) -> SupervisedBatches:
    """Lay examples out to learn from."""
    return SupervisedBatches(part, part.targets)


def pooled(parts: list[Remembered]) -> Remembered:
    """Put the examples of several steps together."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    return replace(whole)


if __name__ == "__main__":
    main()
