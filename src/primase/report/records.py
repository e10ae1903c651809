"""Write a run down: tables, figures and words, as the bundle's folder holds them beside the weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from primase.data.splits import Part
from primase.data.tasks import Task
from primase.evaluation.contrasts import AssessedContrast
from primase.evaluation.gap import Gap
from primase.report.card import ModelCard, render_card
from primase.report.contrasts import contrast_sentences
from primase.report.page import write_page
from primase.report.performance import headline_metrics, metrics_table
from primase.report.run import TrainingRun
from primase.report.training import training_page
from primase.report.value_records import bounds_table, targets_table

METRICS = "metrics.json"
MEMBERS = "members.parquet"
PREDICTIONS = "predictions.parquet"
CONTRASTS = "contrasts.parquet"
TARGETS = "targets.parquet"
REPORT = "report.html"
CARD = "card.md"


def write_records(folder: Path, run: TrainingRun) -> dict[str, Any]:
    """Write the metrics, the tables, the report and the model card into a folder.

    Returns
    -------
    dict
        What ``metrics.json`` holds.
    """
    metrics = metrics_of(run)
    write_json(folder / METRICS, metrics)
    members_table(run).write_parquet(folder / MEMBERS)
    predictions_table(run).write_parquet(folder / PREDICTIONS)
    if run.assessment.contrasts:
        contrasts_table(run.task, run.assessment.contrasts, run.cuts).write_parquet(folder / CONTRASTS)
    if run.task.is_value:
        targets_table(run.assessment.evaluation).write_parquet(folder / TARGETS)
    write_page(folder / REPORT, training_page(run))
    (folder / CARD).write_text(render_card(model_card(run)), encoding="utf-8")
    return metrics


def metrics_of(run: TrainingRun) -> dict[str, Any]:
    """Gather what ``metrics.json`` holds."""
    evaluation = run.assessment.evaluation
    phases = [dict(member.phases) for member in run.members]
    further: dict[str, Any] = {"scale": run.scale} if run.scale else {}
    if run.insights.figures:
        further["insights"] = run.insights.to_state()
    return {
        "application": run.subject.application,
        "task": run.task.kind,
        "dataset": run.subject.dataset,
        "split": {"policy": run.partition.policy, "sizes": run.partition.sizes},
        **evaluation.to_state(),
        "intervals": evaluation.intervals,
        **_train_figures(run.gap),
        **further,
        **{remedy.name: dict(remedy.state) for remedy in run.remedies},
        "audit": [finding.to_state() for finding in run.findings],
        "seconds": {stage: round(seconds, 3) for stage, seconds in run.seconds.items()},
        "peak_memory_mib": round(run.peak_memory_mib),
        "precision": run.members[0].precision,
        "seed": run.configuration["seed"],
        "histories": [member.history for member in run.members],
        **({"phases": phases} if any(phases) else {}),
    }


def _train_figures(gap: Gap | None) -> dict[str, Any]:
    if gap is None:
        return {}
    return {"train": {name: figure.to_state() for name, figure in gap.train.items()}, "train_examples": gap.count}


def members_table(run: TrainingRun) -> pl.DataFrame:
    """List every example with its part, its group and a hash of its input: what `evaluate` needs to notice it again."""
    return pl.DataFrame(
        {
            "id": run.examples.ids.astype(str),
            "part": run.partition.names(len(run.examples)).astype(str),
            "group": run.partition.units.astype(np.int64),
            "input_hash": input_hashes(run.identities),
        }
    )


def input_hashes(fingerprints: np.ndarray[Any, Any]) -> pl.Series:
    """Hash inputs to 16 hexadecimal digits that stay the same between versions."""
    return pl.Series("input_hash", [blake2b(str(text).encode(), digest_size=8).hexdigest() for text in fingerprints])


def predictions_table(run: TrainingRun) -> pl.DataFrame:
    """List the answers on validation and test, from which the figures can be computed again.

    Returns
    -------
    polars.DataFrame
        ``id``, ``part``, ``group``, and the columns of the task; of values with intervals, unless there are more than
        1,000 targets, ``low_TARGET`` and ``high_TARGET`` on the test (the intervals were made from validation).
    """
    blocks = []
    answers: dict[Part, np.ndarray[Any, Any]] = {"validation": run.validation, "test": run.assessment.after}
    for part, found in answers.items():
        positions = run.partition.part(part)
        known = pl.DataFrame(
            {
                "id": run.examples.ids[positions].astype(str),
                "part": [part] * len(positions),
                "group": run.partition.units[positions].astype(np.int64),
            }
        )
        targets = run.task.target_columns(run.truth_of(part))
        columns = [known, targets, run.task.prediction_columns(found, run.cuts), *bounds_table(run, part)]
        blocks.append(pl.concat(columns, how="horizontal"))
    return pl.concat(blocks)


def contrasts_table(
    task: Task, contrasts: Sequence[AssessedContrast], cuts: Sequence[float] | None = None
) -> pl.DataFrame:
    """List the calibrated predictions on the test asked in another way, from which its figures can be recomputed.

    Parameters
    ----------
    contrasts
        At least one.
    cuts
        From which probability on a label is predicted; None for the most probable one.
    """
    blocks = []
    for assessed in contrasts:
        examples = assessed.contrast.examples
        known = pl.DataFrame(
            {
                "id": examples.ids.astype(str),
                "contrast": [assessed.figures.name] * len(examples),
                "group": assessed.contrast.units.index.astype(np.int64),
            }
        )
        targets, predictions = task.target_columns(examples.targets), task.prediction_columns(assessed.answers, cuts)
        blocks.append(pl.concat([known, targets, predictions], how="horizontal"))
    return pl.concat(blocks)


def model_card(run: TrainingRun) -> ModelCard:
    """Say in the words of a model card what the model is for, and how good it is."""
    own, sizes = run.subject.card, run.partition.sizes
    network = run.members[0]
    return ModelCard(
        title=f"{run.subject.application}: {run.subject.dataset}",
        question=run.subject.question,
        intended_use=list(own.get("Intended use", ())),
        not_intended_for=list(own.get("Not intended for", ())),
        data=[
            f"{len(run.examples):,} examples from {run.subject.dataset}.",
            *(finding.text for finding in run.findings),
        ],
        licence=" ".join(own.get("Licence", ())),
        split=(
            f"{run.partition.policy}: {sizes['train']:,} train, {sizes['validation']:,} validation, {sizes['test']:,} "
            f"test; a unit is one {run.unit_name}."
        ),
        metrics=metrics_table(run.assessment.evaluation, headline_metrics(run.assessment.evaluation), run.scale),
        calibration=run.assessment.evaluation.calibration.note,
        limits=[*own.get("Limits", ()), *contrast_sentences(run.assessment.evaluation)],
        reproduce=run.subject.command,
        model=(
            f"{run.subject.architecture}; {len(run.members)} network(s), best epoch {network.best_epoch} of "
            f"{len(network.history)}, precision {network.precision}."
        ),
        version=run.version,
    )


def write_json(path: Path, content: Any) -> None:
    """Write JSON that other programs read: no NaN."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
