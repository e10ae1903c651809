"""How good and how fast super-resolution is, and how much memory large images take.

- ``accuracy``: training with the default settings on ``t91`` (tested on Set5, which nothing is chosen by) and on
  ``nuclei``, over seeds; PSNR and SSIM of both phases beside bicubic and Lanczos, with and without the average over
  eight flips and turns, and the share of test images that come nearer to the truth than with bicubic. Settings behind
  ``--set`` go to ``train``.
- ``loader``: the share of a training step's time that is spent on cutting crops.
- ``memory``: restoring an image to 4,096 x 4,096 pixels in tiles, and one of 4,096 x 4,096 pixels to four times that:
  seconds of the processor, and the highest memory beside the images themselves.

    python benchmarks/super_resolution.py accuracy --seeds 0 1 2 --out benchmarks/results/super_resolution.jsonl
    python benchmarks/super_resolution.py accuracy --seeds 0 --out FILE --set device=cuda width=64 blocks=16 epochs=400
    python benchmarks/super_resolution.py loader --out benchmarks/results/super_resolution.jsonl
    python benchmarks/super_resolution.py memory --out benchmarks/results/super_resolution.jsonl
"""

from __future__ import annotations

import argparse
import ast
import math
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch

import primase
from journal import Journal, mean_and_deviation, print_rows
from primase.apps.images.pictures import Pictures
from primase.apps.images.reading import read_pictures
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration, SuperResolutionData
from primase.apps.super_resolution.crops import Crops, PlanePairs
from primase.apps.super_resolution.datasets import DATASETS
from primase.apps.super_resolution.encoding import PictureEncoder, picture_encoder
from primase.apps.super_resolution.judging import Judge, interpolations, restorer
from primase.apps.super_resolution.learning import build_network, pixel_error
from primase.apps.super_resolution.restoring import Restorer
from primase.evaluation.image_quality import MEASURES
from primase.events import silent
from primase.training.fit import computes_with_bfloat16

SETS: Final = ("t91", "nuclei")
SIDES: Final = (1024, 4096)
"""Of the images of low resolution whose restoration is measured."""


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accuracy", "loader", "memory"))
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--datasets", nargs="+", default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--scales", type=int, nargs="+", default=[4])
    parser.add_argument("--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE", help="for train")
    options = parser.parse_args()
    journal = Journal(options.out)
    settings = {name: _read(value) for name, _, value in (text.partition("=") for text in options.settings)}
    if options.what == "accuracy":
        for dataset in options.datasets:
            for scale in options.scales:
                for seed in options.seeds:
                    key = {"what": "accuracy", "dataset": dataset, "scale": scale, "seed": seed, "settings": settings}
                    if not journal.matching(key):
                        journal.add(key, _in_a_process(accuracy, key))
        summarise(journal)
        return
    if options.what == "loader":
        keys = [{"what": "loader", "scale": 4}]
    else:
        keys = [{"what": "memory", "scale": 4, "side": side} for side in SIDES]
    for key in keys:
        if not journal.matching(key):
            journal.add(key, _in_a_process({"loader": loader, "memory": memory}[options.what], key))


def _read(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _in_a_process(run: Callable[..., dict[str, Any]], key: dict[str, Any]) -> dict[str, Any]:
    """Run alone, so that nothing is warm and memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(run, (key,))
    return {**measured, "date": time.strftime("%Y-%m-%d")}


def accuracy(key: dict[str, Any]) -> dict[str, Any]:
    """Train once, and measure both phases."""
    started, used = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        asked = {"dataset": key["dataset"], "scale": key["scale"], "seed": key["seed"], **key["settings"]}
        run = primase.train("super-resolution", out=out, **asked)
        seconds = {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - used}
        found = {f"network_{name}": run.test[name].value for name in MEASURES}
        for baseline, figures in run.metrics["baselines"].items():
            found |= {f"{baseline}_{name}": figures[name]["value"] for name in MEASURES}
        for figures in run.metrics.get("insights", {}).values():
            found |= {f"adversarial_{name}": figures[name]["value"] for name in MEASURES}
        found |= _more(run, key["dataset"])
    return {**found, **seconds, "train_s": run.metrics["seconds"]["train"]}


def _more(run: primase.Run, dataset: str) -> dict[str, float]:
    """Measure the test images again: on how many the network is nearer than bicubic, and what eight turns add."""
    encoder = picture_encoder(run.model.predictor.encoder)
    data = SuperResolutionData(dataset=dataset)
    read = read_pictures(data, silent, DATASETS, labelled=False)
    tested = pl.read_parquet(run.path / "predictions.parquet").filter(pl.col("part") == "test")["id"].to_list()
    test = read.pictures.take(np.flatnonzero(np.isin(read.ids.astype(str), tested)))
    judge = Judge(encoder, None)
    bicubic, _ = interpolations(judge)
    plain = judge.of_all(bicubic.restored, test)[:, 0]
    once = restorer(run.model.predictor)
    ours = judge.of_all(once.restored, test)[:, 0]
    eight = judge.of_all(replace(once, self_ensemble=True).restored, test)
    return {
        "nearer_than_bicubic": float(np.mean(ours > plain)),
        "least_gain": float((ours - plain).min()),
        "ensemble_psnr": float(eight[:, 0].mean()),
        "ensemble_ssim": float(eight[:, 1].mean()),
    }


def loader(key: dict[str, Any]) -> dict[str, Any]:
    """Time the cutting of crops beside a whole training step."""
    del key
    own = PictureEncoder.of(SuperResolutionConfiguration())
    sharp = [(np.random.default_rng(seed).random((256, 256, 3)) * 255).astype(np.uint8) for seed in range(40)]
    crops = Crops.all_of(PlanePairs.of(own, Pictures.of_arrays(sharp)), 24)
    network = build_network(own, SuperResolutionConfiguration())
    optimiser = torch.optim.AdamW(network.pixel.parameters(), lr=1e-4, fused=True)
    generator = np.random.default_rng(0)
    waited, learned = [], []
    for _ in range(40):
        start = time.process_time()
        batch = crops.batch(generator.integers(len(crops), size=16))
        cut = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_with_bfloat16()):
            loss = pixel_error(network, batch, torch.empty(0))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        waited.append(cut - start)
        learned.append(time.process_time() - cut)
    cut, step = statistics.median(waited), statistics.median(learned)
    return {"cut_s": cut, "step_s": step, "share_waiting": cut / (cut + step)}


def memory(key: dict[str, Any]) -> dict[str, Any]:
    """Restore a large image of 8 bits in tiles."""
    configuration = SuperResolutionConfiguration()
    network = build_network(PictureEncoder.of(configuration), configuration).eval()
    made = Restorer([network.pixel], "luminance")
    low = (np.random.default_rng(0).random((key["side"], key["side"])) * 255).astype(np.uint8)
    made.restored(low[:300, :300])
    before, started = _peak_mib(), time.process_time()
    restored = made.restored(low)
    return {
        "cpu_s": time.process_time() - started,
        "images_mib": (low.nbytes + restored.nbytes) / 2**20,
        "more_than_one_tile_mib": _peak_mib() - before - restored.nbytes / 2**20,
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def summarise(journal: Journal) -> None:
    """Print means and standard deviations over the seeds."""
    rows = [["data", "scale", "settings", "seeds", *MEASURES]]
    found = journal.matching({"what": "accuracy"})
    for dataset, scale, settings in {(one["dataset"], one["scale"], str(one["settings"])) for one in found}:
        same = (dataset, scale, settings)
        some = [one for one in found if (one["dataset"], one["scale"], str(one["settings"])) == same]
        for way in ("network", "adversarial", "bicubic", "lanczos"):
            if f"{way}_psnr" in some[0]:
                figures = [_mean([one[f"{way}_{name}"] for one in some]) for name in MEASURES]
                rows.append([f"{dataset}: {way}", str(scale), settings, str(len(some)), *figures])
    print_rows(rows)


def _mean(values: list[float | None]) -> str:
    """Write a mean; without an adversarial phase no perceptual distance is measured."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    return mean_and_deviation(known) if known else "not measured"


if __name__ == "__main__":
    main()
