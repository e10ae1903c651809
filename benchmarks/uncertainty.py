"""Whether prediction sets hold what they promise, and whether inputs of another kind are told from those of the test.

Two things are measured of the models that ``calibration.py`` trains:

``coverage``
    the share of the test whose set of labels, stated to hold the true one in 90 %, does;
``unlike``
    how well the distance to the training examples tells inputs of another kind from the test (AUROC), and which share
    of either is called unlike. For sequences: test sequences whose letters, or pairs of neighbouring letters, were
    shuffled, and uniformly random letters. For X-rays of the chest: squares of photographs, and of microscopy.

    python benchmarks/uncertainty.py --out benchmarks/results/uncertainty.jsonl --folder MODELS --images FOLDER FOLDER
    python benchmarks/uncertainty.py --out FILE --summary
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

from calibration import DATASETS, opened
from journal import Journal, print_rows
from primase.bio.nucleotides import LOWER_CASE
from primase.bio.shuffling import shuffle_dinucleotides
from primase.data.sequences import Sequences
from primase.evaluation.prediction_sets import fit_sets, set_figures
from primase.events import silent
from primase.predictor.familiarity import BEYOND
from primase.remaking.reopening import Reopened

COVERAGE = 0.9
MOST = 1000


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--folder", type=Path, help="where the models are kept")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=["enzyme-pfam", "tf_0", "pneumoniamnist"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, help="as for calibration.py")
    parser.add_argument("--images", nargs="*", type=Path, default=[], help="folders of images that are no X-rays")
    parser.add_argument("--summary", action="store_true", help="measure nothing, only print the table")
    options = parser.parse_args()
    journal = Journal(options.out)
    for dataset in [] if options.summary else options.datasets:
        for seed in options.seeds:
            key = {"dataset": dataset, "seed": seed, "epochs": options.epochs}
            if not journal.matching({**key, "measured": "coverage"}):
                model = opened(options.folder, dataset, seed=seed, epochs=options.epochs)
                for named, measured in measurements(model, seed, options.images):
                    journal.add({**key, **named}, {**measured, "date": time.strftime("%Y-%m-%d")})
    rows: list[list[object]] = [["data set", "seed", "measured", "value", "interval", "further"]]
    for record in journal.records:
        what = record["measured"] if record["measured"] == "coverage" else f"AUROC, {record['kind']}"
        interval = f"[{record['low']:.3f}, {record['high']:.3f}]" if "low" in record else ""
        rows.append([record["dataset"], record["seed"], what, f"{record['value']:.3f}", interval, record["further"]])
    print_rows(rows)


def measurements(
    model: Reopened, seed: int, photographs: Sequence[Path]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Measure the coverage, and how well inputs of another kind are told."""
    prepared, predictor = model.prepared, model.model.predictor
    task, partition, workflow = predictor.task, prepared.audited.partition, prepared.workflow
    outputs, truth = workflow.outputs(predictor, prepared.parts["validation"], silent), prepared.truth("validation")
    units = partition.units[partition.validation]
    sets = fit_sets(task, predictor.calibrator.name, outputs, truth, coverage=COVERAGE, units=units, seed=seed)
    test = prepared.parts["test"]
    drawn = workflow.resampled(test, partition.units[partition.test], partition.policy)
    answers = predictor.calibrator.answers(workflow.outputs(predictor, test, silent))
    found = set_figures(sets, task, prepared.truth("test"), answers, drawn)
    bounds = {"value": found.found.value, "low": found.found.low, "high": found.found.high}
    yield {"measured": "coverage"}, {**bounds, "further": f"{found.size.value:.2f} labels in a set"}
    familiarity = predictor.safeguards.familiarity
    if familiarity is None:
        return
    generator = np.random.default_rng(seed)
    few = test.take(np.sort(generator.choice(len(test), min(MOST, len(test)), replace=False))).inputs
    network, encoder = predictor.members[0], predictor.encoder
    usual = familiarity.distances(network, encoder.encode(few))
    for kind, inputs in others(model, few, generator, photographs):
        far = familiarity.distances(network, encoder.encode(inputs))
        told = np.repeat([0, 1], [len(usual), len(far)])
        shares = [float((familiarity.ranks(one) >= BEYOND).mean()) for one in (usual, far)]
        measured = {
            "value": float(roc_auc_score(told, np.concatenate([usual, far]))),
            "further": f"called unlike: {shares[0]:.1%} of the test, {shares[1]:.1%} of these",
        }
        yield {"measured": "unlike", "kind": kind}, measured


def others(
    model: Reopened, inputs: Any, generator: np.random.Generator, folders: Sequence[Path]
) -> Iterator[tuple[str, Any]]:
    """Make inputs of another kind, of those of the test or of folders of images."""
    if isinstance(inputs, Sequences):
        codes = [inputs.codes(place) for place in range(len(inputs))]
        yield "uniformly random letters", Sequences.from_codes([_random(one, generator) for one in codes])
        yield "shuffled letters", Sequences.from_codes([_shuffled(one, generator) for one in codes])
        pairs = [shuffle_dinucleotides(one[None], shuffles=1, seed=0)[0, 0] for one in codes]
        yield "shuffled, pairs of letters kept", Sequences.from_codes(pairs)
        yield "one letter repeated", Sequences.from_codes([np.full_like(one, one[0]) for one in codes])
    elif model.model.application.name == "image-diagnosis":
        for folder in folders:
            with tempfile.TemporaryDirectory() as squares:
                cut_squares(folder, Path(squares))
                stream = model.model.workflow.stream(
                    Path(squares), model.model.configured({}), model.model.predictor.encoder, silent
                )
                blocks = [block.inputs for block in stream]
                yield folder.name, type(blocks[0]).concatenate(blocks)


def _random(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw bases, one bit each, in the case of the letters that are there."""
    return (1 << generator.integers(0, 4, size=len(codes)) | (codes & LOWER_CASE)).astype(codes.dtype)


def _shuffled(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shuffle the bases; which letters are in lower case stays as it is."""
    return generator.permutation(codes & ~np.uint8(LOWER_CASE)) | (codes & LOWER_CASE)


def cut_squares(folder: Path, out: Path, *, most: int = 600) -> None:
    """Cut images into four squares, grey and 28 pixels wide as the X-rays are."""
    cut = 0
    for path in sorted(folder.iterdir()):
        image = Image.open(path).convert("L")
        side = min(image.size) // 2
        for left, top in ((0, 0), (side, 0), (0, side), (side, side)):
            if cut < most:
                image.crop((left, top, left + side, top + side)).resize((28, 28)).save(out / f"{cut}.png")
                cut += 1


if __name__ == "__main__":
    main()
