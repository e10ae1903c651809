"""How fast the backbones of images are: features forward, and a training step, beside ResNet-50.

Every network at 112 and 224 pixels, a batch of 8 images, on so many threads; ``float32``, ``channels last`` (float32
with the layout that convolutions of a processor prefer), and ``bf16`` (autocast, with that layout), which is measured
only where the processor has instructions for it, or on a GPU. Forward is without gradients, in evaluation; a step is
forward, cross-entropy, backward and AdamW on all weights. Images a second (of the processor's time, not of a GPU's),
the median over the rounds; every measurement runs in a process of its own, and the networks take turns within a round.

How far bf16 is from float32 is measured too, on the features after the last block: the size of the difference as a
share of the size of the features. The weights are random, or published ones that are in the cache or the mirror.

    python benchmarks/backbones.py --out benchmarks/results/backbones.jsonl
    python benchmarks/backbones.py --device cuda --batch 64 --out benchmarks/results/backbones.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional

from journal import Journal, print_rows
from primase.data.fetch import locate
from primase.data.weight_sources import PUBLISHED_WEIGHTS
from primase.nn.backbones import BACKBONES, Backbone, build_backbone
from primase.nn.weights import load_weights

SIZES: Final = (112, 224)
KINDS: Final = ("float32", "channels last", "bf16")
REFERENCE: Final = "resnet50"
SECONDS: Final = 1.0
"""Each measurement lasts at least so long, after one run that is not counted."""


def main() -> None:
    """Measure what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--networks", nargs="+", default=list(BACKBONES), choices=list(BACKBONES))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    kinds = [kind for kind in options.kinds if kind != "bf16" or has_bf16(options.device)]
    journal = Journal(options.out)
    for number in range(options.rounds):
        for size in options.sizes:
            for network in options.networks:
                for kind in kinds:
                    shape = {"network": network, "size": size, "kind": kind, "device": options.device}
                    shape |= {"batch": options.batch, "threads": options.threads}
                    if not journal.matching({**shape, "round": number}):
                        measured = in_a_process(measure, shape)
                        journal.add({**shape, "round": number}, {**measured, "date": time.strftime("%Y-%m-%d")})
    summarise(journal)


def has_bf16(device: str) -> bool:
    """Whether there are instructions for 16-bit brain floats, so that they are no emulation."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.backends.cpu.get_cpu_capability()
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags or "bf16" in capabilities.lower()


def in_a_process(run: Callable[..., dict[str, Any]], shape: dict[str, Any]) -> dict[str, Any]:
    """Run alone, so that nothing is warm."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, kwds=shape)


def measure(*, network: str, size: int, kind: str, device: str, batch: int, threads: int) -> dict[str, Any]:
    """Time forward and a training step of one network."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    backbone, weights = prepared(network)
    backbone.to(device)
    levels = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    images = backbone.normalisation(functional.avg_pool2d(levels.float(), 5, 1, 2)).to(device)
    if kind != "float32":
        backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.arange(batch, device=device) % 10
    precise = torch.autocast(device, torch.bfloat16) if kind == "bf16" else contextlib.nullcontext()
    backbone.eval()
    with torch.no_grad():
        exact = backbone.stages(images)[-1].float()
        with precise:
            difference = (backbone.stages(images)[-1].float() - exact).norm() / exact.norm()

    def forward() -> None:
        with torch.no_grad(), precise:
            backbone.stages(images)

    optimiser = torch.optim.AdamW(backbone.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with precise:
            loss = functional.cross_entropy(backbone(images), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch declares none
        optimiser.step()

    measured = {"forward": batch / seconds_of(forward, device)}
    backbone.train()
    measured["step"] = batch / seconds_of(step, device)
    place = torch.cuda.get_device_name() if device == "cuda" else "processor"
    return {**measured, "difference": difference.item(), "weights": weights, "place": place}


def prepared(network: str) -> tuple[Backbone, str]:
    """Build a network, with published weights where they are at hand."""
    classes = 10 if network.startswith(("cifar", "small")) else 1000
    backbone = build_backbone(network, classes)
    source = PUBLISHED_WEIGHTS.get(network)
    path = next(iter(locate(source).values())).path if source else None
    if path:
        load_weights(backbone, path)
    return backbone, "published" if path else "random"


def seconds_of(run: Callable[[], None], device: str) -> float:
    """Time one run, the median of as many as are made in the time given."""
    run()
    # Other work on the machine does not count as time of the processor; a GPU keeps its own time.
    clock = time.perf_counter if device == "cuda" else time.process_time
    durations: list[float] = []
    while sum(durations) < SECONDS or len(durations) < 3:
        finish(device)
        begun = clock()
        run()
        finish(device)
        durations.append(clock() - begun)
    return statistics.median(durations)


def finish(device: str) -> None:
    """Wait for what was handed to a GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def summarise(journal: Journal) -> None:
    """Print images a second, as medians over the rounds, and how many times that is of ResNet-50 in float32."""
    conditions = ("place", "batch", "threads", "size", "kind")
    for where in sorted({tuple(record[name] for name in conditions) for record in journal.records}, key=str):
        key = dict(zip(conditions, where, strict=True))
        reference = journal.matching({**key, "kind": "float32", "network": REFERENCE})
        heads = ("forward, images a second", "/ ResNet-50", "step, images a second", "/ ResNet-50", "off float32")
        rows = [["network", *heads]]
        for network in BACKBONES:
            records = journal.matching({**key, "network": network})
            if records:
                cells = [network]
                for what in ("forward", "step"):
                    speed = statistics.median(record[what] for record in records)
                    cells.append(f"{speed:,.1f}")
                    of = statistics.median(record[what] for record in reference) if reference else None
                    cells.append(f"{speed / of:.2f}" if of else "")
                rows.append([*cells, f"{statistics.median(record['difference'] for record in records):.1e}"])
        print(f"\n{', '.join(f'{name} {value}' for name, value in key.items())}\n")
        print_rows(rows)


if __name__ == "__main__":
    main()
