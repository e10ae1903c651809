"""How fast DanQ at full size (1,000 letters, 919 targets) learns: the package's ``fit`` beside a bare loop.

The bare loop is plain PyTorch on one-hot float tensors that lie in memory; ``fit`` starts from one byte a letter
and makes the columns per batch. Same network, batches, loss, optimiser and schedule, 32-bit on a CPU. Each turn of
``fit`` stands between two of the bare loop; the median of the ratios is given, in processor seconds on a CPU, and the
most memory that ``fit`` took, in a process of its own.

    python benchmarks/danq_step.py --out benchmarks/results/danq_step.jsonl
    python benchmarks/danq_step.py --device cuda --steps 40 --batch-size 256 --out FILE
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as lightning
import numpy as np
import torch

from journal import Journal, print_rows
from primase.apps.dna_function.app import PRESETS
from primase.apps.dna_function.model import DnaNetwork
from primase.bio.nucleotides import FRACTIONS
from primase.data.encoding import SupervisedBatches
from primase.data.sequences import SequenceEncoder, Sequences
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.losses import loss_of
from primase.training.modules import SupervisedModule

LENGTH: Final = 1000
TARGETS: Final = 919


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    journal = Journal(options.out)
    shape = {"device": options.device, "batch_size": options.batch_size, "steps": options.steps}
    for number in range(options.rounds):
        key = {**shape, "round": number}
        if not journal.matching(key):
            before = in_a_process(bare, shape)["per_second"]
            ours = in_a_process(package, shape)
            after = in_a_process(bare, shape)["per_second"]
            between = 2 / (1 / before + 1 / after)
            measured = {"bare": between, "primase": ours["per_second"], "peak_memory_mib": ours["peak_memory_mib"]}
            journal.add(key, {**measured, "date": time.strftime("%Y-%m-%d")})
    rows = [["device", "batch size", "bare, sequences a second", "primase", "ratio", "peak MiB"]]
    for shape in {
        tuple((name, record[name]) for name in ("device", "batch_size", "steps")) for record in journal.records
    }:
        records = journal.matching(dict(shape))
        speeds = [f"{statistics.median(record[name] for record in records):.1f}" for name in ("bare", "primase")]
        ratio = f"{statistics.median(record['primase'] / record['bare'] for record in records):.2f}"
        peak = f"{max(record['peak_memory_mib'] for record in records):,.0f}"
        rows.append([str(shape[0][1]), str(shape[1][1]), *speeds, ratio, peak])
    print_rows(rows)


def in_a_process(run: Any, shape: dict[str, Any]) -> dict[str, float]:
    """Run alone, so that the memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, kwds=shape)


class Clock(lightning.Callback):
    """Notes when steps end."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time, once the device has done its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter() if self.device == "cuda" else time.process_time())

    def per_second(self, batch_size: int) -> float:
        """Sequences a second, without the first step."""
        return batch_size * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


def drawn(count: int) -> tuple[Any, Any]:
    """Draw letters and targets."""
    generator = np.random.default_rng(0)
    codes = (1 << generator.integers(4, size=(count, LENGTH))).astype(np.uint8)
    return codes, (generator.random((count, TARGETS)) < 0.02).astype(np.int8)


def danq() -> DnaNetwork:
    """Make the network."""
    torch.manual_seed(0)
    return DnaNetwork(LENGTH, TARGETS, **PRESETS["danq"])


def settings(device: str, batch_size: int) -> TrainingConfiguration:
    """Make the settings of one epoch."""
    precision: Any = "32" if device == "cpu" else "bf16"
    return TrainingConfiguration(
        epochs=1,
        batch_size=batch_size,
        device=device,
        precision=precision,
        cpu_threads=1,  # type: ignore[arg-type]  # one of two
    )


def package(device: str, batch_size: int, steps: int) -> dict[str, float]:
    """Train with the package, from one byte a letter."""
    torch.set_num_threads(1)
    codes, targets = drawn(batch_size * steps + 64)
    encoder = SequenceEncoder(LENGTH)
    train, validation = (
        SupervisedBatches(encoder.encode(Sequences.from_codes(list(codes[part]))), targets[part])
        for part in (slice(None, -64), slice(-64, None))
    )
    clock = Clock(device)
    options = FitOptions(kind="multilabel", callbacks=[clock], sampler=Ordered(batch_size, steps))
    with tempfile.TemporaryDirectory() as folder:
        fit(danq(), train, validation, settings(device, batch_size), seed=0, folder=Path(folder), options=options)
    return {"per_second": clock.per_second(batch_size), "peak_memory_mib": peak_memory_mib(device)}


class Ordered(torch.utils.data.Sampler[Any]):
    """The same batches in the same order for both."""

    def __init__(self, batch_size: int, steps: int) -> None:
        self.batch_size, self.steps = batch_size, steps

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Any:
        """Yield positions."""
        return (np.arange(step * self.batch_size, (step + 1) * self.batch_size) for step in range(self.steps))


def bare(device: str, batch_size: int, steps: int) -> dict[str, float]:
    """Train with plain PyTorch, on columns that lie in memory."""
    torch.set_num_threads(1)
    codes, answers = drawn(batch_size * steps + 64)
    onehot = torch.from_numpy(FRACTIONS[codes]).transpose(1, 2).contiguous().to(device)
    targets = torch.from_numpy(answers).to(device)
    training, network, loss = settings(device, batch_size), danq().to(device).train(), loss_of("multilabel", 0.0)
    module = SupervisedModule(network, "multilabel", loss, training, steps=steps)
    made, clock = module.configure_optimizers(), Clock(device)
    for rows in Ordered(batch_size, steps):
        made["optimizer"].zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss(network(onehot[rows]), targets[rows]).backward()  # type: ignore[no-untyped-call]  # untyped in torch
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
        clock.on_train_batch_end()
    return {"per_second": clock.per_second(batch_size), "peak_memory_mib": peak_memory_mib(device)}


def peak_memory_mib(device: str) -> float:
    """Tell the most memory held: of the process, or of the device."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    main()
