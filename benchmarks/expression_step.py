"""How fast the network of expression inference learns: ``fit`` beside a bare PyTorch loop and scikit-learn.

Three ways to learn the same work, 943 landmarks to 1,000 targets over two hidden layers, batches of 256, squared error,
Adam, one epoch, 32-bit on one thread:

- ``bare``: plain PyTorch on tensors that lie in memory, with the package's network, optimiser and schedule;
- ``primase``: the package's ``fit``, with its batches, checkpoints, events and the validation at the end of an epoch;
- ``MLPRegressor``: scikit-learn's, without early stopping.

Each turn stands between two of the bare loop, each in a process of its own; samples a second of the processor's time.
The epoch of ``fit`` is timed from the end of its first step to that of its last one, and, as ``whole``, from beginning
to end with all that belongs to it.

    python benchmarks/expression_step.py --out benchmarks/results/expression_step.jsonl
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import numpy as np
import torch
from sklearn.neural_network import MLPRegressor

from journal import Journal, print_rows
from primase.apps.expression_inference.encoding import EncodedProfiles
from primase.apps.expression_inference.model import InferenceNetwork, Layers
from primase.data.encoding import SupervisedBatches
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.losses import objective_of, squared_error
from primase.training.modules import SupervisedModule

LANDMARKS: Final = 943
TARGETS: Final = 1_000
BATCH: Final = 256
VALIDATED: Final = 256


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    journal = Journal(options.out)
    for number in range(options.rounds):
        for width in options.widths:
            key = {"width": width, "steps": options.steps, "round": number}
            if not journal.matching(key):
                shape = {"width": width, "steps": options.steps}
                before = in_a_process(bare, shape)["per_second"]
                ours, theirs = in_a_process(package, shape), in_a_process(scikit, shape)
                after = in_a_process(bare, shape)["per_second"]
                measured = {"bare": 2 / (1 / before + 1 / after), "primase": ours["per_second"]}
                measured |= {"whole": ours["whole"], "MLPRegressor": theirs["per_second"]}
                journal.add(key, {**measured, "date": time.strftime("%Y-%m-%d")})
    summarise(journal)


def summarise(journal: Journal) -> None:
    """Print the medians over the rounds, as shares of the bare loop."""
    rows = [
        ["width of both layers", "bare, samples a second", "primase / bare", "whole fit / bare", "scikit-learn / bare"]
    ]
    for width in sorted({record["width"] for record in journal.records}):
        records = journal.matching({"width": width})
        ratios = [
            f"{statistics.median(record[name] / record['bare'] for record in records):.2f}"
            for name in ("primase", "whole", "MLPRegressor")
        ]
        rows.append([str(width), f"{statistics.median(record['bare'] for record in records):,.0f}", *ratios])
    print_rows(rows)


def in_a_process(run: Callable[..., dict[str, float]], shape: dict[str, int]) -> dict[str, float]:
    """Run alone, so that nothing is warm."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, kwds=shape)


class Clock(lightning.Callback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time."""
        self.ends.append(time.process_time())

    @property
    def per_second(self) -> float:
        """Samples a second, without the first step."""
        return BATCH * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


class Ordered(torch.utils.data.Sampler[Any]):
    """The same batches in the same order for both."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        """Yield positions."""
        return (np.arange(step * BATCH, (step + 1) * BATCH) for step in range(self.steps))


def drawn(count: int) -> tuple[torch.Tensor, np.ndarray[Any, Any]]:
    """Draw landmarks, and targets that depend on them."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(count, LANDMARKS)).astype(np.float32)
    weights = generator.normal(size=(LANDMARKS, TARGETS)).astype(np.float32) / np.sqrt(LANDMARKS)
    return torch.from_numpy(values), np.tanh(values @ weights)


def network(width: int) -> InferenceNetwork:
    """Make the network."""
    torch.manual_seed(0)
    return InferenceNetwork(Layers((LANDMARKS, width, width), "relu", dropout=0.0), TARGETS)


SETTINGS: Final = TrainingConfiguration(epochs=1, batch_size=BATCH, device="cpu", precision="32", cpu_threads=1)


def package(width: int, steps: int) -> dict[str, float]:
    """Train with the package."""
    torch.set_num_threads(1)
    values, targets = drawn(BATCH * steps + VALIDATED)
    train, validation = (
        SupervisedBatches(EncodedProfiles(values[part]), targets[part])
        for part in (slice(None, -VALIDATED), slice(-VALIDATED, None))
    )
    clock, started = Clock(), time.process_time()
    options = FitOptions(kind="regression", callbacks=[clock], sampler=Ordered(steps))
    with tempfile.TemporaryDirectory() as folder:
        fit(network(width), train, validation, SETTINGS, seed=0, folder=Path(folder), options=options)
    return {"per_second": clock.per_second, "whole": BATCH * steps / (time.process_time() - started)}


def bare(width: int, steps: int) -> dict[str, float]:
    """Train with plain PyTorch."""
    torch.set_num_threads(1)
    values, answers = drawn(BATCH * steps)
    targets, made = torch.from_numpy(answers), network(width).train()
    module = SupervisedModule(made, "regression", objective_of(squared_error), SETTINGS, steps=steps)
    optimizers, clock = module.configure_optimizers(), Clock()
    for rows in Ordered(steps):
        optimizers["optimizer"].zero_grad()
        loss = torch.nn.functional.mse_loss(made(values[rows]), targets[rows])
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizers["optimizer"].step()
        optimizers["lr_scheduler"]["scheduler"].step()
        clock.on_train_batch_end()
    return {"per_second": clock.per_second}


def scikit(width: int, steps: int) -> dict[str, float]:
    """Train with scikit-learn, one epoch."""
    torch.set_num_threads(1)
    values, targets = drawn(BATCH * steps)
    model = MLPRegressor(hidden_layer_sizes=(width, width), batch_size=BATCH, max_iter=1, alpha=0.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.process_time()
        model.fit(values.numpy(), targets)
    return {"per_second": BATCH * steps / (time.process_time() - started)}


if __name__ == "__main__":
    main()
