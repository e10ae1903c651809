"""What training on frozen features costs beside training a network end to end, and whether the loader keeps up.

Every recipe of image diagnosis learns the same images (``--images``, a MedMNIST file or a folder) in a process of its
own, on one thread: ``frozen`` (the features are computed anew, then all its epochs), ``fine-tune`` and ``scratch`` (one
epoch; the seconds of all epochs follow from it). Times are seconds of the processor. ``waiting`` is the share of the
training's time that it takes to cut batches out of what was decoded.

    python benchmarks/image_training.py --images pneumoniamnist.npz --out benchmarks/results/image_training.jsonl
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import torch

from journal import Journal, print_rows
from primase import pipeline
from primase.apps.discovery import application_named
from primase.apps.image_diagnosis.configuration import PACES
from primase.configuration import configure
from primase.data.encoding import Batch, SupervisedBatches
from primase.data.examples import Indices
from primase.data.splits import PARTS
from primase.events import silent
from primase.training.fit import fit

RECIPES: Final = ("frozen", "fine-tune", "scratch")


class TimedBatches(SupervisedBatches):
    """Batches that know how long it has taken to cut them."""

    seconds = 0.0

    def __getitem__(self, indices: Indices) -> tuple[Batch, torch.Tensor]:
        """Cut one batch."""
        started = time.perf_counter()
        batch = super().__getitem__(indices)
        self.seconds += time.perf_counter() - started
        return batch


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    options = parser.parse_args()
    journal = Journal(options.out)
    for recipe in RECIPES:
        key = {"images": options.images.name, "recipe": recipe}
        if not journal.matching(key):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                journal.add(key, pool.apply(measure, (recipe, options.images)))
    rows = [["recipe", "features, s", "an epoch, s", "epochs", "all of training, s", "waiting for data"]]
    for record in journal.records:
        total = record["features"] + record["epoch"] * record["epochs"]
        numbers = [f"{record['features']:.0f}", f"{record['epoch']:.2f}", str(record["epochs"]), f"{total:.0f}"]
        rows.append([record["recipe"], *numbers, f"{record['waiting']:.1%}"])
    print_rows(rows)


def measure(recipe: str, images: Path) -> dict[str, Any]:
    """Compute features, if any, and train; nothing is taken from the cache."""
    torch.set_num_threads(1)
    application = application_named("image-diagnosis")
    epochs = PACES[recipe].epochs if recipe == "frozen" else 1
    settings = {"images": images, "recipe": recipe, "cache_features": False, "epochs": epochs, "cpu_threads": 1}
    configuration = configure(application.configuration, settings)
    audited = pipeline.audit(application, configuration)
    workflow, task = application.load(), audited.labelled.task
    parts = {name: audited.labelled.examples.take(audited.partition.part(name)) for name in PARTS}
    started = time.process_time()
    encoder = workflow.fit_encoder(parts["train"], configuration, silent)
    learned = [workflow.learned_from(encoder, parts[name], name, configuration, silent) for name in PARTS[:2]]
    features = time.process_time() - started
    train, validation = (TimedBatches(own.inputs, own.targets.numpy()) for own in learned)
    (own,) = workflow.member_configurations(configuration)
    network = workflow.network(encoder, task, own)
    chosen = workflow.fit_options(encoder, task, parts["train"], own)
    with tempfile.TemporaryDirectory() as folder:
        wall, started = time.perf_counter(), time.process_time()
        fit(network, train, validation, own.training, seed=0, folder=Path(folder), options=chosen)
        seconds, wall = time.process_time() - started, time.perf_counter() - wall
    return {
        "features": features,
        "epoch": seconds / epochs,
        "epochs": PACES[recipe].epochs,
        "waiting": (train.seconds + validation.seconds) / wall,
        "examples": len(train),
        "date": time.strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
