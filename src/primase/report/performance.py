"""How good the network is beside its baselines and probes, whatever it gives; and words that all sections share."""

from __future__ import annotations

from collections.abc import Sequence

from primase.data.tasks import Task
from primase.evaluation.evaluation import Evaluation, best_first
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import lower_is_better, metric_title
from primase.evaluation.scorer import overall_metrics
from primase.report.figures.comparison import intervals
from primase.report.run import TrainingRun
from primase.report.sections import Block, BulletList, Details, Section, Table

NETWORK = "network"
SHOWN = (
    *("auroc", "auprc", "macro_auroc", "macro_auprc", "macro_f1", "accuracy", "macro_accuracy", "mcc", "macro_mcc"),
    *("ece", "macro_ece", "macro_mae", "macro_r2", "macro_pearson", "macro_mse"),
    *("psnr", "ssim", "perceptual_distance"),
)


def metrics_table(evaluation: Evaluation, names: Sequence[str], scale: str = "") -> Table:
    """Lay the network beside its baselines and probes by some metrics, every figure with its interval."""
    models = {NETWORK: evaluation.test, **evaluation.baselines}
    models |= {f"{name} (probe)": metrics for name, metrics in evaluation.probes.items()}
    rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in models.items()]
    return Table(
        ["Model", *(capitalised(metric_title(metric)) for metric in names)],
        rows,
        "The network, the baselines and the probes on the same test part, each with its 95 % interval.",
        " ".join([evaluation.intervals, *_reading(evaluation), *scale_sentences(scale)]),
        highlighted=[0],
    )


def _reading(evaluation: Evaluation) -> list[str]:
    """Say how to read the metrics: of which less is better, what they are means over, what the positive label is."""
    task = evaluation.task
    if task.is_image:
        lower = [metric_title(name) for name in task.labels if lower_is_better(name)]
        said = ["Each figure is the mean over the test images that have it."]
        return [*said, f"Lower is better for {', '.join(lower)}."] if lower else said
    if task.is_value:
        of_what = f"Each figure is the mean over {count_text(len(task.labels), value_noun(task))}"
        return ["Lower is better for MAE and MSE.", f"{of_what} for which it is defined."]
    said = ["Lower is better for ECE and Brier score."]
    if task.is_multilabel:
        said.append(f"Each figure is the mean over {len(task.labels)} labels.")
    return [*said, f"The positive class is “{task.labels[1]}”."] if task.kind == "binary" else said


def scale_sentences(scale: str) -> list[str]:
    """Say on which scale values and their errors are, where there is something to say."""
    return [f"Figures are on the scale {scale}."] if scale else []


def value_noun(task: Task) -> str:
    """Name what a value is predicted for, in the singular."""
    return "feature" if task.kind == "generative" else "target"


def count_text(count: int, what: str) -> str:
    """Write how many there are of something.

    Examples
    --------
    >>> count_text(1, "target"), count_text(4600, "target")
    ('1 target', '4,600 targets')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def headline_metrics(evaluation: Evaluation) -> list[str]:
    """Name the metrics of the task as a whole, without those of single labels or targets."""
    return [name for name in overall_metrics(evaluation.task) if name in evaluation.test]


def best_rival(evaluation: Evaluation) -> tuple[str, dict[str, Interval]]:
    """Find the baseline with the best main metric, and all its figures."""
    best = best_first(evaluation.task, evaluation.baselines)[0]
    return best, dict(evaluation.baselines[best])


def strongest_probes(evaluation: Evaluation) -> list[str]:
    """Name the probes by what they reach, the strongest first."""
    return best_first(evaluation.task, evaluation.probes)


def lead(evaluation: Evaluation, rival: str) -> Interval:
    """Return by how much the network's main metric is better than that of a baseline or probe; below 0 if worse."""
    main = evaluation.task.main_metric
    difference = evaluation.differences[rival][main]
    if not lower_is_better(main):
        return difference
    return Interval(-difference.value, -difference.high, -difference.low)


def compared(evaluation: Evaluation) -> str:
    """Say how the network stands to the best baseline, as in "better than"."""
    ahead = lead(evaluation, best_rival(evaluation)[0])
    if not ahead.excludes(0.0):
        return "about as good as"
    return "better than" if ahead.value > 0 else "worse than"


def comparison_section(run: TrainingRun) -> Section:
    """Show the network beside its baselines and probes, and on parts of the test."""
    evaluation = run.assessment.evaluation
    main, overall = evaluation.task.main_metric, headline_metrics(evaluation)
    others = [name for name in overall if name not in SHOWN]
    scores = [(NETWORK, *triple(evaluation.main), "network")]
    scores += [(name, *triple(metrics[main]), "baseline") for name, metrics in evaluation.baselines.items()]
    scores += [(name, *triple(metrics[main]), "probe") for name, metrics in evaluation.probes.items()]
    blocks: list[Block] = [
        intervals(scores, metric=capitalised(metric_title(main)), chance=0.5 if main.endswith("auroc") else None),  # type: ignore[arg-type]  # the kinds are literals
        metrics_table(evaluation, [name for name in overall if name in SHOWN], run.scale),
        *([Details("The other metrics", [metrics_table(evaluation, others)])] if others else []),
        BulletList([f"{capitalised(name)}. {text}" for name, text in run.assessment.descriptions.items()]),
    ]
    if evaluation.subsets:
        wanted = {main, *(run.task.metric(name) for name in ("accuracy", "ece", "r2", "mae", "pearson", "ssim"))}
        names = [name for name in overall if name in wanted]
        rows = [[name, *(str(metrics[metric]) for metric in names)] for name, metrics in evaluation.subsets.items()]
        columns = ["Part of the test", *(capitalised(metric_title(metric)) for metric in names)]
        blocks.append(Table(columns, rows, "The network on parts of the test that are worth a look of their own."))
    return Section("Network, baselines and probes", blocks)


def triple(interval: Interval) -> tuple[float, float, float]:
    """Take an interval apart, as drawings have it."""
    return interval.value, interval.low, interval.high


def bounds_text(interval: Interval) -> str:
    """Write the ends of an interval as the note of a key figure."""
    return f"95 %: {interval.low:.3f} to {interval.high:.3f}" if interval.has_bounds else "no interval"


def capitalised(text: str) -> str:
    """Begin a text with a capital letter, and leave the rest as it is."""
    return text[:1].upper() + text[1:]
