"""One measurement of ``sparse_or_dense.py``, in a process of its own; prints one JSON object."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import nn

from primase.apps.enzyme_identification.app import EnzymeConfiguration
from primase.apps.enzyme_identification.encoding import ProteinEncoder
from primase.apps.enzyme_identification.model import EnzymeNetwork
from primase.apps.enzyme_identification.proteins import Proteins
from primase.apps.enzyme_identification.sources import (
    ENZYME_FAMILIES_FILE,
    ENZYME_PFAM,
    FAMILY_NAMES_FILE,
    NON_ENZYME_FAMILIES_FILE,
)
from primase.bio.domain_sets import DomainSets
from primase.configuration import configure
from primase.data.encoding import SupervisedBatches
from primase.data.fetch import fetch
from primase.data.splits import Partition, split_units
from primase.data.unpickling import load_string_lists, load_strings
from primase.nn.dense import dense_stack
from primase.training.fit import FitOptions, fit
from primase.training.losses import loss_of
from primase.training.sampling import OrderedBatches, ShuffledBatches

SEED = 0
VALIDATION_BATCH = 4096


def main() -> None:
    """Measure one variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=["sparse", "sparse-domains", "dense"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--hidden", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    idle = peak_mib()
    settings = {"hidden": options.hidden.split(","), "batch_size": options.batch_size, "epochs": options.epochs}
    configuration = configure(EnzymeConfiguration, {**settings, "names": options.variant == "sparse", "seed": SEED})
    started = time.perf_counter()
    dense = options.variant == "dense"
    clock = train_densely(configuration) if dense else train_sparsely(configuration)
    measured = {
        "epoch_seconds": clock.seconds / options.epochs,
        "epoch_cpu_seconds": clock.cpu_seconds / options.epochs,
        "whole_seconds": time.perf_counter() - started,
    }
    print(json.dumps({**measured, "idle_mib": idle, "peak_mib": peak_mib(), "threads": options.threads}))


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read() -> tuple[list[list[str]], np.ndarray[Any, np.dtype[np.int64]], list[str]]:
    """Read the families of every protein, whether it is an enzyme, and the paper's names of families."""
    files = fetch(ENZYME_PFAM)
    enzymes = load_string_lists(files[ENZYME_FAMILIES_FILE.name])
    others = load_string_lists(files[NON_ENZYME_FAMILIES_FILE.name])
    targets = np.repeat([1, 0], [len(enzymes), len(others)])
    return [*enzymes, *others], targets, load_strings(files[FAMILY_NAMES_FILE.name])


def divide(targets: np.ndarray[Any, np.dtype[np.int64]]) -> Partition:
    """Draw the parts at random, as ``--split random`` does."""
    return split_units(np.arange(len(targets)), targets, policy="random", seed=SEED)


class EpochClock(lightning.Callback):
    """Measures epochs, each with its validation: by the clock on the wall, and by what the processor was used."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start the clock."""
        self.seconds -= time.perf_counter()
        self.cpu_seconds -= time.process_time()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Stop the clock."""
        self.seconds += time.perf_counter()
        self.cpu_seconds += time.process_time()


def train_sparsely(configuration: EnzymeConfiguration) -> EpochClock:
    """Train as the package does."""
    families, targets, _ = read()
    partition, settings = divide(targets), configuration.network
    proteins = Proteins(DomainSets.from_sets(families), None)
    encoder = ProteinEncoder.fit(proteins.take(partition.train), names=settings.names, composition=False)
    network = EnzymeNetwork(
        encoder.size,
        len(encoder.vocabulary),
        settings.hidden,
        2,
        dropout=settings.dropout,
        domain_dropout=settings.domain_dropout,
    )
    train, validation = (
        SupervisedBatches(encoder.encode(proteins.take(part)), targets[part])
        for part in (partition.train, partition.validation)
    )
    clock = EpochClock()
    options = FitOptions(callbacks=[clock])
    with tempfile.TemporaryDirectory() as folder:
        fit(network, train, validation, configuration.training, seed=SEED, folder=Path(folder), options=options)
    return clock


def dense_matrix(families: list[list[str]], names: list[str]) -> torch.Tensor:
    """Write every protein as a vector of zeros and ones over all families, shape (proteins, families)."""
    column = {name: number for number, name in enumerate(names)}
    rows = np.repeat(np.arange(len(families)), [len(listed) for listed in families])
    columns = np.array([column[name] for listed in families for name in listed], dtype=np.int64)
    matrix = np.zeros((len(families), len(names)), dtype=np.float32)
    matrix[rows, columns] = 1.0
    return torch.from_numpy(matrix)


def train_densely(configuration: EnzymeConfiguration) -> EpochClock:
    """Train on the dense matrix in a bare loop."""
    families, labels, names = read()
    partition, settings = divide(labels), configuration.training
    matrix, targets = dense_matrix(families, names), torch.from_numpy(labels)
    widths = [len(names), *configuration.network.hidden]
    network = nn.Sequential(dense_stack(widths, configuration.network.dropout), nn.Linear(widths[-1], 2))
    loss = loss_of("multiclass", settings.label_smoothing)
    rate = settings.learning_rate
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=settings.weight_decay, fused=True)
    sampler = ShuffledBatches(len(partition.train), settings.batch_size, SEED)
    steps = settings.epochs * len(sampler)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    clock = EpochClock()
    for epoch in range(settings.epochs):
        clock.on_train_epoch_start()
        sampler.set_epoch(epoch)
        network.train()
        for positions in sampler:
            chosen = torch.from_numpy(partition.train[positions])
            optimizer.zero_grad()
            loss(network(matrix[chosen]), targets[chosen]).backward()  # type: ignore[no-untyped-call]  # torch declares no types here
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            for positions in OrderedBatches(len(partition.validation), VALIDATION_BATCH):
                chosen = torch.from_numpy(partition.validation[positions])
                loss(network(matrix[chosen]), targets[chosen])
        clock.on_train_epoch_end()
    return clock


if __name__ == "__main__":
    main()
