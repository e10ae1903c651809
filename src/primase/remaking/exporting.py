"""Write a trained model for programs without primase, checked against the bundle on real inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from primase.errors import ConfigurationError, InputError
from primase.events import Listener, Stages, silent
from primase.models import Model, load
from primase.nn.threads import cpu_threads
from primase.predictor.bundle import bundle_digest
from primase.predictor.onnx_graph import OUTPUT, TOLERANCE, export_onnx
from primase.remaking.reopening import refuse_gone, reopen
from primase.versions import PRIMASE

CHECKED: Final = 512
"""Examples on which the graph is compared with the networks, at most."""
LARGEST_ENCODER: Final = 1 << 20
ENDING: Final = ".onnx"


@final
@dataclass(frozen=True, slots=True)
class Export:
    """A model that was written for other programs.

    Parameters
    ----------
    path
        The file.
    difference
        By how much its answers differ at most from those of the bundle, before calibration.
    examples
        On how many examples that was measured.
    inputs
        The names of its inputs.
    """

    path: Path
    difference: float
    examples: int
    inputs: tuple[str, ...]


def export(
    path: Path | str,
    *,
    out: Path | str,
    inputs: Path | str | None = None,
    format: str = "onnx",  # noqa: A002 - the word of the command
    listener: Listener = silent,
    **settings: Any,
) -> Export:
    """Write a trained model as a file for other programs, as ``primase export DIR`` does.

    Parameters
    ----------
    path
        The bundle.
    out
        The file to write; its name ends in ``.onnx``.
    inputs
        A file of examples to compare both on, as for ``predict``; by default the test part of what the model was
        trained on.
    settings
        Where files of that have moved, the words by which they are given to ``train``.

    Raises
    ------
    ConfigurationError
        If a network does what ONNX has no operator for, or the packages that write ONNX are not installed.
    InputError
        If the data have gone, or the file cannot be written.
    """
    target = Path(out)
    _check(target, format)
    model, stages = load(path), Stages(listener)
    if model.predictor.task.is_image:
        what = f"{model.application.name} makes images of any size, and is no network that can be written as ONNX"
        raise ConfigurationError(what, where="--format onnx")
    with cpu_threads(model.configuration.training.cpu_threads):
        found = _examples(model, None if inputs is None else Path(inputs), settings, stages)
        encoded = model.predictor.encoder.encode(found)
        count = min(len(encoded), CHECKED)
        if not count:
            what = "there is no example to compare the file with the model on"
            raise InputError(what, where=str(inputs or path))
        # With one example alone, the size of the batch would be written as 1.
        batch = encoded.batch(np.resize(np.arange(count), max(count, 2)))
        with stages("export"):
            made = export_onnx(
                model.predictor.task, model.predictor.members, batch, _metadata(model, list(batch), found)
            )
    if made.difference > TOLERANCE:
        what = "the file would not answer as the model does"
        raise ConfigurationError(what, got=f"a difference of {made.difference:.2g}", wanted=f"at most {TOLERANCE:g}")
    staged = target.with_name(f".{target.name}.part")
    staged.write_bytes(made.content)
    staged.replace(target)
    return Export(target, made.difference, count, tuple(batch))


def _check(target: Path, format: str) -> None:  # noqa: A002 - the word of the command
    if format != "onnx":
        what = "there is no such format"
        raise ConfigurationError(what, where="--format", got=format, wanted="onnx")
    if target.suffix != ENDING:
        what = "the file is none of ONNX by its name"
        raise InputError(what, where=str(target), got=target.suffix or "no ending", wanted=ENDING)
    if target.exists():
        what = "there is already a file of this name"
        raise InputError(what, where=str(target))
    if not target.absolute().parent.is_dir():
        what = "the folder does not exist"
        raise InputError(what, where=str(target.absolute().parent))


def _examples(model: Model, inputs: Path | None, settings: Mapping[str, Any], stages: Stages) -> Any:
    """Read what to compare both on: the first block of a file, or the test part."""
    if inputs is not None:
        blocks = model.workflow.stream(inputs, model.configuration, model.predictor.encoder, stages.listener)
        return next(iter(blocks)).inputs
    refuse_gone(model, settings, "or give examples by --input FILE")
    return reopen(model.path, stages=stages, settings=settings).prepared.parts["test"].inputs


def _metadata(model: Model, inputs: list[str], examples: Any) -> dict[str, Any]:
    """Say in the file what a reader needs to know."""
    del examples
    task, calibrator = model.predictor.task, model.predictor.calibrator
    encoder = model.predictor.encoder.state().facts
    if len(json.dumps(encoder)) > LARGEST_ENCODER:
        encoder = {"note": "Too long to repeat: see bundle.json."}
    meaning = "values on the scale of the encoder" if task.is_value else "logarithms of probabilities"
    if task.is_multilabel:
        meaning = "log-odds of each label"
    return {
        "application": model.application.name,
        "labels": list(task.labels),
        "inputs": inputs,
        "output": f"{OUTPUT}: {meaning}, averaged over {len(model.predictor.members)} network(s), before calibration",
        "calibration": {"note": calibrator.note, **calibrator.to_state()},
        "encoder": encoder,
        "bundle_sha256": bundle_digest(model.path),
        "primase": PRIMASE,
    }
