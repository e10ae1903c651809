"""How much of a training step is Lightning's loop, and at which size of batch or network it stops mattering.

The package's ``fit`` beside a bare loop in PyTorch on the very same tensors: the same batches cut out in one order, the
same network, loss, optimiser and schedule, one thread. Steps per second are taken from the end of the first step to
the end of the last one of an epoch, so that setting up, validation and checkpoints are left out. They are seconds of
the processor, which leave out the waiting for a busy machine. Each turn of Lightning's stands between two of the bare
loop, because whichever comes second finds memory laid out; the median of the ratios is given.

    python benchmarks/loop_overhead.py --out benchmarks/results/loop_overhead.jsonl
    python benchmarks/loop_overhead.py --profile        where the time of one epoch goes, by room (cProfile)

Measurements are appended to the file of ``--out``; what it already holds is not measured again.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import numpy as np
import torch

from journal import Journal, print_rows
from primase.apps.discovery import application_named
from primase.apps.workflow import Labelled
from primase.configuration import configure
from primase.data.encoding import Encoder, SupervisedBatches
from primase.data.examples import Examples
from primase.events import silent
from primase.training.fit import FitOptions, fit
from primase.training.losses import loss_of
from primase.training.modules import SupervisedModule
from primase.training.sampling import ShuffledBatches

SEED: Final = 0
APPLICATION: Final = application_named("enzyme-identification")
SIZES: Final[dict[str, dict[str, Any]]] = {
    "tiny, 16": {"hidden": "16", "names": False},
    "32,16": {"hidden": "32,16", "names": False},
    "256,128 domains only": {"hidden": "256,128", "names": False},
    "256,128 (default)": {"hidden": "256,128"},
    "1024,1024": {"hidden": "1024,1024"},
}
BATCHES: Final = (32, 128, 512, 2048)
MOST_STEPS: Final = 30


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON lines to append to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = World()
    if options.profile:
        profile(world)
        return
    if options.out is None:
        parser.error("--out or --profile is needed")
    journal = Journal(options.out)
    for number in range(options.rounds):
        for size in SIZES:
            for batch in BATCHES:
                key = {"network": size, "batch_size": batch, "round": number}
                if not journal.matching(key):
                    turns = world.compare(size, batch)
                    journal.add(key, {**turns, "date": time.strftime("%Y-%m-%d")})
    summarise(journal)


class StepClock(lightning.Callback):
    """Notes when steps end, and takes the time from the end of the first to the end of the last."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time."""
        self.ends.append(time.process_time())

    @property
    def steps_per_second(self) -> float:
        """The speed, without the first step."""
        return (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


class World:
    """The paper's proteins, encoded once per kind of features."""

    def __init__(self) -> None:
        self.configuration = configure(APPLICATION.configuration, {"dataset": "enzyme-pfam", "seed": SEED})
        self.workflow = APPLICATION.load()
        self.labelled: Labelled[Any] = self.workflow.read(self.configuration, None, lambda _event: None)
        self.encoders: dict[bool, Encoder[Any]] = {}

    def parts(self, size: str, batch: int, most_steps: int) -> Any:
        """Return the configuration, a fresh network, and the training and validation batches."""
        settings = {"dataset": "enzyme-pfam", "seed": SEED, "batch_size": batch, "epochs": 1, **SIZES[size]}
        settings["hidden"] = str(settings.get("hidden")).split(",")
        configuration = configure(APPLICATION.configuration, settings)
        order = np.random.default_rng(SEED).permutation(len(self.labelled.examples))
        few = order[: max(min(batch * most_steps, len(order) - 64), 64)]
        examples: Examples[Any] = self.labelled.examples
        names = configuration.network.model_dump()["names"]
        if names not in self.encoders:
            self.encoders[names] = self.workflow.fit_encoder(examples, configuration, silent)
        encoder = self.encoders[names]
        torch.manual_seed(SEED)
        network = self.workflow.network(encoder, self.labelled.task, configuration)
        batches = [
            SupervisedBatches(encoder.encode(examples.take(chosen).inputs), examples.targets[chosen])
            for chosen in (few, order[-64:])
        ]
        return configuration, network, *batches

    def compare(self, size: str, batch: int) -> dict[str, float]:
        """Measure one turn of each."""
        before = self.bare(size, batch)
        configuration, network, train, validation = self.parts(size, batch, MOST_STEPS)
        clock = StepClock()
        options = FitOptions(callbacks=[clock], sampler=ShuffledBatches(len(train), batch, SEED))
        with tempfile.TemporaryDirectory() as folder:
            fit(network, train, validation, configuration.training, seed=SEED, folder=Path(folder), options=options)
        bare = 2 / (1 / before + 1 / self.bare(size, batch))
        return {"bare": bare, "lightning": clock.steps_per_second}

    def bare(self, size: str, batch: int) -> float:
        """Measure one turn of the bare loop, in steps per second."""
        configuration, network, train, _ = self.parts(size, batch, MOST_STEPS)
        return bare_loop(network, train, ShuffledBatches(len(train), batch, SEED), configuration.training)


def bare_loop(network: torch.nn.Module, train: SupervisedBatches, sampler: ShuffledBatches, training: Any) -> float:
    """Train for one epoch as ``fit`` does, without Lightning; return the steps per second."""
    loss, clock = loss_of("multiclass", training.label_smoothing), StepClock()
    module = SupervisedModule(network, "multiclass", loss, training, steps=len(sampler))
    made = module.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    network.train()
    for positions in sampler:
        inputs, targets = train[positions]
        optimizer.zero_grad()
        loss(network(**inputs), targets).backward()  # type: ignore[no-untyped-call]  # torch declares no types here
        optimizer.step()
        schedule.step()
        clock.on_train_batch_end()
    return clock.steps_per_second


def profile(world: World) -> None:
    """Train for one epoch of the default configuration under cProfile and sum up the time by room."""
    configuration, network, train, validation = world.parts("256,128 (default)", 512, 10_000)
    profiler = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        profiler.enable()
        fit(network, train, validation, configuration.training, seed=SEED, folder=Path(folder))
        profiler.disable()
    statistics_of = pstats.Stats(profiler)
    own: Counter[str] = Counter()
    for (file, _line, name), (_, _, seconds, _, _) in statistics_of.stats.items():  # type: ignore[attr-defined]  # undocumented, stable
        rooms = [room for room in ("lightning", "torch", "primase", "numpy") if f"/{room}/" in file]
        own[rooms[-1] if rooms else f"built in: {name}" if file == "~" and seconds > 0.02 else "other"] += seconds
    total = sum(own.values())
    print_rows(
        [
            ["where", "own seconds", "share"],
            *([name, f"{s:.2f}", f"{s / total:.1%}"] for name, s in own.most_common(14)),
        ]
    )
    statistics_of.sort_stats("cumulative").print_stats(45)


def summarise(journal: Journal) -> None:
    """Print steps per second, and how many times as long a step takes in Lightning's loop."""
    rows = [["hidden layers", "batch size", "bare loop, steps a second", "Lightning, steps a second", "times as long"]]
    for size in SIZES:
        for batch in BATCHES:
            records = journal.matching({"network": size, "batch_size": batch})
            if records:
                speeds = [statistics.median(record[name] for record in records) for name in ("bare", "lightning")]
                ratio = statistics.median(record["bare"] / record["lightning"] for record in records)
                rows.append([size, str(batch), *(f"{speed:.0f}" for speed in speeds), f"{ratio:.2f}"])
    print_rows(rows)


if __name__ == "__main__":
    main()
